"""A check finds what is wrong wherever it is, and says nothing of a sound store."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from builders import a_link
from ledgers import lease, mark, settle
from stashplex.domain.entry import PlexId
from stashplex.store.checkup import Finding, Level, check, has_checkpoint_race
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger


def _errors(database: Database) -> list[Finding]:
    return [one for one in check(database) if one.level is Level.ERROR]


@pytest.fixture
def used(database: Database, ledger: Ledger, plex_id: PlexId) -> Database:
    mark(ledger, plex_id, 1, 2)
    settle(ledger, lease(ledger, plex_id), links=(a_link(),))
    return database


def test_a_sound_store_has_no_errors(used: Database) -> None:
    assert _errors(used) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("DELETE FROM entry WHERE id = 1", "belongs to no row of entry"),
        ("UPDATE link SET base = '{' WHERE id = 1", "cannot be read"),
        ("UPDATE link SET intent = '[]' WHERE id = 1", "cannot be read"),
        ("UPDATE entry SET dismissed_at = 1", "2 dismissed entries are not dead"),
        ("UPDATE entry SET last_failed_at = -1 WHERE id = 1", "1 rows of entry hold a time that is none"),
        ("UPDATE entry SET state = 'lost' WHERE id = 1", "damaged: CHECK constraint failed"),
        (
            "INSERT INTO outage (server, started_at, cause, reason, entries) SELECT 'a', 1, '', '', 0 FROM entry",
            "1 servers have more than one outage",
        ),
        (
            "INSERT INTO breaker (server, state, failures, successes, probes, reason) SELECT '', 'ajar', 0, 0, 0, ''",
            "1 circuit breakers are in a state that is none",
        ),
    ],
)
def test_what_is_wrong_is_found(used: Database, path: Path, damage: str, message: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(damage)
    found = _errors(used)
    assert any(message in one.message for one in found), found
    assert all(one.hint for one in found)


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_the_race_of_old_versions_is_known(version: tuple[int, ...], is_affected: bool) -> None:
    assert has_checkpoint_race(version) is is_affected


def test_the_race_is_a_warning(used: Database) -> None:
    warnings = [one for one in check(used) if one.level is Level.WARNING]
    assert len(warnings) == has_checkpoint_race(sqlite3.sqlite_version_info)
