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

from vfs import Kind, Operation


@contextmanager
def noted(root: Path, note: Callable[[Operation], object], *, syncs: bool = True) -> Iterator[None]:
    """Note what happens below a folder. Without `syncs` nothing is ever synced, and that is noted truly."""
    real_fsync, real_replace, real_unlink, real_mkdir = os.fsync, os.replace, os.unlink, os.mkdir

    def is_ours(path: Path) -> bool:
        return path.is_relative_to(root)

    def note_content(path: Path) -> None:
        content = path.read_bytes()
        note(Operation(Kind.TRUNCATE, path))
        note(Operation(Kind.WRITE, path, 0, content))

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if not syncs or not is_ours(path):
            return
        if path.is_dir():
            note(Operation(Kind.SYNC_FOLDER, path))
            return
        note_content(path)
        note(Operation(Kind.SYNC, path))

    def replace(source: Any, target: Any, **rest: Any) -> None:
        if is_ours(Path(source)) and not syncs:
            note_content(Path(source))
        real_replace(source, target, **rest)
        if is_ours(Path(target)):
            note(Operation(Kind.RENAME, Path(source), target=Path(target)))

    def unlink(path: Any, **rest: Any) -> None:
        real_unlink(path, **rest)
        if is_ours(Path(path)):
            note(Operation(Kind.DELETE, Path(path)))

    def mkdir(path: Any, *rest: Any, **more: Any) -> None:
        real_mkdir(path, *rest, **more)
        if is_ours(Path(path)):
            note(Operation(Kind.MAKE_FOLDER, Path(path)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        patch.setattr(os, "replace", replace)
        patch.setattr(os, "unlink", unlink)
        patch.setattr(os, "mkdir", mkdir)
        yield
