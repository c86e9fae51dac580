"""How long to wait with a thing that is changed again and again: not at all, then until it is left alone for a while.

Knows no files and no scenes, only keys and times. The invariants: what was left alone for a minute goes at once;
nothing waits longer than `LONGEST_S`, however often it is changed.
"""

from collections.abc import Hashable
from dataclasses import dataclass

QUIET_S = (0.0, 3.0, 20.0)
"""How long a thing must have been left alone before it goes for the first, second, and each further time in `FORGET_S`:
a typing error is corrected within seconds in Plex too; twenty edits spread over a minute are three writes."""

LONGEST_S = 60.0
FORGET_S = 60.0
LARGEST = 50_000
"""So many things are remembered; of more, the oldest go at once when they change again."""


@dataclass(frozen=True, slots=True)
class _Went:
    times: int
    last_s: float


class Calm:
    """Remembers what went when. Units: seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._went: dict[Hashable, _Went] = {}

    def may_go(self, key: Hashable, *, first_s: float, last_s: float, now_s: float) -> bool:
        """Tell whether a thing may go that was changed, since it last went, first and last at these times."""
        went = self._went.get(key)
        if went is None or now_s - went.last_s >= FORGET_S:
            return True
        quiet_s = QUIET_S[min(went.times, len(QUIET_S) - 1)]
        return now_s - last_s >= quiet_s or now_s - first_s >= LONGEST_S

    def went(self, key: Hashable, now_s: float) -> None:
        """Take note that a thing goes now."""
        went = self._went.pop(key, None)
        is_recent = went is not None and now_s - went.last_s < FORGET_S
        self._went[key] = _Went(went.times + 1 if went is not None and is_recent else 1, now_s)
        self._forget(now_s)

    def _forget(self, now_s: float) -> None:
        """Forget what went long ago: the oldest come first."""
        while self._went:
            key, oldest = next(iter(self._went.items()))
            if len(self._went) <= LARGEST and now_s - oldest.last_s < FORGET_S:
                return
            del self._went[key]
