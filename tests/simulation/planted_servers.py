"""Faults to plant in what concerns the servers: breaker, probes, sleeping, the spool.

As `planted`, which holds those of the ledger, the pass and the merge.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import anyio.lowlevel

from simulation.planting import planted
from stashplex.base import wire
from stashplex.base.errors import ServerError
from stashplex.domain import breaker as breaker_rules
from stashplex.domain.breaker import Breaker, BreakerState, Cause
from stashplex.engine import gate, scheduler, spooling, wakeup
from stashplex.plex.client import PlexClient
from stashplex.store import spool
from stashplex.store.breakers import Breakers


@planted
def two_probes() -> Sequence[tuple[object, str, object]]:
    return [(Breaker, "may_probe", lambda self, *_: self.state is not BreakerState.CLOSED)]


@planted
def breaker_forgotten_at_restart() -> Sequence[tuple[object, str, object]]:
    real_get, real_change = Breakers.get, Breakers.change

    def get(self: Breakers, server: str, now: datetime) -> Breaker:
        return real_get(self, server, now) if (id(self), server) in _TOUCHED else Breaker()

    def change(self: Breakers, server: str, now: datetime, changed: Any) -> Breaker:
        if (id(self), server) not in _TOUCHED:
            _TOUCHED.add((id(self), server))
            return real_change(self, server, now, lambda _: changed(Breaker()))
        return real_change(self, server, now, changed)

    return [(Breakers, "get", get), (Breakers, "change", change)]


_TOUCHED: set[tuple[int, str]] = set()


@planted
def breaker_believed_for_ever() -> Sequence[tuple[object, str, object]]:
    return [(gate, "REMEMBERED_S", 1e9)]


@planted
def breaker_never_closes() -> Sequence[tuple[object, str, object]]:
    return [(Breaker, "succeeded", lambda self, *_: self)]


@planted
def breaker_not_asked() -> Sequence[tuple[object, str, object]]:
    return [(gate.Gate, "check", lambda _self: None)]


@planted
def not_found_opens_the_breaker() -> Sequence[tuple[object, str, object]]:
    """Items that are gone look like a server that is gone."""

    async def halved(self: PlexClient, _keys: object) -> Any:
        await anyio.lowlevel.checkpoint()
        raise self._peer.told(self._peer.not_there(404))

    return [(PlexClient, "_halved", halved)]


@planted
def refusal_ignored() -> Sequence[tuple[object, str, object]]:
    """A 401 is asked again and again."""
    real = gate.Gate.failed

    def failed(self: gate.Gate, error: ServerError) -> None:
        if gate.cause_of(error) is not Cause.UNAUTHORISED:
            real(self, error)

    return [(gate.Gate, "failed", failed)]


@planted
def maintenance_must_repeat() -> Sequence[tuple[object, str, object]]:
    return [(breaker_rules, "AT_ONCE", frozenset())]


# sleeping


@planted
def lost_wake_up() -> Sequence[tuple[object, str, object]]:
    return [(wakeup.Wakeup, "ring", lambda _self: None), (scheduler, "LONGEST_SLEEP_S", 1e9)]


@planted
def hot_loop() -> Sequence[tuple[object, str, object]]:
    async def wait(self: wakeup.Wakeup, timeout_s: float) -> None:
        await anyio.lowlevel.checkpoint()

    return [(wakeup.Wakeup, "wait", wait)]


@planted
def idle_polling() -> Sequence[tuple[object, str, object]]:
    return [(scheduler, "LONGEST_SLEEP_S", 1.0)]


@planted
def token_told() -> Sequence[tuple[object, str, object]]:
    """An answer that repeats our token is quoted as it is."""
    return [(wire.Peer, "scrubbed", lambda _self, text: text)]


@planted
def event_removed_before_its_mark() -> Sequence[tuple[object, str, object]]:
    real = spooling.Spooling._mark

    def mark(self: spooling.Spooling, batch: dict[Any, Any]) -> int:
        for path in batch:
            spool.discard(path)
        return real(self, batch)

    return [(spooling.Spooling, "_mark", mark)]
