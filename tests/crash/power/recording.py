"""A life recorded, cut, and looked at again: the judge of what a restart finds after a power cut.

What is proved: every step that had returned is there, whole, and nothing of later ones but the one under way; the file
is sound; each event whose file was acknowledged is in the spool or in the ledger. `docs/explanation/failure-model.md`.
"""

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crash.power.disk import Disk
from crash.power.files import noted
from crash.power.vfs import OK, Kind, Operation, tapped
from crash.power.workload import FIRST_EVENT, Dump, Life, dump
from stashplex.base.errors import StoreError
from stashplex.store import database, spool
from stashplex.store.database import Database

STEPS = 30
CUTS_PER_LIFE = 20
_CHANGES = frozenset(Kind) - {Kind.READ}


@dataclass(slots=True)
class Recording:
    """What happened below, and at which of these operations each step was acknowledged.

    Shape: `dumps[n]` and `events[n]` are the ledger and the number of events after `acknowledged[n]` operations.
    """

    root: Path
    operations: list[Operation] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    dumps: list[Dump] = field(default_factory=list)
    events: list[int] = field(default_factory=list)

    def note(self, operation: Operation) -> int:
        """Keep an operation that changes the disk."""
        if operation.kind in _CHANGES and operation.path.is_relative_to(self.root) and _lasts(operation.path):
            self.operations.append(operation)
        return OK

    def acknowledge(self, life: Life) -> None:
        """Note what the ledger is now."""
        assert life.database is not None
        self.acknowledged.append(len(self.operations))
        self.dumps.append(dump(life.database))
        self.events.append(len(life.events))


def _lasts(path: Path) -> bool:
    return not path.name.endswith((".lock", "-shm"))


@contextmanager
def settings(*, checkpoint_pages: int, synchronous: str | None = None) -> Iterator[None]:
    """Let stores be opened with checkpoints that come often enough to be cut, and with another durability if named."""
    replaced = {"wal_autocheckpoint": str(checkpoint_pages)}
    if synchronous is not None:
        replaced["synchronous"] = synchronous
    pragmas = []
    for pragma in database._PRAGMAS:
        name = pragma.split()[1]
        pragmas.append(f"PRAGMA {name} = {replaced[name]}" if name in replaced else pragma)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "_PRAGMAS", tuple(pragmas))
        yield


def record(root: Path, seed: int, *, synchronous: str | None = None, syncs_files: bool = True) -> Recording:
    """Live a drawn life and record it, with the durability that the program has unless another one is named."""
    chance = random.Random(seed)
    recording = Recording(root)
    life = Life(root, chance)
    with (
        settings(synchronous=synchronous, checkpoint_pages=chance.choice((8, 40, 4000))),
        tapped(recording.note),
        noted(root, recording.note, syncs=syncs_files),
    ):
        for step in life.steps(STEPS):
            step()
            recording.acknowledge(life)
        life.close()
    return recording


@dataclass(frozen=True, slots=True)
class Loss:
    """What was wrong after a cut."""

    cut: int
    what: str


def cuts(recording: Recording, folder: Path, chance: random.Random, count: int) -> Iterator[Loss | None]:
    """Cut the power at drawn operations, in their order; say for each what was lost, None when nothing was."""
    disk = Disk(recording.root)
    done = 0
    moments = sorted(chance.randrange(len(recording.operations) + 1) for _ in range(count))
    for number, cut in enumerate(moments):
        disk.play(recording.operations[done:cut])
        done = cut
        image = folder / f"cut-{number}"
        image.mkdir()
        disk.lay_out(image, chance)
        what = judge(recording, cut, image)
        yield Loss(cut, what) if what else None


def judge(recording: Recording, cut: int, image: Path) -> str:
    """Return what is wrong with what a restart finds, nothing when all is well."""
    last = sum(moment <= cut for moment in recording.acknowledged) - 1
    life = Life(image, random.Random(0))
    try:
        store = Database.open(life.path)
    except StoreError as error:
        return f"not opened: {error}"
    try:
        found = dump(store)
        known = {row[3] for row in found if row[0] == "entry"}
    finally:
        store.close()
    if found not in recording.dumps[max(last, 0) : last + 2]:
        return f"not as it was after step {last}, nor after the next one"
    try:
        waiting = {int(json.loads(path.read_bytes())["id"]) for path in spool.iter_ready(life.spool)}
    except ValueError as error:
        return f"an event with its final name is not whole: {error}"
    acknowledged = recording.events[last] if last >= 0 else 0
    if lost := set(range(FIRST_EVENT, FIRST_EVENT + acknowledged)) - known - waiting:
        return f"events lost: {sorted(lost)}"
    with closing(sqlite3.connect(life.path)) as connection:
        (finding,) = connection.execute("PRAGMA integrity_check").fetchone()
    return "" if finding == "ok" else f"not sound: {finding}"
