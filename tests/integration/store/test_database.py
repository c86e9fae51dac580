"""The file: made for its owner alone, durable, closed cleanly, and the same to every process."""

import os
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from builders import NOW
from ledgers import mark
from stashplex.base.errors import StoreError
from stashplex.domain.entry import PlexId
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger


def _pragma(database: Database, name: str) -> object:
    with database.read() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def _plexes(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM plex")).scalar_one())


ADD = text("INSERT INTO plex (machine_identifier, name) VALUES (:key, 'x')")


def test_a_store_syncs_each_commit_and_keeps_its_rules(database: Database) -> None:
    assert _pragma(database, "journal_mode") == "wal"
    assert _pragma(database, "synchronous") == 2
    assert _pragma(database, "foreign_keys") == 1
    assert _pragma(database, "busy_timeout") == 30_000


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_only_the_owner_may_look(database: Database, path: Path) -> None:
    Ledger(database).plex_id("a", "b")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (path.parent, *path.parent.iterdir())}
    names = (path.name, path.name + "-wal", path.name + "-shm", path.name + ".lock")
    assert modes == {"data": 0o700, **dict.fromkeys(names, 0o600)}


def test_what_was_written_is_there_after_a_restart(database: Database, path: Path, plex_id: PlexId) -> None:
    mark(Ledger(database), plex_id, 42)
    database.close()
    again = Database.open(path)
    assert Ledger(again).counts(plex_id, now=NOW).due == 1
    again.close()


def test_closing_leaves_one_file_and_its_lock(database: Database, path: Path, plex_id: PlexId) -> None:
    mark(Ledger(database), plex_id, 42)
    database.close()
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, path.name + ".lock"]


def test_a_file_left_empty_by_a_start_that_was_cut_short_is_a_new_one(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    database = Database.open(path)
    assert _plexes(database) == 0
    database.close()


def test_what_a_start_that_was_cut_short_left_behind_is_cleared_away(path: Path) -> None:
    path.parent.mkdir()
    for part in ("", "-journal", "-wal"):
        path.with_name(f".{path.name}.new{part}").write_bytes(b"half")
    Database.open(path).close()
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, path.name + ".lock"]


def test_the_log_of_a_file_that_was_moved_away_is_kept_and_not_taken_for_that_of_a_new_one(
    database: Database, path: Path, plex_id: PlexId
) -> None:
    log = path.with_name(path.name + "-wal")
    content = log.read_bytes()
    database.close()
    path.unlink()
    log.write_bytes(content)
    again = Database.open(path)
    assert _plexes(again) == 0
    again.close()
    assert path.with_name(path.name + "-wal.orphan").read_bytes() == content


@pytest.mark.parametrize("name", ["a b?c#d%41.db", "Zoë 日本語.db", "-wal"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    for _ in range(2):
        Database.open(tmp_path / name).close()
    assert (tmp_path / name).stat().st_size > 0


def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            connection.execute(ADD, {"key": "a"})
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert _plexes(database) == 0
    with database.write() as connection:
        connection.execute(ADD, {"key": "a"})
    assert _plexes(database) == 1


def test_a_read_sees_one_moment(database: Database) -> None:
    with database.read() as reader:
        before = reader.execute(text("SELECT count(*) FROM plex")).scalar_one()
        with database.write() as writer:
            writer.execute(ADD, {"key": "a"})
        assert reader.execute(text("SELECT count(*) FROM plex")).scalar_one() == before


def test_writers_in_many_threads_wait_for_each_other(database: Database, path: Path) -> None:
    other = Database.open(path)
    failures: list[StoreError] = []

    def add(which: Database, name: str) -> None:
        try:
            for number in range(20):
                with which.write() as connection:
                    connection.execute(ADD, {"key": f"{name} {number}"})
        except StoreError as error:
            failures.append(error)

    threads = [
        threading.Thread(target=add, args=(one, f"{one is other} {n}")) for one in (database, other) for n in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert _plexes(database) == 80
    other.close()


def test_a_full_disk_is_told_and_undone(database: Database) -> None:
    def fill() -> None:
        with database.write() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            for number in range(10_000):
                connection.execute(ADD, {"key": f"{number:0200d}"})

    with pytest.raises(StoreError, match="disk is full") as caught:
        fill()
    assert "space" in caught.value.hint
    assert _plexes(database) == 0


def test_a_write_that_breaks_a_rule_is_told(database: Database) -> None:
    def add_twice() -> None:
        with database.write() as connection:
            connection.execute(ADD, [{"key": "a"}, {"key": "a"}])

    with pytest.raises(StoreError, match="breaks a rule"):
        add_twice()


def test_a_wrong_statement_is_told_as_a_bug(database: Database) -> None:
    with pytest.raises(StoreError, match="no such table") as caught, database.read() as connection:
        connection.execute(text("SELECT * FROM nowhere"))
    assert "bug" in caught.value.hint
