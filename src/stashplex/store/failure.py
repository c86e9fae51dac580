"""Foreign errors of the database, translated once.

Used by `database` alone, around every transaction and every open; no error of SQLite, SQLAlchemy, filelock or the
file system leaves this package in another form. The cause stays chained.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import filelock
import msgspec
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from stashplex.base.errors import StoreError
from stashplex.store.header import RESTORE

_WRITABLE = "Give this user write access to the folder and the files in it."
_DISK = "Check the disk and the file system, then start again."
_BUSY = "Close the other program that uses the file, or wait until it has finished."
_REPORT = "Report this as a bug, with the message."

_FAILURES: Mapping[int, tuple[str, str]] = {
    sqlite3.SQLITE_CORRUPT: ("is damaged", RESTORE),
    sqlite3.SQLITE_NOTADB: ("is damaged or no database", RESTORE),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "Free some space, then start again; nothing was lost."),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk reports an error", _DISK),
    sqlite3.SQLITE_READONLY: ("is read-only", _WRITABLE),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", _WRITABLE),
    sqlite3.SQLITE_PERM: ("may not be opened", _WRITABLE),
    sqlite3.SQLITE_BUSY: ("is in use by another program", _BUSY),
    sqlite3.SQLITE_LOCKED: ("is in use by another program", _BUSY),
    sqlite3.SQLITE_CONSTRAINT: ("refused a row that breaks a rule of the store", _REPORT),
}
_PRIMARY_CODE = 0xFF


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn whatever the database raises inside into StoreError."""
    try:
        yield
    except DBAPIError as error:
        raise _of_sqlite(path, error.orig) from error
    except sqlite3.Error as error:
        raise _of_sqlite(path, error) from error
    except SQLAlchemyError as error:
        raise StoreError(f"{path}: {error}", hint=_REPORT) from error
    except msgspec.MsgspecError as error:
        raise StoreError(f"{path} holds a row that cannot be read: {error}", hint=RESTORE) from error


@contextmanager
def translated_files(path: Path) -> Iterator[None]:
    """Turn what the file system or the advisory lock raises inside into StoreError."""
    try:
        yield
    except filelock.Timeout as error:
        raise StoreError(f"{path} is in use by another program", hint=_BUSY) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreError(f"{path} cannot be used: {reason}", hint=_WRITABLE) from error


def _of_sqlite(path: Path, error: BaseException | None) -> StoreError:
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int) and (code & _PRIMARY_CODE) in _FAILURES:
        message, hint = _FAILURES[code & _PRIMARY_CODE]
        return StoreError(f"{path} {message} ({error})", hint=hint)
    return StoreError(f"{path}: {error}", hint=_REPORT)
