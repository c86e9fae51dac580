"""Whether a file may be ours, told from its first 100 bytes alone.

Called before SQLite opens anything, since even a look through SQLite may write beside a file. What is refused
here was never touched. It says nothing about the tables: that is `database`.
Source: https://www.sqlite.org/fileformat.html, section 1.3.
"""

from pathlib import Path

from stashplex.base.errors import StoreError

APPLICATION_ID = 0x53545058
"""`STPX`, in the header of every store."""

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_ELSEWHERE = "Point the data directory somewhere else, or move this file away."
RESTORE = "Run stashplex store restore to go back to the newest good backup, or move the file away to start afresh."
NEWER = "Install the newer version again."


def is_fresh(path: Path) -> bool:
    """Tell whether there is nothing yet: no file, or an empty one left by a start that was cut short.

    Raises: StoreError when something stands there that is not ours; OSError when it may not be read and written.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a directory, not a database file", hint=_ELSEWHERE)
    header = _read_header(path)
    if not header:
        return True
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        raise StoreError(f"{path} is not a database", hint=_ELSEWHERE)
    if int.from_bytes(header[68:72]) != APPLICATION_ID:
        raise StoreError(f"{path} is a database of another program", hint=_ELSEWHERE)
    return False


def check_length(path: Path) -> None:
    """Refuse a file that was cut off. Not for a file with a log: a checkpoint cut short left the rest there."""
    header = _read_header(path)
    page_bytes = 65536 if header[16:18] == b"\x00\x01" else int.from_bytes(header[16:18])
    if path.stat().st_size < int.from_bytes(header[28:32]) * page_bytes:
        raise StoreError(f"{path} is damaged: a part of it is missing", hint=RESTORE)


def wal_of(path: Path) -> Path:
    """Return SQLite's write-ahead log of a database file."""
    return path.with_name(path.name + "-wal")


def _read_header(path: Path) -> bytes:
    try:
        with path.open("r+b") as file:  # for writing, to see now whether that is allowed
            return file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return b""
