"""Runs passes over what is due: leases batches, paces the worker, waits for what is due next.

It knows when, never what. The invariants: no lease is left behind when a run ends, and those that a killed one left
behind are taken up at once; nothing is leased while a server is held; after an outage the ramp is obeyed.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import anyio

from stashplex.base.clock import Clock
from stashplex.base.errors import ServerError, ServerHeld, ServerRefused
from stashplex.domain.entry import PlexId
from stashplex.domain.outcome import HOLD_S
from stashplex.domain.ratelimit import Ramp
from stashplex.domain.retry import RetryRules
from stashplex.engine.crawl import Crawler
from stashplex.engine.gate import Gate
from stashplex.engine.recovery import Recovery
from stashplex.engine.wakeup import Wakeup
from stashplex.engine.worker import PassReport, Worker
from stashplex.store.ledger import SHARED, Leased, Ledger
from stashplex.store.owner import Owners
from stashplex.store.waking import Waking

LEASE_S = 600.0
"""How long a batch may take. A slow Plex needs about 5 s for each of 100 edits."""

PASSES_IN_FLIGHT = 2
"""While one batch is read back and settled, the other keeps Plex busy."""

LONGEST_SLEEP_S = 60.0
"""The fallback when nobody rings and nothing new is seen."""

NEWS_LOOK_S = 2.0
"""Between two looks while asleep whether another process changed the store, or died. Neither reads the ledger."""

ORPHAN_LOOK_S = 300.0
"""Between two idle looks for leases of other processes that died unseen; at work it is looked for in each round."""

SHORT_SLEEP_S = 5.0
"""Between two tries at a server that failed, but not often enough to be held."""

LONGEST_WAIT_S = 600.0
"""The longest wait of a held entry; what is due later than that, and than any retry, was moved by a clock."""

ROUND_S = 1.0
"""The shortest wait between two rounds: what comes due meanwhile is looked at together, since each round asks Plex for
its libraries. Hundreds of missing files with jitter would otherwise be as many rounds."""

COMPANY_LOOK_S = 2.0
"""Between two looks whether another process has finished what it leased."""

CLOCK_SLACK_S = 60.0
"""The wall clock may be adjusted by so much between two looks without anybody having set it."""


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
        waking: Waking,
        worker: Worker,
        crawler: Crawler,
        gates: Sequence[Gate],
        recoveries: Sequence[Recovery],
        ramp: Ramp,
        rules: RetryRules,
        plex_id: PlexId,
        batch_size: int,
        clock: Clock,
        chance: random.Random,
        on_pass: Callable[[PassReport], None],
    ) -> None:
        self._ledger = ledger
        self._owners = owners
        self._waking = waking
        self._worker = worker
        self._crawler = crawler
        self._gates = gates
        self._recoveries = recoveries
        self._ramp = ramp
        self._rules = rules
        self._plex_id = plex_id
        self._batch_size = batch_size
        self._clock = clock
        self._chance = chance
        self._on_pass = on_pass
        self._report = RunReport()
        self._clock_offset_s = self._offset_s()
        self._orphans_at_s = -ORPHAN_LOOK_S
        self._company_at_s = -NEWS_LOOK_S
        self._is_company_lost = False
        self._tokens: set[str] = set()
        self.wakeup = Wakeup()

    async def run_until_idle(self, wait_s: float, is_finished: Callable[[], bool] = lambda: False) -> RunReport:
        """Work until nothing is due, waiting at most `wait_s` seconds in all for what is due later.

        It also waits for what another process works on. `is_finished` tells that nothing is worth any wait.
        """
        with self._owners.enrolled(self._clock.now()) as owner:
            while True:
                due_at = await self._drain(owner)
                pause_s = self._rest_s(due_at, wait_s)
                if not pause_s or is_finished():
                    return self._report
                wait_s -= pause_s
                await anyio.sleep(pause_s)
                for recovery in self._recoveries:
                    await recovery.run_once()
                self._start_round()

    async def run_forever(self, is_finished: Callable[[], bool]) -> None:
        """Work until cancelled, or until nothing is due and `is_finished` says that nothing will come."""
        with self._owners.enrolled(self._clock.now()) as owner:
            self._waking.clamp(self._clock.now(), self._longest_wait())
            while True:
                self._mend_clock()
                pause_s = self._pause_s(await self._drain(owner))
                if (pause_s is None or pause_s > 0) and self._report.server_error is None and is_finished():
                    return
                if self._report.server_error is not None:
                    pause_s = SHORT_SLEEP_S if all(gate.breaker().is_closed for gate in self._gates) else None
                pause_s = LONGEST_SLEEP_S if pause_s is None else pause_s and max(pause_s, ROUND_S)
                await self._sleep(min(pause_s, LONGEST_SLEEP_S))
                self._start_round()

    async def _sleep(self, pause_s: float) -> None:
        """Sleep until the bell rings, another process changed the store or died, or somebody set the clock."""
        until_s = self._clock.monotonic_s() + pause_s
        while not await self.wakeup.wait(min(until_s - self._clock.monotonic_s(), NEWS_LOOK_S)):
            is_changed, is_lost = self._waking.is_changed(), self._owners.has_lost_company()
            if is_changed or is_lost:  # one that leased and died between two looks was never seen alive
                self._owners.expire_orphans(self._clock.now())
                return
            if self._clock.monotonic_s() >= until_s or self._is_clock_set():
                return

    def _rest_s(self, due_at: datetime | None, wait_s: float) -> float | None:
        """Return how long to rest before the next round, None when waiting so long is of no use."""
        if due_at is not None and self._report.server_error is None:
            self._is_held()  # what is due later may wait for a server: then that is what stands in the way
        error = self._report.server_error
        pause_s = SHORT_SLEEP_S if isinstance(error, ServerHeld) else self._pause_s(due_at)
        if not wait_s or pause_s is None or isinstance(error, ServerRefused):
            return None
        if isinstance(error, ServerHeld) or pause_s <= wait_s:
            return min(max(pause_s, ROUND_S), wait_s)
        is_in_company = error is None and self._ledger.counts(self._plex_id, now=self._clock.now()).leased > 0
        self._owners.expire_orphans(self._clock.now())
        return min(COMPANY_LOOK_S, wait_s) if is_in_company else None

    def _start_round(self) -> None:
        self._report = replace(self._report, server_error=None)
        self._crawler.start_round()

    async def _drain(self, owner: str) -> datetime | None:
        """Work on what is due until nothing is, or until a server fails; return when something is due next.

        An idle look is one read of the ledger.
        """
        for token in tuple(self._tokens):
            self._hand_back(token)
        if self._clock.monotonic_s() - self._orphans_at_s >= ORPHAN_LOOK_S:
            self._orphans_at_s = self._clock.monotonic_s()
            self._owners.expire_orphans(self._clock.now())
        due_at = self._ledger.next_due_at(self._plex_id)
        if due_at is None or due_at > self._clock.now():
            return due_at
        self._is_company_lost = True
        while self._is_company_lost and self._report.server_error is None:
            self._is_company_lost = False
            self._owners.expire_orphans(self._clock.now())
            await self._rescue(owner)
            async with anyio.create_task_group() as group:
                for _ in range(PASSES_IN_FLIGHT):
                    group.start_soon(self._run_passes, owner)
        return self._ledger.next_due_at(self._plex_id)

    async def _run_passes(self, owner: str) -> None:
        while self._report.server_error is None and not self._is_held() and not self._has_lost_company():
            limit = self._ramp.take(self._batch_size, self._clock.now())
            if not limit:
                await anyio.sleep(1.0)
                continue
            token, now, until = self._terms(SHARED)
            batch = self._ledger.lease(self._plex_id, owner=owner, token=token, limit=limit, now=now, until=until)
            if not batch:
                return
            await self._pass_over(batch, token, until)

    def _has_lost_company(self) -> bool:
        """Tell whether another process died since this round began: what it held is rescued before more is begun."""
        now_s = self._clock.monotonic_s()
        if not self._is_company_lost and now_s - self._company_at_s >= NEWS_LOOK_S:
            self._company_at_s = now_s
            self._is_company_lost = self._owners.has_lost_company()
        return self._is_company_lost

    async def _rescue(self, owner: str) -> None:
        """Work on entries whose lease ran out, one by one while nothing else is under way: one may be poison."""
        while self._report.server_error is None and not self._is_held():
            if not self._ramp.take(1, self._clock.now()):
                await anyio.sleep(1.0)
                continue
            token, now, until = self._terms()
            leased = self._ledger.rescue(
                self._plex_id, owner=owner, token=token, now=now, until=until, rules=self._rules
            )
            if leased is None:
                return
            await self._pass_over([leased], token, until)

    async def _pass_over(self, batch: Sequence[Leased], token: str, until: datetime) -> None:
        self._tokens.add(token)
        try:
            self._count(await self._worker.pass_over(batch, token, until))
        finally:
            self._hand_back(token)

    def _hand_back(self, token: str) -> None:
        """Hand back what a pass left. When the store refuses that too (a full disk), it is done before the next one."""
        self._ledger.release(token, now=self._clock.now())
        self._tokens.discard(token)

    def _terms(self, kind: str = "") -> tuple[str, datetime, datetime]:
        """Return the token, the beginning and the end of a new lease."""
        now = self._clock.now()
        return f"{kind}{self._chance.getrandbits(64):016x}", now, now + timedelta(seconds=LEASE_S)

    def _is_held(self) -> bool:
        """Tell whether a server is held; note it as what stands in the way, and start the ramp when it is back."""
        for gate in self._gates:
            breaker = gate.breaker()
            if breaker.closed_at is not None:
                self._ramp.start(max(breaker.closed_at, self._ramp.since or breaker.closed_at))
            if not breaker.is_closed:
                self._report = replace(self._report, server_error=gate.held(breaker))
                return True
        return False

    def _count(self, report: PassReport) -> None:
        self._report = RunReport(
            self._report.written + report.written,
            self._report.unchanged + report.unchanged,
            report.server_error or self._report.server_error,
        )
        for is_ok, entries in ((True, report.written + report.unchanged), (False, report.retried + report.held)):
            for _ in range(entries):
                self._ramp.note(is_ok=is_ok)
        self._on_pass(report)

    def _pause_s(self, due_at: datetime | None) -> float | None:
        """Return how long to wait for what is due at a time, None when nothing will be."""
        if due_at is None:
            return None
        pause_s = max(0.0, (due_at - self._clock.now()).total_seconds())
        error = self._report.server_error
        if error is None:
            return pause_s
        return max(pause_s, HOLD_S if error.retry_after_s is None else error.retry_after_s)

    def _mend_clock(self) -> None:
        """Bring due times back that a clock set back has moved out of reach; a clock set forward only hurries."""
        if self._is_clock_set():
            set_by = timedelta(seconds=self._offset_s() - self._clock_offset_s)
            self._clock_offset_s += set_by.total_seconds()
            self._waking.clamp(self._clock.now(), self._longest_wait(), set_by=set_by)

    def _longest_wait(self) -> timedelta:
        return timedelta(seconds=max(LONGEST_WAIT_S, self._rules.ordinary.cap_s, self._rules.not_found.cap_s))

    def _is_clock_set(self) -> bool:
        return abs(self._offset_s() - self._clock_offset_s) > CLOCK_SLACK_S

    def _offset_s(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic_s()
