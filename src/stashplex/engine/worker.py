"""One pass over a batch: plan, write down what is intended, write, read back, settle.

The sentence of the architecture as code. It decides nothing about fields (domain) or when to run (scheduler).
The invariants: an entry is synced only after a read-back that shows what was planned; nothing is written after the
lease has run out; a server's failure ends the pass for all entries that are not done.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

import anyio
import structlog

from stashplex.base.clock import Clock
from stashplex.base.errors import (
    ConfigError,
    PlexNotFound,
    Server,
    ServerBusy,
    ServerError,
    ServerUnreachable,
    SideEmpty,
    StoreError,
    WriteNotTaken,
)
from stashplex.domain.entry import Entry, State, settled
from stashplex.domain.outcome import Dead, Hold, Outcome, Retry, Synced
from stashplex.domain.retry import RetryRules, rule_for
from stashplex.domain.scene import SceneId
from stashplex.engine.attempt import Done, Failed, attempt
from stashplex.engine.planner import Planned, Planner
from stashplex.engine.posters import THUMB, bring_poster
from stashplex.engine.scan import Scanner
from stashplex.engine.work import Work, Write, journal_of, judge, links_after, outcome_for, work_of
from stashplex.plex.client import PlexClient
from stashplex.stash.client import StashClient
from stashplex.store.hand_backs import HandBacks
from stashplex.store.intents import Intended, Intents
from stashplex.store.ledger import Leased, Ledger, Settlement

logger = structlog.get_logger()


class Ending(StrEnum):
    """How a pass ended for one entry."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    RETRIED = "retried"
    HELD = "held"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class PassReport:
    """How a pass ended, entry by entry, but for those whose lease was lost."""

    endings: Mapping[SceneId, Ending] = field(default_factory=dict)
    server_error: ServerError | None = None

    @property
    def written(self) -> int:
        """How many items were changed and read back."""
        return self._count(Ending.WRITTEN)

    @property
    def unchanged(self) -> int:
        """How many were in step already."""
        return self._count(Ending.UNCHANGED)

    @property
    def retried(self) -> int:
        """How many are tried again, at their own cost."""
        return self._count(Ending.RETRIED)

    @property
    def held(self) -> int:
        """How many wait for a server."""
        return self._count(Ending.HELD)

    @property
    def dead(self) -> int:
        """How many need a person."""
        return self._count(Ending.DEAD)

    def _count(self, ending: Ending) -> int:
        return sum(found is ending for found in self.endings.values())


class Worker:
    """Runs passes over leased batches for one Plex server."""

    def __init__(
        self,
        *,
        stash: StashClient,
        plex: PlexClient,
        planner: Planner,
        scanner: Scanner | None,
        ledger: Ledger,
        intents: Intents,
        hand_backs: HandBacks,
        rules: RetryRules,
        skips_not_found: bool,
        in_work: anyio.CapacityLimiter,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._stash = stash
        self._plex = plex
        self._planner = planner
        self._scanner = scanner
        self._ledger = ledger
        self._intents = intents
        self._hand_backs = hand_backs
        self._rules = rules
        self._skips_not_found = skips_not_found
        self._in_work = in_work
        self._clock = clock
        self._chance = chance

    async def pass_over(self, batch: Sequence[Leased], token: str, until: datetime) -> PassReport:
        """Bring the entries of a leased batch in step and settle them. Raises only what ends the run, see `_plan`."""
        until_s = self._clock.monotonic_s() + (until - self._clock.now()).total_seconds()
        stop = _Stop(self._clock, until, until_s, token)
        works = [work_of(leased, plan) for leased, plan in zip(batch, await self._plan(batch), strict=True)]
        self._intend(works, token)
        await self._write_all(works, stop)
        await self._verify(works)
        if not self._skips_not_found:
            await self._ask_for_scans(works)
        return self._settle(works, token)

    async def _plan(self, batch: Sequence[Leased]) -> list[Planned]:
        """Plan a batch; a server's failure is every entry's.

        Raises: SideEmpty, ConfigError, StoreError, which are no entry's fault and end the run.
        """
        links = {leased.entry.scene_id: leased.links for leased in batch}
        planned = await attempt(self._planner.plan_apart, list(links), links)
        if isinstance(planned, Done):
            return [planned.value[leased.entry.scene_id] for leased in batch]
        if isinstance(planned.error, SideEmpty | ConfigError | StoreError):
            raise planned.error
        return [planned for _ in batch]

    def _intend(self, works: Sequence[Work], token: str) -> None:
        """Make durable what is about to be written: a write whose process dies must not look like a person's."""
        intended = [
            Intended(work.leased.entry.id, write.link(intent=write.planned.intent))
            for work in works
            for write in work.writes
            if not write.planned.plan.is_empty
        ]
        if not intended:
            return
        held = self._intents.record(token, intended)
        for work in works:
            work.is_lost = work.leased.entry.id not in held

    async def _write_all(self, works: Sequence[Work], stop: "_Stop") -> None:
        async with anyio.create_task_group() as group:
            for work in works:
                if work.writes and not work.is_lost:
                    group.start_soon(self._write_entry, work, stop)

    async def _write_entry(self, work: Work, stop: "_Stop") -> None:
        """Write the items of one entry. Few entries are in work at once, so that `stop` is asked when work begins."""
        async with self._in_work:
            await self._write_items(work, stop)

    async def _write_items(self, work: Work, stop: "_Stop") -> None:
        for write in work.writes:
            result = await attempt(self._write_item, work.leased, write, stop)
            if isinstance(result, Failed):
                work.error = result.error
                if isinstance(result.error, ServerError) and not _may_be_the_items(result.error):
                    stop.error = result.error
                return

    async def _write_item(self, leased: Leased, write: Write, stop: "_Stop") -> None:
        """Send what one item lacks. A poster that fails does not keep the texts from Plex."""
        stop.check()
        known = write.known_poster
        poster = await attempt(
            bring_poster,
            self._stash,
            self._plex,
            write.cover_url,
            write.planned.item,
            known,
            way=write.planned.poster,
            now=self._clock.now(),
            may_send=stop.check,
            before_another=lambda: self._doubt_poster(leased, write, stop),
        )
        if isinstance(poster, Failed):
            write.poster = known
            if isinstance(poster.error, ServerError):
                raise poster.error
        else:
            write.poster, write.is_poster_written = poster.value.poster, poster.value.is_written
        await self._edit_item(write, stop, clears=_clears(leased.entry))
        if isinstance(poster, Failed):
            raise poster.error

    def _doubt_poster(self, leased: Leased, write: Write, stop: "_Stop") -> None:
        """Forget durably which poster Plex shows: whether the next one arrives is known after the read-back.

        Raises: ServerError, when the lease is lost.
        """
        stop.check()
        write.is_poster_in_doubt = True
        doubted = Intended(leased.entry.id, write.link(intent=write.planned.intent))
        if leased.entry.id not in self._intents.record(stop.token, [doubted]):
            stop.is_lost = True
            stop.check()

    async def _edit_item(self, write: Write, stop: "_Stop", *, clears: bool) -> None:
        """Send the edit, if there is one; the lock of a new poster travels with it."""
        planned = write.planned
        plan, locks = planned.plan, frozenset({THUMB} if self._is_new(write) else ())
        if plan.is_empty and not locks:
            return
        if not plan.locks:
            plan, locks = replace(plan, unlocks=plan.unlocks | locks), frozenset()
        stop.check()
        write.is_edited = True
        try:
            await self._plex.edit(plan, locks=locks, locked=planned.item.locked, clears=clears, admit=stop.check)
        except ServerUnreachable as error:
            if not error.may_have_applied:
                raise
            write.doubt = error

    @staticmethod
    def _is_new(write: Write) -> bool:
        """Tell whether a poster was sent to an item whose poster was not locked."""
        return write.is_poster_written and THUMB not in write.planned.item.locked

    async def _verify(self, works: Sequence[Work]) -> None:
        """Read back what was written; an edit in doubt is judged by what Plex shows now."""
        written = [write for work in works if work.error is None for write in work.writes if write.is_written]
        if not written:
            return
        read = await attempt(self._planner.read, [write.planned.item.rating_key for write in written])
        for work in works:
            if work.error is None and work.is_written:
                work.error = read.error if isinstance(read, Failed) else judge(work, read.value)

    async def _ask_for_scans(self, works: Sequence[Work]) -> None:
        """Let Plex scan the folders of files that it does not have. A failing scan changes no entry's outcome."""
        missing = [work.error for work in works if isinstance(work.error, PlexNotFound)]
        if self._scanner is not None and missing:
            await attempt(self._scanner.ask, [path for error in missing for path in error.paths])

    def _settle(self, works: Sequence[Work], token: str) -> PassReport:
        now = self._clock.now()
        settlements: list[Settlement] = []
        endings: dict[SceneId, Ending] = {}
        wished: list[SceneId] = []
        for work in works:
            if work.is_lost:
                continue
            outcome = outcome_for(work, now, skips_not_found=self._skips_not_found)
            error_type = None if isinstance(outcome, Synced) else outcome.error_type
            transition = settled(work.leased.entry, outcome, rule_for(error_type, self._rules), now, self._chance)
            settlements.append(
                Settlement(
                    entry_id=work.leased.entry.id,
                    generation=work.leased.entry.generation,
                    transition=transition,
                    links=links_after(work),
                    journal=journal_of(work, outcome, now),
                )
            )
            endings[work.leased.entry.scene_id] = _ending(outcome, transition.state)
            if work.farewell is not None and work.farewell.is_wish:
                wished.append(work.leased.entry.scene_id)
            _log(work, outcome)
        self._ledger.settle(token, settlements, now=now)
        done = [scene_id for scene_id in wished if endings[scene_id] in {Ending.WRITTEN, Ending.UNCHANGED}]
        if done:
            self._hand_backs.finish(works[0].leased.entry.plex_id, done, now)
        errors = (work.error for work in works if isinstance(work.error, ServerError))
        return PassReport(endings, next(errors, None))


def _clears(entry: Entry) -> bool:
    """Tell whether lists that lose elements are emptied first: every other try, once naming the elements failed.

    Which of the two ways a server takes cannot be asked (plex-wire.md 4.4, 4.5), and one of them works everywhere.
    """
    return entry.last_error_type == WriteNotTaken.__name__ and entry.retry_count % 2 == 1


def _may_be_the_items(error: ServerError) -> bool:
    """Tell whether it may be this one item, an image for instance, on which the server fails.

    Then the others go on; if it is the server, its circuit breaker opens after a few of them.
    """
    if not isinstance(error, ServerUnreachable) or error.is_maintenance:
        return False
    return error.is_slow or error.has_answered


@dataclass(slots=True)
class _Stop:
    """Why the rest of a pass must not be written: the lease is over, or a server failed.

    The lease ends by both clocks, whichever is first: a wall clock that is set back gives nobody more time.
    """

    clock: Clock
    until: datetime
    until_s: float
    token: str
    is_lost: bool = False
    error: ServerError | None = None

    def check(self) -> None:
        """Raise when nothing more may be sent. Raises: ServerError."""
        if self.error is not None:
            raise self.error
        if self.is_lost or self.clock.now() >= self.until or self.clock.monotonic_s() >= self.until_s:
            raise ServerBusy(
                Server.PLEX, "The pass took longer than its lease.", hint="Nothing to do: it goes on later."
            )


def _ending(outcome: Outcome, state: State) -> Ending:
    if state is State.DEAD:
        return Ending.DEAD
    match outcome:
        case Synced(is_written=True):
            return Ending.WRITTEN
        case Synced():
            return Ending.UNCHANGED
        case Retry() | Dead():
            return Ending.RETRIED
        case Hold():
            return Ending.HELD


def _log(work: Work, outcome: Outcome) -> None:
    scene_id = work.leased.entry.scene_id
    match outcome:
        case Synced(is_written):
            logger.debug("entry_synced", scene_id=scene_id, is_written=is_written)
        case Hold(error_type, message, _):
            logger.info("entry_held", scene_id=scene_id, error_type=error_type, error=message)
        case Retry(error_type, message, _):
            logger.info("entry_retried", scene_id=scene_id, error_type=error_type, error=message)
        case Dead(error_type, message):
            logger.warning("entry_buried", scene_id=scene_id, error_type=error_type, error=message)
