"""A drawn life of a store: marks, leases, settlements, events, breakers, restarts; and what it was after each step.

Each step is at most one transaction, acknowledged when it returns. `dump` is the whole ledger as a value: a restart
must find that of the last acknowledged step, or of the step that was under way.
"""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
from typing_extensions import override

from builders import NOW, a_link
from ledgers import DEAD, LEASE, SYNCED, retry
from stashplex.base.clock import SystemClock
from stashplex.domain.breaker import Breaker, BreakerState, Cause
from stashplex.domain.entry import PlexId, Priority
from stashplex.domain.journal import JournalEvent, JournalRow
from stashplex.domain.scene import SceneId
from stashplex.engine.spooling import Spooling
from stashplex.store import spool
from stashplex.store.breakers import Breakers
from stashplex.store.database import Database
from stashplex.store.ledger import Leased, Ledger, Settlement

Dump = tuple[tuple[object, ...], ...]
Step = Callable[[], object]

FIRST_EVENT = 100_000
"""Scenes from here on come through the spool, each once."""

_TABLES = ("plex", "entry", "link", "journal", "breaker", "outage")
_ROW = JournalRow(NOW, JournalEvent.FIELD_WRITTEN, None, "title", "an old title", "a new title " * 20)


class _StillClock(SystemClock):
    """A clock that stands."""

    @override
    def now(self) -> datetime:
        return NOW


def dump(database: Database) -> Dump:
    """Return every row that matters."""
    with database.read() as connection:
        return tuple(
            (table, *row)
            for table in _TABLES
            for row in connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY 1").all()  # noqa: S608 - constants
        )


class Life:
    """One life of the store below a folder. `database` is None before the first start and while it is closed."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.path = root / "data" / "stashplex.db"
        self.spool = root / "data" / "spool"
        self.database: Database | None = None
        self.events: list[int] = []
        self._chance = chance
        self._batches: dict[str, tuple[Leased, ...]] = {}
        self._tokens = 0

    def steps(self, count: int) -> Iterator[Step]:
        """Yield the first start, the Plex server's first mention, then drawn steps."""
        yield self._open
        yield self._meet
        moves: list[Step] = [
            self._mark,
            self._mark,
            self._lease,
            self._lease,
            self._settle,
            self._settle,
            self._release,
            self._append,
            self._append,
            self._fold,
            self._fail,
            self._restart,
        ]
        for _ in range(count):
            yield self._chance.choice(moves)

    def close(self) -> None:
        database, self.database = self.database, None
        if database is not None:
            database.close()

    @property
    def _store(self) -> Database:
        """The open store: opened again when a start had failed."""
        if self.database is None:
            self._open()
        assert self.database is not None
        return self.database

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self._store)

    def _open(self) -> None:
        self.database = Database.open(self.path)

    def _restart(self) -> None:
        self.close()
        self._open()

    def _meet(self) -> None:
        self._ledger.plex_id("0123abcd", "living room")

    def _mark(self) -> None:
        scenes = [SceneId(self._chance.randrange(40)) for _ in range(self._chance.randint(1, 25))]
        self._ledger.mark(PlexId(1), scenes, now=NOW, priority=self._chance.choice(list(Priority)))

    def _lease(self) -> None:
        self._tokens += 1
        token, limit = f"token {self._tokens}", self._chance.randint(1, 10)
        self._batches[token] = self._ledger.lease(
            PlexId(1), owner="me", token=token, limit=limit, now=NOW, until=NOW + LEASE
        )

    def _settle(self) -> None:
        if self._batches:
            token = self._chance.choice(sorted(self._batches))
            settlements = [self._settlement(one) for one in self._batches.pop(token)]
            self._ledger.settle(token, settlements, NOW)

    def _settlement(self, one: Leased) -> Settlement:
        transition = self._chance.choice((SYNCED, SYNCED, retry(NOW), DEAD))
        return Settlement(one.entry.id, one.entry.generation, transition, (a_link(),), (_ROW,) * 3)

    def _release(self) -> None:
        if self._batches:
            token = self._chance.choice(sorted(self._batches))
            self._batches.pop(token)
            self._ledger.release(token, NOW)

    def _append(self) -> None:
        scene = FIRST_EVENT + len(self.events)
        spool.append(
            self.spool,
            b'{"type": "Scene.Update.Post", "id": %d}' % scene,
            now=NOW + timedelta(seconds=len(self.events)),
        )
        self.events.append(scene)

    def _fold(self) -> None:
        anyio.run(Spooling(self.spool, self._ledger, PlexId(1), _StillClock()).fold)

    def _fail(self) -> None:
        breaker = self._chance.choice(
            (Breaker(closed_at=NOW), Breaker(BreakerState.OPEN, opened_at=NOW, retry_at=NOW, cause=Cause.DOWN))
        )
        Breakers(self._store).change("plex", NOW, partial(_replaced, breaker))


def _replaced(by: Breaker, _before: Breaker) -> Breaker:
    return by
