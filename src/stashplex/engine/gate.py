"""The gate before one server: what its circuit breaker lets pass, and where failures are counted.

Both clients ask it before each request and tell it how each ended, so every path obeys. The breaker itself is durable
and shared by all processes; the gate only remembers it for a second. The invariant: while the breaker is not closed,
nothing passes here; probes go around (`recovery`).
"""

import random

from typing_extensions import override

from stashplex.base.clock import Clock
from stashplex.base.errors import (
    Server,
    ServerBusy,
    ServerError,
    ServerHeld,
    ServerRefused,
    ServerUnreachable,
)
from stashplex.base.wire import Watch
from stashplex.domain.breaker import Breaker, BreakerRules, Cause, Failure
from stashplex.store.breakers import Breakers

REMEMBERED_S = 1.0
"""How old the remembered breaker may be; another process may have opened or closed it."""


class Gate(Watch):
    """The gate of one server. `key` names the server in the store."""

    def __init__(
        self,
        server: Server,
        key: str,
        breakers: Breakers,
        *,
        rules: BreakerRules,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self.server = server
        self.key = key
        self._breakers = breakers
        self._rules = rules
        self._clock = clock
        self._chance = chance
        self._breaker: Breaker | None = None
        self._read_at_s = 0.0

    @override
    def check(self) -> None:
        breaker = self.breaker()
        if not breaker.is_closed:
            raise self.held(breaker)

    def held(self, breaker: Breaker) -> ServerHeld:
        """Return the error for what must not be sent now."""
        wait_s = (breaker.retry_at - self._clock.now()).total_seconds() if breaker.retry_at else 0.0
        return ServerHeld(
            self.server,
            f"{self.server.value.capitalize()} is left alone, its circuit breaker is {breaker.state}: {breaker.reason}",
            hint="Nothing to do: it is probed, and work goes on when it is back.",
            retry_after_s=max(1.0, min(wait_s, self._rules.longest_timeout_s)),
        )

    @override
    def succeeded(self) -> None:
        if self.breaker().failures:
            now = self._clock.now()
            self._remember(self._breakers.change(self.key, now, lambda one: one.succeeded(now, self._rules)))

    @override
    def failed(self, error: ServerError) -> None:
        now = self._clock.now()
        failure = Failure(cause_of(error), str(error))
        self._remember(
            self._breakers.change(self.key, now, lambda one: one.failed(failure, now, self._rules, self._chance))
        )

    def breaker(self) -> Breaker:
        """Return the breaker, at most a second old."""
        if self._breaker is None or self._clock.monotonic_s() - self._read_at_s >= REMEMBERED_S:
            self._remember(self._breakers.get(self.key, self._clock.now()))
        return self._breaker or Breaker()

    @property
    def is_quiet(self) -> bool:
        """Nothing is known to be wrong, as far as this process has seen; asks no store."""
        return self._breaker is not None and self._breaker.is_closed

    def forget(self) -> None:
        """Read the breaker anew next time: a probe has just changed it."""
        self._breaker = None

    def _remember(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._read_at_s = self._clock.monotonic_s()


def cause_of(error: ServerError) -> Cause:
    """Return why a server cannot be used, as people are told."""
    match error:
        case ServerRefused():
            return Cause.UNAUTHORISED
        case ServerUnreachable(is_maintenance=True):
            return Cause.MAINTENANCE
        case ServerUnreachable(is_slow=True) | ServerBusy():
            return Cause.SLOW
        case ServerUnreachable(has_answered=True):
            return Cause.FAILING
        case _:
            return Cause.DOWN
