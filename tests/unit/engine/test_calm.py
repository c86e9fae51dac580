"""What is changed again and again goes now and then, and the last change always goes."""

from hypothesis import given
from hypothesis import strategies as st

from stashplex.engine.calm import LARGEST, LONGEST_S, Calm


def gone(changes_s: list[float], *, until_s: float) -> list[float]:
    """Return when a thing goes that is changed at these times and looked at four times a second."""
    calm, went = Calm(), []
    waiting: tuple[float, float] | None = None
    rest = sorted(changes_s)
    for step in range(int(until_s * 4)):
        now_s = step / 4
        while rest and rest[0] <= now_s:
            changed_s = rest.pop(0)
            waiting = (waiting[0] if waiting else changed_s, changed_s)
        if waiting and calm.may_go("scene", first_s=waiting[0], last_s=waiting[1], now_s=now_s):
            calm.went("scene", now_s)
            went.append(now_s)
            waiting = None
    return went


def test_a_first_change_goes_at_once() -> None:
    assert gone([5.0], until_s=10) == [5.0]


def test_a_correction_within_seconds_goes_within_seconds() -> None:
    first, second = gone([5.0, 9.0], until_s=30)
    assert (first, second) == (5.0, 12.0)


def test_twenty_evenly_spread_changes_in_a_minute_go_three_times() -> None:
    times = gone([3.0 * number for number in range(20)], until_s=300)
    assert len(times) <= 3
    assert times[-1] >= 57.0


@given(st.lists(st.floats(min_value=0, max_value=3), min_size=20, max_size=20))
def test_twenty_changes_over_a_minute_go_three_times_and_the_last_is_among_them(shifts_s: list[float]) -> None:
    changes_s = [3.0 * number + shift_s for number, shift_s in enumerate(shifts_s)]
    times = gone(changes_s, until_s=300)
    assert len(times) <= 3
    assert max(changes_s) <= times[-1] <= max(changes_s) + LONGEST_S + 1


@given(st.lists(st.floats(min_value=0, max_value=400), min_size=1, max_size=60))
def test_no_change_waits_longer_than_a_minute(changes_s: list[float]) -> None:
    times = gone(changes_s, until_s=600)
    for changed_s in changes_s:
        assert any(changed_s <= time_s <= changed_s + LONGEST_S + 0.5 for time_s in times)


def test_what_went_long_ago_is_forgotten() -> None:
    calm = Calm()
    for number in range(LARGEST + 10):
        calm.went(number, 0.0)
    assert len(calm._went) == LARGEST
    calm.went("later", 1_000.0)
    assert list(calm._went) == ["later"]
