"""Keeps the store small and backed up: what nobody needs any more goes when its time is over, a backup a day is made.

The service runs it at its start and once an hour, a full `sync` at its end. It never touches an entry that is alive,
nor what is remembered as ours in Plex. The invariant: each step is one short transaction; between two, others go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from anyio.lowlevel import checkpoint

from stashplex.base.clock import Clock
from stashplex.base.errors import StoreError
from stashplex.store import drafts
from stashplex.store.backup import Backups
from stashplex.store.breakers import Breakers
from stashplex.store.dead_letters import PAGE, DeadLetters
from stashplex.store.retention import Retention

logger = structlog.get_logger()

JOURNAL_ROWS = 30
"""Rows of history kept for each scene: the whole life of a dead letter, and the last few edits of one that changes
often. 10,000 scenes at this limit are about 40 MB."""

HISTORY = timedelta(days=365)
"""How long history and outages are kept at most."""

DRAFTS = timedelta(days=1)
"""How long a file is left alone that somebody may be writing still."""


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """What was removed."""

    dead_letters: int
    journal_rows: int
    outages: int


class Upkeep:
    """Removes what nobody needs any more."""

    def __init__(
        self,
        *,
        dead_letters: DeadLetters,
        retention: Retention,
        breakers: Breakers,
        backups: Backups,
        dead_retention: timedelta,
        clock: Clock,
    ) -> None:
        self._dead_letters = dead_letters
        self._retention = retention
        self._breakers = breakers
        self._backups = backups
        self._dead_retention = dead_retention
        self._clock = clock

    async def run_once(self) -> UpkeepReport:
        """Back up when that is due, remove what is over; return how much that was. Raises: StoreError.

        The backup comes first, and keeps nothing else from being done when it fails: that is logged.
        """
        now = self._clock.now()
        self._back_up(now)
        drafts.remove(self._backups.folder.parent, now - DRAFTS)
        report = UpkeepReport(
            dead_letters=await _drained(self._removed_letters()),
            journal_rows=await _drained(self._retention.trim(JOURNAL_ROWS))
            + await _drained(self._retention.forget(now - HISTORY)),
            outages=self._breakers.forget_outages(now - HISTORY),
        )
        if report != UpkeepReport(0, 0, 0):
            logger.info(
                "store_trimmed",
                dead_letters=report.dead_letters,
                journal_rows=report.journal_rows,
                outages=report.outages,
            )
        return report

    def _back_up(self, now: datetime) -> None:
        try:
            made = self._backups.make_if_due(now)
            if made is not None:
                logger.info("store_backed_up", file=str(made))
        except StoreError as error:
            logger.warning("backup_failed", error=str(error), hint=error.hint)

    def _removed_letters(self) -> Iterator[int]:
        removed = PAGE
        while removed == PAGE:
            removed = self._dead_letters.remove_dismissed(self._clock.now() - self._dead_retention)
            yield removed


async def _drained(steps: Iterator[int]) -> int:
    """Take all steps, letting others go on after each."""
    total = 0
    for removed in steps:
        total += removed
        await checkpoint()
    return total
