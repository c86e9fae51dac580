"""The JSON API of the running service: where things stand, and what is to be looked at.

It reads the store and writes event files; it asks no server and decides nothing. The invariant: an event is
acknowledged (202) only after it is durable in the spool, and each answer is JSON.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stashplex.base.clock import Clock
from stashplex.base.errors import StoreError
from stashplex.domain.scene import SceneId
from stashplex.store import spool
from stashplex.version import __version__
from stashplex.web.door import BodyTooLarge, Door, problem, read_body
from stashplex.web.facts import Facts

HEALTH = "/api/health"
ROUTES = {
    "health": ("GET", HEALTH),
    "status": ("GET", "/api/status"),
    "scene": ("GET", "/api/scenes/{scene:int}"),
    "sync": ("POST", "/api/scenes/{scene:int}/sync"),
    "events": ("POST", "/api/events"),
    "reload": ("POST", "/api/reload"),
    "stop": ("POST", "/api/stop"),
}
"""Method and path of each, by the method of `_Api` that answers."""

LARGEST_EVENT_BYTES = 60 * 1024
_LARGEST_ID = 2**63 - 1


class Event(msgspec.Struct):
    """An event as the hook writes it (docs/reference/spool.md); members that are not known are not kept."""

    type: str
    id: int = 0
    at: str = ""
    fields: list[str] = []
    path: str = ""
    args: dict[str, Any] = {}

    def render(self) -> bytes:
        """Return the event as its file says it: `path` and `args` only where there are any."""
        rare = {name: value for name, value in (("path", self.path), ("args", self.args)) if value}
        return msgspec.json.encode({"type": self.type, "id": self.id, "at": self.at, "fields": self.fields, **rare})


@dataclass(frozen=True, slots=True)
class Inbox:
    """Where events go. `look_now` tells the engine that some are there.

    `reload` asks for a look at the settings, `stop` for the end of the service.
    """

    directory: Path
    clock: Clock
    look_now: Callable[[], None]
    reload: Callable[[], None]
    stop: Callable[[], None]

    async def put(self, events: list[bytes]) -> None:
        """Write events durably, in their order, and tell the engine. Raises: OSError."""
        await to_thread.run_sync(self._write, events)
        self.look_now()

    def _write(self, events: list[bytes]) -> None:
        for event in events:
            spool.append(self.directory, event, now=self.clock.now())


def build_api(facts: Facts, inbox: Inbox, *, key: str, names: tuple[str, ...] = ()) -> Starlette:
    """Return the application behind its guard. Shape: `names` are further host names that it may be called by."""
    api = _Api(facts, inbox)
    return Starlette(
        routes=[Route(path, getattr(api, name), methods=[method]) for name, (method, path) in ROUTES.items()],
        middleware=[Middleware(Door, key=key, names=names, open_paths=(HEALTH,))],
        exception_handlers={
            HTTPException: _http_problem,
            StoreError: _store_problem,
            OSError: _disk_problem,
            BodyTooLarge: _size_problem,
        },
    )


class _Api:
    def __init__(self, facts: Facts, inbox: Inbox) -> None:
        self._facts = facts
        self._inbox = inbox

    async def health(self, _request: Request) -> Response:
        """Tell that the service lives, to anybody who may connect."""
        return _json({"status": "ok"})

    async def status(self, _request: Request) -> Response:
        """Tell where everything stands."""
        return _json(await to_thread.run_sync(self._facts.status, self._inbox.clock.now()))

    async def scene(self, request: Request) -> Response:
        """Tell where one scene stands."""
        return _json(await to_thread.run_sync(self._facts.scene, _scene_of(request)))

    async def sync(self, request: Request) -> Response:
        """Have one scene looked at now."""
        scene_id = _scene_of(request)
        event = Event("Request.sync_scene", scene_id, self._inbox.clock.now().isoformat())
        await self._inbox.put([event.render()])
        return _json({"accepted": 1}, 202)

    async def events(self, request: Request) -> Response:
        """Take events of another machine over; name those by position that are none."""
        try:
            given = msgspec.json.decode(await read_body(request), type=list[Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return problem(400, "The body is no JSON list of events.", "See docs/reference/api.md.")
        read = [_event_bytes(one) for one in given]
        good = [event for event in read if event is not None]
        await self._inbox.put(good)
        refused = [position for position, event in enumerate(read) if event is None]
        return _json({"accepted": len(good), "refused": refused, "version": __version__}, 202)

    async def reload(self, _request: Request) -> Response:
        """Have the settings read again now; what changed counts as soon as it was judged good."""
        self._inbox.reload()
        return _json({"reloading": True}, 202)

    async def stop(self, _request: Request) -> Response:
        """End the service, after this answer."""
        self._inbox.stop()
        return _json({"stopping": True}, 202)


def _scene_of(request: Request) -> SceneId:
    number: int = request.path_params["scene"]
    if not 0 < number <= _LARGEST_ID:
        raise HTTPException(404, "There is no such scene.")
    return SceneId(number)


def _event_bytes(given: Any) -> bytes | None:
    """Return an event as it goes into the spool, None for what is none."""
    try:
        event = msgspec.convert(given, Event)
        text = event.render()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return text if event.type and 0 <= event.id <= _LARGEST_ID and len(text) <= LARGEST_EVENT_BYTES else None


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _http_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise TypeError(type(error))
    refusal = problem(error.status_code, error.detail)
    refusal.headers.update(error.headers or {})
    return refusal


async def _store_problem(_request: Request, error: Exception) -> Response:
    return problem(503, str(error), getattr(error, "hint", ""))


async def _disk_problem(_request: Request, error: Exception) -> Response:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return problem(507, f"The events could not be kept: {reason}.", "Make room on the service's disk.")


async def _size_problem(_request: Request, _error: Exception) -> JSONResponse:
    return problem(413, "The body is larger than 1 MiB.", "Send fewer events at once.")
