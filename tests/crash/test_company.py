"""Several processes on one store: nothing is written twice at the same time, and each ends as it should."""

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from crash.conftest import Launch
from crash.drama import STOP_S, is_quiet, until
from crash.oracle import check, double_writes
from crash.scenery import Scenery, a_scenery
from stashplex.sim.plex.switches import Switches

pytestmark = pytest.mark.crash

FILMS = 30
SLOW = Switches(write_latency_s=0.02, parallel_writers=4)


def once(scenery: Scenery) -> None:
    """Check that each film was edited once, and never by two at the same time."""
    assert list(double_writes(scenery)) == []
    edits = Counter(one.item for one in scenery.trigger.written if one.kind == "edit")
    assert set(edits.values()) == {1}, edits
    assert len(edits) == scenery.films


def test_two_services_share_the_work(tmp_path: Path, launch: Launch) -> None:
    with a_scenery(tmp_path / "data", 1, films=FILMS, switches=SLOW) as scenery:
        both = [launch(scenery) for _ in range(2)]
        until(lambda: is_quiet(scenery), "all is settled")
        once(scenery)
        for program in both:
            program.send(signal.SIGTERM)
        assert [program.exit_code(STOP_S) for program in both] == [0, 0]
        check(scenery)


def test_a_sync_beside_the_service(tmp_path: Path, launch: Launch) -> None:
    with a_scenery(tmp_path / "data", 2, films=FILMS, switches=SLOW) as scenery:
        service = launch(scenery)
        until(lambda: len(scenery.trigger.written) > 3, "the service writes")
        sync = launch(scenery, "sync", "--json")
        assert sync.exit_code(30) == 0, sync.said()
        assert json.loads(sync.out.read_text())["dead"] == 0
        until(lambda: is_quiet(scenery), "all is settled")
        once(scenery)
        service.send(signal.SIGTERM)
        assert service.exit_code(STOP_S) == 0
        check(scenery)


def test_what_a_killed_one_held_is_taken_up_by_the_next_to_start(tmp_path: Path, launch: Launch) -> None:
    with a_scenery(tmp_path / "data", 3, films=FILMS, switches=SLOW) as scenery:
        both = [launch(scenery) for _ in range(2)]
        until(lambda: len(scenery.trigger.written) > 3, "both write")
        both[0].kill()
        third = launch(scenery)
        until(lambda: is_quiet(scenery), "all is settled")
        for program in (both[1], third):
            program.send(signal.SIGINT)
        assert [program.exit_code(STOP_S) for program in (both[1], third)] == [0, 0]
        check(scenery)


@pytest.mark.parametrize("is_idle", [False, True], ids=["it gets work", "it is idle"])
@pytest.mark.parametrize("case", range(3))
def test_who_stays_takes_up_what_a_killed_one_held(tmp_path: Path, launch: Launch, case: int, *, is_idle: bool) -> None:
    with a_scenery(tmp_path / "data", 4 + case, films=FILMS, switches=SLOW) as scenery:
        both = [launch(scenery) for _ in range(2)]
        until(lambda: sum(row.is_settled for row in scenery.rows()) > case * 5, "something is settled")
        both[case % 2].kill()
        until(lambda: not any(row.state == "pending" for row in scenery.rows()), "the survivor has nothing to do")
        if not is_idle:
            scenery.edit(next(row.scene for row in scenery.rows() if row.is_settled))
        until(lambda: is_quiet(scenery), "all is settled", 20)
        survivor = both[1 - case % 2]
        survivor.send(signal.SIGTERM)
        assert survivor.exit_code(STOP_S) == 0
        check(scenery)
