"""Faults that can be switched on: each strikes from the next request on, and leaves no trace in the data (fact 19)."""

import json

import anyio
import pytest
import trio.testing

from asgi import AsgiTransport
from integration.sim_stash.caller import JSON, KEY, Caller
from stashplex.base.transport import Fault, Request, TransportFailed
from stashplex.sim.stash.app import StashSim

pytestmark = pytest.mark.anyio

RENAME = 'mutation($id: ID!) { sceneUpdate(input: {id: $id, title: "new"}) { title } }'


async def test_a_busy_database_refuses_a_mutation_as_200_with_errors(sim: StashSim, caller: Caller) -> None:
    # fact 19
    scene = sim.add_scene(title="old")
    sim.switches.locked = 2
    for _ in range(2):
        response = await caller.reply(RENAME, {"id": scene})
        answer = json.loads(response.body)
        assert response.status == 200
        assert answer == {
            "errors": [{"message": "database is locked", "path": ["sceneUpdate"]}],
            "data": {"sceneUpdate": None},
        }
    assert (await caller.scene(scene, "title"))["title"] == "old"
    assert (await caller.ask(RENAME, id=scene))["sceneUpdate"]["title"] == "new"


async def test_an_occasionally_busy_database_follows_the_seed(sim: StashSim) -> None:
    async def refusals(seed: int) -> list[bool]:
        sim = StashSim(seed=seed)
        sim.switches.locked_chance = 0.5
        scene = sim.add_scene(title="old")
        return [b"locked" in (await Caller(sim).reply(RENAME, {"id": scene})).body for _ in range(20)]

    assert await refusals(1) == await refusals(1)
    assert 0 < sum(await refusals(1)) < 20
    assert await refusals(1) != await refusals(2)


async def test_a_broken_upstream(sim: StashSim, caller: Caller) -> None:
    sim.switches.failing, sim.switches.failing_status = 1, 503
    assert (await caller.reply("{ version { version } }")).status == 503
    assert (await caller.reply("{ version { version } }")).status == 200


async def test_nothing_is_found_when_empty_is_switched_on(sim: StashSim, caller: Caller) -> None:
    sim.add_scene(title="a", performers=["Ann"])
    sim.switches.empty = True
    query = "{ findScenes { count scenes { id } } findPerformers { count performers { id } } }"
    assert await caller.ask(query) == {
        "findScenes": {"count": 0, "scenes": []},
        "findPerformers": {"count": 0, "performers": []},
    }


async def test_a_hanging_server_answers_when_it_is_let_go(sim: StashSim, caller: Caller) -> None:
    sim.switches.hang = True
    with anyio.move_on_after(0.2) as scope:
        await caller.reply("{ version { version } }")
    assert scope.cancelled_caught
    assert sim.requests[-1].status == 0
    sim.switches.hang = False
    assert (await caller.reply("{ version { version } }")).status == 200


def test_latency_is_virtual_under_a_virtual_clock() -> None:
    sim = StashSim()
    sim.switches.latency_s = 30.0
    transport = AsgiTransport(sim.app, timeout_s=60)
    body = json.dumps({"query": "{ version { version } }"}).encode()

    async def main() -> float:
        start = trio.current_time()
        response = await transport.send(Request("POST", "http://stash/graphql", KEY | JSON, body))
        assert response.status == 200
        sim.switches.hang = True
        with pytest.raises(TransportFailed) as failed:
            await transport.send(Request("POST", "http://stash/graphql", KEY | JSON, body))
        assert failed.value.fault is Fault.TIMEOUT_AFTER_SEND
        return float(trio.current_time() - start)

    clock = trio.testing.MockClock(autojump_threshold=0)
    assert trio.run(main, clock=clock) == pytest.approx(90, abs=1)


async def test_a_refused_change_leaves_nothing_behind(sim: StashSim, caller: Caller) -> None:
    scene = sim.add_scene(title="old", tags=["red"])
    before = await caller.scene(scene, "title tags { name } updated_at")
    mutation = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"
    assert await caller.errors(mutation, input={"id": scene, "title": "new", "tag_ids": [99]}) == [
        "FOREIGN KEY constraint failed"
    ]
    assert await caller.errors(mutation, input={"id": scene, "title": ""}) == [
        "title must be set if scene has no files"
    ]
    assert await caller.scene(scene, "title tags { name } updated_at") == before
