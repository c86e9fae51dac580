"""Puts a backup in the place of the store; what was there is moved aside, never deleted.

For a person, by `stashplex store restore`. The invariant: at every moment there is a file under the store's name, the
one before or the backup, so that no start takes an interrupted restore for a first one.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from stashplex.base.errors import StoreError
from stashplex.store import folder
from stashplex.store.backup import Backups, verify
from stashplex.store.database import LOCK_TIMEOUT_S
from stashplex.store.failure import translated_files
from stashplex.store.presence import list_working


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. Shape: `aside` is where the file before is now, None when there was none."""

    backup: Path
    aside: Path | None
    rows: int


def restore(path: Path, backup: Path | None, now: datetime) -> Restored:
    """Put a backup, or the newest good one, in the place of the store.

    Raises: StoreError when another process works with the store, or the backup is none that can be used; then nothing
    was changed.
    """
    path = path.absolute()
    chosen = backup or Backups(path).find_newest_good()
    if chosen is None:
        raise StoreError(
            f"There is no good backup in {Backups(path).folder}",
            hint="Name a file, or move the store away to start afresh: the next sync builds it again.",
        )
    with translated_files(path):
        folder.make(path.parent)
        with FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_TIMEOUT_S, mode=0o600):
            if working := list_working(path):
                raise StoreError(
                    f"{path} is in use by {len(working)} running stashplex", hint="Stop it, then restore again."
                )
            return _exchange(path, chosen, now)


def _exchange(path: Path, backup: Path, now: datetime) -> Restored:
    unfinished = path.with_name(f".{path.name}.restored")
    try:
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        counts = verify(backup)
        shutil.copyfile(backup, unfinished)
        verify(unfinished)
        with unfinished.open("r+b") as file:
            os.fsync(file.fileno())
        aside = _set_aside(path, now)
        unfinished.replace(path)
        folder.sync(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)
    return Restored(backup, aside, sum(counts.values()))


def _set_aside(path: Path, now: datetime) -> Path | None:
    """Give the file a second name, its log and all; the first is taken over by the backup in one step."""
    aside = path.with_name(f"{path.name}.damaged-{now.astimezone(UTC):%Y%m%d-%H%M%S}")
    if aside.exists():
        raise StoreError(f"{aside} is there already", hint="Wait a second, then restore again.")
    for part in ("-wal", "-shm"):
        beside = path.with_name(path.name + part)
        if beside.exists():
            beside.replace(aside.with_name(aside.name + part))
    if not path.exists():
        return None
    try:
        aside.hardlink_to(path)
    except OSError:  # a file system without second names
        shutil.copy2(path, aside)
    return aside
