"""Who holds leases, and whether it still lives: each process that leases holds the lock on one of a few files.

The operating system drops the lock when a process ends, however it ends, so its leases are known to be orphans at
once; time is only the fallback (reliability.md, lessons). For processes on one host, like SQLite itself.
Invariants: a lease carries the name of a lock that its process holds; who takes over a name first lets the leases run
out that the name still has.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count

from sqlalchemy import bindparam, select, update

from stashplex.store.database import Database
from stashplex.store.presence import held, list_working, name_of
from stashplex.store.schema import entry, to_micros

_IS_LEASED = entry.c.lease_token.is_not(None)
_OWNERS = select(entry.c.lease_owner).where(_IS_LEASED).distinct()
_EXPIRE = (
    update(entry)
    .where(_IS_LEASED, entry.c.lease_owner == bindparam("owner"), entry.c.due_at > bindparam("now"))
    .values(due_at=bindparam("now"))
)


class Owners:
    """The processes that lease from one store. Every method raises StoreError when the store cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._own: str | None = None
        self._company: frozenset[str] = frozenset()

    @contextmanager
    def enrolled(self, now: datetime) -> Iterator[str]:
        """Give the name to lease under, alive until the block or the process ends. Shape: not nested."""
        for number in count(1):
            name = name_of(number)
            with held(self._database.path, name) as is_held:
                if is_held:
                    self._expire(name, now)
                    self._own = name
                    try:
                        yield name
                    finally:
                        self._own = None
                    return

    def expire_orphans(self, now: datetime) -> int:
        """Let the leases of dead processes run out now instead of later; return how many.

        What a run-out lease costs is decided where it is leased again (`domain.entry.expired`).
        """
        with self._database.read() as connection:
            owners = [str(name) for name in connection.execute(_OWNERS).scalars()]
        expired = 0
        for name in owners:
            if name != self._own:
                with held(self._database.path, name) as is_held:
                    expired += self._expire(name, now) if is_held else 0
        return expired

    def has_lost_company(self) -> bool:
        """Tell whether a process is gone that was there when this was asked last. Asks lock files, not the store."""
        before, self._company = self._company, frozenset(list_working(self._database.path))
        return bool(before - self._company)

    def _expire(self, name: str, now: datetime) -> int:
        with self._database.write() as connection:
            return connection.execute(_EXPIRE, {"owner": name, "now": to_micros(now)}).rowcount
