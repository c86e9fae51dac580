"""How hooks run: in a row, while the caller waits, killed when it leaves (facts 29-33, 42, 43)."""

import json
from itertools import pairwise
from typing import Any

import anyio
import pytest

from integration.sim_stash.caller import Caller, Workshop
from stashplex.sim.stash.app import StashSim

pytestmark = pytest.mark.anyio

UPDATE = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id title } }"
BULK = "mutation($input: BulkSceneUpdateInput!) { bulkSceneUpdate(input: $input) { id } }"

# A hook that notes its scene, waits at a gate, and calls back with the cookie it was given.
GATED = """
note(args["hookContext"]["id"])
wait_for("open")
"""


async def test_the_answer_waits_for_all_hooks_while_others_read_the_change(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # facts 29, 30
    for name in ("first", "second"):
        workshop.plugin(name, f"note('{name}')\nwait_for('{name}')", triggers="Scene.Update.Post")
    plugged.reload_plugins()
    scene = plugged.add_scene(title="old")
    answers: list[Any] = []

    async def change() -> None:
        answers.append(await client.ask(UPDATE, input={"id": scene, "title": "new"}))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(change)
            assert await workshop.until_noted(1) == ["first"]
            assert (await client.scene(scene, "title"))["title"] == "new"
            assert answers == []
            workshop.open_gate("first")
            assert await workshop.until_noted(2) == ["first", "second"]
            assert answers == []
            workshop.open_gate("second")
    assert answers[0]["sceneUpdate"]["title"] == "new"


async def test_the_answer_shows_what_a_hook_changed(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    workshop.plugin("gate", GATED, triggers="Scene.Update.Post")
    plugged.reload_plugins()
    scene = plugged.add_scene(title="old")
    answers: list[Any] = []

    async def change() -> None:
        answers.append(await client.ask(UPDATE, input={"id": scene, "title": "new"}))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(change)
            await workshop.until_noted(1)
            plugged.update_scene(scene, title="newer")
            workshop.open_gate("open")
    assert answers[0]["sceneUpdate"]["title"] == "newer"


async def test_a_client_that_leaves_kills_the_hook_and_skips_the_rest(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 31
    body = 'note(args["hookContext"]["id"])\nif args["hookContext"]["id"] == 3:\n    wait_for("never")'
    workshop.plugin("gate", body, triggers="Scene.Update.Post")
    plugged.reload_plugins()
    scenes = [plugged.add_scene(title="old") for _ in range(5)]
    leaving = anyio.Event()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:

            async def change() -> None:
                await client.reply(BULK, {"input": {"ids": scenes, "title": "new"}}, hang_up=leaving)

            group.start_soon(change)
            await workshop.until_noted(3)
            (process,) = plugged.starter.running
            leaving.set()
    assert process.returncode == -9
    assert workshop.noted() == [1, 2, 3]
    assert [(await client.scene(scene, "title"))["title"] for scene in scenes] == ["new"] * 5


async def test_a_bulk_update_runs_one_hook_per_scene_in_a_row(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 32
    body = """
    start = time.monotonic()
    time.sleep(0.05)
    note([args["hookContext"]["id"], start, time.monotonic()])
    """
    workshop.plugin("ears", body, triggers="Scene.Update.Post")
    plugged.reload_plugins()
    scenes = [plugged.add_scene(title="old") for _ in range(4)]
    await client.ask(BULK, input={"ids": scenes, "code": "c"})
    runs = workshop.noted()
    assert [run[0] for run in runs] == scenes
    assert all(later[1] > earlier[2] for earlier, later in pairwise(runs))


async def test_parallel_requests_run_parallel_hooks(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    # fact 33
    workshop.plugin("gate", GATED, triggers="Scene.Update.Post")
    plugged.reload_plugins()
    scenes = [plugged.add_scene(title="old") for _ in range(4)]
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for scene in scenes:
                group.start_soon(lambda scene=scene: client.update(scene, title="new"))
            assert sorted(await workshop.until_noted(4)) == scenes
            assert len(plugged.starter.running) == 4
            workshop.open_gate("open")


async def test_several_mutations_in_one_document_wait_for_each_other(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    workshop.plugin("gate", GATED, triggers="Scene.Update.Post")
    plugged.reload_plugins()
    one, two = plugged.add_scene(title="old"), plugged.add_scene(title="old")
    document = f"""mutation {{ a: sceneUpdate(input: {{id: {one}, title: "x"}}) {{ id }}
                               b: sceneUpdate(input: {{id: {two}, title: "x"}}) {{ id }} }}"""
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(client.ask, document)
            await workshop.until_noted(1)
            assert (await client.scene(two, "title"))["title"] == "old"
            workshop.open_gate("open")
    assert workshop.noted() == [one, two]


@pytest.mark.parametrize("with_key", [False, True])
async def test_recursion_ends_after_ten_calls_with_the_cookie_only(
    plugged: StashSim, client: Caller, workshop: Workshop, with_key: bool
) -> None:
    # fact 42: each call of the hook leaves its cookie; the test writes back with it as the plugin would
    body = 'note({"args": args, "cookie": given["server_connection"]["SessionCookie"]["Value"]})'
    workshop.plugin("loop", body, triggers="Scene.Update.Post")
    plugged.reload_plugins()
    scene = plugged.add_scene(title="a")
    await client.update(scene)
    for _ in range(14):
        notes = workshop.noted()
        cookie = {"cookie": f"session={notes[-1]['cookie']}"}
        headers = client.headers if with_key else cookie
        response = await client.reply(UPDATE, {"input": {"id": scene}}, headers=headers)
        assert response.status == 200
        if len(workshop.noted()) == len(notes):
            break
    assert len(workshop.noted()) == (15 if with_key else 10)


async def test_the_chain_is_per_plugin_and_trigger(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    body = 'note({"args": args, "cookie": given["server_connection"]["SessionCookie"]["Value"]})'
    workshop.plugin("loop", body, triggers="Scene.Update.Post, Tag.Create.Post")
    plugged.reload_plugins()
    scene = plugged.add_scene(title="a")
    await client.update(scene)
    for _ in range(9):
        headers = {"cookie": f"session={workshop.noted()[-1]['cookie']}"}
        await client.reply(UPDATE, {"input": {"id": scene}}, headers=headers)
    headers = {"cookie": f"session={workshop.noted()[-1]['cookie']}"}
    await client.reply('mutation { tagCreate(input: {name: "t"}) { id } }', headers=headers)
    assert [context["type"] for context in workshop.contexts()][-1] == "Tag.Create.Post"


async def test_a_plugin_that_cannot_start_silences_the_later_ones(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 43
    workshop.plugin("a_first", "note('first')", triggers="Scene.Update.Post")
    workshop.plugin("b_missing", "", triggers="Scene.Update.Post", exec_line="exec: [no-such-program]")
    workshop.plugin("c_last", "note('last')", triggers="Scene.Update.Post")
    plugged.reload_plugins()
    scenes = [plugged.add_scene(title="a"), plugged.add_scene(title="b")]
    await client.ask(BULK, input={"ids": scenes, "code": "c"})
    assert workshop.noted() == ["first", "first"]
    assert "no-such-program" in plugged.log.messages("Error")[-1]


async def test_a_plugin_that_fails_silences_nobody(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    # fact 43
    workshop.plugin("a_fails", "sys.exit(3)", triggers="Scene.Update.Post")
    workshop.plugin("b_says", 'print(json.dumps({"error": "boom"}))', triggers="Scene.Update.Post")
    workshop.plugin("c_last", "note('last')", triggers="Scene.Update.Post")
    plugged.reload_plugins()
    await client.update(plugged.add_scene(title="a"), code="c")
    assert workshop.noted() == ["last"]
    errors = plugged.log.messages("Error")
    assert errors == ["a_fails [hook]: returned error: exit status 3", "b_says [hook]: returned error: boom"]


async def test_plugins_run_in_the_order_of_the_directory_walk(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    for name in ("zeta", "alpha", "mid"):
        workshop.plugin(name, f"note('{name}')", triggers="Tag.Create.Post")
    plugged.reload_plugins()
    await client.ask('mutation { tagCreate(input: {name: "t"}) { id } }')
    assert workshop.noted() == ["alpha", "mid", "zeta"]


async def test_a_trigger_named_twice_runs_twice(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    workshop.plugin("ears", "note(1)", triggers="Tag.Create.Post, Tag.Create.Post")
    plugged.reload_plugins()
    await client.ask('mutation { tagCreate(input: {name: "t"}) { id } }')
    assert workshop.noted() == [1, 1]


async def test_a_disabled_plugin_hears_nothing(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    workshop.plugin("ears", "note(1)", triggers="Tag.Create.Post")
    plugged.reload_plugins()
    plugged.settings.disabled.add("ears")
    await client.ask('mutation { tagCreate(input: {name: "t"}) { id } }')
    assert workshop.noted() == []


async def test_a_detached_child_outlives_the_hook(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    child = (
        "import os,sys,time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.005)\nopen(sys.argv[2],'w').write('1')"
    )
    gate, done = workshop.gates / "open", workshop.notes / "9.json"
    body = f"""
    import subprocess
    subprocess.Popen([sys.executable, "-c", {child!r}, {str(gate)!r}, {str(done)!r}], start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode = 0
    """
    workshop.plugin("spawner", body, triggers="Tag.Create.Post")
    plugged.reload_plugins()
    with anyio.fail_after(10):
        await client.ask('mutation { tagCreate(input: {name: "t"}) { id } }')
        workshop.open_gate("open")
        assert await workshop.until_noted(1) == [1]


async def test_reading_goes_on_with_no_plugin_installed(client: Caller) -> None:
    response = await client.reply('mutation { tagCreate(input: {name: "t"}) { id } }')
    assert json.loads(response.body) == {"data": {"tagCreate": {"id": "1"}}}
