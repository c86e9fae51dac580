"""The panel beside a server takes changes all or none, and leaves the rest alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route

from asgi import AsgiTransport
from stashplex.base.transport import Request, Response
from stashplex.sim.control import Panel, check_changes, controlled

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Knobs:
    latency_s: float = 0.0
    writers: int = 1
    status: int | None = None


@dataclass(slots=True)
class Machine:
    knobs: Knobs = field(default_factory=Knobs)
    counts: dict[str, int] = field(default_factory=lambda: {"read": 3})

    def turn(self, changes: Mapping[str, Any]) -> None:
        for name, value in check_changes(self.knobs, changes).items():
            setattr(self.knobs, name, value)


async def whatever(request: HttpRequest) -> HttpResponse:
    return PlainTextResponse(f"app {request.url.path}")


def a_transport(machine: Machine, *, client: str = "127.0.0.1") -> AsgiTransport:
    panel = Panel("plex", lambda: machine.counts, machine.counts.clear, machine.turn, lambda: "abc")
    return AsgiTransport(controlled(Starlette(routes=[Route("/{rest:path}", whatever)]), panel), client=client)


async def ask(transport: AsgiTransport, method: str, path: str, body: bytes = b"") -> Response:
    return await transport.send(Request(method, f"http://sim{path}", body=body))


async def test_counts_are_shown_and_reset() -> None:
    transport = a_transport(Machine())
    assert json.loads((await ask(transport, "GET", "/_sim/counts")).body) == {"read": 3}
    assert (await ask(transport, "POST", "/_sim/reset-counts")).status == 204
    assert json.loads((await ask(transport, "GET", "/_sim/counts")).body) == {}


async def test_switches_are_turned() -> None:
    machine = Machine()
    answer = await ask(a_transport(machine), "POST", "/_sim/plex", b'{"latency_s": 1, "status": 503}')
    assert answer.status == 204
    assert machine.knobs == Knobs(latency_s=1.0, status=503)


@pytest.mark.parametrize(
    "body",
    [
        b'{"writers": 2, "speed": 1}',
        b'{"writers": 2, "latency_s": "fast"}',
        b'{"writers": null}',
        b"[]",
        b"{",
        b"",
    ],
)
async def test_a_wrong_change_is_refused_and_nothing_changes(body: bytes) -> None:
    machine = Machine()
    answer = await ask(a_transport(machine), "POST", "/_sim/plex", body)
    assert answer.status == 400
    assert json.loads(answer.body)["error"]
    assert machine.knobs == Knobs()


async def test_the_digest_is_told() -> None:
    assert json.loads((await ask(a_transport(Machine()), "GET", "/_sim/digest")).body) == {"digest": "abc"}


@pytest.mark.parametrize("path", ["/", "/library", "/_simple", "/x/_sim/counts"])
async def test_everything_else_reaches_the_application(path: str) -> None:
    assert (await ask(a_transport(Machine()), "GET", path)).body == f"app {path}".encode()


async def test_other_machines_are_refused() -> None:
    answer = await ask(a_transport(Machine(), client="192.168.1.7"), "GET", "/_sim/counts")
    assert answer.status == 403


async def test_an_unknown_path_of_the_panel_is_not_the_applications() -> None:
    assert (await ask(a_transport(Machine()), "GET", "/_sim/nothing")).status == 404
