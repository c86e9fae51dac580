"""What of the journal is kept: for each entry its newest rows, and nothing that is very old.

Run by `engine.upkeep`, step by step: a read looks at a range of entries, a write removes at most `STEP` rows, so that
nobody else waits for long. Invariant: the newest `rows_kept` rows of an entry stay unless they are too old.
"""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import bindparam, delete, func, select

from stashplex.store.batch import Batch
from stashplex.store.database import Database
from stashplex.store.schema import journal, to_micros

STEP = 2_000
"""Rows removed in one transaction: some 20 ms."""

ENTRIES = 500
"""Entries looked at in one read."""

_LAST_ENTRY = select(func.max(journal.c.entry_id))
_RANKED = (
    select(
        journal.c.id,
        func.row_number().over(partition_by=journal.c.entry_id, order_by=journal.c.id.desc()).label("rank"),
    )
    .where(journal.c.entry_id > bindparam("after_id"), journal.c.entry_id <= bindparam("last_id"))
    .subquery()
)
_TOO_MANY = select(_RANKED.c.id).where(_RANKED.c.rank > bindparam("rows_kept"))
_OLDEST = select(journal.c.id, journal.c.at).order_by(journal.c.id).limit(STEP)
_REMOVE = Batch(delete(journal).where(journal.c.id == bindparam("row_id")))


class Retention:
    """Trims the journal. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def trim(self, rows_kept: int) -> Iterator[int]:
        """Remove all but the newest rows of each entry; yield after each step how many rows went."""
        with self._database.read() as connection:
            last_id = connection.execute(_LAST_ENTRY).scalar_one() or 0
        for after_id in range(0, last_id, ENTRIES):
            question = {"after_id": after_id, "last_id": after_id + ENTRIES, "rows_kept": rows_kept}
            with self._database.read() as connection:
                found = list(connection.execute(_TOO_MANY, question).scalars())
            if not found:
                yield 0
            for start in range(0, len(found), STEP):
                yield self._remove(found[start : start + STEP])

    def forget(self, before: datetime) -> Iterator[int]:
        """Remove what happened before a time, oldest first; yield after each step how many rows went."""
        before_micros = to_micros(before)
        is_over = False
        while not is_over:
            with self._database.read() as connection:
                rows = connection.execute(_OLDEST).all()
            old = [row_id for row_id, at in rows if at < before_micros]
            is_over = len(old) < STEP
            yield self._remove(old) if old else 0

    def _remove(self, row_ids: list[int]) -> int:
        with self._database.write() as connection:
            _REMOVE.execute(connection, ({"row_id": row_id} for row_id in row_ids))
        return len(row_ids)
