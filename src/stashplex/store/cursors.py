"""Small things to remember between two runs: how far somebody has looked, one text each.

Each method is one short transaction. What a text means is its owner's business.
"""

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert as upsert

from stashplex.store.database import Database
from stashplex.store.schema import cursor

_FIND = select(cursor.c.value).where(cursor.c.name == bindparam("of_name"))
_NEW = upsert(cursor).values(name=bindparam("of_name"), value=bindparam("new_value"))
_PUT = _NEW.on_conflict_do_update(index_elements=[cursor.c.name], set_={"value": _NEW.excluded.value})


class Cursors:
    """Remembers texts by name. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, name: str) -> str | None:
        """Return what was put under a name."""
        with self._database.read() as connection:
            return connection.execute(_FIND, {"of_name": name}).scalar_one_or_none()

    def put(self, name: str, value: str) -> None:
        """Remember a text under a name, durably."""
        with self._database.write() as connection:
            connection.execute(_PUT, {"of_name": name, "new_value": value})
