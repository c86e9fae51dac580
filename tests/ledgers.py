"""Short words for the moves of the ledger: a test says what it is about and nothing else."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from builders import NOW
from stashplex.domain.entry import Entry, PlexId, State, Transition
from stashplex.domain.scene import SceneId
from stashplex.store.ledger import Leased, Ledger, Settlement

LEASE = timedelta(minutes=2)
TOKEN = "t"

SYNCED = Transition(State.SYNCED, None, 0, None, None, None)
DEAD = Transition(State.DEAD, None, 0, "MatchAmbiguous", "two fit", NOW)


def retry(due_at: datetime, retry_count: int = 1, error_type: str = "PlexNotFound") -> Transition:
    return Transition(State.PENDING, due_at, retry_count, error_type, "not there yet", NOW)


def mark(ledger: Ledger, plex_id: PlexId, *scenes: int, now: datetime = NOW, **how: Any) -> int:
    return ledger.mark(plex_id, map(SceneId, scenes), now=now, **how)


def lease(
    ledger: Ledger, plex_id: PlexId, token: str = TOKEN, *, now: datetime = NOW, limit: int = 100
) -> tuple[Leased, ...]:
    return ledger.lease(plex_id, owner="me", token=token, limit=limit, now=now, until=now + LEASE)


def rescue(ledger: Ledger, plex_id: PlexId, token: str = TOKEN, *, now: datetime = NOW) -> tuple[Leased, ...]:
    """Return the one entry that is handed out alone, or nothing."""
    leased = ledger.rescue(plex_id, owner="me", token=token, now=now, until=now + LEASE)
    return () if leased is None else (leased,)


def rescue_all(ledger: Ledger, plex_id: PlexId, *, now: datetime = NOW) -> tuple[Leased, ...]:
    """Hand out all entries whose lease ran out, each alone."""
    found: list[Leased] = []
    while one := rescue(ledger, plex_id, f"rescue {len(found)}", now=now):
        found += one
    return tuple(found)


def settle(
    ledger: Ledger,
    leased: Iterable[Leased],
    transition: Transition = SYNCED,
    *,
    token: str = TOKEN,
    now: datetime = NOW,
    **rest: Any,
) -> int:
    settlements = [Settlement(one.entry.id, one.entry.generation, transition, **rest) for one in leased]
    return ledger.settle(token, settlements, now)


def scenes_of(leased: Iterable[Leased]) -> list[int]:
    return [int(one.entry.scene_id) for one in leased]


def get_entry(ledger: Ledger, plex_id: PlexId, scene: int = 42) -> Entry:
    entry = ledger.find(plex_id, SceneId(scene))
    assert entry is not None
    return entry
