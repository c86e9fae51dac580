"""How these tests speak to the simulated server: raw HTTP in process, a hand-moved clock, a bare socket."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import anyio
import trio
from anyio.streams.memory import MemoryObjectReceiveStream
from typing_extensions import override

from asgi import AsgiTransport
from stashplex.base.clock import Clock
from stashplex.base.transport import Request, Response
from stashplex.sim.plex.app import PlexSim

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class HandClock(Clock):
    """Stands still until it is moved."""

    at: datetime = START
    set_by: timedelta = timedelta()

    @override
    def now(self) -> datetime:
        return self.at + self.set_by

    @override
    def monotonic_s(self) -> float:
        return (self.at - START).total_seconds()

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class TrioClock(Clock):
    """Follows trio's clock, which in a test may be a virtual one."""

    @override
    def now(self) -> datetime:
        return START + timedelta(seconds=trio.current_time())

    @override
    def monotonic_s(self) -> float:
        return trio.current_time()


@dataclass(slots=True)
class Caller:
    """Sends requests as the owner asking for JSON, unless told otherwise."""

    sim: PlexSim
    token: str = "plex-token"
    accept: str = "application/json"
    timeout_s: float | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, method: str, path: str, body: bytes = b"", /, **query: object) -> Response:
        headers = {"Accept": self.accept, "X-Plex-Token": self.token, **self.headers}
        headers = {name: value for name, value in headers.items() if value}
        if query:
            path += ("&" if "?" in path else "?") + encoded(query)
        transport = AsgiTransport(self.sim.app, timeout_s=self.timeout_s)
        return await transport.send(Request(method, f"http://plex:32400{path}", headers, body))

    async def get(self, path: str, /, **query: object) -> dict[str, Any]:
        """Return the container of an answer that must be 200 and JSON."""
        answer = await self.send("GET", path, **query)
        assert answer.status == 200, answer.body
        container: dict[str, Any] = json.loads(answer.body)["MediaContainer"]
        return container

    async def rows(self, path: str, /, **query: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get(path, **query)).get("Metadata", [])
        return found

    async def item(self, key: str) -> dict[str, Any]:
        """Return one whole item."""
        (found,) = await self.rows(f"/library/metadata/{key}?skipRefresh=1&includeGuids=1")
        return found

    async def edit(self, key: str, section: int = 1, /, **values: object) -> None:
        """Edit one item (or several, comma-separated) through the section's endpoint."""
        answer = await self.send("PUT", f"/library/sections/{section}/all?type=1&id={key}&{encoded(values)}")
        assert (answer.status, answer.body) == (200, b"")


def encoded(query: dict[str, object]) -> str:
    """Return a query string; brackets and dots in names stay as they are."""
    return "&".join(f"{quote(name, safe='[].-')}={quote(str(value), safe='')}" for name, value in query.items())


def tags(item: dict[str, Any], array: str) -> list[str]:
    return [tag["tag"] for tag in item.get(array, [])]


def locks(item: dict[str, Any]) -> set[str]:
    return {entry["name"] for entry in item.get("Field", []) if entry["locked"] is True}


@dataclass(slots=True)
class Socket:
    """One open notification socket."""

    messages: MemoryObjectReceiveStream[dict[str, Any]]

    async def next(self) -> dict[str, Any]:
        """Return the next message of the server, within five seconds."""
        with anyio.fail_after(5):
            return await self.messages.receive()

    async def frame(self) -> dict[str, Any]:
        """Return the next frame without its outer container."""
        message = await self.next()
        assert message["type"] == "websocket.send", message
        container: dict[str, Any] = json.loads(message["text"])["NotificationContainer"]
        return container


@asynccontextmanager
async def listening(sim: PlexSim, path: str, query: str = "X-Plex-Token=plex-token") -> AsyncIterator[Socket]:
    """Open a socket in process; its first message (accept or close) is the caller's to read."""
    to_app, from_client = anyio.create_memory_object_stream[dict[str, Any]](100)
    to_client, from_app = anyio.create_memory_object_stream[dict[str, Any]](100)
    scope = {"type": "websocket", "path": path, "query_string": query.encode(), "headers": []}
    await to_app.send({"type": "websocket.connect"})
    with to_app, from_client, to_client, from_app:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sim.app, scope, from_client.receive, to_client.send)
            yield Socket(from_app)
            await to_app.send({"type": "websocket.disconnect", "code": 1000})
