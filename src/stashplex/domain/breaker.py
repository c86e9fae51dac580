"""The circuit breaker of one server: a value, and what failures, successes and probes make of it.

Pure: the store keeps it, the gate asks it, time and chance are arguments. What happened to items (not found, ambiguous,
rejected) never reaches it. The invariant: while it is not closed nothing may be sent but one probe, and a probe that
never returns gives way to another when its time is over.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class BreakerState(StrEnum):
    """Closed: work flows. Open: nothing is sent. Half open: one probe is under way."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Cause(StrEnum):
    """Why a server cannot be used, as people are told."""

    DOWN = "down"
    FAILING = "failing"
    SLOW = "slow"
    MAINTENANCE = "maintenance"
    UNAUTHORISED = "unauthorised"
    LIBRARY_MISSING = "library_missing"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure of a server. `reason` is a sentence for people, without secrets."""

    cause: Cause
    reason: str


AT_ONCE = frozenset({Cause.MAINTENANCE, Cause.UNAUTHORISED, Cause.LIBRARY_MISSING})
"""What one answer proves; the others need `failure_threshold` failures in a row."""

PATIENT = frozenset({Cause.DOWN, Cause.SLOW, Cause.UNAUTHORISED, Cause.LIBRARY_MISSING})
"""Where asking again and again helps nobody: the wait between probes grows. A server in maintenance, or the proxy
before one that starts, answers cheaply and is back within minutes."""


UNHURT = frozenset({Cause.UNAUTHORISED, Cause.LIBRARY_MISSING})
"""What a person mends in the settings: the server was up all the while, and needs no gentle start."""


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """The numbers. Units: seconds. Source: issue "Reliability"."""

    failure_threshold: int = 5
    recovery_timeout_s: float = 60.0
    longest_timeout_s: float = 600.0
    answering_timeout_s: float = 30.0
    success_threshold: int = 1
    probe_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """One server's breaker.

    Shape: `failures` counts failures in a row while closed, `successes` those of probes while half open, `probes` the
    failed probes since it opened; `retry_at` is when the next probe may start, or when the present one gives way;
    `opened_at`, `retry_at` and `cause` are set unless it is closed; `closed_at` is when it last closed after an outage
    that calls for a gentle start.
    Units: times are aware UTC.
    """

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    successes: int = 0
    probes: int = 0
    opened_at: datetime | None = None
    retry_at: datetime | None = None
    closed_at: datetime | None = None
    cause: Cause | None = None
    reason: str = ""
    probe_token: str | None = None

    @property
    def is_closed(self) -> bool:
        """Ordinary requests may be sent."""
        return self.state is BreakerState.CLOSED

    def may_probe(self, now: datetime, rules: BreakerRules) -> bool:
        """Tell whether a probe may start: none is under way, or the one under way never came back.

        A `retry_at` further away than the longest wait is the work of a clock that jumped, and does not count.
        """
        if self.is_closed or self.retry_at is None:
            return False
        longest = timedelta(seconds=max(rules.longest_timeout_s, rules.recovery_timeout_s, rules.probe_s))
        return self.retry_at <= now or self.retry_at > now + longest

    def probing(self, now: datetime, token: str, rules: BreakerRules) -> "Breaker":
        """Return the breaker with a probe under way. Ask `may_probe` first."""
        retry_at = now + timedelta(seconds=rules.probe_s)
        return replace(self, state=BreakerState.HALF_OPEN, probe_token=token, retry_at=retry_at)

    def succeeded(self, now: datetime, rules: BreakerRules, token: str | None = None) -> "Breaker":
        """Return the breaker after an answer. Shape: `token` is the probe's, None for an ordinary request.

        While it is not closed, only the probe under way can close it.
        """
        if self.is_closed:
            return self if not self.failures else replace(self, failures=0, cause=None, reason="")
        if self.state is not BreakerState.HALF_OPEN or token is None or token != self.probe_token:
            return self
        if self.successes + 1 >= rules.success_threshold:
            return self._closed(now)
        return replace(self, state=BreakerState.OPEN, successes=self.successes + 1, probe_token=None, retry_at=now)

    def failed(
        self,
        failure: Failure,
        now: datetime,
        rules: BreakerRules,
        chance: random.Random,
        *,
        token: str | None = None,
    ) -> "Breaker":
        """Return the breaker after a server's failure. An ordinary request's failure moves a closed breaker only."""
        cause, reason = failure.cause, failure.reason
        match self.state:
            case BreakerState.CLOSED:
                failures = self.failures + 1
                if cause not in AT_ONCE and failures < rules.failure_threshold:
                    return replace(self, failures=failures, cause=cause, reason=reason)
                return Breaker(
                    state=BreakerState.OPEN,
                    failures=failures,
                    opened_at=now,
                    retry_at=now + timedelta(seconds=rules.recovery_timeout_s),
                    cause=cause,
                    reason=reason,
                )
            case BreakerState.HALF_OPEN if token is not None and token == self.probe_token:
                wait_s = _wait_s(self.probes + 1, rules, cause, chance)
                return replace(
                    self,
                    state=BreakerState.OPEN,
                    successes=0,
                    probes=self.probes + 1,
                    retry_at=now + timedelta(seconds=wait_s),
                    cause=cause,
                    reason=reason,
                    probe_token=None,
                )
            case BreakerState.OPEN | BreakerState.HALF_OPEN:
                return self

    def woken(self, now: datetime) -> "Breaker":
        """Return the breaker with its next probe due now: something hints that the server is back."""
        return replace(self, retry_at=now) if self.state is BreakerState.OPEN else self

    def reset(self, now: datetime) -> "Breaker":
        """Return a closed breaker: a person says that the server is fine."""
        return Breaker(closed_at=self.closed_at) if self.is_closed else self._closed(now)

    def _closed(self, now: datetime) -> "Breaker":
        return Breaker(closed_at=None if self.cause in UNHURT else now)


def _wait_s(probes: int, rules: BreakerRules, cause: Cause, chance: random.Random) -> float:
    """Return the wait after failed probe number `probes` (from 1), with full jitter above a floor of a tenth."""
    if cause in PATIENT:
        ceiling_s = min(rules.longest_timeout_s, rules.recovery_timeout_s * 2.0 ** min(probes, 30))
    else:
        ceiling_s = min(rules.recovery_timeout_s, rules.answering_timeout_s)
    return chance.uniform(ceiling_s / 10, ceiling_s)
