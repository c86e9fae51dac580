"""The breakers and outages of all servers: read, changed by a pure function in one transaction, listed for people.

`domain.breaker` decides, this module makes it durable and keeps the history: an outage begins when a breaker opens
and ends when it closes, in the same transaction. A row that says nothing sensible counts as open with a probe due: the
safe reading.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from stashplex.domain.breaker import Breaker, BreakerState, Cause
from stashplex.domain.outage import Outage
from stashplex.domain.outcome import HELD
from stashplex.store.database import Database
from stashplex.store.schema import breaker, entry, from_micros, outage, to_micros

_NAMES = tuple(column.name for column in breaker.c if column.name != "server")
_FIND = select(*(breaker.c[name] for name in _NAMES)).where(breaker.c.server == bindparam("of_server"))
_SAVED = upsert(breaker).values({name: bindparam(name) for name in ("server", *_NAMES)})
_SAVE = _SAVED.on_conflict_do_update(
    index_elements=[breaker.c.server], set_={name: _SAVED.excluded[name] for name in _NAMES}
)
_BEGIN = outage.insert()
_END = (
    update(outage)
    .where(outage.c.server == bindparam("of_server"), outage.c.ended_at.is_(None))
    .values(ended_at=bindparam("now"), entries=bindparam("waiting"))
)
_IS_HELD = entry.c.last_error_type.in_(sorted(HELD))
# What the outage kept waiting: the due ones and the held ones, not those that wait for a file or for their next try.
_WAITING = (
    select(func.count())
    .select_from(entry)
    .where(entry.c.due_at.is_not(None), or_(entry.c.due_at <= bindparam("now"), _IS_HELD))
)
_LIST = (
    select(outage)
    .where(or_(outage.c.ended_at.is_(None), outage.c.ended_at > bindparam("since")))
    .order_by(outage.c.started_at.desc(), outage.c.id.desc())
)
_FORGET = delete(outage).where(outage.c.ended_at < bindparam("before"))
_SERVERS = select(breaker.c.server).order_by(breaker.c.server)


class Breakers:
    """One durable breaker for each server. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, server: str, now: datetime) -> Breaker:
        """Return the breaker of a server; a server that was never heard of has a closed one."""
        with self._database.read() as connection:
            return _find(connection, server, now)

    def change(self, server: str, now: datetime, changed: Callable[[Breaker], Breaker]) -> Breaker:
        """Replace a breaker by what a pure function makes of it, with its outage; return the new one."""
        with self._database.write() as connection:
            before = _find(connection, server, now)
            after = changed(before)
            if after != before:
                connection.execute(_SAVE, {"server": server, **_columns(after)})
                _note_outage(connection, server, before, after, now)
        return after

    def list_servers(self) -> tuple[str, ...]:
        """Return the servers that have a breaker."""
        with self._database.read() as connection:
            return tuple(server for (server,) in connection.execute(_SERVERS))

    def list_outages(self, since: datetime) -> tuple[Outage, ...]:
        """Return the outages of which a part lies after `since`, newest first: all that figures over that time need."""
        with self._database.read() as connection:
            rows = connection.execute(_LIST, {"since": to_micros(since)}).all()
        return tuple(
            Outage(
                row.server,
                from_micros(row.started_at),
                None if row.ended_at is None else from_micros(row.ended_at),
                _cause(row.cause) or Cause.DOWN,
                row.reason,
                row.entries,
            )
            for row in rows
        )

    def forget_outages(self, before: datetime) -> int:
        """Forget the outages that ended before a time; return how many."""
        with self._database.write() as connection:
            return connection.execute(_FORGET, {"before": to_micros(before)}).rowcount


def _find(connection: Connection, server: str, now: datetime) -> Breaker:
    row = connection.execute(_FIND, {"of_server": server}).one_or_none()
    return Breaker() if row is None else _breaker(row, now)


def _breaker(row: Row[Any], now: datetime) -> Breaker:
    is_known = row.state in set(BreakerState)
    found = Breaker(
        state=BreakerState(row.state) if is_known else BreakerState.OPEN,
        failures=row.failures,
        successes=row.successes,
        probes=row.probes,
        opened_at=None if row.opened_at is None else from_micros(row.opened_at),
        retry_at=None if row.retry_at is None else from_micros(row.retry_at),
        closed_at=None if row.closed_at is None else from_micros(row.closed_at),
        cause=_cause(row.cause),
        reason=row.reason,
        probe_token=row.probe_token,
    )
    if found.is_closed or (is_known and found.retry_at is not None):
        return found
    return replace(found, state=BreakerState.OPEN, opened_at=found.opened_at or now, retry_at=now)


def _cause(name: str | None) -> Cause | None:
    return Cause(name) if name in set(Cause) else None


def _columns(one: Breaker) -> dict[str, object]:
    return {
        "state": one.state.value,
        "failures": one.failures,
        "successes": one.successes,
        "probes": one.probes,
        "opened_at": None if one.opened_at is None else to_micros(one.opened_at),
        "retry_at": None if one.retry_at is None else to_micros(one.retry_at),
        "closed_at": None if one.closed_at is None else to_micros(one.closed_at),
        "cause": one.cause.value if one.cause else None,
        "reason": one.reason,
        "probe_token": one.probe_token,
    }


def _note_outage(connection: Connection, server: str, before: Breaker, after: Breaker, now: datetime) -> None:
    if before.is_closed and not after.is_closed:
        row = {"server": server, "started_at": to_micros(now), "ended_at": None, "entries": 0}
        cause = (after.cause or Cause.DOWN).value
        connection.execute(_BEGIN, [{**row, "cause": cause, "reason": after.reason}])
    elif after.is_closed and not before.is_closed:
        waiting = connection.execute(_WAITING, {"now": to_micros(now)}).scalar_one()
        connection.execute(_END, {"of_server": server, "now": to_micros(now), "waiting": waiting})
