"""Makes waiting entries due: what was held for a server that is back; lists what waits for a file.

Not a mark: the generation stays, and so does the retry count. Each method is one short transaction.
"""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, case, select, update

from stashplex.domain.entry import PlexId, State
from stashplex.domain.outcome import HELD
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.schema import entry, to_micros

_LATER = (entry.c.state == State.PENDING.value, entry.c.due_at > bindparam("now"))
_WAKE_HELD = update(entry).where(*_LATER, entry.c.last_error_type.in_(sorted(HELD))).values(due_at=bindparam("now"))
_MISSING = (
    select(entry.c.scene_id)
    .where(
        entry.c.plex_id == bindparam("of_plex"),
        entry.c.state.in_((State.PENDING.value, State.DEAD.value)),
        entry.c.last_error_type == "PlexNotFound",
        entry.c.dismissed_at.is_(None),
        entry.c.scene_id > bindparam("after"),
    )
    .order_by(entry.c.scene_id)
    .limit(bindparam("limit"))
)
_MOVED = entry.c.due_at + bindparam("by")
_CLAMP = (
    update(entry)
    .where(entry.c.due_at > bindparam("latest"))
    .values(due_at=case((bindparam("latest") > _MOVED, _MOVED), else_=bindparam("latest")))
)


class Waking:
    """Wakes entries. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def wake_held(self, now: datetime) -> int:
        """Make everything due that waits for a server; return how many entries that were."""
        with self._database.write() as connection:
            return connection.execute(_WAKE_HELD, {"now": to_micros(now)}).rowcount

    def list_missing(self, plex_id: PlexId, *, after: SceneId, limit: int = 500) -> tuple[SceneId, ...]:
        """Return a page of the scenes, waiting or dead, whose file Plex did not have, by ascending number."""
        with self._database.read() as connection:
            rows = connection.execute(_MISSING, {"of_plex": plex_id, "after": after, "limit": limit})
            return tuple(SceneId(scene_id) for scene_id in rows.scalars())

    def clamp(self, now: datetime, longest: timedelta, *, set_by: timedelta = timedelta(0)) -> int:
        """Bring due times back that are further away than any wait: the clock was set back, by a time if that is known.

        Shape: `set_by` is negative for a clock set back; what was due then is due as long from now as before.
        """
        by = min(set_by, timedelta(0)) // timedelta(microseconds=1)
        with self._database.write() as connection:
            return connection.execute(_CLAMP, {"latest": to_micros(now + longest), "by": by}).rowcount

    def is_changed(self) -> bool:
        """Tell whether another process changed the store since this was asked last. Reads no entry."""
        return self._database.has_news()
