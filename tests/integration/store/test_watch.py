"""What other processes commit is news, what this one commits is not; nothing of it reads a table."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ledgers import mark
from stashplex.domain.entry import PlexId
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger


@pytest.fixture
def other(path: Path, database: Database) -> Iterator[Ledger]:
    """Another process's ledger, as far as SQLite can tell."""
    assert database.path == path
    opened = Database.open(path)
    yield Ledger(opened)
    opened.close()


def test_the_first_answer_is_that_there_may_be_news(database: Database) -> None:
    assert [database.has_news() for _ in range(3)] == [True, False, False]


def test_what_others_commit_is_news_once(database: Database, other: Ledger, plex_id: PlexId) -> None:
    database.has_news()
    mark(other, plex_id, 1)
    mark(other, plex_id, 2)
    assert [database.has_news() for _ in range(3)] == [True, False, False]


def test_own_commits_are_no_news(database: Database, ledger: Ledger, plex_id: PlexId) -> None:
    database.has_news()
    for scene in range(1, 4):
        mark(ledger, plex_id, scene)
        with database.read(), database.read():  # a second connection of the pool
            pass
        assert not database.has_news()


def test_own_commits_hide_no_news(database: Database, ledger: Ledger, other: Ledger, plex_id: PlexId) -> None:
    database.has_news()
    mark(other, plex_id, 1)
    mark(ledger, plex_id, 2)
    mark(ledger, plex_id, 3)
    assert database.has_news()


def test_a_transaction_that_is_undone_is_no_news(database: Database, other: Ledger, plex_id: PlexId) -> None:
    database.has_news()
    with suppress(ZeroDivisionError), database.write() as connection:
        connection.exec_driver_sql("DELETE FROM plex")
        raise ZeroDivisionError
    assert not database.has_news()
    mark(other, plex_id, 1)
    assert database.has_news()


def test_a_watched_store_is_closed_whole(path: Path) -> None:
    database = Database.open(path)
    database.has_news()
    mark(Ledger(database), Ledger(database).plex_id("a", "b"), 1)
    database.close()
    assert not path.with_name(path.name + "-wal").exists(), "the last one to close it folds the log back"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM entry").fetchone() == (1,)
