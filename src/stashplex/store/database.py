"""The one file that holds everything durable: opened, checked, migrated, and the only two ways into it.

`read` is a snapshot, `write` is `BEGIN IMMEDIATE` under one advisory lock that all processes share; both are short and
never span a request. The lock covers commit and checkpoint (reliability.md, lessons).
A file that is refused is never changed. No error but StoreError comes out.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

from filelock import FileLock
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from stashplex.base.errors import StoreError
from stashplex.store import folder
from stashplex.store.backup import Backups
from stashplex.store.failure import translated, translated_files
from stashplex.store.header import APPLICATION_ID, NEWER, RESTORE, check_length, is_fresh, wal_of
from stashplex.store.migration import migrate
from stashplex.store.presence import list_working
from stashplex.store.schema import REVISION, metadata
from stashplex.store.watch import Watch

LOCK_TIMEOUT_S = 60.0
BUSY_TIMEOUT_S = 30.0
_POLL_S = 0.002
_BEGIN = "stashplex_begin"
_VERSIONS = "alembic_version"

QUICK_CHECK_BYTES = 16 * 1024 * 1024
"""Up to this size every page is checked at open (20 to 70 ms); a larger file only by header and table of contents."""

SUSPECT_CHECK_BYTES = 256 * 1024 * 1024
"""The same for a file whose last user did not close it: killed, or without power (0.4 s)."""

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 4000",  # pages: 16 MiB; a page that changes often is written back once
    "PRAGMA cache_size = -16384",  # KiB; the due index of 1,000,000 rows fits
    "PRAGMA journal_size_limit = 67108864",  # bytes; a log that grew is cut again
)


class Database:
    """An open store. Made by `open`, used through `read` and `write`, ended by `close`."""

    def __init__(self, path: Path, engine: Engine, lock: FileLock) -> None:
        self.path = path
        self._engine = engine
        self._writer = engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        self._lock = lock
        self._watch: Watch | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the store in `path`, created with its directory or migrated where needed.

        What is looked at: the header, the length, the table of contents, and every page of a file that is small or was
        not closed. Before a migration a backup is made.
        Raises: StoreError when it cannot be used: a directory, no database, another program's, a newer one, damaged,
        not writable, no space. Then the file is as it was, byte by byte; the hint names the newest good backup.
        """
        path = path.absolute()
        with _way_back(path), translated_files(path):
            folder.make(path.parent)
            is_fresh(path)  # refuses before anything is laid beside a file that is not ours
            lock = FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_TIMEOUT_S, mode=0o600)
            with lock.acquire(poll_interval=_POLL_S), translated(path):
                is_current = _prepare(path)
        with ExitStack() as stack:
            database = cls(path, _engine(path), lock)
            stack.callback(database.close)
            if not is_current:
                with database.write() as connection:
                    migrate(connection)
            with database.read():  # fails here, not at the first use, when no log can be laid beside the file
                pass
            stack.pop_all()
        return database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one snapshot. Short: an open snapshot keeps the log from being cut."""
        with translated(self.path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes are durable together when the block ends, or not at all when it raises."""
        with translated_files(self.path):
            self._lock.acquire(poll_interval=_POLL_S)
        try:
            if self._watch is not None:
                self._watch.look()
            with translated(self.path), self._writer.begin() as connection:
                yield connection
        finally:
            if self._watch is not None:
                self._watch.look_away()
            self._lock.release()

    def has_news(self) -> bool:
        """Tell whether another process changed the store since this was asked last, at first always. Reads no table."""
        if self._watch is None:
            with translated(self.path):
                self._watch = Watch(_own_connection(self._engine))
        return self._watch.take_news()

    def close(self) -> None:
        """Close the file. The last one to close it folds the log back into it."""
        with translated_files(self.path), self._lock.acquire(poll_interval=_POLL_S), translated(self.path):
            if self._watch is not None:
                self._watch.close()
                self._watch = None
            self._engine.dispose()


@contextmanager
def _way_back(path: Path) -> Iterator[None]:
    """Let the hint of a file that is damaged or newer name the command that brings the newest good backup back."""
    try:
        yield
    except StoreError as error:
        good = Backups(path).find_newest_good() if error.hint in {RESTORE, NEWER} else None
        if good is None:
            raise
        or_newer = "Install the newer version again, or r" if error.hint == NEWER else "R"
        raise StoreError(str(error), hint=f"{or_newer}un: stashplex store restore '{good}'") from error


def _prepare(path: Path) -> bool:
    """Lay out a new file or check an old one; tell whether its schema is ours. The caller holds the lock."""
    if is_fresh(path):
        _create(path)
        return False
    revision = _inspect(path)
    if revision not in {None, REVISION}:
        Backups(path).make_before(REVISION)
    return revision == REVISION


def _create(path: Path) -> None:
    """Lay out a file without tables beside its place, then put it there whole: a power cut leaves all of it or none."""
    unfinished = path.with_name(f".{path.name}.new")
    for part in ("", "-journal", "-wal", "-shm"):
        unfinished.with_name(unfinished.name + part).unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(sqlite3.connect(unfinished, isolation_level=None, timeout=BUSY_TIMEOUT_S)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")  # before the log: the header is read bare
        connection.execute("PRAGMA journal_mode = WAL")
    if wal_of(path).exists():  # of a file that was moved away: SQLite would take it for the log of the new one
        wal_of(path).replace(wal_of(path).with_suffix(f"{wal_of(path).suffix}.orphan"))
    unfinished.replace(path)
    folder.sync(path.parent)


def _inspect(path: Path) -> str | None:
    """Return the schema version, None when there is no schema yet. It writes neither the file nor its log."""
    has_log = wal_of(path).exists() and wal_of(path).stat().st_size > 0
    if not has_log:
        check_length(path)
    mode = "mode=ro" if has_log else "mode=ro&immutable=1"  # without a log, a look leaves nothing behind
    with closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not tables:
            return None
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall() if _VERSIONS in tables else []
        revision = str(rows[0][0]) if len(rows) == 1 else ""
        if not revision.isdecimal():
            raise StoreError(f"{path} is damaged: it has no schema version", hint=RESTORE)
        if int(revision) > int(REVISION):
            raise StoreError(
                f"{path} was written by a newer version of this program (schema {revision}, known: {REVISION})",
                hint=NEWER,
            )
        if revision == REVISION and not tables.issuperset(metadata.tables):
            raise StoreError(f"{path} is damaged: a table is missing", hint=RESTORE)
        is_suspect = has_log and not list_working(path)
        if path.stat().st_size <= (SUSPECT_CHECK_BYTES if is_suspect else QUICK_CHECK_BYTES):
            _quick_check(path, connection)
        return revision


def _quick_check(path: Path, connection: sqlite3.Connection) -> None:
    (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        raise StoreError(f"{path} is damaged: {finding}", hint=RESTORE)


def _engine(path: Path) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return engine


def _own_connection(engine: Engine) -> sqlite3.Connection:
    """Return a connection that the pool does not hand out again. Whoever asks closes it."""
    pooled = engine.raw_connection()
    connection = pooled.driver_connection
    pooled.detach()
    if not isinstance(connection, sqlite3.Connection):  # the type of the driver is not known to SQLAlchemy
        raise TypeError(type(connection))
    return connection


def _connected(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions are begun here, not by the driver
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begun(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))
