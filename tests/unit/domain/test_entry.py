"""One function moves an entry from state to state."""

import dataclasses
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, an_entry
from stashplex.domain.entry import LEASE_EXPIRED, Entry, State, Transition, expired, settled
from stashplex.domain.outcome import Dead, Hold, Outcome, Retry, Synced
from stashplex.domain.retry import NOT_FOUND, ORDINARY, RetryRule, RetryRules

EARLIER = NOW - timedelta(hours=1)
LATER = NOW + timedelta(seconds=30)


def after(entry: Entry, outcome: Outcome, rule: RetryRule = ORDINARY) -> Transition:
    return settled(entry, outcome, rule, NOW, random.Random(1))


def failing(retry_count: int, error_type: str = "PlexNotFound") -> Entry:
    return an_entry(retry_count=retry_count, last_error_type=error_type, last_error="Gone.", first_failed_at=EARLIER)


@pytest.mark.parametrize("is_written", [True, False])
def test_synced_forgets_every_failure(is_written: bool) -> None:
    assert after(failing(3), Synced(is_written)) == Transition(State.SYNCED, None, 0, None, None, None)


@pytest.mark.parametrize("count", [0, 5, 99])
def test_hold_costs_no_attempt(count: int) -> None:
    held = after(failing(count), Hold("ServerUnreachable", "Down.", LATER))
    assert held == Transition(State.PENDING, LATER, count, "ServerUnreachable", "Down.", EARLIER, NOW)


def test_a_first_failure_is_dated() -> None:
    for outcome in (Hold("E", "m", LATER), Retry("E", "m"), Dead("E", "m")):
        assert after(an_entry(), outcome).first_failed_at == NOW


def test_retry_costs_an_attempt_and_waits() -> None:
    retried = after(failing(2, "WriteNotTaken"), Retry("WriteNotTaken", "Not taken."))
    assert (retried.state, retried.retry_count, retried.first_failed_at) == (State.PENDING, 3, EARLIER)
    assert (retried.last_error_type, retried.last_error) == ("WriteNotTaken", "Not taken.")
    assert retried.due_at is not None
    assert NOW <= retried.due_at <= NOW + timedelta(seconds=20)


@pytest.mark.parametrize("rule", [ORDINARY, NOT_FOUND])
def test_an_entry_is_dead_after_its_last_retry(rule: RetryRule) -> None:
    entry, retries = an_entry(), 0
    while (transition := after(entry, Retry("E", "m"), rule)).state is State.PENDING:
        entry, retries = dataclasses.replace(entry, retry_count=transition.retry_count), retries + 1
    assert retries == rule.limit
    assert transition == Transition(State.DEAD, None, rule.limit, "E", "m", NOW, NOW)


def test_dead_keeps_its_history() -> None:
    assert after(failing(2), Dead("MatchAmbiguous", "Two.")) == Transition(
        State.DEAD, None, 2, "MatchAmbiguous", "Two.", EARLIER, NOW
    )


def test_an_expired_lease_costs_an_attempt_and_waits_for_nothing() -> None:
    gone = expired(an_entry(), NOW)
    assert (gone.state, gone.due_at, gone.retry_count) == (State.PENDING, NOW, 1)
    assert (gone.last_error_type, gone.first_failed_at) == (LEASE_EXPIRED, NOW)


def test_an_expired_lease_does_not_hide_the_failure_before_it() -> None:
    assert expired(failing(7), NOW) == Transition(State.PENDING, NOW, 8, "PlexNotFound", "Gone.", EARLIER, NOW)


@pytest.mark.parametrize(("error_type", "rule"), [(None, ORDINARY), ("PlexNotFound", NOT_FOUND)])
def test_an_entry_that_kills_the_process_each_time_is_dead_in_the_end(error_type: str | None, rule: RetryRule) -> None:
    entry, leases = an_entry(last_error_type=error_type, last_error=error_type), 0
    while (transition := expired(entry, NOW)).state is State.PENDING:
        entry, leases = dataclasses.replace(entry, retry_count=transition.retry_count), leases + 1
    assert leases == rule.limit
    assert (transition.due_at, transition.last_error_type) == (None, LEASE_EXPIRED)


def test_looking_for_a_file_uses_up_no_other_tries() -> None:
    assert after(failing(11), Retry("WriteNotTaken", "m")).retry_count == 1
    assert after(failing(4, "WriteNotTaken"), Retry("PlexNotFound", "m"), NOT_FOUND).retry_count == 5


def test_an_expired_lease_after_a_server_failed_counts_by_the_larger_limit() -> None:
    rules = RetryRules()
    held = failing(rules.ordinary.limit, "ServerUnreachable")
    assert expired(held, NOW, rules).state is State.PENDING
    assert expired(dataclasses.replace(held, retry_count=rules.not_found.limit), NOW, rules).state is State.DEAD


OUTCOMES = st.sampled_from([Synced(is_written=True), Hold("E", "m", LATER), Retry("E", "m"), Dead("E", "m")])


@given(st.integers(0, 20), OUTCOMES, st.sampled_from([ORDINARY, NOT_FOUND]))
def test_only_what_is_pending_is_due_and_no_count_passes_the_limit(
    count: int, outcome: Outcome, rule: RetryRule
) -> None:
    transition = after(failing(min(count, rule.limit)), outcome, rule)
    assert (transition.due_at is not None) is (transition.state is State.PENDING)
    assert transition.state is not State.LEASED
    assert transition.retry_count <= rule.limit
    assert (transition.last_error_type is None) is (transition.first_failed_at is None)
    assert transition.last_failed_at == (None if transition.last_error_type is None else NOW)
