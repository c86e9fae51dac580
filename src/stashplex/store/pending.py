"""Forgets what waits to be worked on, when a person says so.

An entry that was never written disappears; one that was is left as it is in Plex, settled, until something marks it
again. What is being worked on is not touched. Each step is one short transaction.
"""

from sqlalchemy import bindparam, delete, exists, literal_column, null, select, update

from stashplex.domain.entry import PlexId
from stashplex.store.database import Database
from stashplex.store.schema import entry, link

STEP = 1_000

_IS_PENDING = entry.c.state == literal_column("'pending'")
_WAITING = (
    select(entry.c.id, exists().where(link.c.entry_id == entry.c.id))
    .where(entry.c.plex_id == bindparam("of_plex"), entry.c.due_at.is_not(None), _IS_PENDING)
    .limit(STEP)
)
_IS_CHOSEN = entry.c.id.in_(bindparam("ids", expanding=True))
_REMOVE = delete(entry).where(_IS_CHOSEN, _IS_PENDING)
_SETTLE = (
    update(entry)
    .where(_IS_CHOSEN, _IS_PENDING)
    .values(
        state=literal_column("'synced'"),
        due_at=null(),
        settled_generation=entry.c.generation,
        retry_count=literal_column("0"),
        last_error_type=null(),
        last_error=null(),
        first_failed_at=null(),
        last_failed_at=null(),
    )
)


class Pending:
    """Forgets. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def forget(self, plex_id: PlexId) -> int:
        """Forget some of what waits for one server, at most `STEP` entries; return how many, 0 when none is left."""
        with self._database.write() as connection:
            rows = connection.execute(_WAITING, {"of_plex": plex_id}).all()
            known = [number for number, is_linked in rows if is_linked]
            unknown = [number for number, is_linked in rows if not is_linked]
            for statement, ids in ((_SETTLE, known), (_REMOVE, unknown)):
                if ids:
                    connection.execute(statement, {"ids": ids})
        return len(rows)
