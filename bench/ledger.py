"""Lease and settle of the ledger at its largest: the rates of `bench/store.py` against their target.

The store alone, no server and no network: batches of 50, each lease and each settle a durable transaction of its own.
"""

from pathlib import Path

from bench.result import Result, Row
from bench.store import BATCH, NOW, full, plain, rate
from bench.sync import a_store
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger

NAME = "ledger"
SIZES = (100_000, 1_000_000)
QUICK_SIZES = (100_000,)
ENTRIES = 20_000
TARGET = 10_000


def measure(is_quick: bool) -> Result:
    """Measure each size."""
    rows: list[Row] = []
    table = [("rows", "state only, entries/s", "with link and journal, entries/s")]
    for size in QUICK_SIZES if is_quick else SIZES:
        with a_store() as folder:
            states, whole = _rates(folder / "bench.sqlite", size)
        rows.append(
            Row(
                f"lease + settle, batches of {BATCH}, durable, {size:,} rows",
                f"≥ {TARGET:,} entries/s",
                f"{states:,.0f} entries/s",
                f"with link and journal: {whole:,.0f}",
                states >= TARGET,
            )
        )
        table.append((f"{size:,}", f"{states:,.0f}", f"{whole:,.0f}"))
    how = f"{ENTRIES:,} entries each, batches of {BATCH}, synchronous=FULL, two transactions per batch."
    return Result(NAME, "The ledger", how, tuple(rows), tuple(table))


def _rates(path: Path, size: int) -> tuple[float, float]:
    database = Database.open(path)
    ledger = Ledger(database)
    plex_id = ledger.plex_id("machine", "bench")
    ledger.mark(plex_id, map(SceneId, range(size)), now=NOW)
    try:
        return rate(ledger, plex_id, ENTRIES, plain), rate(ledger, plex_id, ENTRIES, full)
    finally:
        database.close()
