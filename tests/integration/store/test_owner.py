"""Whose lease it is, and what becomes of it when its process dies: at once, not when its time is over."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from builders import NOW
from ledgers import lease, mark, rescue, rescue_all
from stashplex.domain.entry import PlexId, State
from stashplex.domain.retry import ORDINARY
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger
from stashplex.store.owner import Owners

LATER = NOW + timedelta(seconds=1)

HOLDER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stashplex.domain.entry import PlexId
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger
from stashplex.store.owner import Owners
database = Database.open(Path(sys.argv[1]))
now = datetime.fromisoformat(sys.argv[3])
with Owners(database).enrolled(now) as owner:
    Ledger(database).lease(
        PlexId(int(sys.argv[2])), owner=owner, token="theirs", limit=10, now=now, until=now + timedelta(minutes=10)
    )
    print(owner, flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(path: Path, plex_id: PlexId, name: str = "process-1") -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds a lease until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), str(plex_id), NOW.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == name
        try:
            yield process
        finally:
            process.kill()


def test_the_lease_of_a_living_process_is_left_alone(
    path: Path, database: Database, ledger: Ledger, plex_id: PlexId
) -> None:
    mark(ledger, plex_id, 1)
    with another_process(path, plex_id), Owners(database).enrolled(LATER) as name:
        assert name == "process-2"
        assert Owners(database).expire_orphans(LATER) == 0
        assert lease(ledger, plex_id, now=LATER) == ()
        assert rescue(ledger, plex_id, now=LATER) == ()


def test_the_lease_of_a_killed_process_runs_out_at_once_and_costs_an_attempt(
    path: Path, database: Database, ledger: Ledger, plex_id: PlexId
) -> None:
    mark(ledger, plex_id, 1, 2)
    with another_process(path, plex_id) as process:
        process.kill()
        process.wait()
        assert rescue(ledger, plex_id, now=LATER) == ()
        assert Owners(database).expire_orphans(LATER) == 2
        found = rescue_all(ledger, plex_id, now=LATER)
    assert [(one.entry.scene_id, one.entry.retry_count) for one in found] == [(1, 1), (2, 1)]
    assert ledger.settle("theirs", [], LATER) == 0


def test_a_name_that_is_taken_over_brings_no_leases_along(
    path: Path, database: Database, ledger: Ledger, plex_id: PlexId
) -> None:
    mark(ledger, plex_id, 1)
    with another_process(path, plex_id) as process:
        process.kill()
        process.wait()
    with Owners(database).enrolled(LATER) as name:
        assert name == "process-1"
        assert len(rescue(ledger, plex_id, now=LATER)) == 1


def test_a_process_that_was_seen_and_died_is_missed_once(path: Path, database: Database, plex_id: PlexId) -> None:
    owners = Owners(database)
    with owners.enrolled(NOW), another_process(path, plex_id, "process-2") as process:
        assert [owners.has_lost_company() for _ in range(2)] == [False, False]
        process.kill()
        process.wait()
        assert [owners.has_lost_company() for _ in range(2)] == [True, False]


def test_own_leases_are_no_orphans(database: Database, ledger: Ledger, plex_id: PlexId) -> None:
    owners = Owners(database)
    mark(ledger, plex_id, 1)
    with owners.enrolled(NOW) as name:
        ledger.lease(plex_id, owner=name, token="t", limit=1, now=NOW, until=NOW + timedelta(minutes=10))
        assert owners.expire_orphans(LATER) == 0


def test_a_name_can_be_had_again_and_leaves_one_file_however_often(database: Database) -> None:
    for _ in range(3):
        with Owners(database).enrolled(NOW) as name:
            assert name == "process-1"
    assert len(list(database.path.parent.glob("*process-*"))) <= 1


def test_a_scene_that_kills_its_process_each_time_is_buried(
    database: Database, ledger: Ledger, plex_id: PlexId
) -> None:
    mark(ledger, plex_id, 1)
    until = LATER + timedelta(minutes=10)
    ledger.lease(plex_id, owner="process-1", token="first", limit=1, now=LATER, until=until)
    for turn in range(ORDINARY.limit):
        assert Owners(database).expire_orphans(LATER) == 1
        assert ledger.rescue(plex_id, owner="process-1", token=str(turn), now=LATER, until=until) is not None
    assert Owners(database).expire_orphans(LATER) == 1
    assert ledger.rescue(plex_id, owner="x", token="last", now=LATER, until=until) is None
    entry = ledger.find(plex_id, SceneId(1))
    assert entry is not None
    assert entry.state is State.DEAD


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_name_that_is_none_of_ours_is_only_a_name(database: Database, ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1)
    ledger.lease(plex_id, owner="sync", token="t", limit=1, now=NOW, until=NOW + timedelta(minutes=10))
    assert Owners(database).expire_orphans(LATER) == 1
