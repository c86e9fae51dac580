"""The store as a bystander reads it: plain SQL over a copy or a read-only connection, none of our code.

A copy (file and log) is read while nobody runs, so that the log of a killed process is left for the next one to
recover.
"""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_QUESTION = """
SELECT scene_id, state, generation, settled_generation, lease_token, lease_owner, retry_count,
       last_error_type, last_error
FROM entry ORDER BY scene_id
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry."""

    scene: int
    state: str
    generation: int
    settled: int
    token: str | None
    owner: str | None
    retry_count: int
    error_type: str | None
    error: str | None

    @property
    def is_settled(self) -> bool:
        """Nothing is left to do, whether it went well or not."""
        return self.state in {"synced", "dead"} and self.generation == self.settled and self.token is None


def read_copy(database: Path) -> list[Row]:
    """Return all entries of a store that no process has open, and check the file."""
    if not database.exists():
        return []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, database.name)
        for suffix in ("", "-wal"):
            source = database.with_name(database.name + suffix)
            if source.exists():
                shutil.copyfile(source, copy.with_name(copy.name + suffix))
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            if not connection.execute("SELECT name FROM sqlite_schema WHERE name = 'entry'").fetchall():
                return []
            return [Row(*row) for row in connection.execute(_QUESTION)]


def read_live(database: Path) -> list[Row] | None:
    """Return all entries of a store that is in use; None when it cannot be read just now."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            return [Row(*row) for row in connection.execute(_QUESTION)]
    except sqlite3.OperationalError:
        return None
