"""Which processes work with a store: each holds the lock on one of a few files while it may hold leases.

The operating system drops the lock when a process ends, however it ends; the file itself stays and means nothing.
Used by `owner`, which enrols, and by whoever must know whether it is alone. For processes on one host, like SQLite.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stashplex.store.failure import translated_files

_PREFIX, _SUFFIX = "process-", ".lock"


def name_of(number: int) -> str:
    """Return the name of the process that holds the lock of a number, from 1."""
    return f"{_PREFIX}{number}"


@contextmanager
def held(path: Path, name: str) -> Iterator[bool]:
    """Hold the lock of a name beside a database file, if nobody else does; tell whether it is held.

    Raises: StoreError.
    """
    lock = FileLock(path.with_name(f"{path.name}.{name}{_SUFFIX}"), timeout=0, mode=0o600)
    with translated_files(path):
        try:
            lock.acquire()
        except Timeout:
            is_held = False
        else:
            is_held = True
    try:
        yield is_held
    finally:
        lock.release()


def list_working(path: Path) -> tuple[str, ...]:
    """Return the names of the living processes that work with the database file. Raises: StoreError."""
    start = len(path.name) + 1
    with translated_files(path):
        files = sorted(path.parent.glob(f"*.{_PREFIX}*{_SUFFIX}"))
    names = [file.name[start : -len(_SUFFIX)] for file in files if file.name.startswith(f"{path.name}.{_PREFIX}")]
    return tuple(name for name in names if not _is_free(path, name))


def _is_free(path: Path, name: str) -> bool:
    with held(path, name) as is_held:
        return is_held
