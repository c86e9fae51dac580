"""The schema: made by migrations alone, the same as the tables in the code, forward only."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from stashplex.store import migrations
from stashplex.store.database import Database
from stashplex.store.header import APPLICATION_ID
from stashplex.store.migration import migrate
from stashplex.store.schema import REVISION, metadata

_BETWEEN_PARTS = re.compile(r"\n|,\s*(?=[a-z_]+ (?:TEXT|BIGINT|INTEGER|SMALLINT)\b)")
"""ALTER TABLE writes a new column behind the last one, on its line."""

SCRIPTS = ScriptDirectory(str(Path(migrations.__file__).parent))


def _schema(path: Path) -> set[tuple[str, frozenset[str]]]:
    """Return what SQLite was told, table by table; the order of the parts of a table means nothing."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        return {
            (name, frozenset(part.strip(" ,\t\n") for part in _BETWEEN_PARTS.split(sql)))
            for name, sql in found
            if name != "alembic_version"
        }


def test_the_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    Database.open(tmp_path / "migrated.db").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    metadata.create_all(engine)
    engine.dispose()
    assert _schema(tmp_path / "migrated.db") == _schema(tmp_path / "made.db")


def test_nothing_is_left_to_migrate(database: Database) -> None:
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    with database.read() as connection:
        before = connection.exec_driver_sql("SELECT * FROM sqlite_schema").all()
    with database.write() as connection:
        migrate(connection)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT * FROM sqlite_schema").all() == before


def test_the_newest_migration_is_the_revision_of_the_code() -> None:
    assert SCRIPTS.get_heads() == [REVISION]


def test_revisions_are_numbers_in_one_line() -> None:
    revisions = [script.revision for script in SCRIPTS.walk_revisions()]
    assert revisions == [f"{number:04d}" for number in range(len(revisions), 0, -1)]


def test_migrations_only_go_forward() -> None:
    assert [script for script in SCRIPTS.walk_revisions() if hasattr(script.module, "downgrade")] == []


def test_a_start_that_was_killed_before_its_tables_is_finished_by_the_next(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    Database.open(path).close()
    assert {name for name, _ in _schema(path)} >= set(metadata.tables)
