"""What SQLite asks of the operating system, seen and answered from below: the same library, driver and store as ever.

The operating system's own VFS of the SQLite library that Python is linked with stays in charge; five of its entries are
exchanged for ones that tell a tap first. The tap may let an operation fail instead. Nothing of ours knows about it, and
shared memory and locks work as always, so several connections and processes are no special case.
"""

import _sqlite3
import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path

OK, NOT_OPENED, FULL = 0, 14, 13
IO_READ, IO_WRITE, IO_FSYNC, IO_TRUNCATE, IO_DELETE = (10 | kind << 8 for kind in (1, 3, 4, 6, 10))


class Kind(StrEnum):
    """What an operation does."""

    OPEN = auto()
    READ = auto()
    WRITE = auto()
    TRUNCATE = auto()
    SYNC = auto()
    DELETE = auto()
    MAKE_FOLDER = auto()
    RENAME = auto()
    SYNC_FOLDER = auto()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation on a file or folder. Shape: `target` for RENAME; `is_journal` for files whose folder is synced."""

    kind: Kind
    path: Path
    offset: int = 0
    content: bytes = b""
    target: Path | None = None
    is_journal: bool = False


Tap = Callable[[Operation], int]
"""Told of an operation before it happens; returns OK, or the SQLite error that happens instead."""

_POINTER, _INT, _LONG, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_char_p
_OPEN = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _INT, _POINTER)
_DELETE = ctypes.CFUNCTYPE(_INT, _POINTER, _TEXT, _INT)
_CLOSE = ctypes.CFUNCTYPE(_INT, _POINTER)
_READ = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT, _LONG)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _POINTER, _LONG)
_SYNC = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)
_JOURNALS = 0x00000800 | 0x00080000  # SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_WAL: SQLite syncs their folder
_READ_ONLY = 0x00000001


class _Methods(ctypes.Structure):
    """`sqlite3_io_methods`. Source: https://www.sqlite.org/c3ref/io_methods.html."""

    _fields_ = (
        ("version", _INT),
        ("close", _CLOSE),
        ("read", _READ),
        ("write", _READ),
        ("truncate", _TRUNCATE),
        ("sync", _SYNC),
        ("others", _POINTER * 13),
    )


class _File(ctypes.Structure):
    """`sqlite3_file`: whatever follows belongs to the VFS."""

    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


class _Vfs(ctypes.Structure):
    """`sqlite3_vfs`. Source: https://www.sqlite.org/c3ref/vfs.html."""

    _fields_ = (
        ("version", _INT),
        ("file_bytes", _INT),
        ("path_bytes", _INT),
        ("next", _POINTER),
        ("name", _TEXT),
        ("data", _POINTER),
        ("open", _OPEN),
        ("delete", _DELETE),
        ("others", _POINTER * 14),
    )


_LIBRARY = ctypes.CDLL(_sqlite3.__file__)
_FIND = ctypes.CFUNCTYPE(ctypes.POINTER(_Vfs), _TEXT)(("sqlite3_vfs_find", _LIBRARY))
_REGISTER = ctypes.CFUNCTYPE(_INT, ctypes.POINTER(_Vfs), _INT)(("sqlite3_vfs_register", _LIBRARY))
_UNREGISTER = ctypes.CFUNCTYPE(_INT, ctypes.POINTER(_Vfs))(("sqlite3_vfs_unregister", _LIBRARY))


class _TappedVfs:
    """The VFS of the operating system with a tap. It lives as long as connections made through it."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._original = _FIND(None).contents
        self._files: dict[int, tuple[Path, bool]] = {}
        self._methods: dict[int, tuple[_Methods, _Methods]] = {}
        self._vfs = _Vfs.from_buffer_copy(self._original)
        self._vfs.name = b"tapped"
        self._vfs.open = _OPEN(self._open)
        self._vfs.delete = _DELETE(self._delete)

    def register(self) -> None:
        _REGISTER(ctypes.byref(self._vfs), 1)

    def unregister(self) -> None:
        _UNREGISTER(ctypes.byref(self._vfs))
        _REGISTER(ctypes.byref(self._original), 1)

    def open_files(self) -> list[str]:
        """Return what is open and should not be."""
        return [path.name for path, _ in self._files.values()]

    def _open(self, _vfs: int, name: int | None, file: int, flags: int, out_flags: int | None) -> int:
        path = Path(os.fsdecode(ctypes.string_at(name))) if name else None
        is_journal = bool(flags & _JOURNALS)
        if path and not flags & _READ_ONLY and (code := self._tap(Operation(Kind.OPEN, path, is_journal=is_journal))):
            _File.from_address(file).methods = ctypes.POINTER(_Methods)()
            return code
        code = int(self._original.open(ctypes.addressof(self._original), name, file, flags, out_flags))
        if code == OK and path:
            self._files[file] = (path, is_journal)
            handle = _File.from_address(file)
            handle.methods = ctypes.pointer(self._tapped(handle.methods.contents))
        return code

    def _tapped(self, original: _Methods) -> _Methods:
        """Return the methods of a kind of file with ours among them."""
        address = ctypes.addressof(original)
        if address in self._methods:
            return self._methods[address][0]
        tapped = _Methods.from_buffer_copy(original)

        def told(kind: Kind, file: int, offset: int = 0, content: bytes = b"") -> int:
            path, is_journal = self._files[file]
            return self._tap(Operation(kind, path, offset, content, is_journal=is_journal))

        def read(file: int, buffer: int, size: int, offset: int) -> int:
            return told(Kind.READ, file, offset) or int(original.read(file, buffer, size, offset))

        def write(file: int, buffer: int, size: int, offset: int) -> int:
            code = told(Kind.WRITE, file, offset, ctypes.string_at(buffer, size))
            if code == FULL:  # as much as there was room for
                original.write(file, buffer, size // 2, offset)
            return code or int(original.write(file, buffer, size, offset))

        def truncate(file: int, size: int) -> int:
            return told(Kind.TRUNCATE, file, size) or int(original.truncate(file, size))

        def sync(file: int, flags: int) -> int:
            return told(Kind.SYNC, file) or int(original.sync(file, flags))

        def close(file: int) -> int:
            self._files.pop(file)
            return int(original.close(file))

        tapped.read, tapped.write, tapped.truncate = _READ(read), _READ(write), _TRUNCATE(truncate)
        tapped.sync, tapped.close = _SYNC(sync), _CLOSE(close)
        self._methods[address] = (tapped, original)
        return tapped

    def _delete(self, _vfs: int, name: bytes, syncs_folder: int) -> int:
        path = Path(os.fsdecode(name))
        if code := self._tap(Operation(Kind.DELETE, path)):
            return code
        code = int(self._original.delete(ctypes.addressof(self._original), name, syncs_folder))
        if syncs_folder:
            self._tap(Operation(Kind.SYNC_FOLDER, path.parent))
        return code


_kept: list[_TappedVfs] = []
"""A connection that is still open at the end, after a failed test, must not call what is gone."""


@contextmanager
def tapped(tap: Tap) -> Iterator[None]:
    """Tell the tap of whatever SQLite does in this process. Every connection must be closed before the end."""
    vfs = _TappedVfs(tap)
    vfs.register()
    _kept.append(vfs)
    try:
        yield
    finally:
        vfs.unregister()
    assert vfs.open_files() == []
