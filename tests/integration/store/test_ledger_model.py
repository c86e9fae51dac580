"""The ledger against a plain dict: any order of moves, the same rows.

The model says in words of Python what the SQL must do; it shares with the store the domain's values and nothing else.
"""

import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from builders import NOW
from ledgers import SYNCED
from stashplex.domain.entry import LEASE_EXPIRED, Priority, State, Transition
from stashplex.domain.outcome import HELD
from stashplex.domain.retry import DEFAULT_RULES, rule_for
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.ledger import SHARED, Leased, Ledger, Settlement

SCENES = range(6)
STEPS = st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=5)])
WAITS = st.sampled_from([timedelta(0), timedelta(seconds=1), timedelta(seconds=90)])
LARGEST = max(DEFAULT_RULES.ordinary.limit, DEFAULT_RULES.not_found.limit)
FAILED = ("WriteNotTaken", "200, but another value")


@dataclass
class Row:
    """One entry as the model sees it."""

    order: int
    state: State = State.PENDING
    priority: int = Priority.BULK
    generation: int = 1
    settled_generation: int = 0
    due_at: datetime | None = None
    token: str | None = None
    retry_count: int = 0
    error_type: str | None = None
    first_failed_at: datetime | None = None

    def marked(self, due_at: datetime, priority: int) -> None:
        self.generation += 1
        if self.state in {State.SYNCED, State.DEAD}:
            self.state, self.due_at, self.priority = State.PENDING, due_at, priority
            self.retry_count, self.error_type, self.first_failed_at = 0, None, None
            return
        self.priority = min(self.priority, priority)
        if self.state is State.PENDING:
            assert self.due_at is not None
            self.due_at = min(self.due_at, due_at)
        elif priority == Priority.INTERACTIVE:
            self.retry_count = 0

    def settled(self, transition: Transition, generation: int, now: datetime) -> None:
        self.token = None
        before, is_held = self.retry_count, transition.last_error_type in HELD
        self.state, self.due_at, self.retry_count = transition.state, transition.due_at, transition.retry_count
        self.error_type, self.first_failed_at = transition.last_error_type, transition.first_failed_at
        if transition.state is not State.PENDING:
            self.settled_generation = generation
        if self.generation > generation:
            if transition.state is not State.PENDING:
                self.error_type, self.first_failed_at = None, None
            self.state, self.due_at = State.PENDING, now
            self.retry_count = min(before, transition.retry_count) if is_held else 0


class LedgerMachine(RuleBasedStateMachine):
    """Marks, leases, settlements, releases and the passing of time, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.database = Database.open(self.folder / "stashplex.db")
        self.ledger = Ledger(self.database)
        self.plex_id = self.ledger.plex_id("a", "b")
        self.now = NOW
        self.rows: dict[int, Row] = {}
        self.batches: dict[str, tuple[Leased, ...]] = {}
        self.tokens = 0

    @override
    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    @rule(step=STEPS)
    def pass_time(self, step: timedelta) -> None:
        self.now += step

    @rule(scenes=st.lists(st.sampled_from(SCENES), max_size=4), priority=st.sampled_from(Priority), wait=WAITS)
    def mark(self, scenes: list[int], priority: Priority, wait: timedelta) -> None:
        due_at = self.now + wait
        self.ledger.mark(self.plex_id, map(SceneId, scenes), now=self.now, priority=priority, due_at=due_at)
        for scene in scenes:
            if scene in self.rows:
                self.rows[scene].marked(due_at, priority)
            else:
                self.rows[scene] = Row(len(self.rows), due_at=due_at, priority=priority)

    @rule(limit=st.integers(1, 4), kind=st.sampled_from(["", SHARED]))
    def lease(self, limit: int, kind: str) -> None:
        token, until = self._terms(kind)
        leased = self.ledger.lease(self.plex_id, owner="me", token=token, limit=limit, now=self.now, until=until)
        pending = [(row.priority, row.due_at, row.order, scene) for scene, row in self._due(State.PENDING)]
        scenes = [scene for *_, scene in sorted(pending)][:limit]
        for scene in scenes:
            row = self.rows[scene]
            row.state, row.due_at, row.token = State.LEASED, until, token
        assert [one.entry.scene_id for one in leased] == scenes
        self.batches[token] = leased

    @rule()
    def rescue(self) -> None:
        token, until = self._terms()
        leased = self.ledger.rescue(self.plex_id, owner="me", token=token, now=self.now, until=until)
        expected = self._rescued(token, until)
        assert (None if leased is None else leased.entry.scene_id) == expected
        self.batches[token] = () if leased is None else (leased,)

    def _rescued(self, token: str, until: datetime) -> int | None:
        for *_, scene in sorted((row.due_at, row.order, scene) for scene, row in self._due(State.LEASED)):
            row = self.rows[scene]
            row.first_failed_at = row.first_failed_at or self.now
            limit = LARGEST if row.error_type in HELD else rule_for(row.error_type).limit
            is_spent = row.retry_count >= limit
            assert row.token is not None
            if not is_spent or row.token.startswith(SHARED):
                row.retry_count += not is_spent
                row.error_type = row.error_type or LEASE_EXPIRED
                row.due_at, row.token = until, token
                return scene
            row.state, row.due_at, row.token = State.DEAD, None, None
            row.error_type, row.settled_generation = LEASE_EXPIRED, row.generation
        return None

    def _terms(self, kind: str = "") -> tuple[str, datetime]:
        self.tokens += 1
        return f"{kind}token {self.tokens}", self.now + timedelta(minutes=2)

    def _due(self, state: State) -> list[tuple[int, Row]]:
        found = self.rows.items()
        return [(scene, row) for scene, row in found if row.state is state and row.due_at and row.due_at <= self.now]

    @rule(times=st.integers(2, 7))
    def crash(self, times: int) -> None:
        """The program is killed at its work, again and again."""
        for _ in range(times):
            self.now += timedelta(minutes=5)
            self.rescue()
            self.lease(4, SHARED)

    @precondition(lambda self: self.batches)
    @rule(data=st.data(), outcome=st.sampled_from(["synced", "retried", "held", "dead"]), wait=WAITS)
    def settle(self, data: st.DataObject, outcome: str, wait: timedelta) -> None:
        token = data.draw(st.sampled_from(sorted(self.batches)))
        settlements: list[Settlement] = []
        applied = 0
        for one in self.batches[token]:
            if not data.draw(st.booleans()):
                continue
            transition = self._transition(one, outcome, wait)
            settlements.append(Settlement(one.entry.id, one.entry.generation, transition))
            row = self.rows[one.entry.scene_id]
            if row.token == token:
                row.settled(transition, one.entry.generation, self.now)
                applied += 1
        assert self.ledger.settle(token, settlements, self.now) == applied

    def _transition(self, one: Leased, outcome: str, wait: timedelta) -> Transition:
        count, first = one.entry.retry_count, one.entry.first_failed_at or self.now
        if outcome == "synced":
            return SYNCED
        if outcome == "dead":
            return Transition(State.DEAD, None, count, *FAILED, first)
        if outcome == "held":
            return Transition(State.PENDING, self.now + wait, count, "ServerUnreachable", "refused", first)
        return Transition(State.PENDING, self.now + wait, count + 1, *FAILED, first)

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(sorted(self.batches)))
        held = [row for row in self.rows.values() if row.token == token]
        assert self.ledger.release(token, self.now) == len(held)
        for row in held:
            row.state, row.due_at, row.token = State.PENDING, self.now, None

    @rule()
    def reopen(self) -> None:
        self.database.close()
        self.database = Database.open(self.folder / "stashplex.db")
        self.ledger = Ledger(self.database)

    @invariant()
    def rows_are_the_same(self) -> None:
        found = {entry.scene_id: entry for entry in self.ledger.iter_entries(self.plex_id)}
        assert set(found) == set(self.rows)
        for scene, row in self.rows.items():
            entry = found[SceneId(scene)]
            seen = Row(
                row.order,
                entry.state,
                entry.priority,
                entry.generation,
                entry.settled_generation,
                entry.due_at,
                row.token,
                entry.retry_count,
                entry.last_error_type,
                entry.first_failed_at,
            )
            assert seen == replace(row)

    @invariant()
    def questions_are_answered_as_the_rows_say(self) -> None:
        rows = self.rows.values()
        counts = self.ledger.counts(self.plex_id, now=self.now)
        pending = [row for row in rows if row.state is State.PENDING]
        assert counts.pending == len(pending) == counts.due + counts.waiting
        assert counts.due == sum(row.due_at is not None and row.due_at <= self.now for row in pending)
        for state in (State.LEASED, State.SYNCED, State.DEAD):
            assert getattr(counts, state.value) == sum(row.state is state for row in rows)
        earliest = min((row.due_at for row in rows if row.due_at), default=None)
        assert self.ledger.next_due_at(self.plex_id) == earliest


LedgerMachine.TestCase.settings = settings(
    max_examples=50, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLedger = LedgerMachine.TestCase
