"""What one pass knows about each entry of its batch, and what is made of it at the end.

Values and pure functions for `worker`, which fills them; nothing here sends or stores. The invariant: what is
remembered as ours is what a read-back showed, or what was known before, and then the intent stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from stashplex.base.errors import PlexNotFound, ServerUnreachable, StashplexError, WriteNotTaken
from stashplex.domain.document import Base, Document, Poster
from stashplex.domain.item import Item, RatingKey
from stashplex.domain.journal import TAG_SEPARATOR, JournalEvent, JournalRow
from stashplex.domain.link import Link
from stashplex.domain.outcome import Dead, Hold, Outcome, Retry, Synced, outcome_of
from stashplex.domain.plan import TagChange, TextChange, not_taken, partial_base
from stashplex.engine.attempt import Failed
from stashplex.engine.itemplan import FarewellPlan, ItemPlan
from stashplex.engine.planner import Planned, SceneGone, ScenePlan
from stashplex.engine.posters import THUMB, PosterWay
from stashplex.store.ledger import Leased


@dataclass(slots=True)
class Write:
    """What happened to one item during a pass.

    Shape: `doubt` is set when an edit was sent and not answered; `missing` names the fields that the read-back
    shows otherwise than planned; `is_poster_in_doubt` tells that another poster than the known one may have been sent.
    """

    planned: ItemPlan
    cover_url: str | None
    is_edited: bool = False
    doubt: ServerUnreachable | None = None
    poster: Poster | None = None
    is_poster_written: bool = False
    is_poster_in_doubt: bool = False
    is_verified: bool = False
    missing: tuple[str, ...] = ()

    @property
    def is_written(self) -> bool:
        """Something was sent for this item."""
        return self.is_edited or self.is_poster_written

    @property
    def known_poster(self) -> Poster | None:
        """The poster that we last wrote, as far as that still holds."""
        base = self.planned.base
        is_lost = self.is_poster_in_doubt or self.planned.poster is PosterWay.HAND_BACK
        return None if base is None or base.is_forced or is_lost else base.poster

    def link(self, *, intent: Document | None) -> Link:
        """Return the link of this item as it was known before the pass, with an intent."""
        found, base = self.planned.match, self.planned.base
        known = base and replace(base, poster=self.known_poster)
        return Link(found.rating_key, found.section, found.evidence, found.file, known, intent)


@dataclass(slots=True)
class Work:
    """One entry of the batch, from lease to settle.

    `problem` is what keeps an item of another library from being written; `is_lost` tells that the lease went to
    somebody else; `refused` is why a filter leaves the scene alone, `untouched` are items that one library's filter
    does; `farewell` tells that it is not about Stash's values.
    """

    leased: Leased
    writes: list[Write] = field(default_factory=list)
    error: Exception | None = None
    problem: StashplexError | None = None
    is_lost: bool = False
    refused: str = ""
    untouched: frozenset[RatingKey] = frozenset()
    farewell: FarewellPlan | None = None

    @property
    def is_written(self) -> bool:
        """Something was sent for this entry."""
        return any(write.is_written for write in self.writes)


def work_of(leased: Leased, planned: Planned) -> Work:
    """Return what is to be done for one entry."""
    match planned:
        case Failed(error):
            return Work(leased, error=error)
        case SceneGone():
            return Work(leased)
        case FarewellPlan(items):
            return Work(leased, [Write(item, None) for item in items], farewell=planned)
        case ScenePlan(scene, items, problem, refused, untouched):
            writes = [Write(item, scene.cover_url) for item in items]
            return Work(leased, writes, problem=problem, refused=refused, untouched=untouched)


def judge(work: Work, read: Mapping[RatingKey, Item]) -> Exception | None:
    """Compare what was written with a read-back; return what is wrong, None when everything was taken.

    An edit in doubt is judged by what Plex shows, and held, not failed, where it shows nothing of it.
    """
    for write in work.writes:
        if not write.is_written:
            continue
        item = read.get(write.planned.item.rating_key)
        if item is None:
            return PlexNotFound(
                f"Item {write.planned.item.rating_key} went away while it was written.",
                hint="Nothing to do: it is looked up again with the next try.",
            )
        if write.poster is not None:
            write.poster = replace(write.poster, plex_thumb=item.thumb)
        write.missing = not_taken(write.planned.plan, item)
        if write.missing:
            return write.doubt or WriteNotTaken(
                f"Plex accepted the edit of item {item.rating_key} but shows other values: {', '.join(write.missing)}.",
                fields=write.missing,
                is_partial=len(write.missing) < len(write.planned.plan.changes),
                hint="If this stays, look at the item in Plex and at Plex's log.",
            )
        write.is_verified = True
    return None


def outcome_for(work: Work, now: datetime, *, skips_not_found: bool) -> Outcome:
    """Return how the pass ended for one entry. A file that Plex lacks is no fault where that is deliberate."""
    if skips_not_found and isinstance(work.error, PlexNotFound) and not work.is_written:
        return Synced(is_written=False)
    error = work.error or work.problem
    if error is not None:
        return outcome_of(error, now)
    return Synced(is_written=work.is_written, refused=work.refused)


def links_after(work: Work) -> tuple[Link, ...] | None:
    """Return the links to remember; None leaves them as they are."""
    if not work.writes:
        return None
    if work.farewell is not None and work.farewell.lets_go:
        return None if work.error is not None else ()
    kept = (link for link in work.leased.links if link.rating_key in work.untouched)
    return (*(_link_after(write, is_in_step=work.error is None or write.is_verified) for write in work.writes), *kept)


def _link_after(write: Write, *, is_in_step: bool) -> Link:
    plan = write.planned.plan
    if is_in_step:
        return replace(write.link(intent=None), base=Base(plan.base, write.poster, seen=plan.seen))
    link = write.link(intent=write.planned.intent)
    if not write.missing:
        return link
    before = write.planned.base
    is_forced = before is not None and before.is_forced
    poster = write.poster if write.is_poster_written else write.known_poster
    return replace(link, base=Base(partial_base(plan, write.missing, before), poster, is_forced))


def journal_of(work: Work, outcome: Outcome, now: datetime) -> tuple[JournalRow, ...]:
    """Return what people can read later; a pass that changed nothing leaves no row."""
    rows = [row for write in work.writes for row in _written_rows(write, now)]
    match outcome:
        case Synced(is_written, _):
            if work.farewell is not None:
                detail = "; ".join(work.farewell.refused) or None
                is_told = is_written or work.farewell.is_wish
                return (*rows, JournalRow(now, work.farewell.event, detail=detail)) if is_told else ()
            return (*rows, JournalRow(now, JournalEvent.ENTRY_SYNCED)) if is_written else ()
        case Hold(error_type, message, _):
            return (*rows, JournalRow(now, JournalEvent.ENTRY_HELD, detail=f"{error_type}: {message}"))
        case Retry(error_type, message, is_partial):
            event = JournalEvent.ENTRY_PARTLY_SYNCED if is_partial else JournalEvent.ENTRY_RETRIED
            return (*rows, JournalRow(now, event, detail=f"{error_type}: {message}"))
        case Dead(error_type, message):
            return (*rows, JournalRow(now, JournalEvent.ENTRY_BURIED, detail=f"{error_type}: {message}"))


def _written_rows(write: Write, now: datetime) -> list[JournalRow]:
    """Return one row for each field that a read-back showed as written."""
    key = write.planned.item.rating_key
    rows: list[JournalRow] = []
    if not write.is_verified and not write.missing:
        return rows
    for change in write.planned.plan.changes:
        if change.field.value in write.missing:
            continue
        match change:
            case TextChange(name, old, new):
                rows.append(JournalRow(now, JournalEvent.FIELD_WRITTEN, key, name.value, old, new))
            case TagChange(tag_name, before, after, _):
                old, new = TAG_SEPARATOR.join(before), TAG_SEPARATOR.join(after)
                rows.append(JournalRow(now, JournalEvent.FIELD_WRITTEN, key, tag_name.value, old, new))
    if write.is_poster_written and write.poster is not None:
        rows.append(JournalRow(now, JournalEvent.POSTER_UPLOADED, key, THUMB, None, write.poster.sha1))
    return rows
