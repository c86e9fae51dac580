"""Whatever is written is for its owner alone, even where the umask asks for nothing to be withheld."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import NOW
from ledgers import mark
from stashplex.store import spool
from stashplex.store.backup import Backups
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger
from stashplex.store.owner import Owners
from stashplex.store.restore import restore

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="POSIX permissions; Windows inherits those of the user's folder"
)


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _modes(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}


def _too_open(root: Path) -> dict[str, str]:
    return {name: oct(mode) for name, mode in _modes(root).items() if mode & 0o077}


def test_every_file_and_folder_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "a" / "new" / "place" / "stashplex.db"
    database = Database.open(path)
    ledger = Ledger(database)
    with Owners(database).enrolled(NOW):
        mark(ledger, ledger.plex_id("a", "b"), 1, 2)
        event = spool.append(path.parent / "spool", b"{", now=NOW)
        spool.set_aside(event, "not JSON")
        spool.append(path.parent / "spool", b"{}", now=NOW)
        Backups(path).make(NOW)
        names = {Path(name).name for name in _modes(tmp_path)}
        assert {path.name + "-wal", path.name + "-shm", "aside", "backups", path.name + ".process-1.lock"} <= names
        assert _too_open(tmp_path) == {}
    database.close()
    restore(path, None, NOW)
    assert _too_open(tmp_path) == {}
