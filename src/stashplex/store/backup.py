"""Copies of the store: made while it is in use, read whole before they count, a few of them kept.

One a day (`engine.upkeep`), one before each migration (`Database.open`), one whenever a person asks. `restore` puts one
back. It knows no clock.
Invariants: a file under its final name in the folder of backups was whole and sound when it was made; what fails leaves
the others as they are; of several processes, one at a time makes a backup.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock

from stashplex.base.errors import StoreError
from stashplex.store import folder
from stashplex.store.failure import translated, translated_files
from stashplex.store.header import APPLICATION_ID
from stashplex.store.schema import REVISION

FOLDER = "backups"
_LOCK = ".lock"
LOCK_TIMEOUT_S = 60.0
"""A backup of a large store takes some seconds; who waits longer tries again with the next hour."""

KEPT = 3
"""Backups by time that are kept, besides the one before the last migration."""

INTERVAL = timedelta(days=1)

_STAMP = "%Y%m%d-%H%M%S"
_TIMED = re.compile(r"-(\d{8}-\d{6})\.sqlite$")
_BEFORE = re.compile(r"-before-\d+\.sqlite$")
_OTHER = "Name another file: stashplex store restore FILE."


class Backups:
    """The backups of one database file, in a folder beside it."""

    def __init__(self, database_path: Path) -> None:
        self._source = database_path.absolute()
        self.folder = self._source.parent / FOLDER
        self._lock = FileLock(self.folder / _LOCK, timeout=LOCK_TIMEOUT_S, mode=0o600)

    def make_if_due(self, now: datetime) -> Path | None:
        """Make the backup of the day, unless it is there or another process is just making it; return its file.

        Raises: StoreError, as `make` does.
        """
        if not self.is_due(now):
            return None
        with self._alone():
            return self.make(now) if self.is_due(now) else None

    def make(self, now: datetime) -> Path:
        """Make a backup and remove those that are one too many; return its file. Writers need not wait meanwhile.

        Shape: the store is open, or its lock is held, so that closing the copy's source folds no log.

        Raises: StoreError when it cannot be made or is not sound; then there is none, and the others stay.
        """
        made = self._make(f"{self._source.stem}-{now.astimezone(UTC):{_STAMP}}.sqlite")
        with translated_files(self.folder):
            others = [path for path in self._timed() if path != made]
            others.sort(key=lambda path: _made_at(path) > now)  # those of a clock that ran ahead go first
            for old in others[KEPT - 1 :]:
                old.unlink(missing_ok=True)
        return made

    def make_before(self, revision: str) -> Path:
        """Make the backup before the migration to a schema version; the one before an earlier migration goes.

        Raises: StoreError when it cannot be made or is not sound; then there is none, and the others stay.
        """
        made = self._make(f"{self._source.stem}-before-{revision}.sqlite")
        with translated_files(self.folder):
            for old in self._listed(_BEFORE):
                if old != made:
                    old.unlink(missing_ok=True)
        return made

    def is_due(self, now: datetime) -> bool:
        """Tell whether the newest backup is a day old, or there is none. One from the future counts for nothing."""
        stamps = [stamp for path in self._timed() if (stamp := _made_at(path)) <= now]
        return not stamps or now - max(stamps) >= INTERVAL

    def list_all(self) -> tuple[Path, ...]:
        """Return the files of all backups, the newest first and the one before a migration last. Not read."""
        return (*self._timed(), *self._listed(_BEFORE))

    def find_newest_good(self) -> Path | None:
        """Return the newest backup that is sound and that this program can use."""
        return next((path for path in self.list_all() if _is_good(path)), None)

    def _make(self, name: str) -> Path:
        final = self.folder / name
        unfinished = self.folder / f".{name}.new"
        with self._alone(), translated_files(self.folder):
            try:
                _discard(unfinished)
                os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
                counts = self._copy(unfinished)
                if verify(unfinished) != counts:
                    raise StoreError(f"The backup {final} does not hold what the store holds", hint="Make it again.")
                with unfinished.open("r+b") as file:
                    os.fsync(file.fileno())
                unfinished.replace(final)
                folder.sync(self.folder)
            finally:
                _discard(unfinished)
        return final

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes from making a backup. May be nested."""
        with translated_files(self.folder):
            folder.make(self.folder)
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _copy(self, target: Path) -> dict[str, int]:
        """Copy one moment of the store; return how many rows each table had then."""
        with (
            translated(self._source),
            closing(sqlite3.connect(self._source, isolation_level=None)) as source,
            closing(sqlite3.connect(target)) as copy,
        ):
            source.execute("BEGIN")
            counts = _count_rows(source)
            source.backup(copy)
        return counts

    def _timed(self) -> list[Path]:
        return self._listed(_TIMED)

    def _listed(self, pattern: re.Pattern[str]) -> list[Path]:
        start = f"{self._source.stem}-"
        if not self.folder.is_dir():
            return []
        with translated_files(self.folder):
            files = [path for path in self.folder.iterdir() if path.name.startswith(start)]
        return sorted((path for path in files if pattern.search(path.name)), reverse=True)


def verify(path: Path) -> dict[str, int]:
    """Read a whole copy of a store; return how many rows each table has. It writes nothing, nor beside it.

    Raises: StoreError when it is missing, no store of ours, damaged, or newer than this program.
    """
    if not path.is_file():
        raise StoreError(f"{path} is not there", hint=_OTHER)
    with (
        translated(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection,
    ):
        (identity,) = connection.execute("PRAGMA application_id").fetchone()
        if identity != APPLICATION_ID:
            raise StoreError(f"{path} is no store of this program", hint=_OTHER)
        (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if finding != "ok" or connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise StoreError(f"{path} is damaged: {finding}", hint=_OTHER)
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        if len(rows) != 1 or not str(rows[0][0]).isdecimal():
            raise StoreError(f"{path} is damaged: it has no schema version", hint=_OTHER)
        if int(rows[0][0]) > int(REVISION):
            raise StoreError(f"{path} was written by a newer version of this program", hint="Install that version.")
        return _count_rows(connection)


def _is_good(path: Path) -> bool:
    try:
        verify(path)
    except StoreError:
        return False
    return True


def _made_at(path: Path) -> datetime:
    """Return when a backup was made, by its name; a name that is no time is in the future."""
    try:
        return datetime.strptime(path.stem[-15:], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)


def _count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - names of the schema
        for name in tables
    }


def _discard(unfinished: Path) -> None:
    for part in ("", "-journal", "-wal", "-shm"):
        unfinished.with_name(unfinished.name + part).unlink(missing_ok=True)
