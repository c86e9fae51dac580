"""A side that is empty, or suddenly much smaller, or matches nowhere: the run stops or says so, and nothing is lost."""

from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from stashplex.base.errors import ConfigError, SideEmpty
from stashplex.cli.plan import plan_app
from stashplex.cli.progress import Steps, steps
from stashplex.cli.run import Exit, exit_code
from stashplex.cli.scope import Scope
from stashplex.cli.sync import sync_app
from stashplex.domain.entry import State
from stashplex.domain.scene import SceneId
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.world import LIBRARY
from worlds import World, a_world

pytestmark = pytest.mark.anyio

FILMS = 60


def lose(world: World, numbers: range) -> None:
    """Let files vanish from Plex, as an unmounted folder does."""
    for number in numbers:
        world.plex.remove_item(world.item_of(Catalogue().film(number)))


def appear(world: World, numbers: range, *, size: int | None = None) -> None:
    for number in numbers:
        film = Catalogue().film(number)
        world.plex.add_item(world.section, files=[(film.plex_path, size or film.size, 1000)], title=film.stem)


def quietly() -> AbstractContextManager[Steps]:
    return steps(Console(quiet=True), is_shown=False)


def entries(world: World) -> list[tuple[State, int]]:
    with world.app() as app:
        known = app.store.overview.list_plex()
        found = app.store.ledger.list_entries(known[0].id) if known else ()
        return [(entry.state, entry.retry_count) for entry in found]


async def stopped(world: World) -> SideEmpty:
    """Run a sync that must stop, and check that nothing was tried."""
    edits = world.plex.counts["edit"]
    before = entries(world)
    with pytest.raises(SideEmpty) as caught:
        await world.sync()
    assert exit_code(caught.value) is Exit.SERVER
    assert caught.value.hint
    assert world.plex.counts["edit"] == edits
    assert entries(world) == before
    return caught.value


async def test_a_plex_library_without_files_at_the_first_run(tmp_path: Path) -> None:
    world = a_world(tmp_path, 5)
    lose(world, range(1, 6))
    error = await stopped(world)
    assert repr(LIBRARY) in str(error)
    assert "scan" in error.hint
    appear(world, range(1, 6))
    assert (await world.sync()).synced == 5


async def test_an_empty_library_beside_a_full_one_is_no_obstacle(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    world.plex.add_section("New films")
    assert (await world.sync()).synced == 3


async def test_a_suddenly_empty_library(tmp_path: Path) -> None:
    world = a_world(tmp_path, 5)
    await world.sync()
    lose(world, range(1, 6))
    error = await stopped(world)
    assert "0 files, but it held 5" in str(error)
    appear(world, range(1, 6))
    assert (await world.sync()).waiting == 0


async def test_a_suddenly_much_smaller_library(tmp_path: Path) -> None:
    world = a_world(tmp_path, FILMS)
    await world.sync()
    lose(world, range(10, 50))
    for _ in range(2):
        error = await stopped(world)
        assert "20 files, but it held 60" in str(error)
        assert "--accept-smaller" in error.hint


async def test_a_smaller_library_can_be_accepted(tmp_path: Path) -> None:
    world = a_world(tmp_path, FILMS)
    await world.sync()
    lose(world, range(10, 50))
    with world.app() as app, quietly() as shown:
        report = (await sync_app(app, Scope(), 0.0, shown, accepts_smaller=True)).report
    assert (report.unchanged, report.waiting, report.dead) == (20, 40, 0)
    again = await world.sync()
    assert (again.unchanged, again.waiting) == (20, 40)


async def test_a_library_that_lost_some_files_is_no_obstacle(tmp_path: Path) -> None:
    world = a_world(tmp_path, FILMS)
    await world.sync()
    lose(world, range(1, 21))
    assert (await world.sync()).waiting == 20


async def test_a_library_that_becomes_empty_during_a_run_costs_no_scene_an_attempt(tmp_path: Path) -> None:
    world = a_world(tmp_path, FILMS)
    await world.sync()
    lose(world, range(1, FILMS + 1))
    world.stash.update_scene(3, files=[("/data/films/moved.mkv", 5, 60.0, "0123456789abcdef")])
    with pytest.raises(BaseExceptionGroup) as caught:
        await world.sync(3)
    assert caught.group_contains(SideEmpty)
    assert {count for _, count in entries(world)} == {0}
    assert {state for state, _ in entries(world)} == {State.SYNCED, State.PENDING}


@pytest.mark.parametrize("kind", ["show", "artist"])
async def test_only_film_libraries_are_taken(tmp_path: Path, kind: str) -> None:
    world = a_world(tmp_path, 2)
    world.plex.add_section("Other", type=kind)
    world.settings["plex_library"] = "other"
    with pytest.raises(ConfigError, match=repr(kind)) as caught:
        await world.sync()
    assert repr(LIBRARY) in caught.value.hint
    world.settings["plex_library"] = ""
    assert (await world.sync()).synced == 2


async def test_no_film_library_at_all(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2)
    world.section.type = "show"
    with pytest.raises(ConfigError, match="no film library"):
        await world.sync()


async def test_a_map_that_fits_nothing_is_said_with_an_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = a_world(tmp_path, 3)
    lose(world, range(1, 4))
    appear(world, range(1, 4), size=7)
    world.settings["path_map"] = "/data/films=/nowhere"
    assert (await world.sync()).waiting == 3
    told = capsys.readouterr().err
    with world.app() as app, quietly() as shown:
        await plan_app(app, Scope(), shown)
    for text in (told, capsys.readouterr().err):
        assert text.count("None of the scenes was found in Plex") == 1
        for part in ("/data/films/", "/nowhere/", "/mnt/media/films/", "STASHPLEX_PATH_MAP"):
            assert part in text


async def test_one_scene_that_is_found_keeps_the_map_from_blame(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = a_world(tmp_path, 3)
    lose(world, range(1, 3))
    assert (await world.sync()).waiting == 2
    assert "None of the scenes" not in capsys.readouterr().err


async def test_a_scene_without_file_needs_a_person_and_stops_no_other(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    world.stash.update_scene(2, files=[])
    report = await world.sync()
    assert (report.synced, report.dead, report.waiting) == (2, 1, 0)
    with world.app() as app:
        dead = app.store.ledger.list_entries(app.store.overview.list_plex()[0].id, state=State.DEAD)
    assert dead[0].last_error_type == "SceneInvalid"
    assert "no file" in (dead[0].last_error or "")


async def test_the_report_of_some_scenes_counts_them_and_what_was_left_over_and_nothing_else(tmp_path: Path) -> None:
    world = a_world(tmp_path, 6)
    lose(world, range(5, 7))
    await world.sync(5)
    with world.app() as app:
        target = await app.connect()
        await app.intake(target).mark_scenes([SceneId(number) for number in (1, 2, 3)])
    found = await world.sync(4)
    assert (found.scenes, found.synced, found.waiting) == (4, 4, 0)
    await world.sync(1)
    with world.app() as app:
        await app.intake(target).mark_scenes([SceneId(number) for number in (1, 2, 3)])
    missing = await world.sync(6)
    assert (missing.scenes, missing.unchanged, missing.waiting) == (4, 3, 1)
    world.stash.update_scene(1, title="Changed just now")
    with world.app() as app, quietly() as shown:
        lately = (await sync_app(app, Scope(since=timedelta(hours=1)), 0.0, shown)).report
    assert (lately.synced, lately.waiting) == (1, 0)
