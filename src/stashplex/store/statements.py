"""The statements of the ledger, built once at import, and the rows they speak in.

Used by `ledger` alone. Building a statement per call costs four to seven times its run.
Invariant: what asks for due entries asks per priority, so that each part is one seek in `ix_entry_due` and no
number of waiting entries stands in the way.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Row,
    ScalarSelect,
    Select,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    null,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from stashplex.domain.entry import Entry, EntryId, PlexId, Priority, State
from stashplex.domain.item import RatingKey, SectionKey
from stashplex.domain.link import Evidence, Link
from stashplex.domain.scene import SceneId
from stashplex.store.batch import Batch
from stashplex.store.schema import entry, from_micros, link, parse_base, parse_intent, plex

# Literals, not parameters: SQLite sees that a partial index applies, and a batch has no parameter that never changes.
_PENDING: ColumnElement[str] = literal_column("'pending'")
_LEASED: ColumnElement[str] = literal_column("'leased'")
_DEAD: ColumnElement[str] = literal_column("'dead'")

ENTRY = (
    entry.c.id,
    entry.c.scene_id,
    entry.c.plex_id,
    entry.c.state,
    entry.c.priority,
    entry.c.generation,
    entry.c.settled_generation,
    entry.c.due_at,
    entry.c.retry_count,
    entry.c.last_error_type,
    entry.c.last_error,
    entry.c.first_failed_at,
    entry.c.last_failed_at,
)
_IS_OF_PLEX = entry.c.plex_id == bindparam("plex_id")
_IS_DUE = entry.c.due_at <= bindparam("now")

FIND_PLEX = select(plex.c.id, plex.c.name).where(plex.c.machine_identifier == bindparam("machine_identifier"))
_NEW_PLEX = upsert(plex).values(machine_identifier=bindparam("machine_identifier"), name=bindparam("name"))
ADD_PLEX = _NEW_PLEX.on_conflict_do_update(
    index_elements=[plex.c.machine_identifier], set_={"name": _NEW_PLEX.excluded.name}
).returning(plex.c.id)


def _mark(where: ColumnElement[bool] | None = None) -> Batch:
    """Insert, or generation + 1 (architecture, the state diagram)."""
    statement = upsert(entry).values(
        plex_id=bindparam("plex_id"),
        scene_id=bindparam("scene_id"),
        state=_PENDING,
        priority=bindparam("priority"),
        generation=literal_column("1"),
        settled_generation=literal_column("0"),
        due_at=bindparam("due_at"),
        retry_count=literal_column("0"),
    )
    new = statement.excluded
    is_leased = entry.c.state == _LEASED
    is_done = entry.c.due_at.is_(None)
    is_urgent = new.priority == literal_column("0")
    merged = statement.on_conflict_do_update(
        index_elements=[entry.c.plex_id, entry.c.scene_id],
        set_={
            "generation": entry.c.generation + literal_column("1"),
            "state": case((is_leased, entry.c.state), else_=new.state),
            "priority": case((is_done, new.priority), else_=_lesser(entry.c.priority, new.priority)),
            "due_at": case(
                (is_done, new.due_at), (is_leased, entry.c.due_at), else_=_lesser(entry.c.due_at, new.due_at)
            ),
            # what somebody asks for during a lease starts afresh even if its holder is killed; not what a poll or full
            # sync marks again at each start, or an entry that kills each time would never be buried
            "retry_count": case((is_done | (is_leased & is_urgent), literal_column("0")), else_=entry.c.retry_count),
            "last_error_type": case((is_done, null()), else_=entry.c.last_error_type),
            "last_error": case((is_done, null()), else_=entry.c.last_error),
            "first_failed_at": case((is_done, null()), else_=entry.c.first_failed_at),
            "last_failed_at": case((is_done, null()), else_=entry.c.last_failed_at),
            "dismissed_at": null(),
        },
        where=where,
    )
    return Batch(merged)


def _lesser(left: ColumnElement[int], right: ColumnElement[int]) -> ColumnElement[int]:
    return case((left < right, left), else_=right)


MARK = _mark()
MARK_SPARING = _mark(entry.c.dismissed_at.is_(None))
MARK_AGAIN = _mark((entry.c.state != _DEAD) | (entry.c.last_failed_at < bindparam("changed_by")))

ADOPT = Batch(
    upsert(entry)
    .values(
        plex_id=bindparam("plex_id"),
        scene_id=bindparam("scene_id"),
        state=bindparam("new_state"),
        priority=bindparam("priority"),
        generation=literal_column("1"),
        settled_generation=bindparam("new_settled"),
        due_at=bindparam("new_due_at"),
        retry_count=bindparam("new_retry_count"),
        last_error_type=bindparam("new_error_type"),
        last_error=bindparam("new_error"),
        first_failed_at=bindparam("new_first_failed_at"),
        last_failed_at=bindparam("new_last_failed_at"),
    )
    .on_conflict_do_nothing(index_elements=[entry.c.plex_id, entry.c.scene_id])
)


def _due() -> Select[*tuple[Any, ...]]:
    parts = [
        select(*ENTRY)
        .where(_IS_OF_PLEX, entry.c.priority == priority.value, _IS_DUE, entry.c.state != _LEASED)
        .order_by(entry.c.due_at, entry.c.id)
        .limit(bindparam("limit"))
        .subquery()
        for priority in Priority
    ]
    found = union_all(*(select(part) for part in parts)).subquery()
    return select(found).order_by(found.c.priority, found.c.due_at, found.c.id).limit(bindparam("limit"))


DUE = _due()

# The sum keeps SQLite from walking all entries of the server: `ix_entry_lease` holds the few that are leased.
_IS_LEASED = entry.c.lease_token.is_not(None) & (entry.c.plex_id + literal_column("0") == bindparam("plex_id"))
EXPIRED = select(*ENTRY, entry.c.lease_token).where(_IS_LEASED, _IS_DUE).order_by(entry.c.due_at, entry.c.id).limit(1)

_MOVED: Mapping[str, object] = {
    "state": bindparam("new_state"),
    "due_at": bindparam("new_due_at"),
    "retry_count": bindparam("new_retry_count"),
    "last_error_type": bindparam("new_error_type"),
    "last_error": bindparam("new_error"),
    "first_failed_at": bindparam("new_first_failed_at"),
    "last_failed_at": bindparam("new_last_failed_at"),
}
_LEFT: Mapping[str, object] = {
    **_MOVED,
    "settled_generation": func.coalesce(bindparam("new_settled"), entry.c.settled_generation),
    "lease_token": null(),
    "lease_owner": null(),
}
_IS_ENTRY = entry.c.id == bindparam("entry_id")
_IS_OURS = entry.c.lease_token == bindparam("token")

LEASE = Batch(
    update(entry)
    .where(_IS_ENTRY)
    .values(**_MOVED, lease_token=bindparam("new_token"), lease_owner=bindparam("new_owner"))
)
BURY = Batch(update(entry).where(_IS_ENTRY).values(**_LEFT))
HELD = select(entry.c.id, entry.c.generation, entry.c.retry_count).where(_IS_OURS)
SETTLE = Batch(update(entry).where(_IS_ENTRY, _IS_OURS).values(**_LEFT))
RELEASE = (
    update(entry)
    .where(_IS_OURS)
    .values(state=State.PENDING.value, due_at=bindparam("now"), lease_token=None, lease_owner=None)
)

FORGET_LINKS = Batch(delete(link).where(link.c.entry_id == bindparam("of_entry")))
ADD_LINK = Batch(
    insert(link).values(
        entry_id=bindparam("entry_id"),
        rating_key=bindparam("rating_key"),
        section=bindparam("section"),
        evidence=bindparam("evidence"),
        file=bindparam("file"),
        base=bindparam("base"),
        intent=bindparam("intent"),
    )
)
_LINKS = select(
    link.c.entry_id,
    link.c.rating_key,
    link.c.section,
    link.c.evidence,
    link.c.file,
    link.c.base,
    link.c.intent,
).order_by(link.c.id)
LINKS_OF = _LINKS.where(link.c.entry_id == bindparam("entry_id"))
LINKS_LEASED = _LINKS.join_from(entry, link).where(_IS_OURS)
COUNT_LINKS = select(func.count()).select_from(link.join(entry)).where(_IS_OF_PLEX)


def _next_due_at() -> CompoundSelect[int]:
    """The earliest of each priority: `min` over all of them would read the whole index."""
    return union_all(
        *(
            select(func.min(entry.c.due_at)).where(
                _IS_OF_PLEX, entry.c.priority == priority.value, entry.c.due_at.is_not(None)
            )
            for priority in Priority
        )
    )


NEXT_DUE_AT = _next_due_at()


def _count(*conditions: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(entry).where(*conditions).scalar_subquery()


COUNTS = select(
    _count(_IS_OF_PLEX).label("all_entries"),
    _count(_IS_OF_PLEX, entry.c.due_at.is_not(None)).label("open_entries"),
    _count(_IS_OF_PLEX, _IS_DUE).label("due"),
    _count(_IS_LEASED).label("leased"),
    _count(_IS_LEASED, _IS_DUE).label("expired"),
    _count(_IS_OF_PLEX, entry.c.state == _DEAD).label("dead"),
    _count(_IS_OF_PLEX, entry.c.dismissed_at.is_not(None)).label("dismissed"),
)

FIND = select(*ENTRY).where(_IS_OF_PLEX, entry.c.scene_id == bindparam("scene_id"))
IDS = select(entry.c.scene_id, entry.c.id).where(
    _IS_OF_PLEX, entry.c.scene_id.in_(bindparam("scene_ids", expanding=True))
)
KNOWN = select(entry.c.scene_id).where(_IS_OF_PLEX, entry.c.scene_id.in_(bindparam("scene_ids", expanding=True)))

_PAGE = (
    select(*ENTRY).where(_IS_OF_PLEX, entry.c.id > bindparam("after_id")).order_by(entry.c.id).limit(bindparam("limit"))
)
PAGES: dict[State | None, Select[*tuple[Any, ...]]] = {
    None: _PAGE,
    **{state: _PAGE.where(entry.c.state == literal_column(f"'{state}'")) for state in State},
}


def entry_of(row: Sequence[Any], leased_until: datetime | None = None) -> Entry:
    """Return the entry in a row of `ENTRY`, or the same as it is once leased until a time."""
    identity, scene_id, plex_id, state, priority, generation, settled, due_at, count, kind, error, first, last = row
    return Entry(
        EntryId(identity),
        SceneId(scene_id),
        PlexId(plex_id),
        State.LEASED if leased_until else State(state),
        priority,
        generation,
        settled,
        leased_until or (None if due_at is None else from_micros(due_at)),
        count,
        kind,
        error,
        None if first is None else from_micros(first),
        None if last is None else from_micros(last),
    )


def link_of(row: Row[*tuple[Any, ...]]) -> Link:
    """Return the link in a row of `LINKS`."""
    _, rating_key, section, evidence, file, base, intent = row
    return Link(
        RatingKey(rating_key), SectionKey(section), Evidence(evidence), file, parse_base(base), parse_intent(intent)
    )
