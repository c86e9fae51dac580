"""Which item gets a scene's data when libraries are rebuilt, files move, names repeat, and people decide."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.console import Console

from stashplex.app import App
from stashplex.cli.match import ignore_scene, lonely_items, lonely_scenes, picture_of, pin_scene, unpin_scene
from stashplex.cli.paths import suggest_app
from stashplex.cli.plan import plan_app
from stashplex.cli.progress import Steps, steps
from stashplex.cli.scope import Scope
from stashplex.domain.item import RatingKey
from stashplex.domain.link import Evidence
from stashplex.domain.scene import SceneId
from stashplex.engine.survey import SceneClass
from stashplex.sim.content.catalogue import Catalogue, Film
from stashplex.sim.plex.item import Item
from worlds import World, a_world

pytestmark = pytest.mark.anyio


def film(number: int) -> Film:
    return Catalogue().film(number)


def facts(one: Film, path: str | None = None) -> tuple[str, int, int]:
    """The file of a film as Plex has it."""
    return path or one.plex_path, one.size, round(one.duration_s * 1000)


def in_stash(one: Film, path: str | None = None) -> tuple[str, int, float, str]:
    return path or one.stash_path, one.size, one.duration_s, one.oshash


def item(world: World, rating_key: str) -> Item:
    return next(
        section.items[int(rating_key)]
        for section in world.plex.world.sections.values()
        if int(rating_key) in section.items
    )


def titles(world: World) -> Mapping[str, object]:
    """What Plex shows, by the path of the first file."""
    return {one.files[0].path: one.fields["title"] for one in world.section.items.values()}


def shown() -> Steps:
    with steps(Console(quiet=True), is_shown=False) as found:
        return found


async def evidence(app: App, number: int) -> list[tuple[str, Evidence]]:
    links = app.store.overview.links_for(app.store.overview.list_plex()[0].id, [SceneId(number)])
    return [(link.rating_key, link.evidence) for link in links.get(SceneId(number), ())]


def move_in_plex(world: World, one: Film, path: str) -> str:
    """Let a film have another path in Plex: the item goes, another one comes."""
    world.plex.remove_item(world.item_of(one))
    return world.plex.add_item(world.section, [facts(one, path)])


async def test_no_data_lands_on_another_film_when_keys_shift_between_syncs(tmp_path: Path) -> None:
    world = a_world(tmp_path, 12, posters=False)
    await world.sync()
    before = titles(world)
    for round_ in range(2):
        keys = world.plex.rebuild(world.section)
        assert set(keys) != set(keys.values())
        world.stash.update_scene(3, title=f"Edited {round_}")
        report = await world.sync()
        assert (report.waiting, report.dead) == (0, 0)
        assert titles(world) == {**before, film(3).plex_path: f"Edited {round_}"}


async def test_a_key_that_shows_another_film_is_never_written_even_if_plex_tells_of_no_change(tmp_path: Path) -> None:
    world = a_world(tmp_path, 8, posters=False)
    for _ in range(2):
        await world.sync()
    counter, first = world.section.content_changed_at, min(world.section.items)
    world.plex.remove_item(str(first))
    world.plex.world._last_key = first - 1
    keys = world.plex.rebuild(world.section)
    assert all(int(new) == int(old) - 1 for old, new in keys.items())
    world.section.content_changed_at = counter
    before = titles(world)
    for number in range(2, 9):
        world.stash.update_scene(number, title=f"Edited {number}")
    report = await world.sync()
    assert (report.synced, report.writes) == (0, 0)
    assert titles(world) == before
    world.section.content_changed_at = counter + 1
    report = await world.sync()
    assert (report.synced, report.waiting) == (7, 1)
    assert titles(world) == {film(number).plex_path: f"Edited {number}" for number in range(2, 9)}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/elsewhere/{name}", Evidence.NAME_AND_SIZE),
        ("/elsewhere/A new name.mkv", Evidence.SIZE_AND_DURATION),
    ],
)
async def test_a_file_that_plex_shows_elsewhere_is_found(tmp_path: Path, path: str, found: Evidence) -> None:
    world = a_world(tmp_path, 4, posters=False)
    key = move_in_plex(world, film(2), path.format(name=film(2).file_name))
    report = await world.sync()
    assert (report.synced, report.waiting) == (4, 0)
    with world.app() as app:
        assert await evidence(app, 2) == [(key, found)]


async def test_a_moved_file_keeps_its_data_and_costs_no_edit(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    await world.sync()
    world.stash.move_file(film(2).stash_path, f"/data/films/new folder/{film(2).file_name}")
    world.stash.update_scene(2, organized=False)
    report = await world.sync()
    assert (report.writes, report.waiting) == (0, 0)


async def test_any_file_of_a_scene_finds_any_version_of_an_item(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    one = film(2)
    world.plex.remove_item(world.item_of(one))
    key = world.plex.add_item(world.section, [("/mnt/media/films/other cut.mkv", 5, 1000)], title="x", edition="Cut")
    world.plex.add_version(key, [("/mnt/media/films/part 1.mkv", 6, 1000), facts(one)])
    world.stash.update_scene(2, files=[("/data/films/not in plex.mkv", 7, 9.0, "0" * 16), in_stash(one)])
    report = await world.sync(2)
    assert (report.synced, report.waiting) == (1, 0)
    assert item(world, key).fields["title"] == one.title


async def test_optimised_copies_and_trashed_items_are_no_place(tmp_path: Path) -> None:
    world = a_world(tmp_path, 4, posters=False)
    for number in (2, 3):
        world.plex.remove_item(world.item_of(film(number)))
    world.plex.add_item(world.section, [("/mnt/media/films/x.mkv", 5, 1000)], title="x", optimized=[facts(film(2))])
    trashed = world.plex.add_item(world.section, [facts(film(3))], title="y")
    world.plex.trash_item(trashed)
    report = await world.sync()
    assert (report.synced, report.waiting) == (2, 2)
    assert item(world, trashed).fields["title"] == "y"


async def test_a_copy_in_stash_alone_does_not_take_the_item_of_the_original(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    copy = world.stash.add_scene(title="The copy", files=[in_stash(film(2), f"/data/copies/{film(2).file_name}")])
    report = await world.sync(copy)
    assert (report.synced, report.waiting) == (0, 1)
    assert titles(world)[film(2).plex_path] != "The copy"
    await world.sync()
    assert titles(world)[film(2).plex_path] == film(2).title


async def test_two_copies_without_a_path_map_need_a_person_until_one_is_gone(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    world.settings["path_map"] = ""
    copy = world.stash.add_scene(title="The copy", files=[in_stash(film(2), f"/data/copies/{film(2).file_name}")])
    report = await world.sync()
    assert (report.synced, report.dead) == (2, 2)
    world.stash.destroy_scene(copy)
    assert (await world.sync(2)).synced == 1
    assert titles(world)[film(2).plex_path] == film(2).title


async def test_a_copy_that_came_after_the_listing_is_known_once_it_was_read(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    world.settings["path_map"] = ""
    assert (await world.sync()).synced == 3
    copy = world.stash.add_scene(title="The copy", files=[in_stash(film(2), f"/data/copies/{film(2).file_name}")])
    assert (await world.sync(copy)).dead == 1
    world.stash.update_scene(2, title="Edited")
    assert (await world.sync(2)).dead == 1
    assert titles(world)[film(2).plex_path] == film(2).title


async def test_two_folders_of_stash_that_are_one_in_plex_never_write_over_each_other(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    world.settings["path_map"] = "/data=/mnt/media; /other=/mnt/media"
    same_place = f"/other{film(2).stash_path.removeprefix('/data')}"
    hidden = world.stash.add_scene(title="Hidden", files=[(same_place, 5, 9.0, "0" * 16)])
    report = await world.sync()
    assert (report.synced, report.waiting, report.dead) == (3, 1, 0)
    assert titles(world)[film(2).plex_path] == film(2).title
    with world.app() as app:
        picture = await picture_of(app, shown(), scene_id=SceneId(hidden))
    assert [picture.verdict(one) for one in picture.candidates] == [
        "no: scene 2 stands at the same place and has its size"
    ]


async def test_a_tie_in_one_library_leaves_the_other_library_alone(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    other = world.plex.add_section("Again", locations=["/mnt/media/films"])
    for _ in range(2):
        world.plex.add_item(other, [facts(film(2))], title="x")
    report = await world.sync()
    assert (report.synced, report.dead) == (2, 1)
    assert titles(world)[film(2).plex_path] == film(2).title
    assert {one.fields["title"] for one in other.items.values()} == {"x"}
    with world.app() as app:
        result = await plan_app(app, Scope((SceneId(2),)), shown())
    assert result.survey.classes == {SceneClass.AMBIGUOUS: 1}


async def test_what_a_person_pinned_is_written_and_outlives_a_rebuilt_library(tmp_path: Path) -> None:
    world = a_world(tmp_path, 5, posters=False)
    await world.sync()
    path = "/mnt/media/films/quite another.mkv"
    key = world.plex.add_item(world.section, [(path, 5, 1000)], title="z")
    with world.app() as app:
        pinned, title = await pin_scene(app, shown(), scene_id=SceneId(2), rating_key=RatingKey(key))
    assert (pinned.files, title) == ((path,), "Films")
    assert (await world.sync(2)).synced == 1
    assert titles(world)[path] == film(2).title
    world.plex.rebuild(world.section)
    assert (await world.sync()).waiting == 0
    assert titles(world)[path] == film(2).title


async def test_a_pin_whose_file_is_gone_is_told_and_the_key_is_not_followed(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    key = world.plex.add_item(world.section, [("/mnt/media/films/z.mkv", 5, 1000)], title="z")
    with world.app() as app:
        await pin_scene(app, shown(), scene_id=SceneId(2), rating_key=RatingKey(key))
    await world.sync(2)
    world.plex.remove_item(key)
    report = await world.sync(2)
    assert (report.synced, report.waiting) == (0, 1)
    assert titles(world)[film(2).plex_path] != film(2).title
    with world.app() as app:
        picture = await picture_of(app, shown(), scene_id=SceneId(2))
        assert "pinned to item" in str(picture.problems[0])
        assert await unpin_scene(app, shown(), scene_id=SceneId(2)) == 1
    await world.sync(2)
    assert titles(world)[film(2).plex_path] == film(2).title


async def test_a_scene_that_is_left_alone_is_written_again_when_it_no_longer_is(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    with world.app() as app:
        assert await ignore_scene(app, shown(), scene_id=SceneId(2), is_ignored=True)
        assert not await ignore_scene(app, shown(), scene_id=SceneId(2), is_ignored=True)
    report = await world.sync()
    assert (report.writes, report.dead, report.waiting) == (2, 0, 0)
    with world.app() as app:
        result = await plan_app(app, Scope((SceneId(2),)), shown())
        assert result.survey.classes == {SceneClass.IGNORED: 1}
        assert await ignore_scene(app, shown(), scene_id=SceneId(2), is_ignored=False)
    assert (await world.sync(2)).writes == 1


async def test_the_lonely_of_both_sides_are_listed_with_the_reason(tmp_path: Path) -> None:
    world = a_world(tmp_path, 6, posters=False)
    world.plex.remove_item(world.item_of(film(2)))
    world.plex.add_item(world.section, [facts(film(3))], title="Copy")
    world.stash.update_scene(4, files=[])
    lonely = world.plex.add_item(world.section, [("/mnt/media/films/nobody.mkv", 5, 1000)], title="z")
    with world.app() as app:
        await ignore_scene(app, shown(), scene_id=SceneId(5), is_ignored=True)
        rows = await lonely_scenes(app, shown())
        items = {part.rating_key for part in await lonely_items(app, shown())}
    assert {row["scene"]: row["reason"] for row in rows} == {
        2: "PlexNotFound",
        3: "MatchAmbiguous",
        4: "SceneInvalid",
        5: "ignored",
    }
    of_four = next(str(one.key) for one in world.section.items.values() if one.files[0].path == film(4).plex_path)
    assert {lonely, of_four} <= items
    assert world.item_of(film(1)) not in items


async def test_the_picture_of_a_scene_shows_what_was_weighed(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    key = world.plex.add_item(world.section, [facts(film(2), f"/elsewhere/{film(2).file_name}")], title="x")
    with world.app() as app:
        picture = await picture_of(app, shown(), scene_id=SceneId(2))
    weighed = {one.rating_key: (one.evidence, picture.verdict(one)) for one in picture.candidates}
    assert weighed == {
        world.item_of(film(2)): (Evidence.MAPPED_PATH, "this is it"),
        key: (Evidence.NAME_AND_SIZE, "there is stronger evidence"),
    }
    assert picture.problems == ()


async def test_the_path_map_is_suggested_from_both_lists_and_nothing_is_changed(tmp_path: Path) -> None:
    world = a_world(tmp_path, 40, posters=False)
    world.settings["path_map"] = ""
    with world.app() as app:
        proposal = await suggest_app(app, shown())
        assert app.store.overview.list_plex()
    assert proposal.setting == "/data=/mnt/media"
    assert (proposal.found_before, proposal.found, proposal.stash_files) == (0, 40, 40)
    assert len(proposal.examples) == 20
    assert not world.plex.unscoped_edits
    assert world.plex.counts["edit"] == 0
