"""The states that a large run must have reached: a simulation that never meets them proves nothing about them.

The names are those that the checkers count (`Account.reach`). Printed as a table by `python -m simulation`.
"""

from collections import Counter
from collections.abc import Iterable

from simulation.weather import Trouble

MUST_REACH = (
    *(f"trouble: {trouble}" for trouble in Trouble),
    "killed before a request",
    "killed after an answer",
    "killed before a commit",
    "killed after a commit",
    "killed at a random time",
    "killed while a write was under way",
    "killed while it held the probe",
    "killed while a breaker was open",
    "killed while a breaker was half_open",
    "killed by a poison entry",
    "a write took effect after its sender had died",
    "stopped",
    "stopped while it held leases",
    "paused while it held leases",
    "frozen by an answer to a read",
    "frozen by an answer to a write",
    "settled after the lease's time, still the holder",
    "lease ran out and was taken over",
    "lease lost while writing",
    "marked during its lease",
    "a clock jump",
    "a clock jump during a lease",
    "breaker: closed -> open",
    "breaker: open -> half_open",
    "breaker: half_open -> open",
    "breaker: half_open -> closed",
    "breaker: half_open -> half_open",
    "outage: down",
    "outage: slow",
    "outage: failing",
    "outage: maintenance",
    "outage: unauthorised",
    "another process's probe closed the breaker",
    "rating keys changed",
    "rating keys stand for other files",
    "a lost file came back",
    "a waiting scene's file appeared",
    "dead of not found, revived by its file",
    "dead, then in step",
    "dead: MatchAmbiguous",
    "dead: PlexNotFound",
    "dead: ProtocolError",
    "dead, retried by a person: LeaseExpired",
    "a repair by read-back, explained",
    "quiet, nothing to do",
    "quiet, waiting for files",
    "journal: entry_partly_synced",
    "journal: entry_held",
    "journal: entry_retried",
    "journal: entry_buried",
    "journal: poster_uploaded",
)
FEW = 500
"""So many seeds reach all of them, or something is wrong."""


def missed(reached: Iterable[str]) -> list[str]:
    """Return the states that were not reached."""
    return sorted(set(MUST_REACH) - set(reached))


def table(reached: Counter[str]) -> str:
    """Return how many seeds reached each state."""
    lines = [f"{count:6}  {state}" for state, count in sorted(reached.items())]
    return "\n".join([*lines, *(f"     0  {state}" for state in missed(reached))])
