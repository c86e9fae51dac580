"""The breaker as a value: what a closing says about the start afterwards."""

import random
from datetime import timedelta

import pytest

from builders import NOW
from stashplex.domain.breaker import Breaker, BreakerRules, Cause, Failure

RULES = BreakerRules(failure_threshold=1)
LATER = NOW + timedelta(minutes=5)
MENDED_BY_A_PERSON = {Cause.UNAUTHORISED, Cause.LIBRARY_MISSING}


def opened(cause: Cause) -> Breaker:
    return Breaker().failed(Failure(cause, "It failed."), NOW, RULES, random.Random(1))


@pytest.mark.parametrize("cause", Cause)
def test_only_a_server_that_was_down_is_started_gently(cause: Cause) -> None:
    closed = opened(cause).probing(LATER, "p", RULES).succeeded(LATER, RULES, "p")
    assert closed.is_closed
    assert closed.closed_at == (None if cause in MENDED_BY_A_PERSON else LATER)


@pytest.mark.parametrize("cause", Cause)
def test_a_reset_starts_as_a_good_probe_does(cause: Cause) -> None:
    assert opened(cause).reset(LATER).closed_at == (None if cause in MENDED_BY_A_PERSON else LATER)


def test_what_a_server_was_last_seen_with_counts() -> None:
    """The token was wrong at first; then the server went down as well."""
    both = opened(Cause.UNAUTHORISED).probing(LATER, "p", RULES)
    both = both.failed(Failure(Cause.DOWN, "Refused."), LATER, RULES, random.Random(1), token="p").woken(LATER)
    assert both.probing(LATER, "q", RULES).succeeded(LATER, RULES, "q").closed_at == LATER
