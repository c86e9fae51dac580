"""Fact 12: latency, one writer at a time, busy waits, and hangs with the edit applied. On a virtual clock."""

import anyio
import pytest
import trio
import trio.testing

from integration.sim_plex.caller import Caller, TrioClock
from stashplex.base.transport import Fault, TransportFailed
from stashplex.sim.plex.app import PlexSim

pytestmark = pytest.mark.anyio

EDIT = "/library/sections/1/all?type=1&title.value=New&id="


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Trio, whose clock jumps to the next wake-up."""
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
async def sim(anyio_backend: object) -> PlexSim:
    """Four items on trio's clock, which only exists while trio runs."""
    sim = PlexSim(clock=TrioClock())
    films = sim.add_section("Films")
    for number in range(4):
        sim.add_item(films, [(f"/data/{number}.mkv", 1, 1)])
    return sim


async def timed(plex: Caller, *requests: tuple[str, str]) -> float:
    """Send all requests at once; return how long they took together."""
    start = trio.current_time()
    async with anyio.create_task_group() as tasks:
        for method, path in requests:
            tasks.start_soon(plex.send, method, path)
    return trio.current_time() - start


async def test_reads_run_at_once_and_writes_one_after_another(sim: PlexSim) -> None:
    plex = Caller(sim)
    sim.switches.read_latency_s, sim.switches.write_latency_s = 2.0, 3.0
    assert await timed(plex, *[("GET", "/library/sections/1/all")] * 4) == pytest.approx(2.0)
    assert await timed(plex, *[("PUT", f"{EDIT}{key}") for key in "1234"]) == pytest.approx(12.0)
    sim.switches.parallel_writers = 2
    assert await timed(plex, *[("PUT", f"{EDIT}{key}") for key in "1234"]) == pytest.approx(6.0)


async def test_busy_database_costs_multiples_of_its_delay(sim: PlexSim) -> None:
    sim.switches.busy_chance = 1.0
    waits = {round(await timed(Caller(sim), ("PUT", f"{EDIT}1")) / 0.2, 3) for _ in range(40)}
    assert waits == {1, 2, 3, 4, 5}


async def test_hang_outlasts_the_client_and_the_edit_is_applied_once(sim: PlexSim) -> None:
    sim.switches.hang_edits = 1
    plex = Caller(sim, timeout_s=30)
    assert (await plex.send("PUT", f"{EDIT}99")).status == 404
    with pytest.raises(TransportFailed) as failure:
        await plex.send("PUT", f"{EDIT}1")
    assert failure.value.fault is Fault.TIMEOUT_AFTER_SEND
    assert sim.item("1").title == "New"
    assert (await plex.send("PUT", f"{EDIT}2")).status == 200


async def test_hanging_answer_keeps_nobody_else_waiting(sim: PlexSim) -> None:
    sim.switches.hang_edits, sim.switches.hang_s, sim.switches.write_latency_s = 1, 500.0, 1.0
    assert await timed(Caller(sim), ("PUT", f"{EDIT}1")) == pytest.approx(501.0)
    sim.switches.hang_edits = 1
    plex = Caller(sim)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(plex.send, "PUT", f"{EDIT}1")
        await anyio.sleep(2)
        assert await timed(plex, ("PUT", f"{EDIT}2")) == pytest.approx(1.0)
        tasks.cancel_scope.cancel()


async def test_uploads_have_their_own_latency(sim: PlexSim) -> None:
    sim.switches.upload_latency_s = 7.0
    start = trio.current_time()
    assert (await Caller(sim).send("POST", "/library/metadata/1/posters", b"image")).status == 200
    assert trio.current_time() - start == pytest.approx(7.0)


async def test_plain_get_of_whole_items_costs_extra(sim: PlexSim) -> None:
    # fact 26
    sim.switches.plain_get_latency_s = 4.0
    assert await timed(Caller(sim), ("GET", "/library/metadata/1")) == pytest.approx(4.0)
    assert await timed(Caller(sim), ("GET", "/library/metadata/1?skipRefresh=1")) == 0
