"""Backups are whole or not there, a few of them stay, and each can be put back in the place of a damaged store."""

import os
import sqlite3
import stat
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread

import pytest

from builders import NOW
from ledgers import mark
from stashplex.base.errors import StoreError
from stashplex.domain.entry import PlexId
from stashplex.store import backup, database
from stashplex.store.backup import Backups, verify
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger
from stashplex.store.owner import Owners
from stashplex.store.restore import restore
from stashplex.store.schema import REVISION

DAY = timedelta(days=1)


@pytest.fixture
def backups(database: Database, plex_id: PlexId) -> Backups:
    mark(Ledger(database), plex_id, *range(500))
    return Backups(database.path)


def _names(backups: Backups) -> list[str]:
    return sorted(file.name for file in backups.folder.iterdir() if file.name != ".lock")


def _entries(path: Path) -> int:
    opened = Database.open(path)
    try:
        return sum(1 for _ in Ledger(opened).iter_entries(PlexId(1)))
    finally:
        opened.close()


def _spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 4096)


def test_a_backup_of_a_store_in_use_holds_all_of_it(backups: Backups, database: Database) -> None:
    made = backups.make(NOW)
    assert made.name == "stashplex-20250304-050607.sqlite"
    assert verify(made)["entry"] == 500
    assert _names(backups) == [made.name]
    mark(Ledger(database), PlexId(1), 1_000)


def test_three_backups_are_kept_the_newest(backups: Backups) -> None:
    made = [backups.make(NOW + DAY * number) for number in range(5)]
    assert _names(backups) == [path.name for path in made[2:]]
    assert backups.list_all() == tuple(reversed(made[2:]))


def test_backups_of_a_clock_that_ran_ahead_go_first(backups: Backups) -> None:
    ahead = [backups.make(NOW + DAY * 999 + DAY * number) for number in range(3)]
    assert backups.is_due(NOW)
    made = [backups.make(NOW + DAY * number) for number in range(3)]
    assert _names(backups) == [path.name for path in made]
    assert not any(path.exists() for path in ahead)


@pytest.mark.parametrize(("age", "is_due"), [(timedelta(0), False), (DAY - timedelta(seconds=1), False), (DAY, True)])
def test_a_backup_is_due_after_a_day(backups: Backups, age: timedelta, is_due: bool) -> None:
    assert backups.is_due(NOW)
    backups.make(NOW)
    assert backups.is_due(NOW + age) is is_due


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def _back_up_at_once(path: Path, start: Barrier, made: list[Path | None]) -> None:
    start.wait()
    made.append(Backups(path).make_if_due(NOW))


def test_two_services_that_back_up_in_the_same_second_make_one(backups: Backups, database: Database) -> None:
    for turn in range(10):
        start, made = Barrier(4), list[Path | None]()
        threads = [Thread(target=_back_up_at_once, args=(database.path, start, made)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (one,) = [path for path in made if path is not None]
        assert len(made) == 4, f"turn {turn}"
        assert verify(one)["entry"] == 500
        assert _names(backups) == [one.name]
        one.unlink()


def test_only_the_owner_may_look_whatever_the_umask(backups: Backups) -> None:
    before = os.umask(0)
    try:
        made = backups.make(NOW)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (backups.folder, made)] == [0o700, 0o600]


def test_a_backup_that_fails_leaves_the_others_and_nothing_half(
    backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = backups.make(NOW)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left") as caught:
        backups.make(NOW + DAY)
    assert caught.value.hint
    assert _names(backups) == [made.name]


def test_a_backup_of_a_damaged_store_does_not_count(backups: Backups, database: Database) -> None:
    made = backups.make(NOW)
    database.close()
    _spoil(database.path)
    with pytest.raises(StoreError):
        backups.make(NOW + DAY)
    assert _names(backups) == [made.name]


def test_the_newest_good_one_is_found(backups: Backups) -> None:
    good, bad = backups.make(NOW), backups.make(NOW + DAY)
    assert backups.find_newest_good() == bad
    _spoil(bad)
    assert backups.find_newest_good() == good
    (backups.folder / "stashplex-99990101-000000.sqlite").write_text("no database")
    assert backups.find_newest_good() == good


@pytest.fixture
def older(database: Database, path: Path, backups: Backups) -> Path:
    """A store that an older version wrote."""
    database.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    return path


def test_a_backup_is_made_before_a_migration_and_kept_beside_the_others(
    older: Path, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_connection: object) -> None:
        raise StoreError("the migration fails", hint="Do something.")

    monkeypatch.setattr(database, "migrate", fail)
    for _ in range(2):
        with pytest.raises(StoreError, match="the migration fails"):
            Database.open(older)
    (made,) = backups.list_all()
    assert made.name == f"stashplex-before-{REVISION}.sqlite"
    assert verify(made)["entry"] == 500
    timed = [backups.make(NOW + DAY * number) for number in range(4)]
    assert backups.list_all() == (*reversed(timed[1:]), made)


def test_no_migration_without_a_backup(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_backups: Backups, _target: Path) -> dict[str, int]:
        raise StoreError("no room", hint="Free some space.")

    monkeypatch.setattr(backup.Backups, "_copy", fail)
    before = older.read_bytes()
    with pytest.raises(StoreError, match="no room"):
        Database.open(older)
    assert older.read_bytes() == before


def test_a_first_start_makes_no_backup(path: Path) -> None:
    Database.open(path).close()
    assert Backups(path).list_all() == ()


def test_restoring_brings_the_backup_back_and_keeps_what_was_there(
    backups: Backups, database: Database, path: Path
) -> None:
    made = backups.make(NOW)
    mark(Ledger(database), PlexId(1), 5_000)
    database.close()
    _spoil(path)
    damaged = path.read_bytes()
    done = restore(path, None, NOW)
    assert done.backup == made
    assert done.aside == path.with_name("stashplex.db.damaged-20250304-050607")
    assert done.aside.read_bytes() == damaged
    assert _entries(path) == 500
    assert made.exists()
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_log_of_what_was_there_goes_with_it(backups: Backups, database: Database, path: Path) -> None:
    """A process that was killed leaves a log: beside the backup it would be taken for the backup's own."""
    backups.make(NOW)
    mark(Ledger(database), PlexId(1), 5_000)
    log = path.with_name(path.name + "-wal")
    content = log.read_bytes()
    database.close()
    log.write_bytes(content)
    done = restore(path, None, NOW)
    assert done.aside is not None
    assert done.aside.with_name(done.aside.name + "-wal").read_bytes() == content
    assert _entries(path) == 500


def test_a_store_that_is_gone_is_brought_back(backups: Backups, database: Database, path: Path) -> None:
    backups.make(NOW)
    database.close()
    path.unlink()
    assert restore(path, None, NOW).aside is None
    assert _entries(path) == 500


def test_nothing_is_restored_while_a_process_works_with_the_store(
    backups: Backups, database: Database, path: Path
) -> None:
    backups.make(NOW)
    with Owners(database).enrolled(NOW):
        with pytest.raises(StoreError, match="in use by 1 running stashplex") as caught:
            restore(path, None, NOW)
        assert "Stop it" in caught.value.hint
    database.close()
    restore(path, None, NOW)


def test_what_is_no_good_backup_is_not_restored(backups: Backups, database: Database, path: Path) -> None:
    made = backups.make(NOW)
    database.close()
    _spoil(made)
    before = path.read_bytes()
    for chosen in (made, path.with_name("nowhere.sqlite"), None):
        with pytest.raises(StoreError) as caught:
            restore(path, chosen, NOW)
        assert caught.value.hint
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*damaged*"))


def test_a_newer_backup_or_a_foreign_one_is_refused(backups: Backups, tmp_path: Path) -> None:
    made = backups.make(NOW)
    with closing(sqlite3.connect(made, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version"):
        verify(made)
    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE movies (title)")
    with pytest.raises(StoreError, match="no store of this program"):
        verify(foreign)


def test_a_damaged_store_names_the_command_that_brings_it_back(
    backups: Backups, database: Database, path: Path
) -> None:
    made = backups.make(NOW)
    database.close()
    _spoil(path)
    with pytest.raises(StoreError, match="damaged") as caught:
        Database.open(path)
    assert caught.value.hint == f"Run: stashplex store restore '{made}'"


def test_a_newer_store_names_the_way_back_to_before(backups: Backups, database: Database, path: Path) -> None:
    made = backups.make(NOW)
    database.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version") as caught:
        Database.open(path)
    assert caught.value.hint == f"Install the newer version again, or run: stashplex store restore '{made}'"


@pytest.mark.skipif(sys.platform == "win32", reason="a file in use cannot be spoiled there")
def test_a_large_store_that_was_not_closed_is_read_whole(
    database: Database, path: Path, plex_id: PlexId, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark(Ledger(database), plex_id, *range(2_000))
    database.close()
    again = Database.open(path)
    mark(Ledger(again), plex_id, 1)
    log = path.with_name(path.name + "-wal")
    content = log.read_bytes()
    again.close()
    _spoil(path)
    monkeypatch.setattr("stashplex.store.database.QUICK_CHECK_BYTES", 0)
    Database.open(path).close()
    log.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        Database.open(path)


def test_the_time_in_a_name_is_utc(backups: Backups) -> None:
    east = datetime(2025, 3, 4, 23, 0, tzinfo=UTC).astimezone(None)
    assert backups.make(east).name == "stashplex-20250304-230000.sqlite"
