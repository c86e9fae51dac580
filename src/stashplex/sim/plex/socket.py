"""The notification socket: one connection that hears frames until either side goes away.

It is also what keeps planned work moving while nobody sends requests: between frames it sleeps exactly until
the next step is due. Nothing is replayed to a late or returning listener.
"""

from urllib.parse import parse_qs

import anyio
from anyio.abc import TaskGroup
from starlette.types import Receive, Scope, Send

from stashplex.sim.plex.feed import Listener
from stashplex.sim.plex.world import World

_PATH = "/:/websockets/notifications"
_SINGULAR_PATH = "/:/websocket/notifications"


async def serve_socket(world: World, scope: Scope, receive: Receive, send: Send, *, may_listen: bool) -> None:
    """Serve one socket to its end."""
    await receive()
    paths = {_PATH, _SINGULAR_PATH} if world.switches.singular_socket_path else {_PATH}
    if not may_listen or scope["path"].rstrip("/") not in paths:
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "websocket.accept"})
    listener = world.feed.open(_wanted_types(scope["query_string"]))
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_read_until_closed, receive, tasks)
            await _write_frames(world, listener, send)
            tasks.cancel_scope.cancel()
    finally:
        world.feed.close(listener)


def _wanted_types(query_string: bytes) -> frozenset[str] | None:
    """Return the types named by `filters=timeline,activity`; None for all, also for exclusions."""
    query = parse_qs(query_string.decode("latin-1"))
    names = (query.get("filters") or query.get("filter") or [""])[0].split(",")
    wanted = frozenset(name for name in names if name and not name.startswith("-"))
    return wanted or None


async def _read_until_closed(receive: Receive, tasks: TaskGroup) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass
    tasks.cancel_scope.cancel()


async def _write_frames(world: World, listener: Listener, send: Send) -> None:
    while not listener.is_dropped:
        world.advance()
        due = world.agenda.next_due
        frame = b""
        with anyio.move_on_after(None if due is None else max(0.0, due - world.elapsed_s)):
            frame = await listener.frames.receive()
        if frame:
            await send({"type": "websocket.send", "text": frame.decode()})
    await send({"type": "websocket.close", "code": 1001})
