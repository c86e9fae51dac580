"""The Stash client against the simulated server, in process and over a socket: what it reads and what it asks."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typing_extensions import override

from stashplex.base.clock import Clock
from stashplex.base.errors import ConfigError, ProtocolError, ServerRefused, ServerUnreachable
from stashplex.base.transport import Request, Response, Transport
from stashplex.domain.scene import SceneFile, SceneId
from stashplex.sim.stash.app import StashSim
from stashplex.stash.client import StashClient
from stashplex.stash.codec import SceneStamp
from stashplex.stash.cover import Cover, NotModified

pytestmark = pytest.mark.anyio
Reach = Callable[[Any], AbstractAsyncContextManager[tuple[Transport, str]]]
KEY = "stash-key"
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 200


@pytest.fixture
def anyio_backend(way: tuple[str, bool]) -> str:
    return way[0]


class Hand(Clock):
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = datetime(2026, 7, 1, 10, tzinfo=UTC)

    @override
    def now(self) -> datetime:
        return self.at

    @override
    def monotonic_s(self) -> float:
        return self.at.timestamp()


@dataclass
class World:
    sim: StashSim
    clock: Hand
    client: StashClient
    transport: Transport
    url: str

    @property
    def queries(self) -> list[str]:
        """The names of the GraphQL questions so far."""
        return [
            asked.operation or asked.query.split()[1].partition("(")[0] for asked in self.sim.requests if asked.query
        ]


@pytest.fixture
async def world(reach: Reach) -> AsyncIterator[World]:
    clock = Hand()
    sim = StashSim(api_key=KEY, clock=clock)
    async with reach(sim.app) as (transport, url):
        yield World(sim, clock, StashClient(transport, url, KEY), transport, url)


def a_scene(world: World, **more: Any) -> SceneId:
    return SceneId(world.sim.add_scene(**({"title": "T"} | more)))


async def test_check(world: World) -> None:
    identity = await world.client.check()
    assert (identity.version, identity.status) == ("v0.30.1", "OK")


@pytest.mark.parametrize("status", ["SETUP", "NEEDS_MIGRATION"])
async def test_a_stash_out_of_service_is_an_outage_everywhere(world: World, status: str) -> None:
    number = a_scene(world)
    await world.client.schema()
    world.sim.switches.status = status
    for call in (world.client.check(), world.client.scenes([number]), world.client.count_scenes()):
        with pytest.raises(ServerUnreachable) as caught:
            await call
        assert "migration" in caught.value.hint


@pytest.mark.parametrize("key", ["", "wrong"])
async def test_a_wrong_key_is_refused_by_name(world: World, key: str) -> None:
    stranger = StashClient(world.transport, world.url, key)
    for call in (stranger.check(), stranger.cover(f"{world.url}/scene/1/screenshot?t=1")):
        with pytest.raises(ServerRefused) as caught:
            await call
        assert "STASHPLEX_STASH_API_KEY" in caught.value.hint


async def test_no_key_is_sent_to_a_stash_without_one(reach: Reach) -> None:
    sim = StashSim(api_key=None)
    sim.switches.login = False
    async with reach(sim.app) as (transport, url):
        await StashClient(transport, url, "").check()
        with pytest.raises(ServerRefused):
            await StashClient(transport, url, "any").check()


async def test_a_scene_is_read_whole(world: World) -> None:
    number = a_scene(
        world,
        title="The Blue Door, 100 %",
        details="One.\n\nTwo 🎬",
        code="C-1",
        director="Jane Roe",
        date="2021-03",
        rating100=75,
        organized=True,
        studio="Acme",
        performers=["Ann Lee", "Béla Tóth"],
        tags=["Drama", "Outdoor"],
        files=[("/m/a.mp4", 5_000_000_000, 61.5, "0123456789abcdef"), ("/m/b.mp4", 7, 1.0, "f" * 16)],
    )
    scene = (await world.client.scenes([number]))[number]
    assert (scene.title, scene.details, scene.code, scene.director) == (
        "The Blue Door, 100 %", "One.\n\nTwo 🎬", "C-1", "Jane Roe",
    )  # fmt: skip
    assert (scene.date, scene.rating100, scene.organized, scene.studio) == ("2021-03", 75, True, "Acme")
    assert (scene.performers, set(scene.tags)) == (("Ann Lee", "Béla Tóth"), {"Drama", "Outdoor"})
    assert scene.files[0] == SceneFile("/m/a.mp4", 5_000_000_000, 61.5, "0123456789abcdef")
    assert [file.path for file in scene.files] == ["/m/a.mp4", "/m/b.mp4"]
    assert scene.updated_at == world.clock.at
    assert scene.cover_url is not None
    assert scene.unknown_fields == frozenset()


async def test_a_bare_scene(world: World) -> None:
    number = a_scene(world, title="")
    scene = (await world.client.scenes([number]))[number]
    assert (scene.title, scene.details, scene.date, scene.rating100, scene.studio) == ("", "", None, None, None)
    assert (scene.performers, scene.tags, scene.files) == ((), (), ())


async def test_a_hundred_scenes_are_one_question(world: World) -> None:
    numbers = [a_scene(world) for _ in range(100)]
    wanted = [*reversed(numbers), numbers[3]]
    assert list(await world.client.scenes(wanted)) == list(reversed(numbers))
    assert world.queries == ["Fields", "Scenes"]
    await world.client.scenes(wanted)
    assert world.queries == ["Fields", "Scenes", "Scenes"]
    assert world.client.requests == 3


async def test_no_scenes_are_no_question(world: World) -> None:
    a_scene(world)
    assert await world.client.scenes([]) == {}
    assert world.client.requests == 0


async def test_a_scene_that_is_gone_is_missing_and_the_others_are_not(world: World) -> None:
    numbers = [a_scene(world, title=f"T{index}", tags=["A"]) for index in range(5)]
    world.sim.destroy_scene(numbers[2])
    found = await world.client.scenes([*numbers, SceneId(999)])
    assert list(found) == [numbers[0], numbers[1], numbers[3], numbers[4]]
    assert found[numbers[4]].tags == ("A",)
    assert world.queries == ["Fields", "Scenes", "Each"]


async def test_a_field_that_stash_is_about_to_replace_is_still_known(world: World) -> None:
    assert {"movies", "title"} <= (await world.client.schema()).available


async def test_fields_that_an_older_stash_does_not_have_stay_unknown(world: World) -> None:
    number = a_scene(world, date="2021-03-04", code="C")
    world.sim.switches.hidden = frozenset({"Scene.code", "Scene.rating100", "Scene.performers"})
    scene = (await world.client.scenes([number, SceneId(77)]))[number]
    assert scene.unknown_fields == {"code", "rating100", "performers"}
    assert (scene.code, scene.date, scene.performers) == ("", "2021-03-04", ())
    assert (await world.client.schema()).missing_fields == ("code", "performers", "rating100")


async def test_a_stash_that_was_exchanged_is_asked_for_its_schema_again(world: World) -> None:
    number = a_scene(world)
    await world.client.scenes([number])
    world.sim.switches.hidden = frozenset({"Scene.code"})
    assert (await world.client.scenes([number]))[number].unknown_fields == {"code"}


async def test_a_stash_without_files_is_too_old(world: World) -> None:
    world.sim.switches.hidden = frozenset({"Scene.files"})
    with pytest.raises(ConfigError, match="files") as caught:
        await world.client.scenes([SceneId(1)])
    assert "0.26" in caught.value.hint


async def ids_of(world: World, page_size: int, since: datetime | None = None) -> list[int]:
    return [row.id async for page in world.client.iter_scene_ids(page_size, since) for row in page]


@pytest.mark.parametrize("page_size", [1, 3, 7, 8, 1000])
async def test_all_scenes_are_listed_page_by_page(world: World, page_size: int) -> None:
    numbers = [a_scene(world) for _ in range(8)]
    world.sim.destroy_scene(numbers[5])
    assert await ids_of(world, page_size) == [*numbers[:5], *numbers[6:]]
    assert world.client.requests == 7 // page_size + 1  # a page that is not full is the last
    assert await world.client.count_scenes() == 7


async def test_an_empty_stash_has_no_pages(world: World) -> None:
    assert [page async for page in world.client.iter_scene_ids()] == []
    assert await world.client.count_scenes() == 0


async def test_nothing_is_skipped_when_scenes_go_during_the_walk(world: World) -> None:
    numbers = [a_scene(world) for _ in range(9)]
    seen: list[int] = []
    async for page in world.client.iter_scene_ids(page_size=3):
        seen += [row.id for row in page]
        if len(seen) == 3:
            world.sim.destroy_scene(numbers[0])
            world.sim.destroy_scene(numbers[4])
    assert seen == [*numbers[:4], *numbers[5:]]


async def test_a_stamp_has_the_instant(world: World) -> None:
    number = a_scene(world)
    (page,) = [page async for page in world.client.iter_scene_ids()]
    assert page == (SceneStamp(number, world.clock.at),)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
async def test_changed_since_means_the_instant_whatever_stashs_zone(reach: Reach, zone: str) -> None:
    clock = Hand()
    sim = StashSim(api_key=KEY, clock=clock, zone=zone)
    numbers = []
    for _ in range(60):
        numbers.append(sim.add_scene(title="T"))
        clock.at += timedelta(hours=1)
    since = clock.at - timedelta(hours=24)
    async with reach(sim.app) as (transport, url):
        client = StashClient(transport, url, KEY)
        rows = [row async for page in client.iter_scene_ids(7, since) for row in page]
    assert [row.id for row in rows] == numbers[-24:]
    assert rows[0].updated_at == since


async def test_a_list_in_a_wrong_order_ends(world: World) -> None:
    class Stuck(Transport):
        @override
        async def send(self, request: Request) -> Response:
            row = b'{"id":"5","updated_at":"2026-07-01T12:00:00Z"}'
            return Response(200, {}, b'{"data":{"findScenes":{"scenes":[' + row + b"]}}}")

    with pytest.raises(ProtocolError, match="order"):
        [page async for page in StashClient(Stuck(), "http://s").iter_scene_ids(page_size=1)]


async def test_a_cover_and_its_etag(world: World) -> None:
    number = a_scene(world, cover=JPEG)
    url = (await world.client.scenes([number]))[number].cover_url
    assert url is not None
    cover = await world.client.cover(url)
    assert isinstance(cover, Cover)
    assert (cover.body, cover.content_type) == (JPEG, "image/jpeg")
    assert await world.client.cover(url, etag=cover.etag) == NotModified()
    world.sim.update_scene(number, cover=JPEG + b"new")
    changed = await world.client.cover(url, etag=cover.etag)
    assert isinstance(changed, Cover)
    assert changed.etag != cover.etag


async def test_a_scene_without_a_cover_has_none(world: World) -> None:
    number = a_scene(world)
    url = (await world.client.scenes([number]))[number].cover_url
    assert url is not None
    assert await world.client.cover(url) is None
    assert await world.client.cover(url.replace(f"/scene/{number}/", "/scene/987/")) is None


async def test_a_cover_is_fetched_from_the_stash_that_we_know(world: World) -> None:
    number = a_scene(world, cover=JPEG)
    for url in (
        f"http://elsewhere.invalid:1/scene/{number}/screenshot?t=5",
        f"https://elsewhere.invalid/prefix/scene/{number}/screenshot?t=5",
    ):
        assert isinstance(await world.client.cover(url), Cover)


async def test_a_stash_behind_a_path_prefix(world: World) -> None:
    number = a_scene(world, cover=JPEG)

    class Proxy(Transport):
        @override
        async def send(self, request: Request) -> Response:
            start = f"{world.url}/apps/stash/"
            if not request.url.startswith(start):
                return Response(404, {}, b"")
            inner = f"{world.url}/{request.url.removeprefix(start)}"
            return await world.transport.send(Request(request.method, inner, request.headers, request.body))

    client = StashClient(Proxy(), f"{world.url}/apps/stash/", KEY)
    url = (await client.scenes([number]))[number].cover_url
    assert url is not None
    assert isinstance(await client.cover(url), Cover)
    assert isinstance(await client.cover(url.replace("/scene/", "/apps/stash/scene/")), Cover)


async def test_an_address_that_names_graphql_works_too(world: World) -> None:
    assert (await StashClient(world.transport, f"{world.url}/graphql/", KEY).check()).status == "OK"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_failing_proxy_is_an_outage(world: World, status: int) -> None:
    world.sim.switches.failing, world.sim.switches.failing_status = 1, status
    with pytest.raises(ServerUnreachable):
        await world.client.check()
    await world.client.check()
