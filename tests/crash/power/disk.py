"""A disk that loses power: what was synced is there, what was not may be there, or a part of it, in any order.

Fed with the operations of a run, it lays out what a restart may find. Folders have to be synced, too: a name that was
not may be missing. Not modelled: a disk that says "synced" and has not, and bytes that rot.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from crash.power.vfs import Kind, Operation


@dataclass(slots=True)
class _File:
    """Bytes that are safe, and changes that are not yet."""

    safe: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)


@dataclass(slots=True)
class _Folder:
    """A folder: that it exists."""


@dataclass(slots=True)
class _Name:
    """What a name stands for: safe, and what it was changed to since. None is nothing."""

    safe: _File | _Folder | None = None
    pending: list[_File | _Folder | None] = field(default_factory=list)

    @property
    def now(self) -> _File | _Folder | None:
        return self.pending[-1] if self.pending else self.safe


class Disk:
    """The files below one folder, which is itself safe."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._names: dict[Path, _Name] = {}

    def play(self, operations: Iterable[Operation]) -> None:
        """Let operations happen."""
        for one in operations:
            self._happen(one)

    def _happen(self, one: Operation) -> None:
        name = self._names.setdefault(one.path, _Name())
        match one.kind:
            case Kind.OPEN:
                self._file(one.path)
            case Kind.WRITE | Kind.TRUNCATE:
                self._file(one.path).pending.append(one)
            case Kind.SYNC:
                file = self._file(one.path)
                for change in file.pending:
                    _apply(file.safe, change)
                file.pending.clear()
                if one.is_journal:
                    self._sync_folder(one.path.parent)
            case Kind.DELETE:
                name.pending.append(None)
            case Kind.MAKE_FOLDER:
                name.pending.append(_Folder())
            case Kind.RENAME if one.target is not None:
                self._names.setdefault(one.target, _Name()).pending.append(name.now)
                name.pending.append(None)
            case Kind.SYNC_FOLDER:
                self._sync_folder(one.path)
            case Kind.READ | Kind.RENAME:
                pass

    def _file(self, path: Path) -> _File:
        name = self._names.setdefault(path, _Name())
        if not isinstance(name.now, _File):
            name.pending.append(_File())
        assert isinstance(name.now, _File)
        return name.now

    def _sync_folder(self, folder: Path) -> None:
        for path, name in self._names.items():
            if path.parent == folder:
                name.safe, name.pending = name.now, []

    def lay_out(self, folder: Path, chance: random.Random) -> None:
        """Write what may be there after a cut at this moment into a folder that is empty."""
        fate = chance.choice(("lost", "kept", "mixed", "mixed"))
        for path, name in sorted(self._names.items()):
            found = _fate_of(name, fate, chance)
            target = folder / path.relative_to(self._root)
            if not target.parent.is_dir() or found is None:
                continue
            if isinstance(found, _Folder):
                target.mkdir()
                continue
            content = bytearray(found.safe)
            for change in found.pending:
                _tear(content, change, fate, chance)
            target.write_bytes(content)


def _fate_of(name: _Name, fate: str, chance: random.Random) -> _File | _Folder | None:
    """Return what a name stands for after the cut: its changes reach the disk in their order, up to some."""
    reached = {"lost": 0, "kept": len(name.pending)}.get(fate, chance.randint(0, len(name.pending)))
    return name.pending[reached - 1] if reached else name.safe


def _apply(content: bytearray, change: Operation) -> None:
    if change.kind is Kind.TRUNCATE:
        del content[change.offset :]
        content.extend(bytes(change.offset - len(content)))
        return
    content.extend(bytes(max(0, change.offset - len(content))))
    content[change.offset : change.offset + len(change.content)] = change.content


def _tear(content: bytearray, change: Operation, fate: str, chance: random.Random) -> None:
    """Let a change reach the disk whole, not at all, or in some of its sectors."""
    own = chance.choice(("lost", "kept", "torn")) if fate == "mixed" else fate
    if own == "kept" or (own == "torn" and change.kind is Kind.TRUNCATE):
        _apply(content, change)
    elif own == "torn":
        sector = chance.choice((512, 4096))
        start, end = change.offset, change.offset + len(change.content)
        while start < end:
            stop = min(end, (start // sector + 1) * sector)
            if chance.random() < 0.5:
                part = change.content[start - change.offset : stop - change.offset]
                _apply(content, Operation(Kind.WRITE, change.path, start, part))
            start = stop
