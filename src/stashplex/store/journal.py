"""The history of entries: append-only, written in the transaction that settles them.

It never decides anything: rows are for people, who may ask for what they tell to be undone.
Invariant: a row is written with the change that it tells of, or neither is.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select

from stashplex.domain.entry import EntryId, PlexId
from stashplex.domain.item import RatingKey
from stashplex.domain.journal import DETAIL_CHARS, VALUE_CHARS, JournalEvent, JournalRow
from stashplex.domain.scene import SceneId
from stashplex.store.batch import Batch
from stashplex.store.database import Database
from stashplex.store.schema import entry, from_micros, journal, to_micros

_ADD = Batch(
    insert(journal).values(
        entry_id=bindparam("entry_id"),
        at=bindparam("at"),
        event=bindparam("event"),
        rating_key=bindparam("rating_key"),
        field=bindparam("field"),
        old=bindparam("old"),
        new=bindparam("new"),
        detail=bindparam("detail"),
    )
)
_OF_SCENE = (
    select(
        journal.c.at,
        journal.c.event,
        journal.c.rating_key,
        journal.c.field,
        journal.c.old,
        journal.c.new,
        journal.c.detail,
    )
    .where(
        journal.c.entry_id
        == select(entry.c.id)
        .where(entry.c.plex_id == bindparam("plex_id"), entry.c.scene_id == bindparam("scene_id"))
        .scalar_subquery()
    )
    .order_by(journal.c.id.desc())
    .limit(bindparam("limit"))
)
_WRITTEN_SINCE = (
    select(entry.c.scene_id)
    .join(journal, journal.c.entry_id == entry.c.id)
    .where(
        entry.c.plex_id == bindparam("plex_id"),
        journal.c.at >= bindparam("since"),
        journal.c.event == JournalEvent.FIELD_WRITTEN.value,
    )
    .distinct()
    .order_by(entry.c.scene_id)
)


class Journal:
    """Reads the history."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_for_scene(self, plex_id: PlexId, scene_id: SceneId, *, limit: int = 100) -> tuple[JournalRow, ...]:
        """Return what happened to a scene, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(_OF_SCENE, {"plex_id": plex_id, "scene_id": scene_id, "limit": limit}).all()
        return tuple(
            JournalRow(from_micros(at), JournalEvent(event), key and RatingKey(key), field, old, new, detail)
            for at, event, key, field, old, new, detail in rows
        )

    def scenes_written(self, plex_id: PlexId, since: datetime) -> tuple[SceneId, ...]:
        """Return the scenes of which a field was written since a time, by number."""
        with self._database.read() as connection:
            rows = connection.execute(_WRITTEN_SINCE, {"plex_id": plex_id, "since": to_micros(since)}).scalars()
            return tuple(map(SceneId, rows))


def append(connection: Connection, rows: Iterable[tuple[EntryId, JournalRow]]) -> None:
    """Write rows in the transaction of `connection`."""
    _ADD.execute(connection, (_parameters(entry_id, row) for entry_id, row in rows))


def _parameters(entry_id: EntryId, row: JournalRow) -> dict[str, object]:
    return {
        "entry_id": entry_id,
        "at": to_micros(row.at),
        "event": row.event.value,
        "rating_key": row.rating_key,
        "field": row.field,
        "old": _clipped(row.old, VALUE_CHARS),
        "new": _clipped(row.new, VALUE_CHARS),
        "detail": _clipped(row.detail, DETAIL_CHARS),
    }


def _clipped(text: str | None, most: int) -> str | None:
    return text if text is None or len(text) <= most else text[: most - 1] + "…"
