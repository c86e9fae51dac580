"""The spool: events on disk, one file each, between whoever saw them and the ledger.

Format: a directory; `<microseconds since the epoch, 16 digits>-<anything unique>.json` holds one JSON object with
`type` (text), `id` (number), `at` (text, ISO 8601) and `fields` (list of text). Names that start with a dot are being
written. It uses the standard library alone, as another program writes the same format; it never looks inside a file.
Invariant: a file that has its final name is whole and durable, and stays until somebody discards it.
"""

import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stashplex.store import folder

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUFFIX = ".json"
_ASIDE = "aside"


def append(directory: Path, event: bytes, *, now: datetime) -> Path:
    """Write one event durably and return its file. The directory is made where needed.

    Raises: OSError when it cannot be written; then no file with a final name is left.
    """
    folder.make(directory)
    micros = (now - _EPOCH) // timedelta(microseconds=1)
    final = directory / f"{micros:016d}-{secrets.token_hex(8)}{_SUFFIX}"
    temporary = final.with_name(f".{final.name}")
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(event)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)
    folder.sync(directory)
    return final


def iter_ready(directory: Path) -> Iterator[Path]:
    """Yield the files that are whole, oldest first. A directory that is not there holds none."""
    for name in sorted(iter_names(directory)):
        yield directory / name


def iter_names(directory: Path) -> Iterator[str]:
    """Yield the names of the files that are whole, in no order, as the directory is read."""
    try:
        entries = os.scandir(directory)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIX) and not entry.name.startswith("."):
                yield entry.name


def discard(path: Path) -> None:
    """Remove a file whose mark is durable. Removing it twice is the same."""
    path.unlink(missing_ok=True)


def set_aside(path: Path, reason: str) -> Path:
    """Move a file that cannot be understood to `aside/`, with the reason beside it; return where it is now."""
    aside = path.parent / _ASIDE
    folder.make(aside)
    descriptor = os.open(aside / f"{path.name}.reason", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{reason}\n")
    return path.replace(aside / path.name)
