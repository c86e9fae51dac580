"""How fast work may start after an outage: a ramp that every path obeys.

Pure. A server that just came back gets a few entries per second, more each minute, and fewer when it stumbles again.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RampRules:
    """The numbers. Units: entries per second, seconds. Source: issue "Reliability"."""

    floor_per_s: float = 5.0
    ceiling_per_s: float = 50.0
    length_s: float = 300.0
    window: int = 50
    tolerated_share: float = 0.3


@dataclass(slots=True)
class Ramp:
    """A bucket of permissions that fills at the ramp's rate. Shape: `since` None means no limit."""

    rules: RampRules
    since: datetime | None = None
    _filled_at: datetime | None = None
    _tokens: float = 0.0
    _slowing: float = 1.0
    _results: deque[bool] = field(default_factory=deque)

    def start(self, since: datetime) -> None:
        """Begin a ramp: the server came back at `since`. Beginning the same ramp again changes nothing."""
        if self.since != since:
            self.since, self._filled_at, self._tokens, self._slowing = since, None, 0.0, 1.0
            self._results.clear()

    def is_over(self, now: datetime) -> bool:
        """Tell whether there is no limit (any more)."""
        if self.since is None:
            return True
        age_s = (now - self.since).total_seconds()
        return not 0 <= age_s < self.rules.length_s / self._slowing

    def rate_per_s(self, now: datetime) -> float:
        """Return how many entries per second may start now. Units: entries per second."""
        if self.since is None:
            return self.rules.ceiling_per_s
        share = min(1.0, (now - self.since).total_seconds() / self.rules.length_s)
        rules = self.rules
        return (rules.floor_per_s + (rules.ceiling_per_s - rules.floor_per_s) * share) * self._slowing

    def take(self, wanted: int, now: datetime) -> int:
        """Return how many entries may start now, at most `wanted`."""
        if self.is_over(now):
            return wanted
        rate = self.rate_per_s(now)
        elapsed_s = (now - self._filled_at).total_seconds() if self._filled_at else 1.0
        self._tokens = min(self._tokens + max(elapsed_s, 0.0) * rate, max(rate, 1.0))
        self._filled_at = now
        taken = min(wanted, int(self._tokens))
        self._tokens -= taken
        return taken

    def note(self, *, is_ok: bool) -> None:
        """Note how one entry ended; when more than the tolerated share of a window fails, halve the rate."""
        self._results.append(is_ok)
        if len(self._results) < self.rules.window:
            return
        if self._results.count(False) / len(self._results) > self.rules.tolerated_share:
            self._slowing = max(self._slowing / 2, 1 / 64)
        self._results.clear()
