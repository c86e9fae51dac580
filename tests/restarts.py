"""Instances of the program on one file, without its servers: the queue of waiting entries, and one breaker.

A restart is a second instance on the same file, opened while the first may still hold it. Time is what the system's
clock shows, which a test freezes.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from builders import a_link
from ledgers import get_entry, lease, mark, scenes_of
from stashplex.base.clock import SystemClock
from stashplex.base.errors import Server, ServerError, ServerHeld, ServerUnreachable
from stashplex.domain.breaker import Breaker, BreakerRules, Failure
from stashplex.domain.entry import Entry, settled
from stashplex.domain.outcome import Synced, outcome_of
from stashplex.domain.retry import rule_for
from stashplex.engine.gate import Gate
from stashplex.store.breakers import Breakers
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger, Settlement

KEY = "plex http://plex.test"
DOWN = ServerUnreachable(Server.PLEX, "Plex refuses connections.")


class Queue:
    """One instance of the program on one file, at the time that the clock shows."""

    def __init__(self, path: Path) -> None:
        self.database = Database.open(path)
        self.ledger = Ledger(self.database)
        self.plex_id = self.ledger.plex_id("machine", "http://plex.test")
        self.chance = random.Random(5)

    @property
    def now(self) -> datetime:
        return SystemClock().now()

    def mark(self, *scenes: int) -> None:
        mark(self.ledger, self.plex_id, *scenes, now=self.now)

    def ready(self) -> list[int]:
        """Return which scenes would be handed out now, in order, and hand them back."""
        leased = lease(self.ledger, self.plex_id, "look", now=self.now)
        self.ledger.release("look", self.now)
        return scenes_of(leased)

    def entry(self, scene: int = 42) -> Entry:
        return get_entry(self.ledger, self.plex_id, scene)

    def fail(self, error: Exception, scene: int = 42) -> Entry:
        """Let a pass over a scene end with an error; return the entry then."""
        return self._settle(scene, error)

    def succeed(self, scene: int = 42) -> Entry:
        return self._settle(scene, None)

    def _settle(self, scene: int, error: Exception | None) -> Entry:
        (leased,) = lease(self.ledger, self.plex_id, now=self.now, limit=1)
        assert leased.entry.scene_id == scene
        outcome = Synced(is_written=True) if error is None else outcome_of(error, self.now)
        rule = rule_for(None if isinstance(outcome, Synced) else outcome.error_type)
        transition = settled(leased.entry, outcome, rule, self.now, self.chance)
        done = Settlement(leased.entry.id, leased.entry.generation, transition, (a_link(),))
        assert self.ledger.settle("t", [done], self.now) == 1
        return self.entry(scene)


@contextmanager
def opened(path: Path) -> Iterator[Queue]:
    found = Queue(path)
    try:
        yield found
    finally:
        found.database.close()


def due(entry: Entry) -> datetime:
    assert entry.due_at is not None
    return entry.due_at


@dataclass
class Program:
    """One instance of the program on one file: its breakers, and the gate before Plex."""

    path: Path
    rules: BreakerRules = field(default_factory=BreakerRules)
    database: Database = field(init=False)
    breakers: Breakers = field(init=False)
    chance: random.Random = field(default_factory=lambda: random.Random(3))

    def __post_init__(self) -> None:
        self.database = Database.open(self.path)
        self.breakers = Breakers(self.database)
        self.gate = Gate(Server.PLEX, KEY, self.breakers, rules=self.rules, clock=SystemClock(), chance=self.chance)

    @property
    def breaker(self) -> Breaker:
        return self.breakers.get(KEY, SystemClock().now())

    @property
    def state(self) -> str:
        return self.breaker.state.value

    def fail(self, times: int = 1, error: ServerError = DOWN) -> None:
        for _ in range(times):
            self.gate.failed(error)

    def open(self) -> None:
        self.fail(self.rules.failure_threshold)
        assert self.state == "open"

    def may_send(self) -> bool:
        self.gate.forget()
        try:
            self.gate.check()
        except ServerHeld:
            return False
        return True

    def begin_probe(self, token: str) -> bool:
        """Begin a probe if it is time; tell whether it is ours."""
        now = SystemClock().now()
        return (
            self.breakers.change(
                KEY, now, lambda one: one.probing(now, token, self.rules) if one.may_probe(now, self.rules) else one
            ).probe_token
            == token
        )

    def end_probe(self, token: str, failure: Failure | None = None) -> None:
        now = SystemClock().now()
        if failure is None:
            self.breakers.change(KEY, now, lambda one: one.succeeded(now, self.rules, token))
        else:
            self.breakers.change(KEY, now, lambda one: one.failed(failure, now, self.rules, self.chance, token=token))

    def reset(self) -> None:
        now = SystemClock().now()
        self.breakers.change(KEY, now, lambda one: one.reset(now))


@contextmanager
def started(path: Path, rules: BreakerRules | None = None) -> Iterator[Program]:
    program = Program(path, rules or BreakerRules())
    try:
        yield program
    finally:
        program.database.close()
