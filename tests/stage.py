"""The whole service on virtual time against both simulated servers: hours pass in a second.

A test is a coroutine that trio runs under a clock that jumps whenever nobody has anything to do. `Stage.serving` runs
one service as `stashplex serve` does; `Stage.event` is what the hook leaves; the rest is arranged on the servers.
"""

import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import anyio
import trio
from sqlalchemy import event
from typing_extensions import override

from asgi import AsgiTransport
from simulation.virtual import VirtualClock, run_virtually
from stashplex.app import SPOOL_NAME, App
from stashplex.base.transport import Fault, Request, Response, Transport, TransportFailed
from stashplex.domain.entry import Entry, PlexId
from stashplex.domain.scene import SceneId
from stashplex.engine.service import Service
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.plex.item import Item
from stashplex.store import spool
from worlds import World, a_world

START = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)


class Line(Transport):
    """The way to one server: takes some time, notes what was sent when, and can bend requests."""

    def __init__(self, inner: Transport, clock: VirtualClock, latency_s: float) -> None:
        self._inner = inner
        self._clock = clock
        self.latency_s = latency_s
        self.sent: list[tuple[float, Request]] = []
        self.bend: Callable[[Request], Request] = lambda request: request
        self.crash: Exception | None = None

    @override
    async def send(self, request: Request) -> Response:
        if self.crash is not None:
            raise self.crash
        self.sent.append((self._clock.monotonic_s(), request))
        await trio.sleep(self.latency_s)
        return await self._inner.send(self.bend(request))

    def since(self, time_s: float) -> list[Request]:
        return [request for at_s, request in self.sent if at_s >= time_s]

    def edits_s(self) -> list[float]:
        """Return when edits were sent."""
        return [at_s for at_s, request in self.sent if request.method == "PUT" and "/all?" in request.url]


@dataclass
class Stage:
    """Both servers, the store's folder and the clock."""

    world: World
    clock: VirtualClock
    stash: Line
    plex: Line
    services: list[Service] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[App]:
        """Run a service until the block ends; it is stopped then, as by a signal."""
        with self.world.app() as app:
            async with anyio.create_task_group() as group:
                service = app.service()
                self.services.append(service)
                group.start_soon(service.run)
                yield app
                group.cancel_scope.cancel()

    def event(self, *scenes: int, kind: str = "Scene.Update.Post", fields: Sequence[str] = ("title",)) -> None:
        """Leave what the hook leaves for a change of each scene, or of something else."""
        for scene in scenes:
            told = {"type": kind, "id": scene, "at": self.clock.now().isoformat(), "fields": list(fields)}
            self.drop(json.dumps(told).encode())

    def drop(self, content: bytes) -> Path:
        return spool.append(self.spool, content, now=self.clock.now())

    def change(self, scene: int, title: str) -> None:
        """Change a title in Stash, the hook included."""
        self.world.stash.update_scene(scene, title=title)
        self.event(scene)

    def shown(self, scene: int) -> Item:
        """Return the item of a film, from inside Plex."""
        return self.world.section.items[int(self.world.item_of(Catalogue().film(scene)))]

    def title(self, scene: int) -> object:
        return self.shown(scene).fields["title"]

    @property
    def spool(self) -> Path:
        return self.world.data_dir / SPOOL_NAME

    def stash_is(self, *, up: bool) -> None:
        """Let Stash refuse connections, or listen again."""
        self.stash.crash = None if up else TransportFailed(Fault.CONNECT, "connection refused")

    def plex_is(self, *, up: bool) -> None:
        """Let Plex refuse connections, or listen again."""
        self.world.plex.switches.drop_connections = not up

    async def until(self, is_so: Callable[[], bool], limit_s: float) -> float:
        """Wait until something is so; return how long that took. It is looked at four times a second."""
        started_s = self.clock.monotonic_s()
        while not is_so():
            waited_s = self.clock.monotonic_s() - started_s
            assert waited_s <= limit_s, f"not so after {waited_s:.0f} s"
            await trio.sleep(0.25)
        return self.clock.monotonic_s() - started_s


def plex_id(app: App) -> PlexId:
    return app.store.overview.list_plex()[0].id


def entry_of(app: App, scene: int) -> Entry:
    entry = app.store.ledger.find(plex_id(app), SceneId(scene))
    assert entry is not None
    return entry


def states(app: App) -> Counter[str]:
    return Counter(entry.state.value for entry in app.store.ledger.iter_entries(plex_id(app)))


@contextmanager
def statements_of(app: App) -> Iterator[list[str]]:
    """Collect every SQL statement that is sent to the store in a block."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    engine = app.store.database._engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def play(
    folder: Path,
    act: Callable[[Stage], Awaitable[None]],
    *,
    films: int = 3,
    latency_s: float = 0.01,
    before: Callable[[Stage], None] = lambda _: None,
    **settings: object,
) -> None:
    """Run a test on virtual time. The library has been synced before, unless it has no films; `before` that, too."""
    clock = VirtualClock(START)
    world = a_world(folder, films, clock=clock, posters=False)
    world.settings |= settings
    stage = Stage(
        world,
        clock,
        Line(AsgiTransport(world.stash.app), clock, latency_s),
        Line(AsgiTransport(world.plex.app), clock, latency_s),
    )
    world.stash_transport, world.plex_transport = stage.stash, stage.plex
    world.chance = random.Random(11)

    async def main() -> None:
        before(stage)
        await world.sync()
        for line in (stage.stash, stage.plex):
            line.sent.clear()
        await act(stage)

    run_virtually(clock, 1, main)
