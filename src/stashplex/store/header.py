"""Whether a file may be ours, told from its first 100 bytes alone.

Called before SQLite opens anything, since even a look through SQLite may write beside a file. What is refused
here was never touched. It says nothing about the tables: that is `database`.
Source: https://www.sqlite.org/fileformat.html, section 1.3.
"""

import stat
from pathlib import Path

from stashplex.base.errors import StoreError

APPLICATION_ID = 0x53545058
"""`STPX`, in the header of every store."""

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_ELSEWHERE = "Point the data directory somewhere else, or move this file away."
RESTORE = "Restore the file from a backup, or move it away to start afresh."


def is_fresh(path: Path) -> bool:
    """Tell whether there is nothing yet: no file, or an empty one left by a start that was cut short.

    Raises: StoreError when something stands there that is not ours or not whole.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    if stat.S_ISDIR(status.st_mode):
        raise StoreError(f"{path} is a directory, not a database file", hint=_ELSEWHERE)
    if status.st_size == 0:
        return True
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    _check_header(path, header)
    if not wal_of(path).exists():
        _check_length(path, header, status.st_size)
    return False


def wal_of(path: Path) -> Path:
    """Return SQLite's write-ahead log of a database file."""
    return path.with_name(path.name + "-wal")


def _check_header(path: Path, header: bytes) -> None:
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        raise StoreError(f"{path} is not a database", hint=_ELSEWHERE)
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise StoreError(f"{path} is a database of another program", hint=_ELSEWHERE)


def _check_length(path: Path, header: bytes, size_bytes: int) -> None:
    """Refuse a file that was cut off. Only without a log: a checkpoint that was cut short leaves the rest there."""
    page_bytes = 65536 if header[16:18] == b"\x00\x01" else int.from_bytes(header[16:18])
    if size_bytes < int.from_bytes(header[28:32]) * page_bytes:
        raise StoreError(f"{path} is damaged: a part of it is missing", hint=RESTORE)
