"""A panel beside a simulated server: counters, switches, a digest, under `/_sim/` of its own address.

Not part of what is imitated, and answered only to this machine: benches and end-to-end tests turn a server that
runs in another process. Invariant: everything outside `/_sim/` reaches the application untouched; changes are taken
all or none.
"""

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX: Final = "/_sim/"
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1"})


class ChangeRefused(ValueError):  # noqa: N818 - errors name the condition
    """A change names no switch, or a value of the wrong type."""


@dataclass(frozen=True, slots=True)
class Panel:
    """What can be asked of one server and changed in it.

    Shape: `name` is the last part of the path that takes changes; `counts` maps kinds of requests to numbers;
    `turn` raises ChangeRefused before it changes anything; `digest` is None for a server without one.
    """

    name: str
    counts: Callable[[], Mapping[str, int]]
    reset_counts: Callable[[], None]
    turn: Callable[[Mapping[str, Any]], None]
    digest: Callable[[], str] | None = None


def controlled(app: ASGIApp, panel: Panel) -> ASGIApp:
    """Return the application with its panel beside it."""
    beside = Starlette(routes=_routes(panel))

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await app(scope, receive, send)
        elif scope["client"] is None or scope["client"][0] not in _THIS_MACHINE:
            await Response(status_code=403)(scope, receive, send)
        else:
            await beside(scope, receive, send)

    return dispatch


def check_changes(target: object, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes with values of the types of the target's fields.

    Shape: `target` is an instance of a dataclass. Raises: ChangeRefused.
    """
    kinds = typing.get_type_hints(type(target))
    names = {field.name for field in fields(typing.cast("Any", target))}
    checked: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in names:
            msg = f"there is no switch {name!r}; there are {', '.join(sorted(names))}"
            raise ChangeRefused(msg)
        try:
            checked[name] = msgspec.convert(value, kinds[name])
        except msgspec.ValidationError as error:
            msg = f"{name}: {error}"
            raise ChangeRefused(msg) from error
    return checked


def _routes(panel: Panel) -> list[Route]:
    async def counts(_request: Request) -> Response:
        return JSONResponse(dict(panel.counts()))

    async def reset_counts(_request: Request) -> Response:
        panel.reset_counts()
        return Response(status_code=204)

    async def turn(request: Request) -> Response:
        try:
            panel.turn(msgspec.json.decode(await request.body(), type=dict[str, Any]))
        except (ChangeRefused, msgspec.DecodeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return Response(status_code=204)

    async def digest(_request: Request) -> Response:
        return JSONResponse({"digest": panel.digest() if panel.digest else None})

    return [
        Route(f"{PREFIX}counts", counts),
        Route(f"{PREFIX}reset-counts", reset_counts, methods=["POST"]),
        Route(f"{PREFIX}{panel.name}", turn, methods=["POST"]),
        *([Route(f"{PREFIX}digest", digest)] if panel.digest else []),
    ]
