"""Brings a server back after an outage, without anybody's hand: probes when it is time, wakes what was held.

One probe at a time over all processes: starting one is a change of the durable breaker. A probe tells four cases apart:
down, slow, unauthorised, library missing. The invariant: only a probe that found the server whole closes the breaker.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import structlog

from stashplex.base.clock import Clock
from stashplex.base.errors import ConfigError, ServerError, StashplexError
from stashplex.domain.breaker import Breaker, BreakerRules, BreakerState, Cause, Failure
from stashplex.engine.gate import Gate, cause_of
from stashplex.store.breakers import Breakers

logger = structlog.get_logger()

PROBE_TIMEOUT_S = 20.0
"""A server that takes longer for its own name is slow."""


@dataclass(frozen=True, slots=True)
class Patient:
    """One server that may need recovery.

    `probe` asks it for what work needs, around the gate; `can_connect` tells whether anything listens there, without a
    request; `wake` makes what was held due and returns how much that was.
    """

    gate: Gate
    probe: Callable[[], Awaitable[None]]
    can_connect: Callable[[], Awaitable[bool]]
    wake: Callable[[], int]


class Recovery:
    """Watches one server's breaker."""

    def __init__(
        self, patient: Patient, breakers: Breakers, *, rules: BreakerRules, clock: Clock, chance: random.Random
    ) -> None:
        self._patient = patient
        self._breakers = breakers
        self._rules = rules
        self._clock = clock
        self._chance = chance
        self._was_deaf = False

    async def run_once(self) -> Breaker:
        """Probe if it is time; return the breaker as it is then. Costs nothing while nothing is known to be wrong."""
        if self._patient.gate.is_quiet:
            return Breaker()
        now = self._clock.now()
        breaker = self._patient.gate.breaker()
        if breaker.state is BreakerState.OPEN and not breaker.may_probe(now, self._rules):
            breaker = await self._listen(breaker)
        if not breaker.may_probe(now, self._rules):
            return breaker
        return await self._probe()

    async def probe_now(self) -> Breaker:
        """Probe at once if the breaker is open: a person is waiting."""
        now = self._clock.now()
        key = self._patient.gate.key
        if self._breakers.get(key, now).is_closed:
            return Breaker()
        self._breakers.change(key, now, lambda one: one.woken(now))
        return await self._probe()

    async def _listen(self, breaker: Breaker) -> Breaker:
        """Bring the probe forward when a server that did not even listen does so again."""
        if breaker.cause is not Cause.DOWN:
            return breaker
        hears = await self._patient.can_connect()
        is_back, self._was_deaf = hears and self._was_deaf, not hears
        if not is_back:
            return breaker
        now = self._clock.now()
        return self._breakers.change(self._patient.gate.key, now, lambda one: one.woken(now))

    async def _probe(self) -> Breaker:
        token = f"{self._chance.getrandbits(64):016x}"
        key, rules, now = self._patient.gate.key, self._rules, self._clock.now()
        begun = self._breakers.change(
            key, now, lambda one: one.probing(now, token, rules) if one.may_probe(now, rules) else one
        )
        if begun.probe_token != token:
            return begun
        failure = await self._failure()
        now = self._clock.now()
        if failure is None:
            after = self._breakers.change(key, now, lambda one: one.succeeded(now, rules, token))
        else:
            after = self._breakers.change(
                key, now, lambda one: one.failed(failure, now, rules, self._chance, token=token)
            )
        self._patient.gate.forget()
        if after.is_closed:
            logger.info("breaker_closed", server=key, woken=self._patient.wake())
        return after

    async def _failure(self) -> Failure | None:
        """Ask the server; return what is wrong with it."""
        try:
            with anyio.fail_after(PROBE_TIMEOUT_S):
                await self._patient.probe()
        except TimeoutError:
            return Failure(Cause.SLOW, f"It did not answer a probe within {PROBE_TIMEOUT_S:.0f} s.")
        except ServerError as error:
            return Failure(cause_of(error), str(error))
        except ConfigError as error:
            return Failure(Cause.LIBRARY_MISSING, str(error))
        except StashplexError as error:
            return Failure(Cause.DOWN, str(error))
        return None
