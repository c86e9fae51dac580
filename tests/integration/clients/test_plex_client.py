"""The Plex client against the simulated server, in process and over a socket: what it reads, writes and counts."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from PIL import Image

from stashplex.base.errors import PlexNotFound, PlexTemporaryError, ProtocolError, ServerRefused, ServerUnreachable
from stashplex.base.transport import Transport
from stashplex.domain.document import Document, TagField, TextField
from stashplex.domain.item import IndexedPart, RatingKey, SectionKey
from stashplex.domain.plan import Plan, TagChange, TextChange, not_taken, plan
from stashplex.plex.client import PlexClient
from stashplex.plex.edit import fit, fit_texts
from stashplex.plex.images import PosterAction, put_poster, sha1_of
from stashplex.sim.plex.app import PlexSim
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.switches import Switches, TagMode

pytestmark = pytest.mark.anyio
Reach = Callable[[Any], AbstractAsyncContextManager[tuple[Transport, str]]]


@pytest.fixture
def anyio_backend(way: tuple[str, bool]) -> str:
    return way[0]


@dataclass
class World:
    sim: PlexSim
    section: Section
    client: PlexClient
    transport: Transport
    url: str

    @property
    def key(self) -> SectionKey:
        return SectionKey(str(self.section.id))

    async def parts(self, page_size: int = 500) -> list[IndexedPart]:
        return [part async for page in self.client.iter_parts(self.key, page_size) for part in page.parts]


@pytest.fixture
async def world(reach: Reach) -> AsyncIterator[World]:
    sim = PlexSim(switches=Switches(max_upload_bytes=10_000_000))
    section = sim.add_section("Films")
    async with reach(sim.app) as (transport, url):
        yield World(sim, section, PlexClient(transport, url, sim.token), transport, url)


def a_film(world: World, number: int = 1, **more: Any) -> RatingKey:
    return RatingKey(world.sim.add_item(world.section, [(f"/data/film {number}.mp4", 1000 + number, 60_000)], **more))


async def test_identity_needs_no_token(world: World) -> None:
    stranger = PlexClient(world.transport, world.url, "")
    identity = await stranger.identity()
    assert (identity.version, len(identity.machine_identifier)) == ("1.43.5.11011-abcdef012", 40)
    with pytest.raises(ServerRefused):
        await stranger.check_token()
    await world.client.check_token()


async def test_a_wrong_token_is_refused_by_name(world: World) -> None:
    with pytest.raises(ServerRefused) as caught:
        await PlexClient(world.transport, world.url, "wrong").sections()
    assert "STASHPLEX_PLEX_TOKEN" in caught.value.hint


async def test_a_shared_users_write_is_refused(world: World) -> None:
    item_key = a_film(world)
    guest = PlexClient(world.transport, world.url, world.sim.shared_token)
    change = (TextChange(TextField.TITLE, "", "T"),)
    for status in (401, 403):
        world.sim.switches.shared_write_status = status
        with pytest.raises(ServerRefused):
            await guest.edit(Plan(item_key, world.key, change, (), Document()))


async def test_sections(world: World) -> None:
    world.sim.add_section("Series", type="show", locations=["/tv", "/more"])
    films, series = await world.client.sections()
    assert (films.key, films.type, films.title, films.locations) == (world.key, "movie", "Films", ("/data",))
    assert (series.type, series.locations) == ("show", ("/tv", "/more"))
    a_film(world)
    assert (await world.client.sections())[0].content_changed_at != films.content_changed_at


@pytest.mark.parametrize("page_cap", [None, 3])
@pytest.mark.parametrize("is_loose", [False, True])
async def test_a_listing_shows_every_file_once(world: World, page_cap: int | None, is_loose: bool) -> None:
    world.sim.switches.page_cap = page_cap
    world.sim.switches.loose_types = is_loose
    keys = [a_film(world, number, tags={"collection": ["C"]}) for number in range(23)]
    world.sim.add_version(keys[3], [("/data/cd1.mp4", 1, 1), ("/data/cd2.mp4", 2, 2)])
    world.sim.add_version(keys[4], [("/data/optimised.mp4", 1, 1)], proxy_type=42)
    world.sim.trash_item(keys[5])
    parts = await world.parts(page_size=10)
    assert len({part.file for part in parts}) == len(parts) == 24
    assert {part.rating_key for part in parts} == set(keys) - {keys[5]}
    assert [part.file for part in parts if part.rating_key == keys[3]][1:] == ["/data/cd1.mp4", "/data/cd2.mp4"]
    assert all(part.section == world.key and part.updated_at > 1_000_000_000 for part in parts)
    first = next(part for part in parts if part.rating_key == keys[0])
    assert (first.size, first.duration_ms) == (1000, 60_000)
    assert world.client.requests == (8 if page_cap else 3)


async def test_the_total_does_not_count_collections(world: World) -> None:
    for number in range(3):
        a_film(world, number, tags={"collection": [f"C{number}"]})
    assert [page.total async for page in world.client.iter_parts(world.key, 2)] == [3, 3]


async def test_an_empty_section_is_one_empty_page(world: World) -> None:
    pages = [page async for page in world.client.iter_parts(world.key)]
    assert [(page.parts, page.total) for page in pages] == [((), 0)]
    assert world.client.requests == 1


async def test_a_section_that_is_gone_is_no_empty_section(world: World) -> None:
    with pytest.raises(ServerUnreachable):
        [page async for page in world.client.iter_parts(SectionKey("99"))]


async def test_items_are_read_whole_in_one_request(world: World) -> None:
    many = [f"G{number}" for number in range(12)]
    key = a_film(world, title="T", tags={"genre": many, "actor": many, "label": ["L"], "collection": ["C"]})
    other = a_film(world, 2)
    world.sim.switches.shuffle_batch = True
    items = await world.client.items([other, key, other])
    assert list(items) == [other, key]
    item = items[key]
    assert (item.title, item.genres, item.actors) == ("T", tuple(many), tuple(many))
    assert (item.labels, item.collections) == (("L",), ("C",))
    assert (item.section, item.files) == (world.key, ("/data/film 1.mp4",))
    assert [asked.path for asked in world.sim.requests] == [f"/library/metadata/{other},{key}"]
    assert world.client.requests == 1


@pytest.mark.parametrize("does_one_fail_all", [False, True])
async def test_items_that_are_gone_are_missing_and_the_others_are_not(world: World, does_one_fail_all: bool) -> None:
    world.sim.switches.missing_id_fails_batch = does_one_fail_all
    keys = [a_film(world, number) for number in range(9)]
    world.sim.trash_item(keys[4])
    items = await world.client.items([*keys, RatingKey("987654")])
    assert set(items) == {*keys} - {keys[4]}
    assert world.client.requests <= (20 if does_one_fail_all else 1)


async def test_no_items_at_all(world: World) -> None:
    assert await world.client.items([]) == {}
    assert world.client.requests == 0
    assert await world.client.items([RatingKey("1"), RatingKey("2")]) == {}


async def test_a_server_that_skips_the_unknown_is_not_asked_in_halves(world: World) -> None:
    key = a_film(world)
    await world.client.items([key, RatingKey("987654")])
    world.client.requests = 0
    assert await world.client.items([RatingKey(str(number)) for number in range(900_000, 900_064)]) == {}
    assert world.client.requests == 2  # the batch, and the question who is there


async def test_250_items_take_three_requests_also_when_the_server_pages_smaller(world: World) -> None:
    keys = [a_film(world, number) for number in range(250)]
    assert len(await world.client.items(keys)) == 250
    assert world.client.requests == 3
    world.sim.switches.page_cap = 60
    assert len(await world.client.items(keys)) == 250
    assert world.client.requests == 3 + 2 + 2 + 1


DESIRED = Document(
    {
        TextField.TITLE: "Blue & Door + 100% [x]",
        TextField.TITLE_SORT: "Door",
        TextField.SUMMARY: "One.\n\nTwo „q“ 🎬; a=b&c=d?#",
        TextField.STUDIO: "Acme",
        TextField.DATE: "2021-03-04",
        TextField.USER_RATING: "7.5",
    },
    {
        TagField.GENRE: ("Drama", "Sci-Fi & Co", "a, b", "50% off", "R+B"),
        TagField.DIRECTOR: ("Zoë",),
        TagField.ACTOR: ("Ann Lee", "Béla Tóth"),
        TagField.COLLECTION: ("Acme",),
    },
)


async def applied(world: World, key: RatingKey, desired: Document) -> tuple[str, ...]:
    """Bring one item in step; return the fields that were not taken."""
    item = (await world.client.items([key]))[key]
    planned = fit(plan(item, fit_texts(desired), None))
    await world.client.edit(planned, locked=item.locked)
    return not_taken(planned, (await world.client.items([key]))[key])


@pytest.mark.parametrize("mode", list(TagMode))
@pytest.mark.parametrize("old", [(), ("Old",), ("Old", "Older", "Drama"), ("x, y", "Drama"), ("100%",)])
async def test_an_edit_is_taken_whole_by_servers_of_both_kinds(
    world: World, mode: TagMode, old: tuple[str, ...]
) -> None:
    world.sim.switches.tag_mode = mode
    key = a_film(world, tags={"genre": old, "actor": ["Gone"]})
    bystander = a_film(world, 2, title="Bystander", tags={"genre": ["Drama"]})
    item = (await world.client.items([key]))[key]
    base_plan = plan(item, DESIRED, None)
    removing = replace(
        base_plan,
        changes=tuple(
            replace(
                change, new=DESIRED.tags[change.field], removed=tuple(set(change.old) - {*DESIRED.tags[change.field]})
            )
            if not isinstance(change, TextChange)
            else change
            for change in base_plan.changes
        ),
    )
    assert await world.client.edit(removing, locked=item.locked) == 1
    after = (await world.client.items([key]))[key]
    assert not_taken(removing, after) == ()
    assert set(after.genres) == set(DESIRED.tags[TagField.GENRE])
    assert after.actors == DESIRED.tags[TagField.ACTOR]
    assert after.user_rating == 7.5
    assert {"title", "titleSort", "summary", "studio", "genre", "actor", "director"} <= after.locked
    assert "collection" not in after.locked
    assert (await world.client.items([bystander]))[bystander].title == "Bystander"
    assert world.sim.unscoped_edits == 0
    assert (world.client.writes, world.sim.counts["edit"]) == (1, 1)


async def test_the_lock_that_a_person_put_on_collections_stays(world: World) -> None:
    key = a_film(world)
    world.sim.item(key).locks.add("collection")
    assert await applied(world, key, DESIRED) == ()
    assert "collection" in (await world.client.items([key]))[key].locked


@pytest.mark.parametrize("mode", list(TagMode))
async def test_everything_can_be_cleared(world: World, mode: TagMode) -> None:
    world.sim.switches.tag_mode = mode
    key = a_film(world)
    assert await applied(world, key, DESIRED) == ()
    item = (await world.client.items([key]))[key]
    shown = {TagField.GENRE: item.genres, TagField.ACTOR: item.actors, TagField.COLLECTION: item.collections}
    cleared = Plan(
        key,
        world.key,
        (
            TextChange(TextField.SUMMARY, item.summary, ""),
            TextChange(TextField.USER_RATING, "7.5", ""),
            *(TagChange(field, tags, (), tags) for field, tags in shown.items()),
        ),
        (),
        Document(),
    )
    await world.client.edit(cleared)
    after = (await world.client.items([key]))[key]
    assert (after.summary, after.user_rating, after.genres, after.actors, after.collections) == ("", None, (), (), ())


async def test_too_much_for_one_request_is_split_and_taken(world: World) -> None:
    key = a_film(world)
    desired = Document(
        {TextField.TITLE: "T", TextField.SUMMARY: "ü" * 9000},
        {field: tuple(f"{field} {number}" for number in range(90)) for field in (TagField.GENRE, TagField.ACTOR)},
    )
    assert await applied(world, key, desired) == ()
    assert world.client.writes == 3
    item = (await world.client.items([key]))[key]
    assert item.summary.endswith("ü…")
    assert (len(item.genres), len(item.actors)) == (90, 90)
    writes = world.client.writes
    assert await applied(world, key, desired) == ()
    assert world.client.writes == writes


async def test_an_edit_of_an_item_that_is_gone(world: World) -> None:
    with pytest.raises(PlexNotFound):
        await world.client.edit(
            Plan(RatingKey("987"), world.key, (TextChange(TextField.TITLE, "", "T"),), (), Document())
        )


async def test_a_bad_request_is_named(world: World) -> None:
    world.sim.switches.request_line_limit = 200
    key = a_film(world)
    with pytest.raises(ProtocolError, match=rf"400.*|edit of item {key}"):
        await applied(world, key, DESIRED)


async def test_maintenance_is_an_outage(world: World) -> None:
    world.sim.start_maintenance()
    for call in (world.client.identity(), world.client.sections(), world.client.items([RatingKey("1")])):
        with pytest.raises(ServerUnreachable, match="maintenance"):
            await call
    world.sim.end_maintenance()
    await world.client.identity()


def a_picture(color: str = "red", size: int = 20) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), color).save(out, "JPEG")
    return out.getvalue()


async def test_posters(world: World) -> None:
    key = a_film(world)
    red, blue = a_picture("red"), a_picture("blue")

    async def put(body: bytes) -> PosterAction:
        item = (await world.client.items([key]))[key]
        return await put_poster(world.client, item, body, may_be_there=True)

    assert await put(red) is PosterAction.UPLOADED
    assert await put(red) is PosterAction.PRESENT
    assert await put(blue) is PosterAction.UPLOADED
    assert await put(red) is PosterAction.SELECTED
    assert await put(red) is PosterAction.PRESENT
    assert world.sim.image_bytes(key) == red
    candidates = await world.client.poster_candidates(key)
    assert [found.key.rpartition("/")[2] for found in candidates if found.is_selected] == [sha1_of(red)]
    assert (world.client.uploads, world.client.writes) == (2, 1)


async def test_posters_of_an_item_that_is_gone(world: World) -> None:
    gone = RatingKey("987")
    with pytest.raises(PlexNotFound):
        await world.client.poster_candidates(gone)
    with pytest.raises(PlexNotFound):
        await world.client.upload_poster(gone, a_picture())
    with pytest.raises(PlexNotFound):
        await world.client.select_poster(gone, "upload://posters/1")


async def test_an_upload_that_plex_cannot_take_costs_an_attempt(world: World) -> None:
    key = a_film(world)
    with pytest.raises(PlexTemporaryError):
        await world.client.upload_poster(key, a_picture() + b"x" * 11_000_000)


@pytest.mark.parametrize("status", [400, 404])
async def test_a_candidate_that_is_gone(world: World, status: int) -> None:
    world.sim.switches.unknown_candidate_status = status
    with pytest.raises((PlexNotFound, ProtocolError)):
        await world.client.select_poster(a_film(world), "upload://posters/unknown")
