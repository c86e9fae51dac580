"""A mark says that a scene may differ: idempotent, never lost, never late."""

from datetime import timedelta
from itertools import count, islice

import pytest

from builders import NOW
from ledgers import DEAD, get_entry, lease, mark, retry, scenes_of, settle
from stashplex.domain.entry import PlexId, Priority, State
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.dead_letters import DeadLetters
from stashplex.store.ledger import MARK_CHUNK, Ledger

LATER = NOW + timedelta(hours=1)


def test_a_first_mark_makes_an_entry_due_now(ledger: Ledger, plex_id: PlexId) -> None:
    assert mark(ledger, plex_id, 42) == 1
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.due_at, entry.generation, entry.settled_generation) == (State.PENDING, NOW, 1, 0)
    assert (entry.priority, entry.retry_count, entry.last_error_type) == (Priority.BULK, 0, None)


def test_marks_coalesce_into_one_entry(ledger: Ledger, plex_id: PlexId) -> None:
    for _ in range(20):
        mark(ledger, plex_id, 42)
    assert scenes_of(lease(ledger, plex_id)) == [42]
    assert get_entry(ledger, plex_id).generation == 20


def test_one_call_may_name_a_scene_twice(ledger: Ledger, plex_id: PlexId) -> None:
    assert mark(ledger, plex_id, 42, 42) == 2
    assert ledger.counts(plex_id, now=NOW).pending == 1


def test_a_mark_of_everything_leaves_what_was_dismissed(ledger: Ledger, database: Database, plex_id: PlexId) -> None:
    letters = DeadLetters(database)
    mark(ledger, plex_id, 1, 2)
    settle(ledger, lease(ledger, plex_id), DEAD)
    letters.dismiss(plex_id, [SceneId(1)], NOW)
    before = get_entry(ledger, plex_id, 1)
    mark(ledger, plex_id, 1, 2, 3, spares_dismissed=True)
    assert get_entry(ledger, plex_id, 1) == before
    assert scenes_of(lease(ledger, plex_id)) == [2, 3]
    mark(ledger, plex_id, 1)
    assert scenes_of(lease(ledger, plex_id, "b")) == [1]
    assert letters.count_dismissed(plex_id) == 0


def test_a_mark_may_be_for_later_but_never_postpones(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42, due_at=LATER)
    assert get_entry(ledger, plex_id).due_at == LATER
    mark(ledger, plex_id, 42)
    mark(ledger, plex_id, 42, due_at=LATER)
    assert get_entry(ledger, plex_id).due_at == NOW


def test_a_mark_of_a_waiting_entry_makes_it_due_and_keeps_its_count(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id), retry(LATER, 3))
    mark(ledger, plex_id, 42)
    entry = get_entry(ledger, plex_id)
    assert (entry.due_at, entry.retry_count, entry.last_error_type) == (NOW, 3, "PlexNotFound")


@pytest.mark.parametrize(("first", "second"), [tuple(Priority), tuple(reversed(Priority))])
def test_an_open_entry_keeps_its_most_urgent_priority(
    ledger: Ledger, plex_id: PlexId, first: Priority, second: Priority
) -> None:
    mark(ledger, plex_id, 42, priority=first)
    mark(ledger, plex_id, 42, priority=second)
    assert get_entry(ledger, plex_id).priority == Priority.INTERACTIVE


def test_a_settled_entry_takes_the_priority_of_its_next_mark(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42, priority=Priority.INTERACTIVE)
    settle(ledger, lease(ledger, plex_id))
    mark(ledger, plex_id, 42, now=LATER)
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.priority, entry.due_at) == (State.PENDING, Priority.BULK, LATER)


def test_a_mark_raises_a_dead_entry_afresh(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id), DEAD)
    assert get_entry(ledger, plex_id).state is State.DEAD
    mark(ledger, plex_id, 42, now=LATER)
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.due_at, entry.retry_count) == (State.PENDING, LATER, 0)
    assert (entry.last_error_type, entry.last_error, entry.first_failed_at) == (None, None, None)


@pytest.mark.parametrize("priority", Priority)
def test_a_mark_during_a_lease_only_counts(ledger: Ledger, plex_id: PlexId, priority: Priority) -> None:
    mark(ledger, plex_id, 42)
    (leased,) = lease(ledger, plex_id)
    mark(ledger, plex_id, 42, priority=priority)
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.due_at, entry.generation) == (State.LEASED, leased.entry.due_at, 2)
    assert lease(ledger, plex_id, "other") == ()


def test_marks_of_one_plex_server_leave_another_alone(ledger: Ledger, plex_id: PlexId) -> None:
    other = ledger.plex_id("ffff", "bedroom")
    mark(ledger, plex_id, 42)
    assert lease(ledger, other) == ()
    assert ledger.find(other, SceneId(42)) is None


def test_more_scenes_than_one_transaction_takes_are_read_as_needed(ledger: Ledger, plex_id: PlexId) -> None:
    size = 2 * MARK_CHUNK + 1
    source = count()
    assert ledger.mark(plex_id, map(SceneId, islice(source, size)), now=NOW) == size
    assert ledger.counts(plex_id, now=NOW).pending == size
    assert next(source) == size


def test_no_scenes_is_no_mark(ledger: Ledger, plex_id: PlexId) -> None:
    assert mark(ledger, plex_id) == 0


def test_a_plex_server_keeps_its_id_and_takes_its_new_name(ledger: Ledger, plex_id: PlexId) -> None:
    assert ledger.plex_id("0123abcd", "cellar") == plex_id
    assert ledger.plex_id("0123abcd", "cellar") == plex_id
    assert ledger.plex_id("ffff", "cellar") != plex_id
