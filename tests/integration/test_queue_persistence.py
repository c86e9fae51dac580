"""The waiting entries of the ledger under a frozen clock: retry metadata, readiness, limits, delays, restarts.

The real store and the real rules; a restart is a second instance on the same file, opened while the first one may still
hold it. The last part is the queue of Stash2Plex, whose waiting jobs are taken over.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from hypothesis import given
from hypothesis import strategies as st

from builders import a_link
from ledgers import LEASE, lease, mark
from peers import Peer, a_job
from restarts import DOWN, Queue, due, opened
from stashplex.base.clock import SystemClock
from stashplex.base.errors import MatchAmbiguous, PlexNotFound, PlexTemporaryError, ServerUnreachable
from stashplex.domain.entry import Entry, Priority, State, settled
from stashplex.domain.outcome import outcome_of
from stashplex.domain.retry import NOT_FOUND, ORDINARY, RetryRule, RetryRules, rule_for
from stashplex.domain.scene import SceneId
from stashplex.engine.takeover import decide
from stashplex.store import stash2plex
from stashplex.store.journal import Journal
from stashplex.store.ledger import Settlement

START = datetime(2025, 3, 30, 0, 59, 59, 123456, tzinfo=UTC)
"""A microsecond is told apart, and an hour later Central Europe changes its clocks."""

MICROSECOND = timedelta(microseconds=1)
ORDINARY_ERROR = PlexTemporaryError("Plex refused it (409).", hint="Look.")
NOT_THERE = PlexNotFound("Plex has no such file.", paths=("/data/a.mp4",))


@pytest.fixture
def clock() -> Iterator[FrozenDateTimeFactory]:
    with freeze_time(START) as frozen:
        assert isinstance(frozen, FrozenDateTimeFactory)
        yield frozen


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stashplex.sqlite"


@pytest.fixture
def peer(tmp_path: Path) -> Peer:
    return Peer(tmp_path / "peer")


@pytest.fixture
def queue(path: Path, clock: FrozenDateTimeFactory) -> Iterator[Queue]:
    with opened(path) as found:
        found.mark(42)
        yield found


# retry metadata


def test_a_failure_stores_count_time_and_kind(queue: Queue) -> None:
    entry = queue.fail(NOT_THERE)
    assert (entry.state, entry.retry_count, entry.last_error_type) == (State.PENDING, 1, "PlexNotFound")
    assert (entry.last_error, entry.first_failed_at, entry.last_failed_at) == (str(NOT_THERE), START, START)
    assert START <= due(entry) <= START + timedelta(seconds=30)


def test_a_new_entry_has_no_retry_metadata(queue: Queue) -> None:
    entry = queue.entry()
    assert (entry.retry_count, entry.last_error_type, entry.last_error) == (0, None, None)
    assert (entry.first_failed_at, entry.last_failed_at) == (None, None)


def test_each_failure_counts_one(queue: Queue, clock: FrozenDateTimeFactory) -> None:
    counts = []
    for _ in range(5):
        entry = queue.fail(ORDINARY_ERROR)
        counts.append(entry.retry_count)
        clock.move_to(due(entry))
    assert counts == [1, 2, 3, 4, 5]


def test_a_later_failure_updates_kind_and_message_and_keeps_the_time_of_the_first(
    queue: Queue, clock: FrozenDateTimeFactory
) -> None:
    clock.move_to(due(queue.fail(ORDINARY_ERROR)))
    later = queue.now
    entry = queue.fail(NOT_THERE)
    assert (entry.retry_count, entry.last_error_type, entry.last_error) == (2, "PlexNotFound", str(NOT_THERE))
    assert (entry.first_failed_at, entry.last_failed_at) == (START, later)


def test_success_forgets_all_of_it(queue: Queue, clock: FrozenDateTimeFactory) -> None:
    clock.move_to(due(queue.fail(NOT_THERE)))
    entry = queue.succeed()
    assert (entry.state, entry.retry_count, entry.due_at) == (State.SYNCED, 0, None)
    assert (entry.last_error_type, entry.last_error, entry.first_failed_at, entry.last_failed_at) == (None,) * 4


@pytest.mark.parametrize("is_closed_first", [True, False], ids=["stopped", "killed"])
def test_retry_metadata_is_intact_after_a_restart(queue: Queue, path: Path, is_closed_first: bool) -> None:
    before = queue.fail(NOT_THERE)
    if is_closed_first:
        queue.database.close()
    with opened(path) as restarted:
        assert restarted.entry() == before


def test_a_restart_in_the_middle_goes_on_counting(queue: Queue, path: Path, clock: FrozenDateTimeFactory) -> None:
    clock.move_to(due(queue.fail(NOT_THERE)))
    with opened(path) as restarted:
        assert restarted.fail(NOT_THERE).retry_count == 2


def test_everything_else_is_intact_after_a_retry(queue: Queue, clock: FrozenDateTimeFactory) -> None:
    before, links = queue.entry(), queue.ledger.links_of(queue.entry().id)
    after = queue.fail(NOT_THERE)
    retry_fields = {"due_at", "retry_count", "last_error_type", "last_error", "first_failed_at", "last_failed_at"}
    kept = {name: getattr(before, name) for name in Entry.__slots__ if name not in retry_fields}
    assert kept == {name: getattr(after, name) for name in kept}
    assert links == ()
    assert queue.ledger.links_of(after.id) == (a_link(),)


def test_a_mark_while_it_waits_keeps_the_count(queue: Queue) -> None:
    queue.fail(NOT_THERE)
    queue.mark(42)
    assert (queue.entry().retry_count, queue.entry().generation, queue.ready()) == (1, 2, [42])


# readiness


def test_a_new_entry_is_due_at_once(queue: Queue) -> None:
    assert queue.ready() == [42]


def test_a_failed_entry_is_due_when_its_delay_is_over_and_not_a_microsecond_before(
    queue: Queue, clock: FrozenDateTimeFactory
) -> None:
    due_at = due(queue.fail(NOT_THERE))
    assert due_at > START
    assert queue.ready() == []
    clock.move_to(due_at - MICROSECOND)
    assert queue.ready() == []
    clock.move_to(due_at)
    assert queue.ready() == [42]


def test_the_delay_is_over_for_a_restarted_program_too(queue: Queue, path: Path, clock: FrozenDateTimeFactory) -> None:
    due_at = due(queue.fail(NOT_THERE))
    clock.move_to(due_at - MICROSECOND)
    with opened(path) as restarted:
        assert restarted.ready() == []
        clock.move_to(due_at)
        assert restarted.ready() == [42]


def test_a_ready_entry_is_never_behind_waiting_ones(queue: Queue) -> None:
    queue.succeed()
    queue.mark(*range(1000, 1500))
    while waiting := lease(queue.ledger, queue.plex_id, now=queue.now, limit=100):
        far = [settled(one.entry, outcome_of(DOWN, queue.now), ORDINARY, queue.now, queue.chance) for one in waiting]
        done = [Settlement(one.entry.id, 1, move) for one, move in zip(waiting, far, strict=True)]
        queue.ledger.settle("t", done, queue.now)
    queue.mark(7)
    assert queue.ready() == [7]


def test_those_that_wait_longest_come_first_and_interactive_ones_before_all(
    queue: Queue, clock: FrozenDateTimeFactory
) -> None:
    clock.tick(timedelta(seconds=1))
    queue.mark(3)
    clock.tick(timedelta(seconds=1))
    queue.mark(2)
    clock.tick(timedelta(seconds=1))
    mark(queue.ledger, queue.plex_id, 9, now=queue.now, priority=Priority.INTERACTIVE)
    assert queue.ready() == [9, 42, 3, 2]


# limits


def exhausted(queue: Queue, clock: FrozenDateTimeFactory, error: Exception) -> tuple[int, Entry]:
    """Fail until the entry is dead; return how many retries that took."""
    retries = 0
    while (entry := queue.fail(error)).state is State.PENDING:
        retries += 1
        clock.move_to(due(entry))
    return retries, entry


def test_an_ordinary_error_is_retried_five_times_and_not_found_twelve_times(
    queue: Queue, clock: FrozenDateTimeFactory
) -> None:
    assert exhausted(queue, clock, ORDINARY_ERROR)[0] == 5
    queue.mark(42)
    assert exhausted(queue, clock, NOT_THERE)[0] == 12


def test_a_dead_letter_carries_its_reason_and_its_times(queue: Queue, clock: FrozenDateTimeFactory) -> None:
    _, entry = exhausted(queue, clock, ORDINARY_ERROR)
    assert (entry.state, entry.due_at, entry.retry_count) == (State.DEAD, None, 5)
    assert (entry.last_error_type, entry.last_error) == ("PlexTemporaryError", "Plex refused it (409). Look.")
    assert (entry.first_failed_at, entry.last_failed_at) == (START, queue.now)
    assert queue.ready() == []


def test_what_needs_a_person_is_dead_at_once(queue: Queue) -> None:
    entry = queue.fail(MatchAmbiguous("Two items fit."))
    assert (entry.state, entry.retry_count, entry.last_error_type) == (State.DEAD, 0, "MatchAmbiguous")


def test_not_found_waits_longer_than_an_ordinary_error(queue: Queue) -> None:
    longest = {
        kind: max(rule_for(kind).delay(12, random.Random(seed)) for seed in range(200))
        for kind in ("PlexNotFound", "PlexTemporaryError")
    }
    assert timedelta(seconds=570) < longest["PlexNotFound"] <= timedelta(seconds=600)
    assert timedelta(seconds=76) < longest["PlexTemporaryError"] <= timedelta(seconds=80)


def test_holds_never_count(queue: Queue, clock: FrozenDateTimeFactory) -> None:
    for _ in range(100):
        entry = queue.fail(DOWN)
        assert (entry.state, entry.retry_count, entry.last_error_type) == (State.PENDING, 0, "ServerUnreachable")
        clock.move_to(due(entry))
    assert exhausted(queue, clock, ORDINARY_ERROR)[0] == 5


def test_holds_between_failures_do_not_count_either(queue: Queue, clock: FrozenDateTimeFactory) -> None:
    failures = 0
    while (entry := queue.fail(NOT_THERE)).state is State.PENDING:
        failures += 1
        clock.move_to(due(entry))
        held = queue.fail(DOWN)
        assert held.retry_count == failures
        clock.move_to(due(held))
    assert failures == 12


def test_a_lease_that_ran_out_during_an_outage_does_not_bury_what_waits_for_its_file(
    queue: Queue, clock: FrozenDateTimeFactory
) -> None:
    """Seven looks for a file, then an outage, then a kill: the limit is still that of a missing file."""
    for _ in range(7):
        clock.move_to(due(queue.fail(NOT_THERE)))
    clock.move_to(due(queue.fail(DOWN)))
    lease(queue.ledger, queue.plex_id, "killed", now=queue.now)
    clock.tick(timedelta(hours=1))
    rescued = queue.ledger.rescue(
        queue.plex_id, owner="me", token="r", now=queue.now, until=queue.now + timedelta(minutes=1)
    )
    assert rescued is not None
    assert rescued.entry.retry_count == 8


@pytest.mark.parametrize("limit", [0, 1, 5, 20])
def test_a_lease_that_runs_out_counts_by_the_rules_of_the_installation(queue: Queue, limit: int) -> None:
    rules = RetryRules(ordinary=replace(ORDINARY, limit=limit))
    lease(queue.ledger, queue.plex_id, "killed 0", now=queue.now)
    kills = 1
    while rescued(queue, kills, rules):
        kills += 1
    assert (kills, queue.entry().state) == (limit + 1, State.DEAD)


def test_waiting_for_a_file_does_not_use_up_the_tries_of_its_first_edit(
    queue: Queue, clock: FrozenDateTimeFactory
) -> None:
    for _ in range(10):
        clock.move_to(due(queue.fail(NOT_THERE)))
    assert exhausted(queue, clock, ORDINARY_ERROR)[0] == 5


def rescued(queue: Queue, kills: int, rules: RetryRules) -> bool:
    """Take over the lease of a process that was killed so many leases ago."""
    now = queue.now + kills * LEASE
    token = f"killed {kills}"
    leased = queue.ledger.rescue(queue.plex_id, owner="me", token=token, now=now, until=now + LEASE, rules=rules)
    return leased is not None


# delays

RULES = st.builds(
    RetryRule,
    base_s=st.floats(0.01, 3_600),
    cap_s=st.floats(0.01, 3_600),
    limit=st.integers(min_value=0, max_value=100),
)
SEEDS = st.integers(0, 2**32)


@given(RULES, st.integers(1, 2_000), SEEDS)
def test_a_delay_is_within_full_jitter_of_its_ceiling(rule: RetryRule, count: int, seed: int) -> None:
    ceiling_s = min(rule.cap_s, rule.base_s * 2.0 ** min(count - 1, 60))
    delay_s = rule.delay(count, random.Random(seed)).total_seconds()
    assert 0.0 <= delay_s <= ceiling_s + 1e-6
    assert delay_s <= rule.cap_s + 1e-6


@given(RULES, st.integers(1, 100), SEEDS)
def test_delays_grow_for_equal_luck(rule: RetryRule, count: int, seed: int) -> None:
    assert rule.delay(count, random.Random(seed)) <= rule.delay(count + 1, random.Random(seed))


@given(st.sampled_from([ORDINARY, NOT_FOUND]), st.integers(1, 20))
def test_luck_uses_the_whole_range(rule: RetryRule, count: int) -> None:
    ceiling_s = min(rule.cap_s, rule.base_s * 2.0 ** (count - 1))
    delays = [rule.delay(count, random.Random(seed)).total_seconds() / ceiling_s for seed in range(300)]
    assert min(delays) < 0.05
    assert max(delays) > 0.95


def test_the_next_retry_is_now_plus_the_delay(queue: Queue) -> None:
    twin = random.Random(5)
    entry = queue.fail(NOT_THERE)
    assert due(entry) == START + NOT_FOUND.delay(1, twin)


def test_the_next_retry_survives_the_change_to_summer_time(queue: Queue, clock: FrozenDateTimeFactory) -> None:
    held = replace_retry_after(DOWN, 3_000.0)
    due_at = due(queue.fail(held))
    clock.move_to(START + timedelta(seconds=3_000) - MICROSECOND)
    assert queue.ready() == []
    clock.move_to(START + timedelta(seconds=3_000))
    assert (due_at, queue.ready()) == (queue.now, [42])


def replace_retry_after(error: ServerUnreachable, wait_s: float) -> ServerUnreachable:
    return ServerUnreachable(error.server, str(error), retry_after_s=wait_s)


# the queue of Stash2Plex


def test_jobs_are_put_and_gotten_in_order(peer: Peer) -> None:
    peer.put(a_job(1), a_job(2))
    with peer.queue() as queue:
        assert [queue.get(block=False)["scene_id"] for _ in range(2)] == [1, 2]


def test_unacknowledged_jobs_are_resumed_by_a_second_instance(peer: Peer) -> None:
    peer.put(a_job(1), a_job(2))
    with peer.queue() as queue:
        queue.ack(queue.get(block=False))
        queue.get(block=False)
    with peer.queue(auto_resume=True) as second:
        assert second.get(block=False)["scene_id"] == 2


def test_unacknowledged_jobs_are_taken_over_as_waiting_entries(peer: Peer, path: Path) -> None:
    peer.put(a_job(1), a_job(2), a_job(3, retry_count=4, last_error_type="PlexNotFound"))
    with peer.queue() as queue:
        queue.ack(queue.get(block=False))
        queue.get(block=False)
    now = SystemClock().now()
    with opened(path) as ours:
        takeover = decide(stash2plex.read(peer.data), now)
        assert ours.ledger.adopt(ours.plex_id, takeover.adoptions, now=now) == 2
    with opened(path) as restarted:
        assert restarted.ready() == [2, 3]
        assert (restarted.entry(3).retry_count, restarted.entry(3).last_error_type) == (4, "PlexNotFound")
        assert Journal(restarted.database).list_for_scene(restarted.plex_id, SceneId(3)) != ()
