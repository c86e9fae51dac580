"""Lease and settle of the ledger at its largest: the rates of `bench/store.py` against their target.

The store alone, no server and no network: batches of 50, each lease and each settle a durable transaction of its own.
"""

from pathlib import Path

import psutil

from bench.result import SERIES, Result, Row, median_of
from bench.store import BATCH, NOW, full, plain, rate
from bench.sync import a_store
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger

NAME = "ledger"
SIZES = (100_000, 1_000_000)
QUICK_SIZES = (100_000,)
ENTRIES = 10_000
TARGET = 10_000


def measure(is_quick: bool) -> Result:
    """Measure each size."""
    rows: list[Row] = []
    table = [
        (
            "rows",
            "state only, entries/s",
            "with link and journal, entries/s",
            "state only, entries per processor second",
        )
    ]
    for size in QUICK_SIZES if is_quick else SIZES:
        with a_store() as folder:
            states, whole, per_cpu_s = _rates(folder / "bench.sqlite", size)
        rows.append(
            Row(
                f"lease + settle, batches of {BATCH}, durable, {size:,} rows",
                f"≥ {TARGET:,} entries/s",
                f"{states:,.0f} entries/s",
                f"with link and journal: {whole:,.0f}",
                states >= TARGET,
            )
        )
        table.append((f"{size:,}", f"{states:,.0f}", f"{whole:,.0f}", f"{per_cpu_s:,.0f}"))
    how = (
        f"{ENTRIES:,} entries each, batches of {BATCH}, synchronous=FULL, two transactions per batch. Medians of "
        f"{SERIES}. The last column counts processor time alone: what an idle machine with a "
        "fast disk can reach."
    )
    return Result(NAME, "The ledger", how, tuple(rows), tuple(table))


def _rates(path: Path, size: int) -> tuple[float, float, float]:
    """Return entries per second, state only and whole, and the former per second of processor time."""
    database = Database.open(path)
    ledger = Ledger(database)
    plex_id = ledger.plex_id("machine", "bench")
    ledger.mark(plex_id, map(SceneId, range(size)), now=NOW)
    states, whole, per_cpu_s = [], [], []
    try:
        for _ in range(SERIES):
            started_s = _cpu_s()
            states.append(rate(ledger, plex_id, ENTRIES, plain))
            per_cpu_s.append(ENTRIES / (_cpu_s() - started_s))
            whole.append(rate(ledger, plex_id, ENTRIES, full))
    finally:
        database.close()
    return median_of(states), median_of(whole), median_of(per_cpu_s)


def _cpu_s() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)
