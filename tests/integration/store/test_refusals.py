"""What cannot be used is refused with a hint, and not a byte of it is changed."""

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledgers import mark
from stashplex.base.errors import StoreError
from stashplex.store.database import QUICK_CHECK_BYTES, Database
from stashplex.store.header import APPLICATION_ID
from stashplex.store.ledger import Ledger

PAGE_BYTES = 4096


@pytest.fixture
def closed(path: Path) -> Path:
    """A store with a thousand entries, closed cleanly."""
    database = Database.open(path)
    ledger = Ledger(database)
    mark(ledger, ledger.plex_id("a", "b"), *range(1_000))
    database.close()
    path.with_name(path.name + ".lock").unlink()
    return path


def _edit(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def _overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def _foreign(path: Path) -> None:
    path.unlink()
    _edit(path, "PRAGMA journal_mode = WAL", "CREATE TABLE movies (title)", "INSERT INTO movies VALUES ('a')")


def _no_tables_of_ours(path: Path) -> None:
    path.unlink()
    _edit(path, f"PRAGMA application_id = {APPLICATION_ID}", "CREATE TABLE movies (title)")


DAMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "text": (lambda path: path.write_text("title,year\n" * 500), "not a database", "somewhere else"),
    "short": (lambda path: path.write_bytes(b"SQLite format 3\x00"), "not a database", "somewhere else"),
    "foreign": (_foreign, "another program", "somewhere else"),
    "newer": (lambda path: _edit(path, "UPDATE alembic_version SET version_num = '9999'"), "newer version", "Install"),
    "version is nonsense": (
        lambda path: _edit(path, "UPDATE alembic_version SET version_num = 'abc'"),
        "no schema version",
        "backup",
    ),
    "version is gone": (lambda path: _edit(path, "DELETE FROM alembic_version"), "no schema version", "backup"),
    "no tables of ours": (_no_tables_of_ours, "no schema version", "backup"),
    "table is gone": (lambda path: _edit(path, "DROP TABLE journal"), "table is missing", "backup"),
    "cut off": (lambda path: os.truncate(path, path.stat().st_size - PAGE_BYTES), "part of it is missing", "backup"),
    "schema page": (lambda path: _overwrite(path, 100, b"\xff" * 3_000), "damaged", "backup"),
    "inner page": (lambda path: _overwrite(path, path.stat().st_size // 2, b"\xff" * PAGE_BYTES), "damaged", "backup"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_cannot_be_used_is_refused_and_left_as_it_is(closed: Path, damage: str) -> None:
    spoil, message, hint = DAMAGES[damage]
    spoil(closed)
    before = closed.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match=message) as caught:
            Database.open(closed)
        assert hint in caught.value.hint
        assert str(closed) in str(caught.value)
        assert closed.read_bytes() == before
    beside = {file.name for file in closed.parent.iterdir()} - {closed.name, closed.name + ".lock"}
    assert beside == set()


def test_nothing_is_laid_beside_a_file_of_another_program(closed: Path) -> None:
    _foreign(closed)
    with pytest.raises(StoreError):
        Database.open(closed)
    assert list(closed.parent.iterdir()) == [closed]


def test_a_newer_schema_that_stands_only_in_the_log_is_refused(closed: Path, tmp_path: Path) -> None:
    """As a newer version leaves it that was killed: the log must survive, too."""
    with closing(sqlite3.connect(closed, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        log = closed.with_name(closed.name + "-wal")
        copies = [tmp_path / file.name for file in (closed, log)]
        for copy, file in zip(copies, (closed, log), strict=True):
            copy.write_bytes(file.read_bytes())
    before = [copy.read_bytes() for copy in copies]
    with pytest.raises(StoreError, match="newer version"):
        Database.open(copies[0])
    assert [copy.read_bytes() for copy in copies] == before


def test_a_directory_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="is a directory"):
        Database.open(path)


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used") as caught:
        Database.open(tmp_path / "file" / "stashplex.db")
    assert caught.value.hint


def test_a_large_file_is_opened_without_reading_all_of_it(closed: Path) -> None:
    """The limit of the check at open: damage deep inside a large file is told when it is met."""
    os.truncate(closed, QUICK_CHECK_BYTES + PAGE_BYTES)
    _overwrite(closed, 28, ((QUICK_CHECK_BYTES + PAGE_BYTES) // PAGE_BYTES).to_bytes(4))
    Database.open(closed).close()


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that another user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


AS_NOBODY = """
import os, sys
from pathlib import Path
from stashplex.base.errors import StoreError
from stashplex.store.database import Database
if os.geteuid() == 0:
    os.setuid(65534)
try:
    Database.open(Path(sys.argv[1]))
except StoreError as error:
    print(error, "|", error.hint)
"""


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize("exists", [False, True])
def test_what_may_not_be_written_is_refused_at_once(public: Path, exists: bool) -> None:
    path = public / "stashplex.db"
    if exists:
        Database.open(path).close()
        path.with_name(path.name + ".lock").unlink()
        path.chmod(0o444)
    before = path.read_bytes() if exists else None
    public.chmod(0o555)
    answer = subprocess.run([sys.executable, "-c", AS_NOBODY, str(path)], capture_output=True, text=True, check=True)
    assert "cannot be used: Permission denied | Give this user write access" in answer.stdout
    assert (path.read_bytes() if exists else None) == before
    assert stat.S_IMODE(public.stat().st_mode) == 0o555


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_writable_file_in_a_folder_that_takes_no_log_is_refused_at_once(public: Path) -> None:
    path = public / "stashplex.db"
    Database.open(path).close()
    before = path.read_bytes()
    path.chmod(0o666)
    path.with_name(path.name + ".lock").chmod(0o666)
    public.chmod(0o555)
    answer = subprocess.run([sys.executable, "-c", AS_NOBODY, str(path)], capture_output=True, text=True, check=True)
    assert "Give this user write access" in answer.stdout
    assert path.read_bytes() == before
