"""A lease hands out what is due, in order, to one holder, for a time."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from builders import NOW, a_link
from ledgers import DEAD, LEASE, get_entry, lease, mark, retry, scenes_of, settle
from stashplex.domain.entry import LEASE_EXPIRED, PlexId, Priority, State
from stashplex.domain.journal import JournalEvent
from stashplex.domain.retry import NOT_FOUND, ORDINARY
from stashplex.domain.scene import SceneId
from stashplex.store import statements
from stashplex.store.database import Database
from stashplex.store.journal import Journal
from stashplex.store.ledger import Ledger

MICROSECOND = timedelta(microseconds=1)


def test_a_leased_entry_is_nobody_elses(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1, 2, 3)
    assert scenes_of(lease(ledger, plex_id, "a", limit=2)) == [1, 2]
    assert scenes_of(lease(ledger, plex_id, "b")) == [3]
    assert lease(ledger, plex_id, "c") == ()


def test_what_is_handed_out_is_the_row_as_it_now_stands(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    (leased,) = lease(ledger, plex_id)
    assert leased.entry == get_entry(ledger, plex_id)
    assert (leased.entry.state, leased.entry.due_at) == (State.LEASED, NOW + LEASE)


def test_links_come_with_their_entry_in_order(ledger: Ledger, plex_id: PlexId) -> None:
    links = (a_link(rating_key="9"), a_link(rating_key="10"))
    mark(ledger, plex_id, 1, 2)
    first, second = lease(ledger, plex_id)
    settle(ledger, [first], links=links)
    settle(ledger, [second])
    mark(ledger, plex_id, 1, 2)
    assert [one.links for one in lease(ledger, plex_id)] == [links, ()]


@pytest.mark.parametrize(("now", "found"), [(NOW - MICROSECOND, []), (NOW, [42]), (NOW + MICROSECOND, [42])])
def test_due_is_exact_to_the_microsecond(ledger: Ledger, plex_id: PlexId, now: datetime, found: list[int]) -> None:
    mark(ledger, plex_id, 42)
    assert scenes_of(lease(ledger, plex_id, now=now)) == found


def test_urgent_first_then_due_first_then_marked_first(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1, 2, now=NOW)
    mark(ledger, plex_id, 3, now=NOW - MICROSECOND)
    mark(ledger, plex_id, 5, 4, now=NOW, priority=Priority.INTERACTIVE)
    assert scenes_of(lease(ledger, plex_id)) == [5, 4, 3, 1, 2]


def test_ten_thousand_waiting_entries_hide_no_due_one(ledger: Ledger, plex_id: PlexId) -> None:
    waiting = range(1_000, 11_000)
    mark(ledger, plex_id, *waiting, due_at=NOW + LEASE, priority=Priority.INTERACTIVE)
    mark(ledger, plex_id, 1)
    assert scenes_of(lease(ledger, plex_id)) == [1]


def _steps(database: Database, statement: ClauseElement) -> list[str]:
    """Return how SQLite reads the table of entries for a statement of ours."""
    compiled = statement.compile(dialect=SQLiteDialect_pysqlite(paramstyle="named"))
    with database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", dict.fromkeys(compiled.params, 1)).all()
    return [row[3] for row in plan if " entry " in row[3]]


def test_due_entries_are_found_by_one_seek_per_priority(database: Database) -> None:
    seek = "SEARCH entry USING INDEX ix_entry_due (plex_id=? AND priority=? AND due_at<?)"
    assert _steps(database, statements.DUE) == [seek] * len(Priority)


def test_the_next_due_time_is_one_seek_per_priority(database: Database) -> None:
    seek = "SEARCH entry USING COVERING INDEX ix_entry_due (plex_id=? AND priority=? AND due_at>?)"
    assert _steps(database, statements.NEXT_DUE_AT) == [seek] * len(Priority)


def test_counting_reads_indexes_alone(database: Database) -> None:
    found = [step.partition(" USING ")[2].rpartition(" (")[0] for step in _steps(database, statements.COUNTS)]
    assert found == [
        "COVERING INDEX sqlite_autoindex_entry_1",
        *["COVERING INDEX ix_entry_due"] * 2,
        *["INDEX ix_entry_lease"] * 2,
        "INDEX ix_entry_dead",
    ]


def test_an_expired_lease_costs_an_attempt(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    lease(ledger, plex_id, "a")
    assert lease(ledger, plex_id, "b", now=NOW + LEASE - MICROSECOND) == ()
    (leased,) = lease(ledger, plex_id, "b", now=NOW + LEASE)
    assert (leased.entry.retry_count, leased.entry.last_error_type) == (1, LEASE_EXPIRED)
    assert leased.entry == get_entry(ledger, plex_id)


def _expire(ledger: Ledger, plex_id: PlexId, now: datetime, times: int) -> datetime:
    """Lease and forget, so often."""
    for number in range(times):
        assert len(lease(ledger, plex_id, f"lost {number}", now=now)) == 1
        now += LEASE
    return now


def test_an_entry_whose_lease_always_expires_is_buried_at_its_limit(
    ledger: Ledger, journal: Journal, plex_id: PlexId
) -> None:
    mark(ledger, plex_id, 42)
    now = _expire(ledger, plex_id, NOW, 1 + ORDINARY.limit)
    assert lease(ledger, plex_id, "last", now=now) == ()
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.due_at, entry.last_error_type) == (State.DEAD, None, LEASE_EXPIRED)
    assert (entry.retry_count, entry.settled_generation) == (ORDINARY.limit, entry.generation)
    assert [row.event for row in journal.list_for_scene(plex_id, SceneId(42))] == [JournalEvent.ENTRY_BURIED]


def test_an_expired_lease_is_counted_by_the_rule_of_the_last_error(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id), retry(NOW, ORDINARY.limit + 1))
    now = _expire(ledger, plex_id, NOW, NOT_FOUND.limit - ORDINARY.limit)
    assert get_entry(ledger, plex_id).last_error_type == "PlexNotFound"
    assert lease(ledger, plex_id, "last", now=now) == ()
    assert get_entry(ledger, plex_id).state is State.DEAD


def test_a_buried_entry_stops_no_other_one(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1)
    now = _expire(ledger, plex_id, NOW, 1 + ORDINARY.limit)
    mark(ledger, plex_id, 2, now=now)
    assert scenes_of(lease(ledger, plex_id, "last", now=now, limit=1)) == [2]


def test_released_entries_are_due_again_for_free(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1, 2, 3)
    done, *_ = lease(ledger, plex_id, "a")
    settle(ledger, [done], token="a")
    later = NOW + timedelta(seconds=5)
    assert ledger.release("a", later) == 2
    assert ledger.release("a", later) == 0
    entry = get_entry(ledger, plex_id, 2)
    assert (entry.state, entry.due_at, entry.retry_count) == (State.PENDING, later, 0)
    assert scenes_of(lease(ledger, plex_id, "b", now=later)) == [2, 3]


def test_release_leaves_other_tokens_alone(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    lease(ledger, plex_id, "a")
    assert ledger.release("b", NOW) == 0
    assert get_entry(ledger, plex_id).state is State.LEASED


def test_dead_and_settled_entries_are_never_handed_out(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1, 2)
    first, second = lease(ledger, plex_id)
    settle(ledger, [first])
    settle(ledger, [second], DEAD)
    assert lease(ledger, plex_id, "b", now=NOW + timedelta(days=365)) == ()
