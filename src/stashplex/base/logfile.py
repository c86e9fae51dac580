"""A log file of bounded size, for a service that nobody watches: a full one becomes `NAME.1`, and a new one starts.

Used as a stream in place of standard error. It never raises: a full disk costs lines, not the service. The invariant:
two files at most, each about as large as the bound, for their owner alone.
"""

import io
import os
from contextlib import suppress
from pathlib import Path

from typing_extensions import override

LARGEST_BYTES = 1024 * 1024


class LogFile(io.TextIOBase):
    """Appends text to a file. Units: `largest_bytes` per file."""

    def __init__(self, path: Path, largest_bytes: int = LARGEST_BYTES) -> None:
        super().__init__()
        self._path = path
        self._largest_bytes = largest_bytes

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, text: str) -> int:
        with suppress(OSError):
            self._append(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def _append(self, data: bytes) -> None:
        """Open, append, close: another process may have turned the file over meanwhile."""
        descriptor = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, data)
            is_full = os.fstat(descriptor).st_size >= self._largest_bytes
        finally:
            os.close(descriptor)
        if is_full:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
