"""The durable row: one scene on one Plex server, and the only function that moves it from state to state.

The store applies what this module decides, in one transaction; nothing else changes an entry's state.
"""

import random
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NewType

from stashplex.domain.filtering import FILTERED
from stashplex.domain.outcome import HELD, Dead, Hold, Outcome, Retry, Synced
from stashplex.domain.retry import DEFAULT_RULES, NOT_FOUND_TYPE, RetryRule, RetryRules, rule_for
from stashplex.domain.scene import SceneId

EntryId = NewType("EntryId", int)
PlexId = NewType("PlexId", int)

LEASE_EXPIRED = "LeaseExpired"
"""The error type of an entry whose lease ran out: whoever held it died or hung."""


class State(StrEnum):
    """Where an entry stands (architecture, the state diagram)."""

    PENDING = "pending"
    LEASED = "leased"
    SYNCED = "synced"
    DEAD = "dead"


class Priority(IntEnum):
    """Lower is sooner."""

    INTERACTIVE = 0
    BULK = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger.

    Shape: `due_at` is the first run, the `next_retry_at` or the lease's expiry, None when nothing is due;
    `settled_generation` ≤ `generation`; `first_failed_at`, `last_failed_at`, `last_error_type` and `last_error` are set
    together; the `last_failed_at` of a dead letter is the time of its death.
    Units: times are aware UTC.
    """

    id: EntryId
    scene_id: SceneId
    plex_id: PlexId
    state: State
    priority: int
    generation: int
    settled_generation: int
    due_at: datetime | None
    retry_count: int
    last_error_type: str | None
    last_error: str | None
    first_failed_at: datetime | None
    last_failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """What a settle writes into the row. `state` is PENDING, SYNCED or DEAD."""

    state: State
    due_at: datetime | None
    retry_count: int
    last_error_type: str | None
    last_error: str | None
    first_failed_at: datetime | None
    last_failed_at: datetime | None = None


def settled(entry: Entry, outcome: Outcome, rule: RetryRule, now: datetime, chance: random.Random) -> Transition:
    """Return where an entry goes after a pass that ended with `outcome`.

    `entry` is the row as it was leased; the try was spent at lease, so `entry.retry_count` counts finished failures.
    A mark that arrived meanwhile is the store's business: it leaves a newer generation pending.
    """
    match outcome:
        case Synced(refused=""):
            return Transition(State.SYNCED, None, 0, None, None, None)
        case Synced(refused=reason):
            return Transition(State.SYNCED, None, 0, FILTERED, reason, now)
        case Hold(error_type, message, until):
            return Transition(
                State.PENDING, until, entry.retry_count, error_type, message, entry.first_failed_at or now, now
            )
        case Retry(error_type, message, _):
            count = _spent(entry, error_type) + 1
            first = entry.first_failed_at or now
            if count > rule.limit:
                return Transition(State.DEAD, None, count - 1, error_type, message, first, now)
            due_at = now + rule.delay(count, chance)
            return Transition(State.PENDING, due_at, count, error_type, message, first, now)
        case Dead(error_type, message):
            first = entry.first_failed_at or now
            return Transition(State.DEAD, None, entry.retry_count, error_type, message, first, now)


def _spent(entry: Entry, error_type: str) -> int:
    """Return the retries that count against an error: those spent on waiting for a file that is there now do not."""
    is_found = entry.last_error_type == NOT_FOUND_TYPE != error_type
    return 0 if is_found else entry.retry_count


def expired(entry: Entry, now: datetime, rules: RetryRules = DEFAULT_RULES, *, was_alone: bool = True) -> Transition:
    """Return where an entry goes whose lease ran out: an attempt is spent; DEAD beyond the limit of its last error.

    One that was not alone in its lease is never DEAD of it: it may be a neighbour that killed the process.
    The last error of an entry that goes on is kept, so that its own rule goes on counting; PENDING is due at `now`.
    What was counted before a server failed is not told apart any more: then the larger limit holds.
    """
    message = "The lease ran out: the program was killed or hung while it worked on this scene."
    first = entry.first_failed_at or now
    limit = rule_for(entry.last_error_type, rules).limit
    if entry.last_error_type in HELD:
        limit = max(rules.ordinary.limit, rules.not_found.limit)
    is_spent = entry.retry_count >= limit
    if is_spent and was_alone:
        return Transition(State.DEAD, None, entry.retry_count, LEASE_EXPIRED, message, first, now)
    kept = (LEASE_EXPIRED, message) if entry.last_error_type is None else (entry.last_error_type, entry.last_error)
    return Transition(State.PENDING, now, entry.retry_count + (not is_spent), *kept, first, now)
