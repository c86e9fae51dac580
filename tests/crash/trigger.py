"""The trap before a simulated server: it kills whoever sends request number n, before or after it was applied.

An ASGI application around a simulator's; it runs in the simulators' event loop and is armed from there. Invariant: when
a trap springs, the process is dead before the request is applied (`is_before`: it never is) or right after, unanswered.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio

from asgi import AsgiApp
from stashplex.base.clock import SystemClock
from stashplex.sim.plex.routes import find_route

COVER = "cover"
STASH_QUERY = "stash_query"


@dataclass(frozen=True, slots=True)
class Trap:
    """Spring at matching request `number`, from 1. Shape: no `kinds` match all; `item` is a rating key or ""."""

    kinds: frozenset[str]
    number: int
    is_before: bool
    item: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """One edit or upload as Plex worked on it. Units: seconds of a monotonic clock."""

    kind: str
    item: str
    begun_s: float
    ended_s: float


@dataclass(slots=True)
class Trigger:
    """The armed trap, and what went through. Shape: `kill` is told the port of the sender."""

    trap: Trap | None = None
    kill: Callable[[int], object] | None = None
    left: int = 0
    in_flight: int = 0
    stays: bool = False
    requests: int = 0
    written: list[Written] = field(default_factory=list)

    def arm(self, trap: Trap, kill: Callable[[int], object], *, stays: bool = False) -> None:
        """Set a trap. One that stays springs at every match from then on."""
        self.trap, self.kill, self.left, self.stays = trap, kill, trap.number, stays

    def disarm(self) -> None:
        """Let everything pass."""
        self.trap = None

    def springs(self, kind: str, item: str) -> Trap | None:
        """Count a request; return the trap when it springs at this one."""
        trap = self.trap
        if trap is None or (trap.kinds and kind not in trap.kinds) or (trap.item and item != trap.item):
            return None
        self.left -= 1
        if self.left > 0:
            return None
        if not self.stays:
            self.trap = None
        return trap


def watched(app: AsgiApp, trigger: Trigger, *, is_plex: bool) -> AsgiApp:
    """Return a simulator's application with the trigger before it."""

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        kind, item = _of_plex(scope) if is_plex else _of_stash(scope)
        trigger.in_flight += 1
        trigger.requests += 1
        try:
            await _Passage(trigger, kind, item, scope).pass_through(app, receive, send)
        finally:
            trigger.in_flight -= 1

    return dispatch


class _Passage:
    """One request on its way."""

    def __init__(self, trigger: Trigger, kind: str, item: str, scope: Any) -> None:
        self._trigger = trigger
        self._kind = kind
        self._item = item
        self._scope = scope
        self._trap = trigger.springs(kind, item)
        self._clock = SystemClock()

    async def pass_through(self, app: AsgiApp, receive: Any, send: Any) -> None:
        trap = self._trap
        if trap is not None and trap.is_before:
            self._spring()
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        begun_s = self._clock.monotonic_s()

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                if self._kind in {"edit", "upload", "select"}:
                    ended_s = self._clock.monotonic_s()
                    self._trigger.written.append(Written(self._kind, self._item, begun_s, ended_s))
                if trap is not None:
                    self._spring()
            await send(message)

        with anyio.CancelScope(shield=True):  # a real server goes on with what it has read when the sender dies
            await app(self._scope, receive, answer)

    def _spring(self) -> None:
        if self._trigger.kill is not None:
            self._trigger.kill(self._scope["client"][1])


def _of_plex(scope: Any) -> tuple[str, str]:
    """Return the kind of a request and the one item that it writes to, if it does."""
    route, _ = find_route(scope["method"], scope["path"])
    kind = str(route.kind) if route else "other"
    if kind == "edit":
        query = scope["query_string"].decode()
        return kind, next((part.removeprefix("id=") for part in query.split("&") if part.startswith("id=")), "")
    return kind, scope["path"].split("/")[3] if kind in {"upload", "select"} else ""


def _of_stash(scope: Any) -> tuple[str, str]:
    return (STASH_QUERY if scope["path"] == "/graphql" else COVER), ""
