"""The wait before a retry grows, is bounded, and is spread over its whole range."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stashplex.base import errors
from stashplex.domain.retry import NOT_FOUND, ORDINARY, RetryRule, rule_for


@pytest.mark.parametrize(
    ("rule", "ceilings_s"),
    [(ORDINARY, [5, 10, 20, 40, 80, 80]), (NOT_FOUND, [30, 60, 120, 240, 480, 600, 600])],
)
def test_the_range_of_the_wait_doubles_up_to_the_cap(rule: RetryRule, ceilings_s: list[float]) -> None:
    for count, ceiling_s in enumerate(ceilings_s, start=1):
        chance = random.Random(count)
        waits = [rule.delay(count, chance).total_seconds() for _ in range(500)]
        assert 0.0 <= min(waits) < 0.05 * ceiling_s
        assert 0.95 * ceiling_s < max(waits) <= ceiling_s


@given(st.integers(min_value=1), st.randoms(use_true_random=False))
def test_no_number_of_retries_waits_longer_than_the_cap(count: int, chance: random.Random) -> None:
    assert 0.0 <= ORDINARY.delay(count, chance).total_seconds() <= ORDINARY.cap_s


def test_the_same_chance_gives_the_same_wait() -> None:
    assert ORDINARY.delay(3, random.Random(7)) == ORDINARY.delay(3, random.Random(7))


@pytest.mark.parametrize(
    ("error_type", "rule"),
    [
        ("PlexNotFound", NOT_FOUND),
        ("WriteNotTaken", ORDINARY),
        ("KeyError", ORDINARY),
        ("", ORDINARY),
        (None, ORDINARY),
    ],
)
def test_each_error_type_has_its_rule(error_type: str | None, rule: RetryRule) -> None:
    assert rule_for(error_type) is rule


def test_the_numbers_are_those_of_the_specification() -> None:
    assert RetryRule(base_s=5.0, cap_s=80.0, limit=5) == ORDINARY
    assert RetryRule(base_s=30.0, cap_s=600.0, limit=12) == NOT_FOUND


def test_the_rule_of_its_own_is_that_of_an_error_that_is_retried() -> None:
    assert issubclass(errors.PlexNotFound, errors.EntryError)
    assert rule_for(errors.PlexNotFound.__name__) is NOT_FOUND
