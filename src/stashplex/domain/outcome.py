"""How a pass over one entry ended. `entry.settled` turns an outcome into the next state.

`outcome_of` is the one place that decides which error costs an attempt, which is free, and which needs
a person.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from stashplex.base import errors
from stashplex.base.errors import EntryError, EntryRejected, ServerError, StashplexError, WriteNotTaken

HOLD_S = 30.0
"""How long an entry rests after a server's failure when the server named no time."""

LONGEST_HOLD_S = 3_600.0
"""A server that asks for more gets this: whatever a proxy claims, we look again within the hour."""

HELD = frozenset(
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ServerError)
)
"""The error types of entries that wait for a server."""


@dataclass(frozen=True, slots=True)
class Synced:
    """Plex shows what it should. `is_written` tells whether anything had to be written.

    `refused` is why a filter leaves the scene alone, `""` when none does.
    """

    is_written: bool
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """This entry failed; another attempt may succeed. `is_partial` tells that a part of it reached Plex."""

    error_type: str
    message: str
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A server failed: costs nothing."""

    error_type: str
    message: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Dead:
    """A person is needed."""

    error_type: str
    message: str


Outcome = Synced | Retry | Hold | Dead


def outcome_of(error: Exception, now: datetime) -> Outcome:
    """Return the outcome of a pass that ended with an error. An unknown error is a bug: Retry, then Dead."""
    name = type(error).__name__
    match error:
        case ServerError(retry_after_s=wait_s):
            rest_s = HOLD_S if wait_s is None else min(max(wait_s, 0.0), LONGEST_HOLD_S)
            return Hold(name, _with_hint(error), now + timedelta(seconds=rest_s))
        case EntryRejected():
            return Dead(name, _with_hint(error))
        case WriteNotTaken(is_partial=is_partial):
            return Retry(name, _with_hint(error), is_partial)
        case EntryError():
            return Retry(name, _with_hint(error))
        case _:
            return Retry(name, str(error) or name)


def _with_hint(error: StashplexError) -> str:
    return f"{error} {error.hint}".strip()
