"""Back up, restore, check: as a person types them."""

from datetime import timedelta
from pathlib import Path

import pytest

from programs import command
from shop import Shop
from stashplex.app import DATABASE_NAME
from stashplex.store.backup import Backups
from stashplex.store.owner import Owners
from worlds import a_world


@pytest.fixture
def filled(shop: Shop) -> Shop:
    shop.bury(*range(1, 300))
    return shop


def _spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 4096)


def test_a_damaged_store_is_brought_back_by_the_command_that_its_message_names(filled: Shop) -> None:
    made = filled.read("store", "backup")["backup"]
    path = filled.folder / DATABASE_NAME
    _spoil(path)
    damaged = path.read_bytes()
    message = filled.run("dead", code=2)
    assert "is damaged" in message
    assert f"stashplex store restore '{made}'" in message
    done = filled.read("store", "restore", made)
    assert done["restored"] == made
    assert Path(done["aside"]).read_bytes() == damaged
    assert len(filled.read("dead")) == 299
    assert "sound" in filled.run("store", "check") or "warning" in filled.run("store", "check")


def test_without_a_file_the_newest_good_one_is_restored(filled: Shop) -> None:
    made = filled.read("store", "backup")["backup"]
    (filled.folder / "backups" / "stashplex-99990101-000000.sqlite").write_text("no database")
    assert filled.read("store", "restore")["restored"] == made


def test_restoring_without_a_backup_says_what_else_can_be_done(filled: Shop) -> None:
    message = filled.run("store", "restore", code=2)
    assert "no good backup" in message
    assert "sync" in message


def test_a_store_that_is_in_use_is_not_restored(filled: Shop) -> None:
    filled.run("store", "backup")
    with filled.store() as store, Owners(store.database).enrolled(filled.now):
        assert "in use" in filled.run("store", "restore", code=2)


def test_a_check_ends_with_2_when_something_is_wrong(filled: Shop) -> None:
    with filled.store() as store, store.database.write() as connection:
        connection.exec_driver_sql("UPDATE entry SET last_failed_at = -1 WHERE id = 1")
    result = command({"STASHPLEX_DATA_DIR": str(filled.folder)}, "store", "check")
    assert result.exit_code == 2
    assert "error: 1 rows of entry hold a time that is none" in result.stdout
    assert "hint:" in result.stdout


def test_what_is_not_there_is_neither_backed_up_nor_checked(shop: Shop) -> None:
    for name in ("backup", "check"):
        assert "There is no database" in shop.run("store", name, code=2)
    assert not (shop.folder / DATABASE_NAME).exists()


@pytest.mark.anyio
async def test_upkeep_makes_one_backup_a_day(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    with world.app() as app:
        backups = Backups(app.store.database.path)
        for _ in range(2):
            await app.upkeep().run_once()
        assert len(backups.list_all()) == 1
        assert not backups.is_due(world.clock.now() + timedelta(hours=23))


@pytest.mark.anyio
async def test_a_backup_that_fails_stops_nothing(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    with world.app() as app:
        (app.store.database.path.parent / "backups").write_text("in the way")
        assert (await app.upkeep().run_once()).dead_letters == 0
