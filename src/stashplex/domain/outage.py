"""The history of a server's outages, and the three figures that people know: MTTR, MTBF, availability.

Pure sums over rows that the store keeps, so they are right across any number of restarts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stashplex.domain.breaker import Cause


@dataclass(frozen=True, slots=True)
class Outage:
    """One outage. Shape: `ended_at` None while it lasts; `entries` waited for it when it ended."""

    server: str
    started_at: datetime
    ended_at: datetime | None
    cause: Cause
    reason: str
    entries: int


@dataclass(frozen=True, slots=True)
class Availability:
    """Figures over a period. Units: seconds; None where nothing can be said. `share` is from 0 to 1."""

    outages: int
    mttr_s: float | None
    mtbf_s: float | None
    share: float


def availability(outages: Sequence[Outage], since: datetime, now: datetime) -> Availability:
    """Return the figures of one server from `since` to `now`.

    Mean time to repair counts finished outages; mean time between failures is the time up divided by the outages.
    """
    period_s = max((now - since).total_seconds(), 0.0)
    inside = [outage for outage in outages if (outage.ended_at or now) > since and outage.started_at < now]
    down_s = sum((_clipped(outage, since, now) for outage in inside), timedelta()).total_seconds()
    repaired = [outage for outage in inside if outage.ended_at is not None]
    repair_s = [(outage.ended_at - outage.started_at).total_seconds() for outage in repaired if outage.ended_at]
    return Availability(
        outages=len(inside),
        mttr_s=sum(repair_s) / len(repair_s) if repair_s else None,
        mtbf_s=(period_s - down_s) / len(inside) if inside else None,
        share=1.0 - down_s / period_s if period_s else 1.0,
    )


def _clipped(outage: Outage, since: datetime, now: datetime) -> timedelta:
    return max(min(outage.ended_at or now, now) - max(outage.started_at, since), timedelta())
