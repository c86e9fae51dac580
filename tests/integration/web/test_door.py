"""Who may pass: the key, the name we are called by, the size of a body; and that every refusal is JSON."""

import json

import pytest

from integration.web.conftest import KEY, Desk
from stashplex.web.door import LARGEST_BODY_BYTES

pytestmark = pytest.mark.anyio

ROUTES = [
    ("GET", "/api/status"),
    ("GET", "/api/scenes/1"),
    ("POST", "/api/scenes/1/sync"),
    ("POST", "/api/events"),
    ("POST", "/api/reload"),
    ("POST", "/api/stop"),
    ("GET", "/api/unknown"),
]


@pytest.mark.parametrize("key", [None, "", "wrong", KEY[:-1], KEY + "x", "ké"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nothing_but_health_is_told_without_the_key(desk: Desk, method: str, path: str, key: str | None) -> None:
    response = await desk.send(method, path, b"[]", key=key)
    assert response.status == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "hint" in json.loads(response.body)
    assert (desk.events(), desk.looks, desk.reloads, desk.stops) == ([], 0, 0, 0)


async def test_health_needs_no_key_and_tells_nothing_else(desk: Desk) -> None:
    response = await desk.send("GET", "/api/health", key=None)
    assert (response.status, json.loads(response.body)) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:9998", "localhost:1", "[::1]:9998", "192.168.1.7:9998", "nas", "stashplex.lan.test:9998"],
)
async def test_it_answers_to_addresses_plain_names_and_its_own_name(desk: Desk, host: str) -> None:
    assert (await desk.send("GET", "/api/status", host=host)).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example.com", "evil.example.com:9998", "127.0.0.1.evil.test", "x.localhost.test"]
)
@pytest.mark.parametrize("path", ["/api/status", "/api/health"])
async def test_a_foreign_name_is_refused_even_with_the_key(desk: Desk, host: str, path: str) -> None:
    response = await desk.send("GET", path, host=host)
    assert response.status == 421
    assert "status" not in json.loads(response.body)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_no_page_of_another_origin_is_allowed_anything(desk: Desk, method: str, path: str) -> None:
    headers = (await desk.send(method, path, b"[]")).headers
    assert not [name for name in headers if name.startswith("access-control-")]
    assert headers["content-type"] == "application/json"


async def test_a_body_that_is_too_large_is_refused(desk: Desk) -> None:
    response = await desk.send("POST", "/api/events", b"[" + b" " * LARGEST_BODY_BYTES + b"]")
    assert response.status == 413
    assert desk.events() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/unknown", 404),
        ("POST", "/api/status", 405),
        ("GET", "/api/events", 405),
        ("GET", "/api/stop", 405),
        ("GET", "/api/scenes/0", 404),
        ("GET", "/api/scenes/x", 404),
        ("GET", f"/api/scenes/{2**63}", 404),
        ("GET", "/api/scenes/-1", 404),
    ],
)
async def test_what_is_not_there_is_said_as_json(desk: Desk, method: str, path: str, status: int) -> None:
    response = await desk.send(method, path)
    assert response.status == status
    assert set(json.loads(response.body)) == {"error", "hint"}
