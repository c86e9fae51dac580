"""A SQLite file of another program, read through a private copy.

Even a read-only connection may lay a log beside the file that it reads, so nothing here opens the original: file and
log are copied to a folder that only this user can enter, and the copy is opened, checked and thrown away.
Invariant: the source and its folder stay as they were, byte by byte.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from stashplex.base.errors import StoreError

_PARTS = ("", "-wal", "-journal")  # not -shm: SQLite rebuilds it from the log
_COPY_TRIES = 3
_AWAY = "Move it out of the folder to take over the rest, or point to a copy from a backup."
_STOP = "Switch Stash2Plex off in Stash (Settings, Plugins), wait until its tasks have ended, and run this again."
_READ = "Check the permissions of the folder and the free space for temporary files."


@contextmanager
def open_copy(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection to a checked copy of a database. Text that is not UTF-8 is read with replacements.

    Raises: StoreError when it is damaged, no database, cannot be read, or keeps being written meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix="stashplex-") as folder:
        copy = _copied(path, Path(folder))
        try:
            with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                connection.execute("PRAGMA trusted_schema = OFF")
                connection.text_factory = _text
                (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                if finding != "ok":
                    raise StoreError(f"{path} is damaged: {finding}", hint=_AWAY)
                yield connection
        except sqlite3.Error as error:
            raise StoreError(f"{path} is damaged or no database ({error})", hint=_AWAY) from error


def list_tables(connection: sqlite3.Connection) -> dict[str, frozenset[str]]:
    """Return the tables of a database, each with the names of its columns."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {
        name: frozenset(column for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (name,)))
        for name in names
        if not name.startswith("sqlite_")
    }


def quoted(name: str) -> str:
    """Return a table's name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _copied(path: Path, folder: Path) -> Path:
    """Copy a database with its log until it holds still while that is done."""
    try:
        for _ in range(_COPY_TRIES):
            before = _signature(path)
            for part in _PARTS:
                source, target = path.with_name(path.name + part), folder / f"copy.sqlite{part}"
                target.unlink(missing_ok=True)
                if source.is_file():
                    shutil.copyfile(source, target)
            if _signature(path) == before:
                return folder / "copy.sqlite"
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or type(error).__name__}", hint=_READ) from error
    raise StoreError(f"{path} is being written by Stash2Plex", hint=_STOP)


def _signature(path: Path) -> tuple[tuple[int, int, int] | None, ...]:
    files = (path.with_name(path.name + part) for part in _PARTS)
    return tuple((s.st_size, s.st_mtime_ns, s.st_ino) if (s := _stat(file)) else None for file in files)


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except FileNotFoundError:
        return None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace")
