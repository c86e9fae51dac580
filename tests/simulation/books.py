"""The ledger as an observer sees it: every row is compared with itself after each commit of each process.

It reads the file by a connection of its own and speaks plain SQL, so that it shares no mistake with the store. It knows
the rules (reliability.md, I1, I3, I4, I10, I12) and not how they are kept.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from simulation.account import Account
from simulation.life import Life
from simulation.virtual import VirtualClock
from simulation.weather import Patience
from stashplex.base.errors import StashplexError
from stashplex.domain.entry import LEASE_EXPIRED

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SERVER_ERRORS = frozenset({"ServerUnreachable", "ServerHeld", "ServerBusy", "ServerRefused"})
SHARED = "shared-"
"""Begins the token of a lease whose holder works on several entries: its death buries none of them."""
_ROWS = (
    "SELECT scene_id, id, state, priority, generation, settled_generation, due_at, lease_token, retry_count,"
    " last_error_type, last_error FROM entry"
)
_JOURNAL = "SELECT id, entry_id, event, field, detail FROM journal WHERE id > ? ORDER BY id"
_BREAKERS = "SELECT server, state, probe_token, cause, failures, reason, retry_at FROM breaker"
LONGEST_WAIT = 600_000_000
"""A probe is never due later than that, in microseconds: what is, was moved there by a clock."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry. Units: `due_at` in microseconds."""

    scene: int
    id: int
    state: str
    priority: int
    generation: int
    settled: int
    due_at: int | None
    token: str | None
    retry_count: int
    error_type: str | None
    error: str | None

    @property
    def is_in_step(self) -> bool:
        """Nothing is to be done."""
        return self.state == "synced" and self.settled == self.generation


@dataclass(frozen=True, slots=True)
class Lease:
    """Who was handed an entry, and as what."""

    life: Life
    generation: int
    at_line: int


@dataclass(frozen=True, slots=True)
class Shut:
    """A breaker that is not closed, and who made it so."""

    state: str
    life: Life
    opener: Life
    at_s: float
    token: str | None
    retry_at: int | None


class Books:
    """All rows as they were after the last commit."""

    def __init__(self, path: Path, clock: VirtualClock, account: Account, patience: Patience) -> None:
        self._connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        self._clock = clock
        self._account = account
        self._patience = patience
        self._journal_id = 0
        self.rows: dict[int, Row] = {}
        self.leases: dict[tuple[int, str], Lease] = {}
        self.shut: dict[str, Shut] = {}
        self.unverified: dict[tuple[int, str], str] = {}
        self.failed: Counter[tuple[Life, str]] = Counter()
        self.counted: Counter[tuple[Life, str]] = Counter()
        self.failures_shown: dict[str, int] = {}
        self.died: dict[int, str] = {}
        self.marked: set[int] = set()
        self.writers: dict[Life, set[int]] = {}
        self.on_synced: Callable[[Life, int, Lease], None] = lambda *_: None
        self.on_survived: Callable[[int], None] = lambda _: None
        self.on_not_taken: Callable[[Life, int, Lease], None] = lambda *_: None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def now_micros(self) -> int:
        """The wall time as it is stored."""
        return (self._clock.now() - EPOCH) // timedelta(microseconds=1)

    def holder(self, scene: int) -> Lease | None:
        """Return who may write for a scene now."""
        row = self.rows.get(scene)
        if row is None or row.token is None or row.due_at is None or row.due_at <= self.now_micros:
            return None
        return self.leases.get((scene, row.token))

    def lease(self, row: Row) -> Lease | None:
        """Return the lease that a row has, run out or not."""
        return None if row.token is None else self.leases.get((row.scene, row.token))

    def look(self, life: Life) -> None:
        """Compare all rows with how they were before the commit that this process has just made."""
        rows = {row[0]: Row(*row) for row in self._connection.execute(_ROWS)}
        events = self._events()
        before, self.rows = self.rows, rows
        now = self.now_micros
        leased = [row for row in rows.values() if row.token and _state(before, row) != "leased"]
        if leased:  # entries whose lease ran out are rescued ahead of the others, one by one
            self._check_order(before, leased, now)
        for row in rows.values():
            old = before.get(row.scene)
            if happened := events.get(row.id):
                self._check_events(life, old, row, happened, now)
            if old != row:
                self._compare(life, old, row, events.get(row.id, ()), now)
        if len(before.keys() - rows.keys()):
            self._account.violate("I3", f"entries vanished: {sorted(before.keys() - rows.keys())}")
        self._look_at_breakers(life)

    def _events(self) -> dict[int, list[str]]:
        events: dict[int, list[str]] = {}
        for number, entry_id, event, field, detail in self._connection.execute(_JOURNAL, (self._journal_id,)):
            self._journal_id = number
            events.setdefault(entry_id, []).append(event)
            self._account.note(f"journal {entry_id} {event} {field or ''} {detail or ''}")
            self._account.reach(f"journal: {event}")
            self._account.keep_secrets("the journal", detail)
        return events

    def _check_events(self, life: Life, old: Row | None, row: Row, events: list[str], now: int) -> None:
        """I1: only who holds an entry has anything to say about it, or who takes over a lease that ran out."""
        lease = None if old is None else self.lease(old)
        if lease is None or (lease.life is not life and old is not None and (old.due_at or 0) > now):
            self._account.violate(
                "I1", f"{life.name} tells {events} of scene {row.scene}, which it does not hold: {old}"
            )
        elif "entry_partly_synced" in events or ("entry_retried" in events and row.error_type == "WriteNotTaken"):
            self.on_not_taken(life, row.scene, lease)

    def _check_order(self, before: dict[int, Row], leased: list[Row], now: int) -> None:
        """I10: whoever waits is not handed out, and no better one is passed over."""
        taken = {row.scene for row in leased}
        for row in leased:
            old = before.get(row.scene)
            if old is not None and (old.due_at is None or old.due_at > now):
                self._account.violate("I10", f"scene {row.scene} was handed out before it was due")
        worst = max(((before[s].priority, before[s].due_at or 0) for s in taken if s in before), default=(99, 0))
        passed = [
            old.scene
            for old in before.values()
            if old.scene not in taken and old.due_at is not None and old.due_at <= now and old.state != "leased"
            if (old.priority, old.due_at) < worst and self.rows[old.scene].state == "pending"
        ]
        if passed:
            self._account.violate("I10", f"scenes {passed} are due and were passed over for {sorted(taken)}")

    def _compare(self, life: Life, old: Row | None, row: Row, events: Iterable[str], now: int) -> None:
        account = self._account
        account.note(
            f"{life.name} entry {row.scene} {row.state} g{row.settled}/{row.generation} r{row.retry_count}"
            f" {row.error_type or ''} due {'' if row.due_at is None else (row.due_at - now) // 1_000_000}"
        )
        if row.settled > row.generation or (row.settled < row.generation and row.state not in {"pending", "leased"}):
            account.violate("I3", f"{row}")
        if old is not None and (row.settled < old.settled or row.generation < old.generation):
            account.violate("I3", f"went back: {old} -> {row}")
        account.keep_secrets("an error", row.error)
        if row.error_type is not None and row.error_type not in _expected():
            account.violate("bug", f"{life.name}: {row}")
        if old is not None and old.token is None and row.token is None and _is_moved(old, row):
            account.violate("I1", f"{life.name} changed scene {row.scene} without a lease: {old} -> {row}")
        if old is not None and old.token is not None and old.token != row.token:
            self._left(life, old, row, now)
        if row.token is not None and (old is None or old.token != row.token):
            self.leases[row.scene, row.token] = Lease(life, row.generation, account.lines)
            if old is not None and old.error_type is not None and row.error_type is None:
                account.violate("I4", f"the error was forgotten at lease: {old} -> {row}")
        self._check_count(old, row, list(events))
        self._reach(old, row)

    def _reach(self, old: Row | None, row: Row) -> None:
        if row.state == "dead":
            self.died[row.scene] = row.error_type or ""
            self._account.reach(f"dead: {row.error_type}")
            self.marked.discard(row.scene)
        elif row.is_in_step and row.scene in self.died:
            error_type = self.died.pop(row.scene)
            self._account.reach("dead, then in step")
            if error_type == "PlexNotFound" and row.scene not in self.marked:
                self._account.reach("dead of not found, revived by its file")
        if row.is_in_step and old is not None and old.error_type == "PlexNotFound":
            self._account.reach("a waiting scene's file appeared")

    def _left(self, life: Life, old: Row, row: Row, now: int) -> None:
        """A lease ended: by its holder, or because its time or its holder is over."""
        account = self._account
        lease = self.leases[old.scene, old.token or ""]
        senders = {life.name, lease.life.name}  # what a former holder wrote is its successor's to read
        unread = [key for (scene, key), sender in self.unverified.items() if scene == row.scene and sender in senders]
        for key in unread:
            del self.unverified[row.scene, key]
        is_over = old.due_at is not None and old.due_at <= now
        if lease.life is not life and not is_over:
            account.violate("I1", f"{life.name} took scene {row.scene} from {lease.life.name}: {old} -> {row}")
        if row.generation > old.generation:
            account.violate("I1", f"a mark ended the lease of scene {row.scene}: {old} -> {row}")
        if lease.life is not life or row.token is not None:
            account.reach("lease ran out and was taken over")
            if lease.life is not life and not lease.life.is_dead and row.scene in self.writers.get(lease.life, ()):
                account.reach("lease lost while writing")
            return
        if is_over:
            account.reach("settled after the lease's time, still the holder")
        if row.settled > old.settled and row.settled > lease.generation:
            account.violate("I3", f"settled {row.settled}, but leased at {lease.generation}: {row}")
        if row.generation > lease.generation:
            account.reach("marked during its lease")
        if row.state != "dead" and row.error_type not in SERVER_ERRORS:
            self.on_survived(row.scene)
        if row.state == "synced" and unread:
            account.violate("read-back", f"scene {row.scene} was settled, items {unread} were not read after the write")
        if row.state == "synced":
            self.on_synced(life, row.scene, lease)

    def _check_count(self, old: Row | None, row: Row, events: list[str]) -> None:
        """I4: an attempt is spent by an error of the item or by an expired lease."""
        account = self._account
        limit, largest = self._limit(row), self._patience.largest
        if row.retry_count > max(limit, largest if old is not None and old.retry_count > limit else 0):
            account.violate("I4", f"beyond the limit: {row}")
        if row.state == "dead" and row.error_type in SERVER_ERRORS:
            account.violate("I4", f"a server's failure buried an entry: {row}")
        if old is None:
            return
        if old.token is not None and row.token is not None and old.token != row.token:
            is_spared = old.token.startswith(SHARED) and old.retry_count >= self._limit(old)
            if row.retry_count != old.retry_count + (not is_spared):
                account.violate("I4", f"a lease that ran out did not cost one attempt: {old} -> {row}")
            return
        if row.retry_count <= old.retry_count:
            return
        if row.error_type in SERVER_ERRORS:
            account.violate("I4", f"a server's failure cost an attempt: {old} -> {row}")
        if not {"entry_retried", "entry_partly_synced", "entry_buried"} & set(events):
            account.violate("I4", f"an attempt was spent without a failure: {old} -> {row}")
        if row.retry_count > old.retry_count + 1:
            account.violate("I4", f"several attempts were spent at once: {old} -> {row}")

    def _limit(self, row: Row) -> int:
        """Return how many retries a row may have had; what a held one had counted is not known."""
        return self._patience.largest if row.error_type in SERVER_ERRORS else self._patience.limit(row.error_type)

    def _look_at_breakers(self, life: Life) -> None:
        """Note what changed; a breaker opens for a reason."""
        account = self._account
        for server, state, token, cause, failures, reason, retry_at in self._connection.execute(_BREAKERS):
            known = self.shut.get(server)
            former = known.state if known else "closed"
            account.keep_secrets("a breaker", reason)
            self._check_failures(life, server, former, state, failures)
            if former == state and (known is None or known.token == token):
                if known is not None:
                    self.shut[server] = replace(known, retry_at=retry_at)
                continue
            if state == "half_open" and known and 0 < (known.retry_at or 0) - self.now_micros <= LONGEST_WAIT:
                account.violate("I5", f"{life.name} probed {server} ahead of its time: {known}")
            account.note(f"{life.name} breaker {server} {former} -> {state} {cause or ''}")
            account.reach(f"breaker: {former} -> {state}")
            opener = known.opener if known else life
            if state == "closed":
                del self.shut[server]
                if opener is not life and not opener.is_dead:
                    account.reach("another process's probe closed the breaker")
            else:
                account.reach(f"outage: {cause}")
                self.shut[server] = Shut(state, life, opener, self._clock.monotonic_s(), token, retry_at)

    def _check_failures(self, life: Life, server: str, former: str, state: str, failures: int) -> None:
        """What happened to items never counts: a process counts no more failures than it met."""
        shown, self.failures_shown[server] = self.failures_shown.get(server, 0), failures
        if former != "closed":
            return
        who = (life, server.partition(" ")[0])
        self.counted[who] += max(failures - shown, 0) or state != former
        if self.counted[who] > self.failed[who]:
            what = f"counted {self.counted[who]} failures of {server}, and met {self.failed[who]}"
            self._account.violate("breaker", f"{life.name} {what}")


def _expected() -> set[str]:
    """Return the error types that are no bugs."""
    return {LEASE_EXPIRED, *(kind.__name__ for kind in _kinds(StashplexError))}


def _kinds(error: type[StashplexError]) -> Iterator[type[StashplexError]]:
    yield error
    for kind in error.__subclasses__():
        yield from _kinds(kind)


def _is_moved(old: Row, row: Row) -> bool:
    """Tell whether more changed than a mark or a wake-up may change."""
    if row.generation > old.generation:
        return False
    now = (row.state, row.settled, row.retry_count, row.error_type, row.error)
    return now != (old.state, old.settled, old.retry_count, old.error_type, old.error)


def _state(rows: dict[int, Row], row: Row) -> str | None:
    known = rows.get(row.scene)
    return None if known is None else known.state
