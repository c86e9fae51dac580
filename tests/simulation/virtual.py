"""Virtual time and one order of events: what makes a run a function of its seed.

`run_virtually` runs a coroutine under trio's clock that jumps to the next deadline when nobody has anything to do, with
trio's own dice seeded. The wall is the start plus the virtual time plus the jumps that the weather made.
Invariant: nothing in a run reads the machine's clock or an unseeded chance.
"""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import trio
import trio._core._run as trio_run
from trio.testing import MockClock
from typing_extensions import override

from stashplex.base.clock import Clock

T = TypeVar("T")


class VirtualClock(Clock):
    """The wall and the monotonic clock of one run. Shape: `jumped` is the sum of all jumps of the wall."""

    def __init__(self, start: datetime) -> None:
        self._start = start.astimezone(UTC)
        self.jumped = timedelta()
        self._mono = MockClock(autojump_threshold=0)

    @property
    def mono(self) -> MockClock:
        """The clock that trio runs on."""
        return self._mono

    @override
    def now(self) -> datetime:
        return self._start + timedelta(seconds=round(self.monotonic_s(), 6)) + self.jumped

    @override
    def monotonic_s(self) -> float:
        return self._mono.current_time()

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forward or back, as a person or a time server does."""
        self.jumped += by


def run_virtually(clock: VirtualClock, seed: int, main: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine in virtual time, in an order that the seed decides."""
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc] # trio's own switch for this
    trio_run._r = random.Random(seed)
    return trio.run(main, clock=clock.mono)
