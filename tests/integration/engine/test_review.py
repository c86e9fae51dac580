"""Regressions: what an engineer with fresh eyes broke with servers written from the wire documents alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulation.virtual import VirtualClock, run_virtually
from stashplex.cli.sync import SyncReport
from stashplex.domain.scene import SceneId
from stashplex.sim.content.catalogue import Catalogue
from worlds import World, a_world


def a_virtual_world(data_dir: Path, films: int) -> tuple[World, VirtualClock]:
    clock = VirtualClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    return a_world(data_dir, films, clock=clock, posters=False), clock


def synced(world: World, clock: VirtualClock, *scene_ids: int, wait_s: float = 0.0) -> SyncReport:
    """Run one bounded sync in virtual time."""
    return run_virtually(clock, 1, lambda: world.sync(*scene_ids, wait_s=wait_s))


def lose(world: World, *numbers: int) -> None:
    for number in numbers:
        world.plex.remove_item(world.item_of(Catalogue().film(number)))


def test_many_missing_files_are_looked_for_together(tmp_path: Path) -> None:
    world, clock = a_virtual_world(tmp_path, 150)
    world.settings["scan_on_not_found"] = False
    lose(world, *range(21, 151))
    report = synced(world, clock, wait_s=60.0)
    assert (report.synced, report.waiting) == (20, 130)
    assert report.plex_requests <= 20 + 60 + 10


def test_a_run_for_some_scenes_does_not_wait_for_others(tmp_path: Path) -> None:
    world, clock = a_virtual_world(tmp_path, 8)
    lose(world, 8)
    synced(world, clock)
    before_s = clock.monotonic_s()
    report = synced(world, clock, 1, wait_s=60.0)
    assert (report.unchanged, report.waiting) == (1, 0)
    assert clock.monotonic_s() - before_s < 1.0


def test_a_run_waits_for_what_another_process_works_on(tmp_path: Path) -> None:
    world, clock = a_virtual_world(tmp_path, 3)
    synced(world, clock)
    with world.app() as app:
        store, plex_id = app.store, app.store.overview.list_plex()[0].id
        with store.owners.enrolled(clock.now()) as other:
            store.ledger.mark(plex_id, [SceneId(2)], now=clock.now())
            until = clock.now() + timedelta(minutes=10)
            store.ledger.lease(plex_id, owner=other, token="theirs", limit=1, now=clock.now(), until=until)
            before_s = clock.monotonic_s()
            assert synced(world, clock, 2, wait_s=30.0).waiting == 1
            assert clock.monotonic_s() - before_s >= 30.0
