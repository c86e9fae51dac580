"""Who gets in and with which status the others are sent away (facts 1-6)."""

import json
from urllib.parse import urlencode

import pytest

from integration.sim_stash.caller import JSON, KEY, Caller, HandClock
from stashplex.base.transport import Response
from stashplex.sim.stash.app import StashSim
from stashplex.sim.stash.session import Session

pytestmark = pytest.mark.anyio

VERSION = "{ version { version } }"


def cookie_of(sim: StashSim) -> str:
    return sim.keeper.write_cookie(Session("admin"), sim.clock.now())


def message_of(response: Response) -> str:
    return str(json.loads(response.body)["errors"][0]["message"])


async def login(caller: Caller) -> str:
    form = urlencode({"username": "admin", "password": "secret"}).encode()
    response = await caller.call("POST", "/login", headers={}, body=form)
    assert response.status == 200
    return response.headers["set-cookie"]


async def test_a_stranger_gets_401_without_a_body(caller: Caller) -> None:
    # fact 1
    response = await caller.reply(VERSION, headers={})
    assert (response.status, response.body) == (401, b"")
    assert response.headers["www-authenticate"] == "FormBased"


async def test_a_wrong_key_fails_even_beside_a_valid_cookie(sim: StashSim, caller: Caller) -> None:
    # fact 2
    headers = {"cookie": f"session={cookie_of(sim)}"}
    assert (await caller.reply(VERSION, headers=headers)).status == 200
    refused = await caller.reply(VERSION, headers={**headers, "ApiKey": "wrong"})
    assert (refused.status, refused.body, refused.headers["www-authenticate"]) == (401, b"", "FormBased")


@pytest.mark.parametrize("login_on", [True, False])
async def test_any_key_fails_when_the_server_has_none(clock: HandClock, login_on: bool) -> None:
    # fact 2
    sim = StashSim(api_key=None, clock=clock)
    sim.switches.login = login_on
    assert (await Caller(sim).reply(VERSION, headers=KEY)).status == 401


async def test_without_login_nobody_needs_a_key(sim: StashSim, caller: Caller) -> None:
    sim.switches.login = False
    assert (await caller.reply(VERSION, headers={})).status == 200


async def test_the_key_may_stand_in_the_address(sim: StashSim, caller: Caller) -> None:
    # fact 3
    scene = sim.add_scene(title="a")
    body = json.dumps({"query": VERSION}).encode()
    assert (await caller.call("POST", "/graphql?apikey=stash-key", headers=JSON, body=body)).status == 200
    assert (await caller.call("GET", f"/scene/{scene}/screenshot?t=1&apikey=stash-key", headers={})).status == 200
    assert (await caller.call("GET", f"/scene/{scene}/screenshot?apikey=no", headers={})).status == 401


async def test_of_two_cookies_the_first_decides(sim: StashSim, caller: Caller) -> None:
    # fact 3
    good = cookie_of(sim)
    first_good = await caller.reply(VERSION, headers={"cookie": f"session={good}; session=bad"})
    first_bad = await caller.reply(VERSION, headers={"cookie": f"session=bad; session={good}"})
    assert (first_good.status, first_bad.status) == (200, 401)


async def test_an_unknown_field_is_422(caller: Caller) -> None:
    # fact 4
    response = await caller.reply("{ findScenes { scenes { nonsense } } }")
    assert response.status == 422
    assert "nonsense" in json.loads(response.body)["errors"][0]["message"]


async def test_a_wrong_variable_is_422_too(caller: Caller) -> None:
    # fact 4
    response = await caller.reply("query($id: ID!) { findTag(id: $id) { id } }", {"id": {"no": 1}})
    assert response.status == 422


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"query": 1}', b""])
async def test_what_is_no_request_is_400(caller: Caller, body: bytes) -> None:
    # fact 4
    assert (await caller.call("POST", "/graphql", headers=KEY | JSON, body=body)).status == 400


@pytest.mark.parametrize("body", [b"{}", b'{"variables": {}}', b'{"query": ""}'])
async def test_a_request_without_a_document_is_422(caller: Caller, body: bytes) -> None:
    response = await caller.call("POST", "/graphql", headers=KEY | JSON, body=body)
    assert (response.status, message_of(response)) == (422, "no operation provided")


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_is_not_declared_as_json_is_400(caller: Caller, kind: str | None) -> None:
    body = json.dumps({"query": VERSION}).encode()
    headers = KEY if kind is None else {**KEY, "Content-Type": kind}
    response = await caller.call("POST", "/graphql", headers=headers, body=body)
    assert (response.status, message_of(response)) == (400, "transport not supported")
    charset = {**KEY, "Content-Type": "application/json; charset=utf-8"}
    assert (await caller.call("POST", "/graphql", headers=charset, body=body)).status == 200


async def test_behind_a_prefix_the_way_to_the_login_has_it_too(sim: StashSim, caller: Caller) -> None:
    scene = sim.add_scene(title="a")
    stranger = {"X-Forwarded-Prefix": "/stash"}
    response = await caller.call("GET", f"/scene/{scene}/screenshot?t=1", headers=stranger)
    target = f"%2Fstash%2Fscene%2F{scene}%2Fscreenshot%3Ft%3D1"
    assert (response.status, response.headers["location"]) == (302, f"/stash/login?returnURL={target}")


async def test_a_failing_resolver_is_200_with_errors_and_null_data(caller: Caller) -> None:
    # fact 4
    response = await caller.reply("{ findScenes(ids: [7]) { count } }")
    answer = json.loads(response.body)
    assert response.status == 200
    assert answer["data"] is None
    assert "not found" in answer["errors"][0]["message"]


async def test_get_works_for_queries(caller: Caller) -> None:
    response = await caller.call("GET", "/graphql?query=%7Bversion%7Bversion%7D%7D")
    assert json.loads(response.body)["data"]["version"]["version"] == "v0.30.1"


async def test_login_sets_a_session_of_an_hour(caller: Caller) -> None:
    # fact 5
    cookie = await login(caller)
    assert cookie.startswith("session=")
    assert "Max-Age=3600" in cookie
    assert "SameSite=Lax" in cookie


async def test_wrong_credentials_are_401(caller: Caller) -> None:
    form = urlencode({"username": "admin", "password": "no"}).encode()
    assert (await caller.call("POST", "/login", headers={}, body=form)).status == 401


async def test_every_answer_to_a_session_refreshes_it(clock: HandClock, caller: Caller) -> None:
    # fact 5
    cookie = (await login(caller)).partition(";")[0]
    clock.move(minutes=50)
    response = await caller.reply(VERSION, headers={"cookie": cookie})
    fresh = response.headers["set-cookie"].partition(";")[0]
    clock.move(minutes=50)
    assert (await caller.reply(VERSION, headers={"cookie": cookie})).status == 401
    assert (await caller.reply(VERSION, headers={"cookie": fresh})).status == 200


async def test_a_forged_cookie_is_nobody(caller: Caller) -> None:
    body, _, sign = (await login(caller)).partition(";")[0].removeprefix("session=").partition(".")
    assert (await caller.reply(VERSION, headers={"cookie": f"session={body}x.{sign}"})).status == 401


async def test_health_needs_nobody(caller: Caller) -> None:
    # fact 6
    response = await caller.call("GET", "/healthz", headers={})
    assert (response.status, response.body) == (200, b".")


async def test_a_page_sends_a_stranger_to_the_login(caller: Caller) -> None:
    # fact 18
    response = await caller.call("GET", "/scene/1/screenshot?t=5", headers={})
    assert response.status == 302
    assert response.headers["location"] == "/login?returnURL=%2Fscene%2F1%2Fscreenshot%3Ft%3D5"


async def test_a_path_with_an_extension_is_401(caller: Caller) -> None:
    assert (await caller.call("GET", "/scene/1_sprite.jpg", headers={})).status == 401


async def test_a_large_answer_is_zipped_when_asked(sim: StashSim, caller: Caller) -> None:
    for number in range(200):
        sim.add_scene(title=f"scene {number}")
    query = "{ findScenes(filter: {per_page: -1}) { scenes { title } } }"
    plain = await caller.reply(query)
    zipped = await caller.reply(query, headers={**KEY, "accept-encoding": "gzip"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert len(zipped.body) < len(plain.body) / 2
