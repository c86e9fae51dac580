"""A store on another machine's disk is refused, one on this machine's never."""

import sys
from pathlib import Path

import pytest

from stashplex.base.errors import StoreError
from stashplex.store.filesystem import find_kind, refuse_network

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:28 / /mnt/nas rw - nfs4 nas:/volume1 rw,vers=4.1
31 30 0:29 / /mnt/nas/local rw - btrfs /dev/sdb rw
32 22 0:30 / /mnt/my\040films rw - cifs //nas/films rw
33 22 0:31 / /mnt/cloud rw - fuse.rclone remote: rw
34 22 0:32 / /mnt/over rw - nfs nas:/a rw
35 22 0:33 / /mnt/over rw - ext4 /dev/sdc rw
36 22 0:34 / /mnt/pool rw - fuse.mergerfs a:b rw
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    file = tmp_path / "mountinfo"
    file.write_text(MOUNTS)
    return file


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/me/stashplex", "ext4"),
        ("/mnt/nas", "nfs4"),
        ("/mnt/nas/a/b", "nfs4"),
        ("/mnt/nastier", "ext4"),
        ("/mnt/nas/local/x", "btrfs"),
        ("/mnt/my films/x", "cifs"),
        ("/mnt/cloud/x", "fuse.rclone"),
        ("/mnt/over/x", "ext4"),
        ("/mnt/pool/x", "fuse.mergerfs"),
    ],
)
def test_the_deepest_and_last_mount_decides(mounts: Path, folder: str, kind: str) -> None:
    assert find_kind(Path(folder), mounts) == kind


@pytest.mark.parametrize("folder", ["/mnt/nas/x", "/mnt/my films", "/mnt/cloud"])
def test_another_machine_is_refused_with_both_ways_out(mounts: Path, folder: str) -> None:
    with pytest.raises(StoreError, match="network drive") as caught:
        refuse_network(Path(folder), mounts)
    assert "STASHPLEX_DATA_DIR" in caught.value.hint
    assert "STASHPLEX_ALLOW_NETWORK_STORE" in caught.value.hint


@pytest.mark.parametrize("folder", ["/home", "/mnt/nas/local", "/mnt/pool"])
def test_this_machine_is_not(mounts: Path, folder: str) -> None:
    refuse_network(Path(folder), mounts)


def test_where_it_cannot_be_told_nothing_is_refused(tmp_path: Path) -> None:
    refuse_network(tmp_path, tmp_path / "nowhere")
    (tmp_path / "odd").write_text("nonsense\n1 2 3\n - \n")
    refuse_network(tmp_path, tmp_path / "odd")


def test_an_address_of_windows_is_another_machine(mounts: Path) -> None:
    assert find_kind(Path(r"\\nas\share\stashplex"), mounts) == "smb3"
