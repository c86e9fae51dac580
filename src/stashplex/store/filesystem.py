"""Whether a folder lies on another machine: SQLite's log needs memory that all processes share, and honest locks.

Known on Linux from the table of mounts, on Windows from the address; elsewhere it cannot be told without running a
program, and is not (docs/explanation/failure-model.md).
Source: https://www.sqlite.org/wal.html ("does not work over a network filesystem").
"""

from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from stashplex.base.errors import StoreError

MOUNTS = Path("/proc/self/mountinfo")

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "davfs", "lustre", "beegfs", "glusterfs", "9p"}
    | {f"fuse.{kind}" for kind in ("sshfs", "rclone", "davfs2", "s3fs", "smbnetfs", "glusterfs", "ceph-fuse", "nfs")}
)


def refuse_network(folder: Path, mounts: Path = MOUNTS) -> None:
    """Raise StoreError when a folder, there or not yet, lies on another machine."""
    kind = find_kind(folder, mounts)
    if kind in NETWORK:
        raise StoreError(
            f"{folder} is on a network drive ({kind}), where a database can be damaged",
            hint="Set STASHPLEX_DATA_DIR to a folder of this machine, or STASHPLEX_ALLOW_NETWORK_STORE=1 to take the "
            "risk; then nothing on any other machine may use it.",
        )


def find_kind(folder: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the kind of file system that a folder is on, None where that cannot be told."""
    if PureWindowsPath(folder).drive.startswith("\\\\"):
        return "smb3"
    try:
        text = mounts.read_text(encoding="utf-8", errors="replace")
        place = folder.resolve()
    except OSError:
        return None
    found = [
        (len(point.parts), number, kind)
        for number, (point, kind) in enumerate(_iter_mounts(text))
        if _is_in(place, point)
    ]
    return max(found)[2] if found else None


def _is_in(place: Path, point: Path) -> bool:
    return place == point or point in place.parents


def _iter_mounts(text: str) -> Iterator[tuple[Path, str]]:
    """Yield where each file system is mounted, and its kind. Source: proc(5), mountinfo."""
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) > 4 and right:
            point = fields[4].encode().decode("unicode_escape") if "\\" in fields[4] else fields[4]
            yield Path(point), right.split(" ")[0]
