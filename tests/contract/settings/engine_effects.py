"""What one sees of the settings of the engine: a service on virtual time, observed from outside or through its store.

Each function runs one small scenario with one value of a setting and returns what was seen of it.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import trio
from typing_extensions import override

from asgi import AsgiTransport
from stage import Stage, entry_of, play, plex_id, states
from stashplex.base.errors import ConfigError, ServerRefused
from stashplex.base.transport import Request, Response, Transport
from stashplex.domain.entry import Entry, State
from stashplex.domain.scene import SceneId
from stashplex.sim.content.catalogue import Catalogue
from worlds import World, a_world

Observe = Callable[[Path, Mapping[str, object]], object]


def staged(act: Callable[[Stage, list[object]], Awaitable[None]], films: int = 3) -> Observe:
    """Return an observation that plays an act with the settings."""

    def observe(folder: Path, settings: Mapping[str, object]) -> object:
        seen: list[object] = []

        async def whole(stage: Stage) -> None:
            await act(stage, seen)

        play(folder, whole, films=films, **settings)
        return seen

    return observe


def miss(stage: Stage, scene: int) -> None:
    """Take a file from Plex and change its scene in Stash."""
    stage.world.plex.remove_item(stage.world.item_of(Catalogue().film(scene)))
    stage.change(scene, "Another")


def refuse_genres(stage: Stage) -> None:
    """Let Plex lose a part of each edit, which is an ordinary failure of one scene."""

    def bend(request: Request) -> Request:
        head, _, query = request.url.partition("?")
        kept = "&".join(part for part in query.split("&") if not part.startswith("genre"))
        return Request(request.method, f"{head}?{kept}", request.headers, request.body) if query else request

    stage.plex.bend = bend
    stage.world.stash.update_scene(1, title="Another", tags=["New"])
    stage.event(1)


def wait_s(entry: Entry, stage: Stage) -> int:
    """Return how long an entry waits, without its jitter: the power of two that is next."""
    assert entry.due_at is not None
    return round((entry.due_at - stage.clock.now()).total_seconds())


async def first_failure(stage: Stage, seen: list[object]) -> None:
    refuse_genres(stage)
    async with stage.serving() as app:
        await stage.until(lambda: entry_of(app, 1).retry_count == 1, 20)
        seen.append(wait_s(entry_of(app, 1), stage) > 100)


async def failures_in_an_hour(stage: Stage, seen: list[object]) -> None:
    refuse_genres(stage)
    async with stage.serving() as app:
        await trio.sleep(3_600)
        entry = entry_of(app, 1)
        seen += [entry.state.value, len(stage.plex.edits_s()) > 3]


async def tries_in_half_an_hour(stage: Stage, seen: list[object]) -> None:
    refuse_genres(stage)
    async with stage.serving():
        await trio.sleep(1_800)
    seen.append(len(stage.plex.edits_s()))


async def first_miss(stage: Stage, seen: list[object]) -> None:
    miss(stage, 1)
    async with stage.serving() as app:
        await stage.until(lambda: entry_of(app, 1).last_error_type == "PlexNotFound", 20)
        seen.append(wait_s(entry_of(app, 1), stage) > 100)


async def misses_in_two_hours(stage: Stage, seen: list[object]) -> None:
    miss(stage, 1)
    async with stage.serving() as app:
        await trio.sleep(7_200)
        entry = entry_of(app, 1)
        seen += [entry.state.value, entry.retry_count]


async def a_missing_file(stage: Stage, seen: list[object]) -> None:
    miss(stage, 1)
    async with stage.serving() as app:
        await trio.sleep(120)
        seen += [states(app), any("/refresh" in request.url for _, request in stage.plex.sent)]


async def plex_down(stage: Stage, seen: list[object]) -> None:
    """Note after how many requests Plex is left alone, and how long until it is asked again."""
    async with stage.serving() as app:
        await trio.sleep(5)
        stage.world.plex.switches.proxy_status = 502
        stage.plex.sent.clear()
        for scene in (1, 2, 3):
            stage.change(scene, "Another")
        await stage.until(lambda: not app.plex_gate.breaker().is_closed, 600)
        breaker = app.plex_gate.breaker()
        assert breaker.retry_at is not None
        seen.append(len(stage.plex.sent))
        seen.append((breaker.retry_at - stage.clock.now()) > timedelta(minutes=5))


async def plex_comes_back(stage: Stage, seen: list[object]) -> None:
    async with stage.serving() as app:
        await trio.sleep(5)
        stage.world.plex.switches.proxy_status = 502
        stage.change(1, "Another")
        await stage.until(lambda: not app.plex_gate.breaker().is_closed, 600)
        stage.world.plex.switches.proxy_status = None
        stage.plex.sent.clear()
        await stage.until(lambda: app.plex_gate.breaker().is_closed, 3_600)
        seen.append(sum("/identity" in request.url for _, request in stage.plex.sent))


async def a_dismissed_one_after_ten_days(stage: Stage, seen: list[object]) -> None:
    refuse_genres(stage)
    async with stage.serving() as app:
        await stage.until(lambda: entry_of(app, 1).state is State.DEAD, 3_600)
    with stage.world.app() as app:
        app.store.dead_letters.dismiss(plex_id(app), [SceneId(1)], stage.clock.now())
        stage.clock.jump(timedelta(days=10))
        await app.upkeep().run_once()
        seen.append(app.store.dead_letters.count_dismissed(plex_id(app)))


async def a_change_that_no_event_told_of(stage: Stage, seen: list[object]) -> None:
    async with stage.serving():
        await trio.sleep(5)
        stage.world.stash.update_scene(1, title="Another")
        await trio.sleep(600)
        seen.append(stage.title(1) == "Another")


async def a_change_that_nobody_told_of(stage: Stage, seen: list[object]) -> None:
    async with stage.serving():
        await trio.sleep(5)
        stage.world.stash.update_scene(1, title="Another")
        await trio.sleep(2 * 3_600)
        seen.append(stage.title(1) == "Another")


class Crowd(Transport):
    """Notes how many requests of a kind were under way at once."""

    def __init__(self, inner: Transport, is_meant: Callable[[Request], bool]) -> None:
        self._inner = inner
        self._is_meant = is_meant
        self._now = 0
        self.most = 0
        self.seen: list[Request] = []

    @override
    async def send(self, request: Request) -> Response:
        self.seen.append(request)
        if not self._is_meant(request):
            return await self._inner.send(request)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await anyio.sleep(0.01)
            return await self._inner.send(request)
        finally:
            self._now -= 1


@contextmanager
def crowded(
    folder: Path, settings: Mapping[str, object], is_meant: Callable[[Request], bool]
) -> Iterator[tuple[World, Crowd, Crowd]]:
    world = a_world(folder, 12)
    world.settings |= settings
    stash, plex = (Crowd(AsgiTransport(one.app), is_meant) for one in (world.stash, world.plex))
    world.stash_transport, world.plex_transport = stash, plex
    yield world, stash, plex


def most_at_once(server: str, methods: str) -> Observe:
    """Return an observation of how many requests a first sync has under way at once."""

    def observe(folder: Path, settings: Mapping[str, object]) -> object:
        with crowded(folder, settings, lambda request: request.method in methods.split()) as (world, stash, plex):
            anyio.run(world.sync)
            return (stash if server == "stash" else plex).most > 1

    return observe


def requests_of_a_sync(folder: Path, settings: Mapping[str, object]) -> object:
    with crowded(folder, settings, lambda _: False) as (world, stash, _):
        anyio.run(world.sync)
        return sum(b"query Scenes" in request.body for request in stash.seen)


def hosts_of_a_sync(folder: Path, settings: Mapping[str, object]) -> object:
    with crowded(folder, settings, lambda _: False) as (world, stash, plex):
        anyio.run(world.sync)
        return sorted({urlsplit(request.url).netloc for request in (*stash.seen, *plex.seen)})


def headers_of_a_sync(folder: Path, settings: Mapping[str, object]) -> object:
    with crowded(folder, settings, lambda _: False) as (world, stash, plex):

        async def sync() -> None:
            with suppress(ServerRefused):
                await world.sync()

        anyio.run(sync)
        sent = [dict(request.headers) for request in (*stash.seen, *plex.seen)]
    return sorted({str(one.get("ApiKey") or one.get("X-Plex-Token")) for one in sent})


def libraries(folder: Path, settings: Mapping[str, object]) -> object:
    world = a_world(folder, 1)
    world.settings |= settings

    async def connect() -> object:
        with world.app() as app:
            try:
                return [section.title for section in (await app.connect()).sections]
            except ConfigError as error:
                return str(error)

    return anyio.run(connect)


def evidence(folder: Path, settings: Mapping[str, object]) -> object:
    world = a_world(folder, 1)
    world.settings |= settings
    anyio.run(world.sync)
    with world.app() as app:
        return [link.evidence for link in app.store.overview.links_for(plex_id(app), [SceneId(1)])[SceneId(1)]]


def a_moved_file(path: str, size: int | None = None) -> Observe:
    """Return how a scene is found whose file Plex shows at another path."""

    def found(folder: Path, settings: Mapping[str, object]) -> object:
        world = a_world(folder, 1)
        one = Catalogue().film(1)
        world.plex.remove_item(world.item_of(one))
        world.plex.add_item(world.section, [(path or one.plex_path.upper(), size or one.size, 1000)])
        world.settings |= settings
        anyio.run(world.sync)
        with world.app() as app:
            links = app.store.overview.links_for(plex_id(app), [SceneId(1)])
            return [link.evidence for link in links.get(SceneId(1), ())]

    return found


def a_name_alone(folder: Path, settings: Mapping[str, object]) -> object:
    return a_moved_file(f"/elsewhere/{Catalogue().film(1).file_name}", 5)(folder, settings)
