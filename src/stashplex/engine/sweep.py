"""Looks at every scene again now and then: for what Stash neither tells nor stamps, a folder renamed for instance.

The service runs it; what it marks is worked on at bulk priority, and nothing is written to what is in step. The
invariant: when the last sweep began is remembered, so that restarts neither repeat nor forget one.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from stashplex.base.clock import Clock
from stashplex.base.config import SweepSchedule
from stashplex.domain.entry import PlexId
from stashplex.engine.recheck import Recheck
from stashplex.store.cursors import Cursors

PERIODS: Mapping[SweepSchedule, timedelta | None] = {
    "never": None,
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(weeks=1),
}


class Sweep:
    """Sweeps one Stash for one Plex server. Shape: `every` None is never."""

    def __init__(
        self, recheck: Recheck, cursors: Cursors, plex_id: PlexId, clock: Clock, every: timedelta | None
    ) -> None:
        self._recheck = recheck
        self._cursors = cursors
        self._name = f"sweep.{plex_id}"
        self._clock = clock
        self._every = every

    async def run_once(self) -> int:
        """Mark all scenes if the time has come; return how many. The first time comes one period after the first look.

        Raises: ServerError; then the next look tries again.
        """
        if self._every is None:
            return 0
        now = self._clock.now()
        last = self._last()
        if last is not None and timedelta(0) <= now - last < self._every:
            return 0
        marked = 0 if last is None or last > now else await self._recheck.run()
        self._cursors.put(self._name, now.isoformat())
        return marked

    def _last(self) -> datetime | None:
        """Return when the last one began; a text that nobody understands is none."""
        try:
            found = datetime.fromisoformat(self._cursors.find(self._name) or "")
        except ValueError:
            return None
        return found if found.tzinfo is not None else None
