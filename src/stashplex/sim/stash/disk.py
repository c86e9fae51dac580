"""The files on the simulated disk, as far as they differ from what the library knows.

A test changes the disk here; nothing happens until a scan or a clean looks. Once a scan has taken a difference in,
it is forgotten here: what the library knows is then what the disk holds.
"""

from dataclasses import dataclass, field

from stashplex.sim.stash.model import Picture, VideoFile


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A file as a scan would find it. Shape: `cover` is what cover generation makes of it."""

    path: str
    size: int
    duration: float
    oshash: str
    mod_time: str = ""
    cover: Picture = None


@dataclass(slots=True)
class Disk:
    """Differences between the disk and the library."""

    added: dict[str, DiskFile] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    touched: dict[str, str] = field(default_factory=dict)
    folder_moves: list[tuple[str, str]] = field(default_factory=list)

    def put(self, path: str, size: int = 1000, duration: float = 60.0, oshash: str = "", cover: Picture = None) -> None:
        """Put a new file there. Shape: without an oshash it gets one of its own, from its path."""
        self.removed.discard(path)
        self.added[path] = DiskFile(path, size, duration, oshash or f"{hash_of(path):016x}", cover=cover)

    def move(self, file: VideoFile, new: str) -> None:
        """Move a file that the library knows."""
        self.removed.add(file.path)
        self.added[new] = DiskFile(new, file.size, file.duration, file.oshash, file.mod_time)

    def remove(self, path: str) -> None:
        """Delete a file."""
        if self.added.pop(path, None) is None:
            self.removed.add(path)

    def touch(self, path: str, mod_time: str) -> None:
        """Change a file's modification time. Shape: `mod_time` as stored text."""
        self.touched[path] = mod_time

    def move_folder(self, old: str, new: str) -> None:
        """Rename a directory with all below it."""
        self.folder_moves.append((old, new))


def hash_of(text: str) -> int:
    """Return a number of 64 bits that is the same in every process."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def is_within(path: str, roots: list[str] | None) -> bool:
    """Tell whether a path is one of the roots or below one. Shape: no roots means everywhere."""
    return not roots or any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)
