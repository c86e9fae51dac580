"""One pass over a batch: plan, write, read back, settle.

The sentence of the architecture as code. It decides nothing about fields (domain) or when to run (scheduler).
The invariants: an entry is synced only after a read-back that shows what was planned; nothing is written after the
lease has run out; a server's failure ends the pass for all entries that are not done.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

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
from stashplex.domain.document import Base, Poster
from stashplex.domain.entry import State, settled
from stashplex.domain.item import Item, RatingKey
from stashplex.domain.journal import JournalEvent, JournalRow
from stashplex.domain.link import Link
from stashplex.domain.outcome import Dead, Hold, Outcome, Retry, Synced, outcome_of
from stashplex.domain.plan import TagChange, TextChange, not_taken
from stashplex.domain.retry import rule_for
from stashplex.engine.attempt import Done, Failed, attempt
from stashplex.engine.planner import ItemPlan, Planned, Planner, SceneGone, ScenePlan
from stashplex.engine.posters import THUMB, bring_poster
from stashplex.plex.client import PlexClient
from stashplex.stash.client import StashClient
from stashplex.store.ledger import Leased, Ledger, Settlement

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PassReport:
    """How a pass ended. Shape: the counts add up to the entries of the batch."""

    written: int = 0
    unchanged: int = 0
    retried: int = 0
    held: int = 0
    dead: int = 0
    server_error: ServerError | None = None


@dataclass(slots=True)
class _Write:
    """What happened to one item during the pass."""

    planned: ItemPlan
    cover_url: str | None
    is_edited: bool = False
    doubt: ServerUnreachable | None = None
    poster: Poster | None = None
    is_poster_written: bool = False
    is_verified: bool = False

    @property
    def is_written(self) -> bool:
        return self.is_edited or self.is_poster_written


@dataclass(slots=True)
class _Work:
    """One entry of the batch, from lease to settle."""

    leased: Leased
    writes: list[_Write] = field(default_factory=list)
    error: Exception | None = None


class Worker:
    """Runs passes over leased batches for one Plex server."""

    def __init__(
        self,
        *,
        stash: StashClient,
        plex: PlexClient,
        planner: Planner,
        ledger: Ledger,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self._stash = stash
        self._plex = plex
        self._planner = planner
        self._ledger = ledger
        self._clock = clock
        self._chance = chance

    async def pass_over(self, batch: Sequence[Leased], token: str, until: datetime) -> PassReport:
        """Bring the entries of a leased batch in step and settle them. Raises only what ends the run, see `_plan`."""
        works = [_work(leased, plan) for leased, plan in zip(batch, await self._plan(batch), strict=True)]
        await self._write_all(works, until)
        await self._verify(works)
        return self._settle(works, token)

    async def _plan(self, batch: Sequence[Leased]) -> list[Planned]:
        """Plan a batch; one scene that cannot be read must not fail the others, so then each is planned alone.

        Raises: SideEmpty, ConfigError, StoreError, which are no entry's fault and end the run.
        """
        links = {leased.entry.scene_id: leased.links for leased in batch}
        planned = await attempt(self._planner.plan, list(links), links)
        if isinstance(planned, Done):
            return [planned.value[leased.entry.scene_id] for leased in batch]
        if isinstance(planned.error, SideEmpty | ConfigError | StoreError):
            raise planned.error
        if isinstance(planned.error, ServerError) or len(batch) == 1:
            return [planned for _ in batch]
        alone: list[Planned] = []
        for leased in batch:
            alone += await self._plan([leased])
        return alone

    async def _write_all(self, works: Sequence[_Work], until: datetime) -> None:
        stop = _Stop(until)
        async with anyio.create_task_group() as group:
            for work in works:
                if work.writes:
                    group.start_soon(self._write_entry, work, stop)

    async def _write_entry(self, work: _Work, stop: "_Stop") -> None:
        for write in work.writes:
            result = await attempt(self._write_item, write, stop)
            if isinstance(result, Failed):
                work.error = result.error
                if isinstance(result.error, ServerError):
                    stop.error = result.error
                return

    async def _write_item(self, write: _Write, stop: "_Stop") -> None:
        """Send what one item lacks. A poster that fails does not keep the texts from Plex."""
        planned = write.planned
        stop.check(self._clock.now())
        known = planned.link.base.poster if planned.link and planned.link.base else None
        now = self._clock.now()
        poster = await attempt(bring_poster, self._stash, self._plex, write.cover_url, planned.item, known, now=now)
        if isinstance(poster, Failed):
            write.poster = known
            if isinstance(poster.error, ServerError):
                raise poster.error
        else:
            write.poster, write.is_poster_written = poster.value.poster, poster.value.is_written
        await self._edit_item(write, stop)
        if isinstance(poster, Failed):
            raise poster.error

    async def _edit_item(self, write: _Write, stop: "_Stop") -> None:
        """Send the edit, if there is one; the lock of a new poster travels with it."""
        planned = write.planned
        locks = frozenset({THUMB} if write.is_poster_written and THUMB not in planned.item.locked else ())
        if planned.plan.is_empty and not locks:
            return
        stop.check(self._clock.now())
        write.is_edited = True
        try:
            await self._plex.edit(planned.plan, locks=locks, locked=planned.item.locked)
        except ServerUnreachable as error:
            if not error.may_have_applied:
                raise
            write.doubt = error

    async def _verify(self, works: Sequence[_Work]) -> None:
        """Read back what was written; an edit in doubt is judged by what Plex shows now."""
        written = [write for work in works if work.error is None for write in work.writes if write.is_written]
        if not written:
            return
        read = await attempt(self._planner.read, [write.planned.item.rating_key for write in written])
        for work in works:
            if work.error is None and any(write.is_written for write in work.writes):
                work.error = read.error if isinstance(read, Failed) else _judged(work, read.value)

    def _settle(self, works: Sequence[_Work], token: str) -> PassReport:
        now = self._clock.now()
        settlements: list[Settlement] = []
        report = PassReport()
        for work in works:
            outcome = _outcome(work, now)
            error_type = None if isinstance(outcome, Synced) else outcome.error_type
            transition = settled(work.leased.entry, outcome, rule_for(error_type), now, self._chance)
            settlements.append(
                Settlement(
                    entry_id=work.leased.entry.id,
                    generation=work.leased.entry.generation,
                    transition=transition,
                    links=_links(work),
                    journal=_journal(work, outcome, now),
                )
            )
            report = _counted(report, outcome, transition.state)
            _log(work, outcome)
        self._ledger.settle(token, settlements, now=now)
        errors = (work.error for work in works if isinstance(work.error, ServerError))
        return replace(report, server_error=next(errors, None))


@dataclass(slots=True)
class _Stop:
    """Why the rest of a pass must not be written: the lease is over, or a server failed."""

    until: datetime
    error: ServerError | None = None

    def check(self, now: datetime) -> None:
        """Raise when nothing more may be sent. Raises: ServerError."""
        if self.error is not None:
            raise self.error
        if now >= self.until:
            raise ServerBusy(
                Server.PLEX, "The pass took longer than its lease.", hint="Nothing to do: it goes on later."
            )


def _work(leased: Leased, plan: Planned) -> _Work:
    match plan:
        case Failed(error):
            return _Work(leased, error=error)
        case SceneGone():
            return _Work(leased)
        case ScenePlan(scene, items):
            return _Work(leased, [_Write(item, scene.cover_url) for item in items])


def _judged(work: _Work, read: dict[RatingKey, Item]) -> Exception | None:
    """Return what is wrong with an entry after the read-back, None when everything was taken."""
    for write in work.writes:
        item = read.get(write.planned.item.rating_key)
        if not write.is_written:
            continue
        if item is None:
            return PlexNotFound(f"Item {write.planned.item.rating_key} went away while it was written.")
        fields = not_taken(write.planned.plan, item)
        if fields:
            return write.doubt or WriteNotTaken(
                f"Plex accepted the edit of item {item.rating_key} but shows other values: {', '.join(fields)}.",
                fields=fields,
                hint="If this stays, look at the item in Plex and at Plex's log.",
            )
        write.is_verified = True
        if write.poster is not None:
            write.poster = replace(write.poster, plex_thumb=item.thumb)
    return None


def _outcome(work: _Work, now: datetime) -> Outcome:
    if work.error is not None:
        return outcome_of(work.error, now)
    return Synced(is_written=any(write.is_written for write in work.writes))


def _links(work: _Work) -> tuple[Link, ...] | None:
    """Return the links to remember, with a new base for what is in step; None leaves them as they are."""
    if not work.writes:
        return None
    return tuple(_link(write, is_in_step=work.error is None or write.is_verified) for write in work.writes)


def _link(write: _Write, *, is_in_step: bool) -> Link:
    planned = write.planned
    base = planned.link.base if planned.link else None
    if is_in_step:
        base = Base(planned.plan.base, write.poster)
    found = planned.match
    return Link(found.rating_key, found.section, found.evidence, found.file, base)


def _journal(work: _Work, outcome: Outcome, now: datetime) -> tuple[JournalRow, ...]:
    """Return what people can read later; a pass that changed nothing leaves no row."""
    rows = [row for write in work.writes if write.is_verified for row in _written_rows(write, now)]
    match outcome:
        case Synced(is_written):
            return (*rows, JournalRow(now, JournalEvent.ENTRY_SYNCED)) if is_written else ()
        case Hold(error_type, message, _):
            return (*rows, JournalRow(now, JournalEvent.ENTRY_HELD, detail=f"{error_type}: {message}"))
        case Retry(error_type, message):
            return (*rows, JournalRow(now, JournalEvent.ENTRY_RETRIED, detail=f"{error_type}: {message}"))
        case Dead(error_type, message):
            return (*rows, JournalRow(now, JournalEvent.ENTRY_BURIED, detail=f"{error_type}: {message}"))


def _written_rows(write: _Write, now: datetime) -> list[JournalRow]:
    key = write.planned.item.rating_key
    rows: list[JournalRow] = []
    for change in write.planned.plan.changes:
        match change:
            case TextChange(field_name, old, new):
                rows.append(JournalRow(now, JournalEvent.FIELD_WRITTEN, key, field_name.value, old, new))
            case TagChange(tag_name, before, after, _):
                rows.append(
                    JournalRow(
                        now, JournalEvent.FIELD_WRITTEN, key, tag_name.value, ", ".join(before), ", ".join(after)
                    )
                )
    if write.is_poster_written and write.poster is not None:
        rows.append(JournalRow(now, JournalEvent.POSTER_UPLOADED, key, THUMB, None, write.poster.sha1))
    return rows


def _counted(report: PassReport, outcome: Outcome, state: State) -> PassReport:
    if state is State.DEAD:
        return replace(report, dead=report.dead + 1)
    match outcome:
        case Synced(is_written=True):
            return replace(report, written=report.written + 1)
        case Synced():
            return replace(report, unchanged=report.unchanged + 1)
        case Retry() | Dead():
            return replace(report, retried=report.retried + 1)
        case Hold():
            return replace(report, held=report.held + 1)


def _log(work: _Work, outcome: Outcome) -> None:
    scene_id = work.leased.entry.scene_id
    match outcome:
        case Synced(is_written):
            logger.debug("entry_synced", scene_id=scene_id, is_written=is_written)
        case Hold(error_type, message, _):
            logger.info("entry_held", scene_id=scene_id, error_type=error_type, error=message)
        case Retry(error_type, message):
            logger.info("entry_retried", scene_id=scene_id, error_type=error_type, error=message)
        case Dead(error_type, message):
            logger.warning("entry_buried", scene_id=scene_id, error_type=error_type, error=message)
