"""An entry that kills the process each time is buried in the end, and takes nobody along."""

from pathlib import Path

import pytest

from crash.books import read_copy
from crash.conftest import Launch
from crash.drama import is_quiet, until
from crash.oracle import item_faults
from crash.program import Program
from crash.scenery import a_scenery
from crash.trigger import Trap
from stashplex.sim.world import rating_key

pytestmark = pytest.mark.crash

POISON = 5
LIMIT = 5
"""Retries of an ordinary error, the first try not counted. Source: issue "Reliability"."""


@pytest.mark.parametrize("is_before", [True, False])
def test_poison_is_buried_and_the_others_are_synced(tmp_path: Path, launch: Launch, *, is_before: bool) -> None:
    with a_scenery(tmp_path / "data", 1) as scenery:
        running: list[Program] = []
        trap = Trap(frozenset({"edit"}), 1, is_before, item=rating_key(POISON))
        scenery.do(lambda: scenery.trigger.arm(trap, lambda _port: running[-1].kill(), stays=True))
        deaths = -1
        while not running or not running[-1].is_alive:
            deaths += 1
            assert deaths <= LIMIT + 2, "the poison kills for ever"
            if deaths and not is_before:  # its edit arrived: a change in Stash makes the next try write again
                scenery.do(scenery.retitle, POISON, f"Try {deaths}")
            polls = "60" if is_before else "0"  # a change that a poll finds is a new start, and rightly
            running.append(launch(scenery, poll_interval_s=polls))
            until(lambda: not running[-1].is_alive or is_quiet(scenery), "it dies or is done")
        running[-1].kill()
        rows = {row.scene: row for row in read_copy(scenery.database)}
        assert deaths == LIMIT + 1
        poison = rows.pop(POISON)
        assert (poison.state, poison.error_type, poison.retry_count) == ("dead", "LeaseExpired", LIMIT)
        assert "killed or hung" in str(poison.error)
        assert {row.state for row in rows.values()} == {"synced"}
        assert [fault for scene in rows for fault in item_faults(scenery, scene)] == []
        buried = scenery.trigger.requests
        last = launch(scenery, "serve", "--until-idle")
        assert last.exit_code(30) == 0
        assert scenery.trigger.requests - buried < 10, "a dead letter is left alone"
