"""An independent client works with jobs and plugins."""

from typing import Any

import pytest
from stashapi.stashapp import StashInterface

from contract.stash.conftest import Target
from integration.sim_stash.caller import Workshop
from stashplex.sim.stash.app import StashSim


def test_an_idle_server_has_no_queue(client: StashInterface, target: Target) -> None:
    queue = client.job_queue()
    if target.sim is None and queue is not None:
        pytest.skip("the live server is busy")
    assert queue is None


def test_a_scan_is_a_job(client: StashInterface, sim: StashSim) -> None:
    sim.disk.put("/media/contract.mp4")
    job = client.metadata_scan()
    assert client.wait_for_job(job, period=0.02, timeout=10) is True
    (scene,) = client.find_scenes(f={"path": {"value": "/media/contract.mp4", "modifier": "EQUALS"}})
    assert client.find_job(job)["description"] == "Scanning..."
    sim.destroy_scene(int(scene["id"]))


def test_a_plugins_task_and_operation(client: StashInterface, sim: StashSim, workshop: Workshop) -> None:
    body = 'note(args)\nprint(json.dumps({"output": args}))'
    workshop.plugin("contract", body, manifest="tasks: [{name: go, defaultArgs: {mode: full}}]")
    client.call_GQL("mutation { reloadPlugins }")
    job = client.run_plugin_task("contract", "go", {"text": "x", "number": 3})
    assert client.wait_for_job(job, period=0.02, timeout=10) is True
    assert workshop.noted()[-1] == {"mode": "full", "text": "x", "number": 3}
    operate = "mutation($id: ID!, $args: Map) { runPluginOperation(plugin_id: $id, args: $args) }"
    answer: dict[str, Any] = client.call_GQL(operate, {"id": "contract", "args": {"a": [1, None]}})
    assert answer["runPluginOperation"] == {"a": [1, None]}


def test_a_plugin_of_our_client_answers_a_hook(client: StashInterface, sim: StashSim, workshop: Workshop) -> None:
    body = """
    from stashapi.stashapp import StashInterface
    inner = StashInterface(given["server_connection"])
    hook = args["hookContext"]
    inner.update_scene({"id": hook["id"], "details": "written by a hook"})
    note([hook["type"], hook["id"]])
    """
    workshop.plugin("writer", body, triggers="Scene.Create.Post")
    client.call_GQL("mutation { reloadPlugins }")
    try:
        scene_id = int(client.create_scene({"title": "hooked"})["id"])
        assert workshop.noted()[-1] == ["Scene.Create.Post", scene_id]
        assert client.find_scene(scene_id, fragment="details")["details"] == "written by a hook"
    finally:
        sim.settings.disabled.add("writer")
    client.destroy_scene(scene_id)


def test_settings_of_a_plugin(client: StashInterface, sim: StashSim) -> None:
    assert client.find_plugin_config("settled") == {}
    client.configure_plugin("settled", {"ratio": 6.5, "on": True})
    assert client.configure_plugin("settled", {"word": "x"}) == {"ratio": 6.5, "on": True, "word": "x"}
    assert client.find_plugin_config("settled")["ratio"] == 6.5
    assert sim.settings.plugin_values["settled"]["on"] is True
