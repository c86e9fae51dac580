"""A real store in a directory of its own, and the few moves that most tests start with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stashplex.domain.entry import PlexId
from stashplex.store.database import Database
from stashplex.store.index import PlexIndex
from stashplex.store.journal import Journal
from stashplex.store.ledger import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "stashplex.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database.open(path)
    yield database
    database.close()


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


@pytest.fixture
def index(database: Database) -> PlexIndex:
    return PlexIndex(database)


@pytest.fixture
def plex_id(ledger: Ledger) -> PlexId:
    return ledger.plex_id("0123abcd", "living room")
