"""Folders that survive a power cut: a new name is durable only when the folder that holds it is synced, too.

Used by whatever makes files that matter. The standard library alone, like `spool`. Windows cannot sync a folder and
need not: NTFS keeps names in its own journal.
Invariant: what is made here is for its owner alone, whatever the umask.
"""

import os
from pathlib import Path


def make(folder: Path) -> None:
    """Make a folder and those above it, durably. One that is there stays as it is. Raises: OSError."""
    if not folder.is_dir():
        make(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)
        sync(folder.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable. Raises: OSError."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
