"""Work that is due later: steps of scans and refreshes.

There is no background task: whoever is about to look at the world (each request, each open socket) first
runs what has become due. So a virtual clock decides everything, and a run replays exactly.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

Work = Callable[[float], None]


@dataclass(slots=True, eq=False)
class Agenda:
    """Steps in the order of their due time; steps of one time run in the order they were planned."""

    _heap: list[tuple[float, int, Work]] = field(default_factory=list)
    _planned: int = 0

    def plan(self, due: float, work: Work) -> None:
        """Run `work(due)` once `due` (monotonic seconds) has come."""
        self._planned += 1
        heapq.heappush(self._heap, (due, self._planned, work))

    def run_due(self, now: float) -> int:
        """Run all steps whose time has come, also those that they plan. Return how many."""
        count = 0
        while self._heap and self._heap[0][0] <= now:
            due, _, work = heapq.heappop(self._heap)
            work(due)
            count += 1
        return count

    @property
    def next_due(self) -> float | None:
        """When the next step is due, None when nothing is planned."""
        return self._heap[0][0] if self._heap else None
