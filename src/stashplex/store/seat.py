"""The seat of the one service of a data folder: a lock held for its life, and a file that says how to reach it.

The plugin reads both with code of its own: the lock is `flock` (Windows: `msvcrt.locking`) on `service.lock`, the file
is `service.json`. The operating system frees the seat when a service ends, however it ends.
Invariants: at most one process has the seat; the file is whole or absent, for its owner alone, and tells a key.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from stashplex.store import folder
from stashplex.store.failure import translated_files

LOCK_NAME = "service.lock"
FILE_NAME = "service.json"
PATIENCE_S = 1.0
"""Others hold the lock for a moment, to see whether it is free."""


class Address(msgspec.Struct, frozen=True):
    """How to reach the service, and what it runs on. `key` is a secret."""

    pid: int
    poke_port: int
    api: str
    key: str
    version: str
    python: str = ""


@contextmanager
def taken(data_dir: Path, *, patience_s: float = PATIENCE_S) -> Iterator[bool]:
    """Take the seat for the time of the block, unless it is taken; tell whether it is ours. Raises: StoreError."""
    with translated_files(data_dir):
        folder.make(data_dir)
        lock = FileLock(data_dir / LOCK_NAME, timeout=patience_s, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            is_ours = False
        else:
            is_ours = True
    try:
        yield is_ours
    finally:
        lock.release()


@contextmanager
def told(data_dir: Path, address: Address) -> Iterator[None]:
    """Tell how to reach the one who has the seat, for the time of the block. Raises: StoreError."""
    path = data_dir / FILE_NAME
    temporary = path.with_name(f".{path.name}.{address.pid}")
    with translated_files(path):
        descriptor = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(address))
        temporary.replace(path)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def find(data_dir: Path) -> Address | None:
    """Return how to reach the service that was there last, None when none says so."""
    try:
        return msgspec.json.decode((data_dir / FILE_NAME).read_bytes(), type=Address)
    except (OSError, msgspec.DecodeError):
        return None
