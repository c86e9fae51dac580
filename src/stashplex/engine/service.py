"""The long-running engine: parts that run side by side until they are stopped, each started again when it fails.

It builds nothing but its parts and decides nothing about entries. The invariant: a part that fails is logged, counted
and started again after a wait; it never stops the others, and never silently ends.
"""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import anyio
import structlog
from anyio.abc import TaskGroup

from stashplex.base.clock import Clock
from stashplex.base.errors import ConfigError, StashplexError
from stashplex.engine.attempt import Failed, attempt
from stashplex.engine.crawl import Crawler
from stashplex.engine.ear import Ears
from stashplex.engine.finder import Finder
from stashplex.engine.gate import Gate
from stashplex.engine.gathering import Gathering
from stashplex.engine.recovery import Recovery
from stashplex.engine.scheduler import Scheduler
from stashplex.engine.target import Target
from stashplex.engine.upkeep import Upkeep
from stashplex.engine.wakeup import Wakeup
from stashplex.engine.worker import PassReport

logger = structlog.get_logger()

SPOOL_LOOK_S = 1.0
RECOVERY_LOOK_S = 5.0
FINDER_LOOK_S = 75.0
"""Between two looks for missing files: one short request, and only while something is missing. With the scheduler's
look once a minute and the one for orphans, a quiet service reads the ledger twice a minute."""

POLL_PAUSE_S = 2.0
"""Between a hint and the poll: what was told twice is one poll."""

FINDER_PAUSE_S = 5.0
"""Between a hint and the look for missing files: what Plex adds in a row is one crawl."""

UPKEEP_LOOK_S = 3_600.0
SWEEP_LOOK_S = 600.0

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0


class Builder(Protocol):
    """What the service asks of the composition root."""

    @property
    def stash_gate(self) -> Gate:
        """The gate before Stash."""

    @property
    def plex_gate(self) -> Gate:
        """The gate before Plex."""

    async def connect(self) -> Target:
        """Check both servers and choose the libraries."""

    def recoveries(self, wakeup: Wakeup | None = None) -> tuple[Recovery, Recovery]:
        """Return those that bring the servers back."""

    def crawler(self, target: Target) -> Crawler:
        """Return the one that keeps the path index fresh."""

    def gathering(self, target: Target, crawler: Crawler, wakeup: Wakeup) -> Gathering:
        """Return the parts that learn of changes."""

    def ears(self) -> Ears:
        """Return those that hear Stash and Plex, where that is possible and wanted."""

    def finder(self, target: Target, crawler: Crawler) -> Finder:
        """Return the one that notices files that appeared."""

    def scheduler(self, target: Target, crawler: Crawler, on_pass: Callable[[PassReport], None]) -> Scheduler:
        """Return the one that drains what is due."""

    def upkeep(self) -> Upkeep:
        """Return the one that keeps the store small."""


class Service:
    """Runs until cancelled. `restarts` counts failures of each part."""

    def __init__(self, builder: Builder, clock: Clock, chance: random.Random) -> None:
        self._builder = builder
        self._clock = clock
        self._chance = chance
        self._spool_bell = Wakeup()
        self._errand_bell = Wakeup()
        self._poll_bell = Wakeup()
        self._finder_bell = Wakeup()
        self.restarts: Counter[str] = Counter()

    def look_now(self) -> None:
        """Fold the spool and look for due entries now, not within a second or a minute: somebody knows of some."""
        self._spool_bell.ring()

    async def run(self, *, is_until_idle: bool = False) -> None:
        """Run until cancelled, or until nothing is due.

        Raises: ConfigError, when the settings do not fit what the servers have.
        """
        target = await self._connected()
        logger.info("service_started", plex=target.name, libraries=[section.title for section in target.sections])
        crawler = self._builder.crawler(target)
        scheduler = self._builder.scheduler(target, crawler, _ignore)
        gathering = self._builder.gathering(target, crawler, scheduler.wakeup)
        finder = self._builder.finder(target, crawler)
        async with anyio.create_task_group() as group:
            for name, recovery in zip(("stash", "plex"), self._builder.recoveries(scheduler.wakeup), strict=True):
                self._start(group, f"recovery of {name}", _every(RECOVERY_LOOK_S, recovery.run_once))
            self._start(group, "spool", lambda: self._fold(gathering, scheduler.wakeup))
            self._start(group, "errands", lambda: self._do_errands(gathering))
            if gathering.poll_interval_s:
                self._start(group, "poll", lambda: self._poll(gathering, scheduler.wakeup))
            self._start(group, "upkeep", _every(UPKEEP_LOOK_S, self._builder.upkeep().run_once))
            self._start(group, "sweep", _every(SWEEP_LOOK_S, lambda: _sweep(gathering, scheduler.wakeup)))
            self._start(group, "finder", lambda: self._find(finder, scheduler.wakeup))
            bells = (self._poll_bell, self._finder_bell)
            for name, ear, bell in zip(("stash", "plex"), self._builder.ears(), bells, strict=True):
                if ear is not None:
                    self._start(group, f"ear for {name}", partial(ear.run, bell))

            def is_finished() -> bool:
                return is_until_idle and gathering.spooling.is_empty()

            await self._supervised("scheduler", lambda: scheduler.run_forever(is_finished))
            group.cancel_scope.cancel()

    async def _fold(self, gathering: Gathering, wakeup: Wakeup) -> None:
        """Fold the spool when somebody pokes, and every second."""
        is_rung = False
        while True:
            if await gathering.spooling.fold() or is_rung:
                wakeup.ring()
            if gathering.spooling.has_errands:
                self._errand_bell.ring()
            is_rung = await self._spool_bell.wait(SPOOL_LOOK_S)

    async def _do_errands(self, gathering: Gathering) -> None:
        """Do errands as soon as there are any, and look every second whether those that wait may go."""
        while True:
            await gathering.errands.run_once()
            await self._errand_bell.wait(SPOOL_LOOK_S)

    async def _poll(self, gathering: Gathering, wakeup: Wakeup) -> None:
        """Poll now and then, and soon after somebody rings: a scan that ends is told several times."""
        while True:
            if await gathering.poll.run_once():
                wakeup.ring()
            if await self._poll_bell.wait(gathering.poll_interval_s):
                await anyio.sleep(POLL_PAUSE_S)

    async def _find(self, finder: Finder, wakeup: Wakeup) -> None:
        """Look for missing files now and then, and soon after Plex told of something new."""
        while True:
            if await finder.run_once():
                wakeup.ring()
            if await self._finder_bell.wait(FINDER_LOOK_S):
                await anyio.sleep(FINDER_PAUSE_S)

    async def _connected(self) -> Target:
        """Return the target as soon as both servers can be used; until then events wait in the spool.

        What is held is probed at once: whoever started this may have mended it, a token for instance.
        """
        recoveries = self._builder.recoveries()
        for recovery in recoveries:
            await attempt(recovery.probe_now)
        backoff_s = FIRST_BACKOFF_S
        while True:
            result = await attempt(self._builder.connect)
            if not isinstance(result, Failed):
                return result.value
            if isinstance(result.error, ConfigError):
                raise result.error
            logger.warning("not_connected", error=str(result.error), hint=_hint(result.error))
            await anyio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, SPOOL_LOOK_S * 20)
            for recovery in recoveries:
                await attempt(recovery.run_once)

    def _start(self, group: TaskGroup, name: str, run: Callable[[], Awaitable[None]]) -> None:
        group.start_soon(self._supervised, name, run)

    async def _supervised(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a part until it ends by itself; start it again after every failure."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            started_s = self._clock.monotonic_s()
            result = await attempt(run)
            if not isinstance(result, Failed):
                return
            self.restarts[name] += 1
            if self._clock.monotonic_s() - started_s > LONGEST_BACKOFF_S:
                backoff_s = FIRST_BACKOFF_S
            error = result.error
            logger.warning(
                "part_failed",
                part=name,
                failures=self.restarts[name],
                error_type=type(error).__name__,
                error=str(error),
                hint=_hint(error),
                exc_info=None if isinstance(error, StashplexError) else error,
            )
            await anyio.sleep(self._chance.uniform(backoff_s / 2, backoff_s))
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)


def _every(pause_s: float, look: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    """Return a part that looks, sleeps, and looks again."""

    async def run() -> None:
        while True:
            await look()
            await anyio.sleep(pause_s)

    return run


async def _sweep(gathering: Gathering, wakeup: Wakeup) -> None:
    if await gathering.sweep.run_once():
        wakeup.ring()


def _hint(error: Exception) -> str:
    return error.hint if isinstance(error, StashplexError) else ""


def _ignore(_report: PassReport) -> None:
    """Nobody watches the passes of a service."""
