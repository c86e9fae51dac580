"""One bounded sync: what reaches Plex, what it costs, what stays. Both simulators in process."""

from pathlib import Path

import pytest

from asgi import AsgiTransport
from stashplex.base.transport import Request
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.content.poster import poster_cheap
from stashplex.sim.plex.item import Item
from worlds import PLEX_URL, World, a_world

pytestmark = pytest.mark.anyio


def shown(world: World, number: int) -> Item:
    """Return the item of a film, from inside the simulated server."""
    return world.section.items[int(world.item_of(Catalogue().film(number)))]


def tags(item: Item, kind: str) -> list[str]:
    return [tagging.tag.text for tagging in item.tags.get(kind, [])]


async def test_first_sync_brings_every_field(tmp_path: Path) -> None:
    world = a_world(tmp_path, 5)
    world.stash.update_scene(
        2,
        title="The Blue Door",
        details="One.\n\nTwo 'quoted' 日本 🎬",
        director="Jane Roe",
        date="2021-03-04",
        rating100=75,
        studio="Acme",
        performers=["Ann Lee", "Béla Tóth"],
        tags=["Drama", "Outdoor", "4K"],
    )
    report = await world.sync()
    assert (report.scenes, report.synced, report.waiting, report.dead) == (5, 5, 0, 0)
    item = shown(world, 2)
    assert item.fields["title"] == "The Blue Door"
    assert item.fields["titleSort"] == "Blue Door"
    assert item.fields["summary"] == "One.\n\nTwo 'quoted' 日本 🎬"
    assert item.fields["studio"] == "Acme"
    assert item.fields["originallyAvailableAt"] == "2021-03-04"
    assert item.view(1).rating == 7.5
    assert tags(item, "director") == ["Jane Roe"]
    assert tags(item, "genre") == ["Drama", "Outdoor", "4K"]
    assert tags(item, "actor") == ["Ann Lee", "Béla Tóth"]
    assert tags(item, "collection") == ["Acme"]
    assert {"title", "summary", "genre", "actor", "thumb"} <= item.locks


async def test_second_sync_writes_nothing(tmp_path: Path) -> None:
    world = a_world(tmp_path, 120)
    await world.sync()
    world.plex.forget_requests()
    second = await world.sync()
    third = await world.sync()
    assert (second.unchanged, second.writes, second.uploads) == (120, 0, 0)
    assert (third.unchanged, third.writes, third.uploads) == (120, 0, 0)
    assert not {"edit", "upload", "select"} & set(world.plex.counts)


async def test_a_changed_scene_costs_one_edit(tmp_path: Path) -> None:
    world = a_world(tmp_path, 200, posters=False)
    report = await world.sync()
    assert report.writes == 200
    assert report.plex_requests <= 1.05 * 200
    again = await world.sync()
    assert again.plex_requests <= 0.03 * 200


async def test_every_edit_names_its_item(tmp_path: Path) -> None:
    world = a_world(tmp_path, 30)
    await world.sync()
    assert world.plex.counts["edit"] == 30
    assert world.plex.unscoped_edits == 0


async def test_an_edit_in_stash_arrives_alone(tmp_path: Path) -> None:
    world = a_world(tmp_path, 20)
    await world.sync()
    before = shown(world, 8).updated_at
    world.stash.update_scene(7, title="Another")
    report = await world.sync()
    assert (report.synced, report.unchanged, report.writes) == (1, 19, 1)
    assert shown(world, 7).fields["title"] == "Another"
    assert shown(world, 8).updated_at == before


async def test_removed_tags_and_performers_leave_plex_and_people_s_own_stay(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    world.stash.update_scene(1, tags=["A", "B"], performers=["Ann Lee", "Bob Ray"])
    await world.sync()
    await person_edits(world, 1, "genre%5B0%5D.tag.tag=A&genre%5B1%5D.tag.tag=B&genre%5B2%5D.tag.tag=Mine")
    world.stash.update_scene(1, tags=["B", "C"], performers=["Bob Ray"])
    await world.sync()
    item = shown(world, 1)
    assert sorted(tags(item, "genre")) == ["B", "C", "Mine"]
    assert tags(item, "actor") == ["Bob Ray"]


async def test_an_edit_by_a_person_in_plex_stays_until_stash_changes(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    await world.sync()
    await person_edits(world, 1, "title.value=Mine")
    report = await world.sync()
    assert (report.writes, shown(world, 1).fields["title"]) == (0, "Mine")
    world.stash.update_scene(1, title="From Stash")
    await world.sync()
    assert shown(world, 1).fields["title"] == "From Stash"


async def test_a_changed_studio_moves_the_item_to_the_other_collection(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2)
    world.stash.update_scene(1, studio="Old")
    await world.sync()
    world.stash.update_scene(1, studio="New")
    await world.sync()
    assert tags(shown(world, 1), "collection") == ["New"]


async def test_one_changed_cover_is_one_upload(tmp_path: Path) -> None:
    world = a_world(tmp_path, 4)
    await world.sync()
    world.stash.update_scene(3, cover=poster_cheap(Catalogue().film(99)))
    report = await world.sync()
    assert (report.uploads, report.synced) == (1, 1)
    assert (await world.sync()).uploads == 0


async def test_a_forgotten_upload_is_not_sent_again(tmp_path: Path) -> None:
    world = a_world(tmp_path, 4)
    await world.sync()
    world.data_dir = tmp_path / "other"
    report = await world.sync()
    assert (report.uploads, report.writes, report.unchanged) == (0, 0, 4)


async def test_a_scene_without_cover_leaves_the_poster_alone(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2, posters=False)
    report = await world.sync()
    assert report.uploads == 0


async def test_some_scenes_only(tmp_path: Path) -> None:
    world = a_world(tmp_path, 10)
    report = await world.sync(2, 5)
    assert (report.scenes, report.synced) == (2, 2)
    assert shown(world, 2).locks
    assert not shown(world, 1).locks


async def test_a_file_that_plex_lacks_waits_and_others_do_not(tmp_path: Path) -> None:
    world = a_world(tmp_path, 6)
    world.plex.remove_item(world.item_of(Catalogue().film(4)))
    report = await world.sync()
    assert (report.synced, report.waiting, report.dead) == (5, 1, 0)


async def test_a_file_that_appears_is_found_by_the_next_run(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    film = Catalogue().film(2)
    world.plex.remove_item(world.item_of(film))
    assert (await world.sync()).waiting == 1
    world.plex.add_item(world.section, files=[(film.plex_path, film.size, 1000)], title=film.stem)
    report = await world.sync(2)
    assert (report.synced, report.waiting) == (1, 0)


async def test_a_rebuilt_library_gets_no_wrong_write(tmp_path: Path) -> None:
    world = a_world(tmp_path, 12)
    await world.sync()
    world.plex.rebuild(world.section)
    report = await world.sync()
    assert (report.synced, report.waiting, report.dead) == (12, 0, 0)
    for film in Catalogue(12):
        if film.title:
            assert shown(world, film.number).fields["title"] == film.title


async def test_two_items_with_one_file_need_a_person(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    film = Catalogue().film(2)
    world.plex.add_item(world.section, files=[(film.plex_path, film.size, 1000)], title="Copy")
    report = await world.sync()
    assert (report.synced, report.dead) == (2, 1)


async def test_a_scene_in_two_libraries_is_written_to_both(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2)
    other = world.plex.add_section("Again", locations=["/mnt/media/films"])
    film = Catalogue().film(1)
    key = world.plex.add_item(other, files=[(film.plex_path, film.size, 1000)], title="x")
    report = await world.sync()
    assert (report.synced, report.writes) == (2, 3)
    assert other.items[int(key)].fields["title"] == film.title


async def test_a_scene_that_left_stash_changes_nothing_in_plex(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    await world.sync()
    with world.app() as app:
        target = await app.connect()
        await app.intake(target).mark_all(lambda _: None)
    world.stash.destroy_scene(2)
    report = await world.sync()
    assert (report.dead, report.waiting, report.writes) == (0, 0, 0)
    assert shown(world, 2).fields["title"] == Catalogue().film(2).title


@pytest.mark.parametrize("mode", ["replace", "add"])
async def test_both_meanings_of_a_tag_list_end_equal(tmp_path: Path, mode: str) -> None:
    world = a_world(tmp_path, 4)
    world.plex.switches.tag_mode = type(world.plex.switches.tag_mode)(mode)
    await world.sync()
    world.stash.update_scene(1, tags=["One", "Two"])
    await world.sync()
    assert sorted(tags(shown(world, 1), "genre")) == ["One", "Two"]
    assert (await world.sync()).writes == 0


async def person_edits(world: World, number: int, query: str) -> None:
    """Edit an item as Plex's own page would."""
    key = world.item_of(Catalogue().film(number))
    url = f"{PLEX_URL}/library/sections/{world.section.id}/all?type=1&id={key}&{query}"
    answer = await AsgiTransport(world.plex.app).send(Request("PUT", url, {"X-Plex-Token": world.plex.token}))
    assert answer.status == 200
