"""A foreign database is read through a copy that is whole, and never through the original."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stashplex.base.errors import StoreError
from stashplex.store.foreign import list_tables, open_copy

Copy = Callable[[Path, Path], Any]


def make(path: Path, rows: int = 1) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute('CREATE TABLE "odd ""name" (a, b)')
        connection.executemany('INSERT INTO "odd ""name" VALUES (?, ?)', [(row, "x" * 500) for row in range(rows)])
        connection.commit()


def add(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute('INSERT INTO "odd ""name" VALUES (7, 7)')
        connection.commit()


def count(path: Path) -> int:
    with open_copy(path) as connection:
        return int(connection.execute('SELECT count(*) FROM "odd ""name"').fetchone()[0])


def disturbed(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let a row be written after each of the first copies."""
    copy: Copy = shutil.copyfile
    left = [times]

    def copied(source: Path, target: Path) -> None:
        copy(source, target)
        if left[0]:
            left[0] -= 1
            add(source)

    monkeypatch.setattr(shutil, "copyfile", copied)


def test_a_copy_is_taken_again_when_the_source_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a.db")
    disturbed(monkeypatch, 2)
    assert count(tmp_path / "a.db") == 3


def test_a_source_that_keeps_changing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "a.db")
    disturbed(monkeypatch, 100)
    with pytest.raises(StoreError, match="is being written") as caught:
        count(tmp_path / "a.db")
    assert "Switch Stash2Plex off" in caught.value.hint


def test_no_space_for_the_copy_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    make(tmp_path / "a.db")
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StoreError, match="No space left on device") as caught:
        count(tmp_path / "a.db")
    assert caught.value.hint


def test_a_transaction_that_was_cut_short_is_rolled_back_in_the_copy(tmp_path: Path) -> None:
    make(tmp_path / "a.db", rows=2_000)
    with closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute('DELETE FROM "odd ""name" WHERE a % 2')
        shutil.copytree(tmp_path, tmp_path / "killed")
        connection.execute("ROLLBACK")
    killed = tmp_path / "killed"
    before = {path.name: path.read_bytes() for path in killed.iterdir()}
    assert before["a.db-journal"]
    assert count(killed / "a.db") == 2_000
    assert {path.name: path.read_bytes() for path in killed.iterdir()} == before


def test_tables_are_listed_with_their_columns_whatever_their_names(tmp_path: Path) -> None:
    make(tmp_path / "a.db")
    with open_copy(tmp_path / "a.db") as connection:
        assert list_tables(connection) == {'odd "name': frozenset({"a", "b"})}
