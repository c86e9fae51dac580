"""How large the store stays: a million settled passes on ten thousand scenes, with the upkeep of the service.

Each pass writes one field and two rows of history, as a changed title does; in a real library nearly all passes change
nothing and leave none. The upkeep runs after every fifth round over all scenes: the file is as large as it gets.
"""

import tempfile
from datetime import timedelta
from pathlib import Path

from bench.result import Result, Row
from bench.store import LINK, NOW
from stashplex.base.clock import SystemClock
from stashplex.domain.entry import PlexId, State, Transition
from stashplex.domain.item import RatingKey
from stashplex.domain.journal import JournalEvent, JournalRow
from stashplex.domain.scene import SceneId
from stashplex.engine.upkeep import HISTORY, JOURNAL_ROWS
from stashplex.store.database import Database
from stashplex.store.ledger import Leased, Ledger, Settlement
from stashplex.store.retention import Retention

NAME = "retention"
SCENES = 10_000
ROUNDS = 100
QUICK_ROUNDS = 10
BATCH = 100
SIZE_TARGET_BYTES = 50_000_000
SYNCED = Transition(State.SYNCED, None, 0, None, None, None)

_clock = SystemClock()


def measure(is_quick: bool) -> Result:
    """Settle every scene many times; look at the size of the file and the time of a mark as it goes on."""
    rounds = QUICK_ROUNDS if is_quick else ROUNDS
    shown: list[tuple[str, ...]] = [("passes", "store", "log", "mark of 10,000", "mark of one")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stashplex.sqlite"
        database = Database.open(path)
        store = _Store(path, database)
        figures = []
        for number in range(1, rounds + 1):
            mark_s = store.round(number)
            if number in {1, 2, rounds // 4, rounds // 2, rounds}:
                figures.append((path.stat().st_size, mark_s, store.mark_one_s(number)))
                shown.append(_line(number * SCENES, path, *figures[-1]))
        database.close()
    (_, early_s, early_one_s), (size, late_s, late_one_s) = figures[1], figures[-1]
    rows = (
        Row(
            f"size of the store after {rounds * SCENES:,} settled passes on {SCENES:,} scenes",
            "< 50 MB",
            f"{size / 1e6:.1f} MB",
            f"{figures[0][0] / 1e6:.1f} MB after the first {SCENES:,}",
            size < SIZE_TARGET_BYTES,
        ),
        Row(
            f"mark of {SCENES:,} scenes, then against the second round",
            "unchanged",
            f"{late_s * 1e3:.0f} ms",
            f"{early_s * 1e3:.0f} ms; of one scene {late_one_s * 1e3:.1f} ms against {early_one_s * 1e3:.1f} ms",
            late_s < 1.5 * early_s,
        ),
    )
    how = f"{JOURNAL_ROWS} rows of history are kept for each scene; two are written with each pass."
    return Result(NAME, "Size of the store over the years", how, rows, tuple(shown))


class _Store:
    """One store, and the moves of a pass."""

    def __init__(self, path: Path, database: Database) -> None:
        self.path = path
        self.ledger = Ledger(database)
        self.retention = Retention(database)
        self.plex_id: PlexId = self.ledger.plex_id("machine", "bench")

    def round(self, number: int) -> float:
        """Mark every scene, settle every scene, keep up; return how long the mark took."""
        now = NOW + timedelta(hours=number)
        started_s = _clock.monotonic_s()
        self.ledger.mark(self.plex_id, map(SceneId, range(SCENES)), now=now)
        took_s = _clock.monotonic_s() - started_s
        for batch in range(SCENES // BATCH):
            token = f"{number} {batch}"
            leased = self.ledger.lease(
                self.plex_id, owner="bench", token=token, limit=BATCH, now=now, until=now + timedelta(minutes=2)
            )
            self.ledger.settle(token, [_settled(one, number) for one in leased], now)
        if number % 5 == 0:
            self._trim(number)
        return took_s

    def mark_one_s(self, number: int) -> float:
        """Return the median time of marking one scene, which is settled again by the next round."""
        times = []
        for scene in range(51):
            started_s = _clock.monotonic_s()
            self.ledger.mark(self.plex_id, [SceneId(scene)], now=NOW + timedelta(hours=number))
            times.append(_clock.monotonic_s() - started_s)
        return sorted(times)[25]

    def _trim(self, number: int) -> None:
        sum(self.retention.trim(JOURNAL_ROWS))
        sum(self.retention.forget(NOW + timedelta(hours=number) - HISTORY))


def _settled(one: Leased, number: int) -> Settlement:
    now = NOW + timedelta(hours=number)
    key = RatingKey(str(one.entry.id))
    old, new = f"A title of usual length {number - 1}", f"A title of usual length {number}"
    rows = (
        JournalRow(now, JournalEvent.FIELD_WRITTEN, key, "title", old, new),
        JournalRow(now, JournalEvent.ENTRY_SYNCED),
    )
    return Settlement(one.entry.id, one.entry.generation, SYNCED, (LINK,), rows)


def _line(passes: int, path: Path, size: int, mark_s: float, one_s: float) -> tuple[str, ...]:
    log = path.with_name(f"{path.name}-wal")
    log_bytes = log.stat().st_size if log.exists() else 0
    sizes = (f"{size / 1e6:.1f} MB", f"{log_bytes / 1e6:.1f} MB")
    return (f"{passes:,}", *sizes, f"{mark_s * 1e3:.0f} ms", f"{one_s * 1e3:.2f} ms")
