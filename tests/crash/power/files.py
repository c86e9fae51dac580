"""What our own code asks of the operating system about files, told to the same tap as SQLite's operations.

The functions of `os` are exchanged while a run is recorded. The content of a file is taken when it is synced or
renamed: what was written before is otherwise of no interest to a disk that loses power.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from crash.power.vfs import Kind, Operation


class _Noter:
    """Does what `os` does, and notes it when it happens below a folder."""

    def __init__(self, root: Path, note: Callable[[Operation], object], *, syncs: bool) -> None:
        self._root = root
        self._note_any = note
        self._syncs = syncs
        self._fsync, self._replace, self._unlink, self._mkdir = os.fsync, os.replace, os.unlink, os.mkdir

    def _note(self, kind: Kind, path: Path, content: bytes = b"", target: Path | None = None) -> None:
        if path.is_relative_to(self._root):
            self._note_any(Operation(kind, path, content=content, target=target))

    def _note_content(self, path: Path) -> None:
        self._note(Kind.TRUNCATE, path)
        self._note(Kind.WRITE, path, path.read_bytes())

    def fsync(self, descriptor: int) -> None:
        self._fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if self._syncs and path.is_dir():
            self._note(Kind.SYNC_FOLDER, path)
        elif self._syncs and path.is_file():
            self._note_content(path)
            self._note(Kind.SYNC, path)

    def replace(self, source: Any, target: Any, **rest: Any) -> None:
        if not self._syncs:
            self._note_content(Path(source))
        self._replace(source, target, **rest)
        self._note(Kind.RENAME, Path(source), target=Path(target))

    def unlink(self, path: Any, **rest: Any) -> None:
        self._unlink(path, **rest)
        self._note(Kind.DELETE, Path(path))

    def mkdir(self, path: Any, *rest: Any, **more: Any) -> None:
        self._mkdir(path, *rest, **more)
        self._note(Kind.MAKE_FOLDER, Path(path))


@contextmanager
def noted(root: Path, note: Callable[[Operation], object], *, syncs: bool = True) -> Iterator[None]:
    """Note what happens below a folder. Without `syncs` no sync of ours is noted, as if there were none."""
    noter = _Noter(root, note, syncs=syncs)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "replace", "unlink", "mkdir"):
            patch.setattr(os, name, getattr(noter, name))
        yield
