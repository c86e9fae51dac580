"""What of history is kept: the newest rows of each scene, a year at most, outages a year; entries that live stay."""

from datetime import timedelta
from pathlib import Path

import pytest
import trio

from builders import NOW
from ledgers import SYNCED, lease, mark, settle
from stage import Stage, play, plex_id
from stashplex.domain.breaker import BreakerRules, Cause, Failure
from stashplex.domain.entry import PlexId
from stashplex.domain.journal import JournalEvent, JournalRow
from stashplex.domain.scene import SceneId
from stashplex.engine.upkeep import HISTORY, JOURNAL_ROWS
from stashplex.store import retention
from stashplex.store.database import Database
from stashplex.store.journal import Journal
from stashplex.store.ledger import Ledger
from stashplex.store.retention import Retention


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(tmp_path / "stashplex.sqlite")


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


@pytest.fixture
def server(ledger: Ledger) -> PlexId:
    return ledger.plex_id("machine", "http://plex.test")


def happen(ledger: Ledger, server: PlexId, scene: int, times: int, *, days_ago: float = 0.0) -> None:
    """Let something happen to a scene several times; the texts are numbers in order."""
    at = NOW - timedelta(days=days_ago)
    mark(ledger, server, scene, now=at)
    rows = tuple(JournalRow(at, JournalEvent.ENTRY_RETRIED, detail=str(number)) for number in range(times))
    settle(ledger, lease(ledger, server, now=at), SYNCED, now=at, journal=rows)


def story(database: Database, server: PlexId, scene: int) -> list[str | None]:
    rows = Journal(database).list_for_scene(server, SceneId(scene), limit=10_000)
    return [row.detail for row in reversed(rows)]


def test_the_newest_rows_of_each_scene_stay(database: Database, ledger: Ledger, server: PlexId) -> None:
    happen(ledger, server, 1, 10)
    happen(ledger, server, 2, 3)
    happen(ledger, server, 3, 4)
    assert sum(Retention(database).trim(3)) == 8
    assert story(database, server, 1) == ["7", "8", "9"]
    assert story(database, server, 2) == ["0", "1", "2"]
    assert story(database, server, 3) == ["1", "2", "3"]
    assert sum(Retention(database).trim(3)) == 0


def test_many_rows_go_in_short_steps(database: Database, ledger: Ledger, server: PlexId) -> None:
    happen(ledger, server, 1, 3 * retention.STEP)
    steps = list(Retention(database).trim(1))
    assert sum(steps) == 3 * retention.STEP - 1
    assert max(steps) <= retention.STEP


def test_scenes_beyond_one_range_are_looked_at_too(database: Database, ledger: Ledger, server: PlexId) -> None:
    mark(ledger, server, *range(10_000, 10_000 + retention.ENTRIES), now=NOW)
    settle(ledger, lease(ledger, server, limit=retention.ENTRIES), SYNCED)
    happen(ledger, server, 1, 5)
    assert sum(Retention(database).trim(2)) == 3


def test_old_rows_go_with_their_year(database: Database, ledger: Ledger, server: PlexId) -> None:
    happen(ledger, server, 1, 2_500, days_ago=400)
    happen(ledger, server, 1, 2, days_ago=300)
    assert sum(Retention(database).forget(NOW - HISTORY)) == 2_500
    assert story(database, server, 1) == ["0", "1"]
    assert sum(Retention(database).forget(NOW - HISTORY)) == 0


def test_a_row_from_the_future_does_not_keep_old_ones(database: Database, ledger: Ledger, server: PlexId) -> None:
    happen(ledger, server, 1, 1, days_ago=-4_000)
    happen(ledger, server, 2, 5, days_ago=400)
    assert sum(Retention(database).forget(NOW - HISTORY)) == 5
    assert story(database, server, 1) == ["0"]


def test_an_empty_store_has_nothing_to_trim(database: Database) -> None:
    assert sum(Retention(database).trim(1)) + sum(Retention(database).forget(NOW)) == 0


def test_a_whole_dead_letter_s_life_is_kept() -> None:
    """Twelve looks for a file, its burial, and as much of what was written before."""
    assert JOURNAL_ROWS >= 2 * (12 + 1)


def test_the_service_keeps_up_at_its_start_and_every_hour(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        failure = Failure(Cause.MAINTENANCE, "m")
        with stage.world.app() as app:
            long_ago = stage.clock.now() - timedelta(days=400)
            breakers, key = app.store.breakers, "plex http://old.test"
            chance, rules = stage.world.chance, BreakerRules()
            breakers.change(key, long_ago, lambda one: one.failed(failure, long_ago, rules, chance))
            breakers.change(key, long_ago, lambda one: one.reset(long_ago + timedelta(hours=1)))
            ledger, server = app.store.ledger, plex_id(app)
            rows = tuple(JournalRow(NOW, JournalEvent.ENTRY_RETRIED) for _ in range(100))
            mark(ledger, server, 1, now=stage.clock.now())
            settle(ledger, lease(ledger, server, now=stage.clock.now()), SYNCED, now=stage.clock.now(), journal=rows)
        async with stage.serving() as app:
            await trio.sleep(5)
            assert len(app.store.journal.list_for_scene(server, SceneId(1), limit=1_000)) == JOURNAL_ROWS
            assert app.store.breakers.list_outages(stage.clock.now() - timedelta(days=1_000)) == ()
            later = stage.clock.now() + timedelta(days=10)
            mark(app.store.ledger, server, 900_001, now=stage.clock.now(), due_at=later)
            settle(app.store.ledger, lease(app.store.ledger, server, now=later), SYNCED, now=later, journal=rows)
            await trio.sleep(3_700)
            assert len(app.store.journal.list_for_scene(server, SceneId(900_001), limit=1_000)) == JOURNAL_ROWS

    play(tmp_path, act)
