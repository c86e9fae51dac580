"""SIGTERM and Ctrl-C end the service soon and cleanly, whatever it waits for; a second one ends it at once."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from crash.books import read_copy
from crash.conftest import Launch
from crash.drama import STOP_S, is_quiet, until
from crash.oracle import check
from crash.program import Forked, Program, Spawned
from crash.scenery import Scenery, a_scenery
from stashplex.base.clock import SystemClock
from stashplex.sim.plex.switches import Switches

pytestmark = pytest.mark.crash

SIGNALS = [signal.SIGTERM, signal.SIGINT]
AT_ONCE_S = 2.0
"""Without waiting for anything; two slow cores included."""


@pytest.fixture
def slow(tmp_path: Path, launch: Launch) -> Iterator[Scenery]:
    """A Plex that needs a tenth of a second for each write."""
    with a_scenery(tmp_path / "data", 1, switches=Switches(write_latency_s=0.1)) as scenery:
        yield scenery


def stopped(program: Program, how: signal.Signals) -> float:
    """Send a signal; check that the program ends well, and return after how many seconds."""
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    program.send(how)
    assert program.exit_code(STOP_S) == 0, program.err.read_text()
    assert "Stopped. Nothing is lost" in program.err.read_text()
    assert "Traceback" not in program.err.read_text()
    return clock.monotonic_s() - begun_s


def written(scenery: Scenery, number: int) -> Callable[[], bool]:
    return lambda: len(scenery.trigger.written) >= number


@pytest.mark.parametrize("how", SIGNALS)
@pytest.mark.parametrize("kind", [Forked, Spawned])
def test_a_signal_ends_it_and_hands_leases_back(
    slow: Scenery, tmp_path: Path, launch: Launch, how: signal.Signals, kind: type[Forked | Spawned]
) -> None:
    first = launch(slow, kind=kind)
    until(written(slow, 4), "something is written")
    stopped(first, how)
    rows = read_copy(slow.database)
    assert [row for row in rows if row.token] == []
    assert sum(row.retry_count for row in rows) == 0
    assert 0 < sum(not row.is_settled for row in rows) <= slow.films
    second = launch(slow, kind=kind)
    until(lambda: is_quiet(slow), "all is settled")
    stopped(second, how)
    check(slow)


@pytest.mark.parametrize("how", SIGNALS)
def test_it_ends_while_plex_hangs(tmp_path: Path, launch: Launch, how: signal.Signals) -> None:
    with a_scenery(tmp_path / "data", 2, switches=Switches(hang_edits=1, hang_s=60.0)) as scenery:
        program = launch(scenery)
        until(lambda: scenery.world.plex_sim.switches.hang_edits == 0, "Plex hangs")
        stopped(program, how)
        assert [row for row in read_copy(scenery.database) if row.token] == []


def test_it_ends_before_it_is_connected(tmp_path: Path, launch: Launch) -> None:
    with a_scenery(tmp_path / "data", 3) as scenery:
        program = launch(scenery, plex_url="http://127.0.0.1:9")
        until(lambda: "not_connected" in program.said(), "it has tried to connect")
        stopped(program, signal.SIGTERM)


def test_it_ends_while_plex_is_away(tmp_path: Path, launch: Launch) -> None:
    with a_scenery(tmp_path / "data", 4) as scenery:
        program = launch(scenery)
        until(lambda: is_quiet(scenery), "all is settled")
        scenery.world.plex_sim.switches.proxy_status = 502
        scenery.edit()
        until(lambda: any(not row.is_settled for row in scenery.rows()), "an entry waits")
        stopped(program, signal.SIGTERM)
        assert [row for row in read_copy(scenery.database) if row.token] == []


@pytest.mark.parametrize("how", SIGNALS)
def test_a_second_signal_ends_it_at_once_and_nothing_is_lost(
    slow: Scenery, tmp_path: Path, launch: Launch, how: signal.Signals
) -> None:
    """What keeps the first signal waiting here is another process that sits on the lock of the store."""
    program = launch(slow, "serve", kind=Spawned)
    until(written(slow, 3), "something is written")
    with FileLock(f"{slow.database}.lock", timeout=30, mode=0o600):
        program.send(how)
        assert program.exit_code(0.5) is None, "it handed its leases back without the lock"
        program.send(how)
        assert program.exit_code(AT_ONCE_S) == -signal.SIGINT, "a second signal did not end it"
    again = launch(slow)
    until(lambda: is_quiet(slow), "all is settled")
    stopped(again, signal.SIGTERM)
    check(slow)


def test_until_idle_ends_by_itself(slow: Scenery, launch: Launch) -> None:
    first = launch(slow, "serve", "--until-idle", kind=Spawned)
    assert first.exit_code(30) == 0, first.said()
    check(slow)
    writes = len(slow.trigger.written)
    again = launch(slow, "serve", "--until-idle", kind=Spawned)
    assert again.exit_code(30) == 0, again.said()
    assert len(slow.trigger.written) == writes


def test_until_idle_after_a_kill_takes_up_what_was_left(slow: Scenery, tmp_path: Path, launch: Launch) -> None:
    first = launch(slow)
    until(written(slow, 5), "something is written")
    first.kill()
    second = launch(slow, "serve", "--until-idle")
    assert second.exit_code(30) == 0
    check(slow)
