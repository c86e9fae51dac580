"""Several threads and processes on one store, and a process that is killed in the middle."""

import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from builders import NOW
from ledgers import LEASE, lease, mark, rescue_all, scenes_of, settle
from stashplex.domain.entry import PlexId
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger

SCENES = 600

WORKER = """
import json, sys
from datetime import datetime, timedelta
from pathlib import Path
from stashplex.domain.entry import PlexId, State, Transition
from stashplex.store.database import Database
from stashplex.store.ledger import Ledger, Settlement

path, name, is_careless = sys.argv[1], sys.argv[2], sys.argv[3] == "careless"
now = datetime.fromisoformat(sys.argv[4])
ledger = Ledger(Database.open(Path(path)))
synced = Transition(State.SYNCED, None, 0, None, None, None)
number = 0
while True:
    number += 1
    token = f"{name} {number}"
    leased = ledger.lease(PlexId(1), owner=name, token=token, limit=7, now=now, until=now + timedelta(minutes=2))
    print(json.dumps({"leased": [one.entry.scene_id for one in leased]}), flush=True)
    if not leased:
        break
    if is_careless and number % 2:
        continue
    done = [Settlement(one.entry.id, one.entry.generation, synced) for one in leased]
    assert ledger.settle(token, done, now) == len(done)
    print(json.dumps({"settled": [one.entry.scene_id for one in leased]}), flush=True)
"""


def _start(path: Path, name: str, kind: str = "careful") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, str(path), name, kind, NOW.isoformat()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _told(lines: list[str], word: str) -> list[int]:
    """Return the scenes of all whole lines of this kind; the last line of a killed process may be cut."""
    return [scene for line in lines if line.endswith("}\n") for scene in json.loads(line).get(word, [])]


def test_threads_never_share_an_entry(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, *range(SCENES))
    handed: Counter[int] = Counter()
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(SCENES):
                token = f"{name} {number}"
                leased = lease(ledger, plex_id, token, limit=7)
                if not leased:
                    return
                handed.update(scenes_of(leased))
                assert settle(ledger, leased, token=token) == len(leased)
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert handed == Counter(range(SCENES))
    assert ledger.counts(plex_id, now=NOW).synced == SCENES


def test_processes_never_share_an_entry(ledger: Ledger, path: Path, plex_id: PlexId) -> None:
    mark(ledger, plex_id, *range(SCENES))
    workers = [_start(path, name) for name in "abc"]
    told = [worker.communicate() for worker in workers]
    assert [errors for _, errors in told] == [""] * 3
    handed = Counter(scene for lines, _ in told for scene in _told(lines.splitlines(keepends=True), "leased"))
    assert handed == Counter(range(SCENES))
    assert ledger.counts(plex_id, now=NOW).synced == SCENES


@pytest.mark.parametrize("lines_before_the_kill", [3, 17, 40])
def test_a_killed_process_loses_nothing_and_holds_nothing_for_ever(path: Path, lines_before_the_kill: int) -> None:
    database = Database.open(path)
    plex_id = Ledger(database).plex_id("a", "b")
    mark(Ledger(database), plex_id, *range(SCENES))
    database.close()
    worker = _start(path, "victim", "careless")
    assert worker.stdout is not None
    lines = [worker.stdout.readline() for _ in range(lines_before_the_kill)]
    worker.kill()
    lines += worker.stdout.readlines()
    worker.communicate()

    database = Database.open(path)
    ledger = Ledger(database)
    settled = set(_told(lines, "settled"))
    counts = ledger.counts(plex_id, now=NOW)
    assert counts.synced >= len(settled) > 0
    assert counts.leased >= len(set(_told(lines, "leased")) - settled) - 7
    left = scenes_of(rescue_all(ledger, plex_id, now=NOW + LEASE))
    left += [
        scene
        for batch in iter(lambda: lease(ledger, plex_id, "heir", now=NOW + LEASE), ())
        for scene in scenes_of(batch)
    ]
    assert sorted(left) == sorted(
        set(range(SCENES)) - {e.scene_id for e in ledger.iter_entries(plex_id) if e.due_at is None}
    )
    assert settled.isdisjoint(left)
    database.close()
