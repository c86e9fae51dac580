"""A lease hands out what is due, in order, to one holder, for a time."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from builders import NOW, a_link
from ledgers import DEAD, LEASE, TOKEN, get_entry, lease, mark, rescue, rescue_all, retry, scenes_of, settle
from stashplex.domain.entry import LEASE_EXPIRED, PlexId, Priority, State
from stashplex.domain.journal import JournalEvent
from stashplex.domain.retry import NOT_FOUND, ORDINARY
from stashplex.domain.scene import SceneId
from stashplex.store import statements
from stashplex.store.database import Database
from stashplex.store.journal import Journal
from stashplex.store.ledger import SHARED, Ledger

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
        "COVERING INDEX ix_entry_dismissed",
    ]


def test_a_run_out_lease_is_found_among_the_leased_ones_alone(database: Database) -> None:
    assert _steps(database, statements.EXPIRED) == ["SEARCH entry USING INDEX ix_entry_lease (lease_token>?)"]


def test_an_expired_lease_costs_an_attempt(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    lease(ledger, plex_id, "a")
    assert rescue(ledger, plex_id, "b", now=NOW + LEASE - MICROSECOND) == ()
    (leased,) = rescue(ledger, plex_id, "b", now=NOW + LEASE)
    assert (leased.entry.retry_count, leased.entry.last_error_type) == (1, LEASE_EXPIRED)
    assert leased.entry == get_entry(ledger, plex_id)


def test_a_run_out_lease_is_handed_out_by_rescue_alone(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1, 2)
    lease(ledger, plex_id, "a", limit=1)
    later = NOW + LEASE
    assert scenes_of(lease(ledger, plex_id, "b", now=later)) == [2]
    assert scenes_of(rescue(ledger, plex_id, "c", now=later)) == [1]
    assert rescue(ledger, plex_id, "d", now=later) == ()


def test_rescue_leaves_pending_entries_and_other_servers_alone(ledger: Ledger, plex_id: PlexId) -> None:
    other = ledger.plex_id("elsewhere", "bedroom")
    mark(ledger, plex_id, 1)
    mark(ledger, other, 2)
    lease(ledger, other, "a")
    assert rescue(ledger, plex_id, "b", now=NOW + LEASE) == ()
    assert scenes_of(rescue(ledger, other, "b", now=NOW + LEASE)) == [2]


def test_a_rescued_entry_comes_with_its_links_and_is_settled_as_any_other(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1, 2)
    leased = lease(ledger, plex_id)
    settle(ledger, leased, links=(a_link(rating_key="9"),))
    mark(ledger, plex_id, 1, 2)
    lease(ledger, plex_id, "lost")
    later = NOW + LEASE
    (rescued,) = rescue(ledger, plex_id, "new", now=later)
    assert rescued.links == (a_link(rating_key="9"),)
    assert settle(ledger, [rescued], token="lost", now=later) == 0
    assert settle(ledger, [rescued], token="new", now=later) == 1
    assert get_entry(ledger, plex_id, 1).state is State.SYNCED


def test_a_poison_entry_costs_each_of_its_neighbours_one_attempt_and_dies_alone(
    ledger: Ledger, plex_id: PlexId
) -> None:
    """The process dies whenever it works on scene 50: first with its batch, then alone."""
    poison, kills, now = 50, 1, NOW + LEASE
    mark(ledger, plex_id, *range(100))
    assert len(lease(ledger, plex_id, "batch")) == 100
    while rescued := rescue(ledger, plex_id, f"turn {kills} {now}", now=now):
        if scenes_of(rescued) == [poison]:
            kills += 1
            now += LEASE
        else:
            settle(ledger, rescued, token=f"turn {kills} {now}", now=now)
            assert rescued[0].entry.retry_count == 1
    assert kills == 1 + ORDINARY.limit
    assert [entry.scene_id for entry in ledger.iter_entries(plex_id, state=State.DEAD)] == [poison]
    assert ledger.counts(plex_id, now=now).synced == 99


def test_a_kill_never_buries_an_entry_that_was_not_alone(ledger: Ledger, plex_id: PlexId) -> None:
    """Entry 1 has spent all its tries when the process dies of entry 2; then it is handed out alone, and done."""
    mark(ledger, plex_id, 1)
    settle(ledger, lease(ledger, plex_id), retry(NOW, ORDINARY.limit, "WriteNotTaken"))
    mark(ledger, plex_id, 2)
    assert len(lease(ledger, plex_id, f"{SHARED}batch")) == 2
    now = NOW + LEASE
    first, second = rescue_all(ledger, plex_id, now=now)
    assert (first.entry.scene_id, first.entry.retry_count) == (1, ORDINARY.limit)
    assert (second.entry.scene_id, second.entry.retry_count) == (2, 1)
    assert settle(ledger, [first], token="rescue 0", now=now) == 1
    assert get_entry(ledger, plex_id, 1).state is State.SYNCED


def test_an_entry_at_its_limit_that_kills_alone_is_buried(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1)
    settle(ledger, lease(ledger, plex_id), retry(NOW, ORDINARY.limit, "WriteNotTaken"))
    lease(ledger, plex_id, f"{SHARED}batch")
    assert scenes_of(rescue(ledger, plex_id, "alone", now=NOW + LEASE)) == [1]
    assert rescue(ledger, plex_id, "again", now=NOW + 2 * LEASE) == ()
    assert get_entry(ledger, plex_id, 1).state is State.DEAD


def test_what_was_marked_during_the_fatal_lease_is_not_buried(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    now = _expire(ledger, plex_id, NOW, ORDINARY.limit)
    rescue(ledger, plex_id, "fatal", now=now)
    mark(ledger, plex_id, 42, now=now, priority=Priority.INTERACTIVE)
    (leased,) = rescue(ledger, plex_id, "last", now=now + LEASE)
    assert leased.entry.retry_count == 1


def test_what_a_poll_marks_at_each_start_saves_no_poison(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    now = _expire(ledger, plex_id, NOW, ORDINARY.limit)
    rescue(ledger, plex_id, "fatal", now=now)
    mark(ledger, plex_id, 42, now=now, priority=Priority.BULK)
    assert rescue(ledger, plex_id, "last", now=now + LEASE) == ()
    assert get_entry(ledger, plex_id).state is State.DEAD


def test_what_was_marked_during_a_lease_starts_afresh_however_it_ends(ledger: Ledger, plex_id: PlexId) -> None:
    for scene, transition in enumerate([DEAD, retry(NOW + LEASE, 4), None], start=1):
        mark(ledger, plex_id, scene)
        settle(ledger, lease(ledger, plex_id), retry(NOW, 3))
        leased = lease(ledger, plex_id)
        mark(ledger, plex_id, scene, priority=Priority.INTERACTIVE)
        settle(ledger, leased, transition) if transition else ledger.release(TOKEN, NOW)
        entry = get_entry(ledger, plex_id, scene)
        assert (entry.state, entry.due_at, entry.retry_count) == (State.PENDING, NOW, 0)
        settle(ledger, lease(ledger, plex_id))


def test_the_neighbours_of_a_poison_entry_are_done_before_its_next_turn(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, *range(10))
    lease(ledger, plex_id, "batch")
    later = NOW + LEASE
    assert scenes_of(rescue(ledger, plex_id, "killed", now=later)) == [0]
    assert scenes_of(rescue_all(ledger, plex_id, now=later + LEASE)) == [*range(1, 10), 0]


def test_handing_back_a_rescued_entry_costs_no_further_attempt(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1)
    lease(ledger, plex_id, "lost")
    rescue(ledger, plex_id, "stopped", now=NOW + LEASE)
    assert ledger.release("stopped", NOW + LEASE) == 1
    (leased,) = lease(ledger, plex_id, "next", now=NOW + LEASE)
    assert leased.entry.retry_count == 1


def _expire(ledger: Ledger, plex_id: PlexId, now: datetime, times: int) -> datetime:
    """Lease and forget, so often."""
    for number in range(times):
        token = f"lost {number}"
        assert len(lease(ledger, plex_id, token, now=now) or rescue(ledger, plex_id, token, now=now)) == 1
        now += LEASE
    return now


def test_an_entry_whose_lease_always_expires_is_buried_at_its_limit(
    ledger: Ledger, journal: Journal, plex_id: PlexId
) -> None:
    mark(ledger, plex_id, 42)
    now = _expire(ledger, plex_id, NOW, 1 + ORDINARY.limit)
    assert rescue(ledger, plex_id, "last", now=now) == ()
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.due_at, entry.last_error_type) == (State.DEAD, None, LEASE_EXPIRED)
    assert (entry.retry_count, entry.settled_generation) == (ORDINARY.limit, entry.generation)
    assert [row.event for row in journal.list_for_scene(plex_id, SceneId(42))] == [JournalEvent.ENTRY_BURIED]


def test_an_expired_lease_is_counted_by_the_rule_of_the_last_error(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id), retry(NOW, ORDINARY.limit + 1))
    now = _expire(ledger, plex_id, NOW, NOT_FOUND.limit - ORDINARY.limit)
    assert get_entry(ledger, plex_id).last_error_type == "PlexNotFound"
    assert rescue(ledger, plex_id, "last", now=now) == ()
    assert get_entry(ledger, plex_id).state is State.DEAD


def test_a_buried_entry_stops_no_other_one(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1)
    now = _expire(ledger, plex_id, NOW, 1 + ORDINARY.limit)
    mark(ledger, plex_id, 2, now=now)
    lease(ledger, plex_id, "lost too", now=now)
    assert scenes_of(rescue(ledger, plex_id, "last", now=now + LEASE)) == [2]


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


@pytest.mark.parametrize(("priority", "tries"), [(Priority.BULK, 3), (Priority.INTERACTIVE, 0)])
def test_waiting_for_a_server_gives_no_tries_back_unless_somebody_asked(
    ledger: Ledger, plex_id: PlexId, priority: Priority, tries: int
) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id), retry(NOW, 3))
    leased = lease(ledger, plex_id)
    mark(ledger, plex_id, 42, priority=priority)
    settle(ledger, leased, retry(NOW + LEASE, 3, "ServerUnreachable"))
    entry = get_entry(ledger, plex_id)
    assert (entry.due_at, entry.retry_count) == (NOW, tries)


def test_a_mark_that_may_be_known_already_revives_nothing_that_died_after_the_change(
    ledger: Ledger, plex_id: PlexId
) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id), replace(DEAD, last_failed_at=NOW))
    mark(ledger, plex_id, 42, 43, changed_by=NOW)
    assert [get_entry(ledger, plex_id, scene).state for scene in (42, 43)] == [State.DEAD, State.PENDING]
    mark(ledger, plex_id, 42, changed_by=NOW + LEASE)
    assert get_entry(ledger, plex_id).state is State.PENDING
