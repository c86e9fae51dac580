"""Runs passes until nothing is due: leases batches, paces the worker, waits for what is due soon.

It knows when, never what. The invariants: no lease is left behind when a run ends, and those that a killed one left
behind are taken up at once; a server that refuses us stops the run; one that fails is left alone until its hold ends.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import anyio

from stashplex.base.clock import Clock
from stashplex.base.errors import ServerError, ServerRefused
from stashplex.domain.entry import PlexId
from stashplex.domain.outcome import HOLD_S
from stashplex.engine.crawl import Crawler
from stashplex.engine.worker import PassReport, Worker
from stashplex.store.ledger import Ledger
from stashplex.store.owner import Owners

LEASE_S = 600.0
"""How long a batch may take. A slow Plex needs about 5 s for each of 100 edits."""

PASSES_IN_FLIGHT = 2
"""While one batch is read back and settled, the other keeps Plex busy."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did. `server_error` is the failure that was still standing when it ended."""

    written: int = 0
    unchanged: int = 0
    server_error: ServerError | None = None


class Scheduler:
    """Drains the due entries of one Plex server."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        owners: Owners,
        worker: Worker,
        crawler: Crawler,
        plex_id: PlexId,
        batch_size: int,
        clock: Clock,
        chance: random.Random,
        on_pass: Callable[[PassReport], None],
    ) -> None:
        self._ledger = ledger
        self._owners = owners
        self._worker = worker
        self._crawler = crawler
        self._plex_id = plex_id
        self._batch_size = batch_size
        self._clock = clock
        self._chance = chance
        self._on_pass = on_pass
        self._report = RunReport()

    async def run_until_idle(self, wait_s: float) -> RunReport:
        """Work until nothing is due, waiting at most `wait_s` seconds in all for what is due later."""
        with self._owners.enrolled(self._clock.now()) as owner:
            return await self._run(owner, wait_s)

    async def _run(self, owner: str, budget_s: float) -> RunReport:
        while True:
            self._owners.expire_orphans(self._clock.now())
            await self._drain(owner)
            pause_s = self._pause_s()
            if pause_s is None or pause_s > budget_s or isinstance(self._report.server_error, ServerRefused):
                return self._report
            budget_s -= pause_s
            await anyio.sleep(pause_s)
            self._report = replace(self._report, server_error=None)
            self._crawler.start_round()

    async def _drain(self, owner: str) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(PASSES_IN_FLIGHT):
                group.start_soon(self._run_passes, owner)

    async def _run_passes(self, owner: str) -> None:
        while self._report.server_error is None:
            token = f"{self._chance.getrandbits(64):016x}"
            now = self._clock.now()
            until = now + timedelta(seconds=LEASE_S)
            batch = self._ledger.lease(
                self._plex_id, owner=owner, token=token, limit=self._batch_size, now=now, until=until
            )
            if not batch:
                return
            try:
                self._count(await self._worker.pass_over(batch, token, until))
            finally:
                self._ledger.release(token, now=self._clock.now())

    def _count(self, report: PassReport) -> None:
        self._report = RunReport(
            self._report.written + report.written,
            self._report.unchanged + report.unchanged,
            report.server_error or self._report.server_error,
        )
        self._on_pass(report)

    def _pause_s(self) -> float | None:
        """Return how long to wait for the next entry, None when none will be due."""
        due_at = self._ledger.next_due_at(self._plex_id)
        if due_at is None:
            return None
        pause_s = max(0.0, (due_at - self._clock.now()).total_seconds())
        error = self._report.server_error
        if error is None:
            return pause_s
        return max(pause_s, HOLD_S if error.retry_after_s is None else error.retry_after_s)
