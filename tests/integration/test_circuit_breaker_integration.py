"""The durable circuit breaker of a server under a frozen clock: its whole cycle, resets, restarts, one probe in all.

The real store and the real gate; a restart is a second instance on the same file. What the worker makes of it is at the
end, with both simulated servers.
"""

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE, Popen

import pytest
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from asgi import AsgiTransport
from restarts import DOWN, KEY, Program, started
from stashplex.base.clock import SystemClock
from stashplex.base.errors import (
    Server,
    ServerError,
    ServerHeld,
    ServerRefused,
    ServerUnreachable,
)
from stashplex.base.transport import Request, Response, Transport
from stashplex.domain.breaker import Breaker, BreakerRules, BreakerState, Cause, Failure
from stashplex.domain.entry import State
from worlds import PLEX_URL, World, a_world

START = datetime(2025, 3, 30, 0, 59, 59, 123456, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
RULES = BreakerRules()
TIMEOUT = timedelta(seconds=RULES.recovery_timeout_s)
REFUSED = ServerRefused(Server.PLEX, "Plex does not accept the token.")
MAINTENANCE = ServerUnreachable(Server.PLEX, "Plex is in maintenance.", is_maintenance=True)
FAILURE = Failure(Cause.DOWN, "Plex refuses connections.")


@pytest.fixture
def clock() -> Iterator[FrozenDateTimeFactory]:
    with freeze_time(START) as frozen:
        assert isinstance(frozen, FrozenDateTimeFactory)
        yield frozen


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stashplex.sqlite"


@pytest.fixture
def program(path: Path, clock: FrozenDateTimeFactory) -> Iterator[Program]:
    with started(path) as found:
        yield found


# closed


def test_a_server_that_was_never_heard_of_is_closed(program: Program) -> None:
    assert (program.state, program.may_send()) == (BreakerState.CLOSED, True)


def test_it_opens_at_the_threshold_and_not_before(program: Program) -> None:
    program.fail(4)
    assert (program.state, program.breaker.failures, program.may_send()) == (BreakerState.CLOSED, 4, True)
    program.fail()
    assert (program.state, program.may_send()) == (BreakerState.OPEN, False)
    assert (program.breaker.opened_at, program.breaker.retry_at) == (START, START + TIMEOUT)
    assert (program.breaker.cause, program.breaker.reason) == (Cause.DOWN, str(DOWN))


def test_a_success_resets_the_count(program: Program) -> None:
    program.fail(4)
    program.gate.succeeded()
    assert program.breaker.failures == 0
    program.fail(4)
    assert program.state == "closed"
    program.fail()
    assert program.state == "open"


@pytest.mark.parametrize("error", [REFUSED, MAINTENANCE])
def test_what_one_answer_proves_opens_it_at_once(program: Program, error: ServerError) -> None:
    program.fail(1, error)
    assert program.state == "open"


@pytest.mark.parametrize("threshold", [1, 2, 7])
def test_the_threshold_is_a_setting(path: Path, clock: FrozenDateTimeFactory, threshold: int) -> None:
    with started(path, BreakerRules(failure_threshold=threshold)) as program:
        program.fail(threshold - 1)
        assert program.state == "closed"
        program.fail()
        assert program.state == "open"


def test_failures_of_two_processes_add_up(program: Program, path: Path) -> None:
    with started(path) as other:
        program.fail(3)
        other.fail(2)
    assert program.state == "open"


# open


def test_it_stays_open_before_the_timeout(program: Program, clock: FrozenDateTimeFactory) -> None:
    program.open()
    clock.tick(TIMEOUT - MICROSECOND)
    assert not program.begin_probe("p")
    assert (program.state, program.may_send()) == (BreakerState.OPEN, False)


def test_more_failures_change_nothing_while_it_is_open(program: Program) -> None:
    program.open()
    before = program.breaker
    program.fail(10, REFUSED)
    assert program.breaker == before


def test_it_is_half_open_after_the_timeout_for_one_probe(program: Program, clock: FrozenDateTimeFactory) -> None:
    program.open()
    clock.tick(TIMEOUT)
    assert program.begin_probe("p")
    assert (program.state, program.may_send()) == (BreakerState.HALF_OPEN, False)
    assert not program.begin_probe("q")


# half open


@pytest.fixture
def probing(program: Program, clock: FrozenDateTimeFactory) -> Program:
    program.open()
    clock.tick(TIMEOUT)
    assert program.begin_probe("p")
    return program


def test_a_good_probe_closes_it(probing: Program) -> None:
    probing.end_probe("p")
    assert (probing.state, probing.may_send()) == (BreakerState.CLOSED, True)
    assert (probing.breaker.failures, probing.breaker.opened_at) == (0, None)
    assert probing.breaker.closed_at == START + TIMEOUT


def test_a_bad_probe_opens_it_again_for_longer(probing: Program) -> None:
    probing.end_probe("p", FAILURE)
    breaker = probing.breaker
    assert (breaker.state, breaker.probes, breaker.opened_at) == (BreakerState.OPEN, 1, START)
    assert breaker.retry_at is not None
    now = START + TIMEOUT
    assert now + 2 * TIMEOUT / 10 <= breaker.retry_at <= now + 2 * TIMEOUT


@given(st.integers(1, 60), st.integers(0, 2**32), st.sampled_from([Cause.DOWN, Cause.SLOW, Cause.UNAUTHORISED]))
def test_the_wait_between_probes_grows_to_ten_minutes(probes: int, seed: int, cause: Cause) -> None:
    half_open = Breaker(BreakerState.HALF_OPEN, opened_at=START, probes=probes - 1, probe_token="p")
    after = half_open.failed(Failure(cause, ""), START, RULES, random.Random(seed), token="p")
    assert after.retry_at is not None
    ceiling_s = min(600.0, 60.0 * 2.0**probes)
    assert ceiling_s / 10 <= (after.retry_at - START).total_seconds() <= ceiling_s


def test_only_the_probe_under_way_decides(probing: Program) -> None:
    before = probing.breaker
    probing.end_probe("somebody else's")
    probing.end_probe("somebody else's", FAILURE)
    probing.gate.succeeded()
    probing.fail(5)
    assert probing.breaker == before


def test_a_probe_that_never_returns_gives_way_and_its_late_word_does_not_count(
    probing: Program, clock: FrozenDateTimeFactory
) -> None:
    clock.tick(timedelta(seconds=RULES.probe_s) - MICROSECOND)
    assert not probing.begin_probe("q")
    clock.tick(MICROSECOND)
    assert probing.begin_probe("q")
    probing.end_probe("p")
    assert probing.state == "half_open"
    probing.end_probe("q")
    assert probing.state == "closed"


def test_several_good_probes_where_several_are_wanted(path: Path, clock: FrozenDateTimeFactory) -> None:
    with started(path, BreakerRules(success_threshold=3)) as program:
        program.open()
        clock.tick(TIMEOUT)
        for number in range(3):
            assert program.state != "closed"
            assert program.begin_probe(str(number))
            program.end_probe(str(number))
        assert program.state == "closed"


# whole cycles


def test_closed_open_half_open_closed(program: Program, clock: FrozenDateTimeFactory) -> None:
    states = [program.state]
    program.open()
    states.append(program.state)
    clock.tick(TIMEOUT)
    program.begin_probe("p")
    states.append(program.state)
    program.end_probe("p")
    states.append(program.state)
    assert states == ["closed", "open", "half_open", "closed"]
    (outage,) = program.breakers.list_outages(START)
    assert (outage.started_at, outage.ended_at) == (START, START + TIMEOUT)
    program.fail(4)
    assert program.state == "closed"


def test_closed_open_half_open_open_half_open_closed(program: Program, clock: FrozenDateTimeFactory) -> None:
    program.open()
    clock.tick(TIMEOUT)
    program.begin_probe("p")
    program.end_probe("p", FAILURE)
    assert program.state == "open"
    assert not program.begin_probe("q")
    retry_at = program.breaker.retry_at
    assert retry_at is not None
    clock.move_to(retry_at)
    assert program.begin_probe("q")
    program.end_probe("q")
    assert program.state == "closed"
    assert len(program.breakers.list_outages(START)) == 1


# reset and restart


def in_state(program: Program, clock: FrozenDateTimeFactory, state: BreakerState) -> None:
    if state is not BreakerState.CLOSED:
        program.open()
    if state is BreakerState.HALF_OPEN:
        clock.tick(TIMEOUT)
        assert program.begin_probe("p")
    assert program.state == state


@pytest.mark.parametrize("state", list(BreakerState))
def test_reset_closes_it_from_each_state(program: Program, clock: FrozenDateTimeFactory, state: BreakerState) -> None:
    program.fail(2)
    program.gate.succeeded()
    in_state(program, clock, state)
    program.reset()
    assert (program.state, program.breaker.failures, program.may_send()) == (BreakerState.CLOSED, 0, True)
    assert all(outage.ended_at for outage in program.breakers.list_outages(START))
    program.end_probe("p", FAILURE)
    assert program.state == "closed"


@pytest.mark.parametrize("state", list(BreakerState))
@pytest.mark.parametrize("is_closed_first", [True, False], ids=["stopped", "killed"])
def test_it_survives_a_restart_in_each_state(
    program: Program, path: Path, clock: FrozenDateTimeFactory, state: BreakerState, is_closed_first: bool
) -> None:
    in_state(program, clock, state)
    before = program.breaker
    if is_closed_first:
        program.database.close()
    with started(path) as restarted:
        assert restarted.breaker == before
        assert restarted.may_send() is (state is BreakerState.CLOSED)


def test_a_count_survives_a_restart(program: Program, path: Path) -> None:
    program.fail(4)
    with started(path) as restarted:
        restarted.fail()
        assert restarted.state == "open"


def test_a_probe_whose_process_died_gives_way_after_a_restart(
    probing: Program, path: Path, clock: FrozenDateTimeFactory
) -> None:
    with started(path) as restarted:
        assert not restarted.begin_probe("q")
        clock.tick(timedelta(seconds=RULES.probe_s))
        assert restarted.begin_probe("q")


@pytest.mark.parametrize("days", [-400, -1, 1])
def test_a_clock_that_jumped_does_not_hold_it_open(program: Program, clock: FrozenDateTimeFactory, days: int) -> None:
    program.open()
    clock.tick(timedelta(days=days))
    assert program.begin_probe("p")


_PROBE = """
import sys
from pathlib import Path
from stashplex.base.clock import SystemClock
from stashplex.domain.breaker import BreakerRules
from stashplex.store.breakers import Breakers
from stashplex.store.database import Database

path, key, token = sys.argv[1:]
breakers, rules = Breakers(Database.open(Path(path))), BreakerRules()
print("ready", flush=True)
sys.stdin.readline()
now = SystemClock().now()
begun = breakers.change(key, now, lambda one: one.probing(now, token, rules) if one.may_probe(now, rules) else one)
print(begun.probe_token == token, flush=True)
"""


def test_one_probe_in_all_over_two_processes(path: Path) -> None:
    with started(path) as program:
        long_ago = SystemClock().now() - timedelta(minutes=2)
        for _ in range(5):
            program.breakers.change(KEY, long_ago, lambda one: one.failed(FAILURE, long_ago, RULES, program.chance))
        assert program.state == "open"
    line = [sys.executable, "-c", _PROBE, str(path), KEY]
    with (
        Popen([*line, "a"], stdin=PIPE, stdout=PIPE, text=True) as first,
        Popen([*line, "b"], stdin=PIPE, stdout=PIPE, text=True) as second,
    ):
        both = (first, second)
        assert [process.stdout.readline() for process in both if process.stdout] == ["ready\n"] * 2
        for process in both:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        begun = [process.stdout.readline().strip() for process in both if process.stdout]
    assert sorted(begun) == ["False", "True"]


# the worker behind it


class Noted(Transport):
    """Passes requests on while the server is up, and notes them."""

    def __init__(self, world: World) -> None:
        self._inner = AsgiTransport(world.plex.app)
        self.sent: list[str] = []

    @override
    async def send(self, request: Request) -> Response:
        self.sent.append(f"{request.method} {request.url.removeprefix(PLEX_URL)}")
        return await self._inner.send(request)


async def leased_until_held(world: World) -> None:
    """Sync while Plex refuses connections, until the breaker is open."""
    for _ in range(10):
        with pytest.raises(ServerError):
            await world.sync()
        with world.app() as app:
            if not app.plex_gate.breaker().is_closed:
                return
    pytest.fail("it never opened")


@pytest.mark.anyio
async def test_while_it_is_open_nothing_is_sent_but_the_probe(tmp_path: Path) -> None:
    world = a_world(tmp_path, 30, posters=False)
    await world.sync()
    noted = Noted(world)
    world.plex_transport = noted
    world.plex.switches.drop_connections = True
    await leased_until_held(world)
    world.stash.update_scene(1, title="Another")
    noted.sent.clear()
    with world.app() as app:
        target_id = app.store.overview.list_plex()[0].id
        with pytest.raises(ServerHeld):
            await app.connect()
        assert noted.sent == []
        await app.probe_held()
        assert noted.sent == ["GET /identity"]
        assert app.store.ledger.counts(target_id, now=app.clock.now()).dead == 0


@pytest.mark.anyio
async def test_work_goes_on_after_recovery_and_no_attempt_was_spent(tmp_path: Path) -> None:
    world = a_world(tmp_path, 30, posters=False)
    await world.sync()
    world.plex.switches.drop_connections = True
    await leased_until_held(world)
    for number in range(1, 31):
        world.stash.update_scene(number, title=f"During the outage {number}")
    world.plex.switches.drop_connections = False
    world.settings["batch_size"] = 5
    report = await world.sync()
    assert (report.synced, report.dead, report.waiting) == (30, 0, 0)
    with world.app() as app:
        entries = app.store.ledger.list_entries(app.store.overview.list_plex()[0].id)
    assert {(entry.state, entry.retry_count) for entry in entries} == {(State.SYNCED, 0)}


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_ten_thousand_files_not_found_or_ambiguous_leave_it_closed(tmp_path: Path) -> None:
    world = a_world(tmp_path, 10_000, posters=False)
    world.settings |= {"scan_on_not_found": False, "failure_threshold": 1}
    for number, (key, item) in enumerate(list(world.section.items.items())):
        if number % 2:
            world.plex.remove_item(str(key))
        else:
            file = item.files[0]
            world.plex.add_item(world.section, files=[(file.path, file.size_bytes, 1000)], title="Copy")
    report = await world.sync()
    assert (report.waiting, report.dead) == (5_000, 5_000)
    with world.app() as app:
        breakers = [gate.breaker() for gate in (app.stash_gate, app.plex_gate)]
    assert [(breaker.state, breaker.failures) for breaker in breakers] == [(BreakerState.CLOSED, 0)] * 2
