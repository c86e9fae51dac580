"""The hook run by the simulated Stash, as the manifest says: edits, bulk edits, clients that leave."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from e2e.plugin.hooking import Installed, environment
from integration.sim_stash.caller import Caller
from stashplex.sim.stash.app import StashSim

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

UPDATE = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"
BULK = "mutation($input: BulkSceneUpdateInput!) { bulkSceneUpdate(input: $input) { id } }"
DESTROY = "mutation($input: SceneDestroyInput!) { sceneDestroy(input: $input) }"
MANIFEST = """
name: stashplex
exec: [python, -I, -S, -E, "{pluginDir}/hook.py"]
hooks:
  - name: events
    triggeredBy: [Scene.Create.Post, Scene.Update.Post, Scene.Destroy.Post, Tag.Update.Post, Scene.Newer.Post]
"""


@pytest.fixture(params=["asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The processes are the same under any event loop."""
    return str(request.param)


@pytest.fixture
def stash(plugin: Installed, tmp_path: Path) -> StashSim:
    """A server with the plugin."""
    (plugin.folder / "stashplex.yml").write_text(MANIFEST)
    sim = StashSim(plugins_path=plugin.folder.parent, environment=environment(), working_directory=tmp_path)
    sim.settings.python_path = sys.executable
    sim.settings.directory = str(plugin.stash)
    sim.reload_plugins()
    return sim


def complaints(sim: StashSim) -> list[Any]:
    """Return what stands in the server's log above information."""
    return [line for line in sim.log.entries if line.level not in {"Trace", "Debug", "Info"}]


async def test_an_edit_is_an_event_by_the_time_it_is_saved(stash: StashSim, plugin: Installed) -> None:
    caller, scene = Caller(stash), stash.add_scene(title="old")
    await caller.ask(UPDATE, input={"id": scene, "title": "new", "cover_image": None})
    (event,) = plugin.events()
    assert (event["type"], event["id"]) == ("Scene.Update.Post", scene)
    assert set(event["fields"]) == {"id", "title", "cover_image"}
    assert complaints(stash) == []


async def test_a_destroy_keeps_the_path(stash: StashSim, plugin: Installed) -> None:
    caller, scene = (
        Caller(stash),
        stash.add_scene(title="old", files=[("/media/ä/one.mp4", 1000, 60.0, "0123456789abcdef")]),
    )
    await caller.ask(DESTROY, input={"id": scene})
    (event,) = plugin.events()
    assert (event["type"], event["id"], event["path"]) == ("Scene.Destroy.Post", scene, "/media/ä/one.mp4")


async def test_the_connection_noted_reaches_a_server_that_listens_everywhere(
    stash: StashSim, plugin: Installed
) -> None:
    caller, scene = Caller(stash), stash.add_scene(title="old")
    assert stash.settings.host == "0.0.0.0"
    await caller.update(scene, title="new")
    noted = json.loads((plugin.data_dir / "connection.json").read_bytes())
    assert (noted["scheme"], noted["host"], noted["port"]) == ("http", "127.0.0.1", stash.settings.port)
    with_session = Caller(stash, {"cookie": f"session={noted['cookie']}"})
    assert (await with_session.scene(scene, "title"))["title"] == "new"


async def test_a_bulk_edit_is_an_event_of_each_scene(stash: StashSim, plugin: Installed) -> None:
    caller, scenes = Caller(stash), [stash.add_scene(title="old") for _ in range(40)]
    await caller.ask(BULK, input={"ids": scenes, "title": "new"})
    assert [event["id"] for event in plugin.events()] == scenes
    assert complaints(stash) == []


async def test_a_client_that_leaves_a_bulk_edit_costs_the_rest_and_harms_nothing(
    stash: StashSim, plugin: Installed
) -> None:
    caller, scenes = Caller(stash), [stash.add_scene(title="old") for _ in range(200)]
    for round_number in range(1, 4):
        leaving, before = anyio.Event(), len(plugin.events())
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:

                async def change(leaving: anyio.Event = leaving) -> None:
                    await caller.reply(BULK, {"input": {"ids": scenes, "title": "new"}}, hang_up=leaving)

                group.start_soon(change)
                while len(plugin.events()) < before + 5:  # noqa: ASYNC110 - other processes write them
                    await anyio.sleep(0.001 * round_number)
                leaving.set()
        events = plugin.events()[before:]
        assert 5 <= len(events) < 200
        assert [event["id"] for event in events] == scenes[: len(events)]
    before = len(plugin.events())
    await caller.update(scenes[-1], title="newest")
    assert [event["id"] for event in plugin.events()[before:]] == [scenes[-1]]


async def test_a_plugin_without_a_place_to_write_costs_no_edit(stash: StashSim, plugin: Installed) -> None:
    plugin.data_dir.write_text("a file, where the folder should be")
    caller, scene = Caller(stash), stash.add_scene(title="old")
    await caller.update(scene, title="new")
    assert (await caller.scene(scene, "title"))["title"] == "new"
    assert any("The event was not recorded" in line.message for line in complaints(stash))
