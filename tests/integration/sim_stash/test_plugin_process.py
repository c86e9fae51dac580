"""One process of a plugin: what it gets, what its output means, where it runs (facts 20, 21, 25-28, 52)."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from integration.sim_stash.caller import Caller, HandClock, Workshop
from stashplex.sim.stash.app import StashSim

pytestmark = pytest.mark.anyio

OPERATE = "mutation($id: ID!, $args: Map) { runPluginOperation(plugin_id: $id, args: $args) }"


async def operate(client: Caller, plugin: str, **args: Any) -> Any:
    return (await client.ask(OPERATE, id=plugin, args=args))["runPluginOperation"]


async def test_stdin_is_one_json_object_with_capital_connection_keys(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 20
    directory = workshop.plugin("probe", 'print(json.dumps({"output": [given, raw[-1]]}))')
    plugged.reload_plugins()
    given, last = await operate(client, "probe", deep={"a": [1, None, True]})
    assert last == "}"
    connection = given["server_connection"]
    assert given["args"] == {"deep": {"a": [1, None, True]}}
    assert (connection["Scheme"], connection["Host"], connection["Port"]) == ("http", "0.0.0.0", 9999)
    assert connection["PluginDir"] == str(directory)
    assert connection["Dir"] == "/root/.stash"
    cookie = connection["SessionCookie"]
    assert cookie["Name"] == "session"
    response = await client.reply("{ version { version } }", headers={"cookie": f"session={cookie['Value']}"})
    assert response.status == 200
    assert "ApiKey" not in json.dumps(given)


@pytest.mark.parametrize(
    ("script", "meaning"),
    [
        ('print(json.dumps({"output": {"a": 1}}))', ({"a": 1}, None)),
        ('print(json.dumps({"OUTPUT": 5}))', (5, None)),
        ('print(json.dumps({"error": "boom"}))', (None, "boom")),
        ("pass", ("", None)),
        ('print("plain")', ("plain\n", None)),
        ("print([1])", ("[1]\n", None)),
        ('print("{}{}")', ("{}{}\n", None)),
        ('print(json.dumps({"result": 1}))', (None, None)),
        ('print(json.dumps({"error": {"a": 1}}))', (None, "")),
        ('print(json.dumps({"output": 1}), flush=True); sys.exit(3)', (None, "exit status 3")),
        ("os.abort()", (None, "signal: 6")),
    ],
)
async def test_what_stdout_means(
    plugged: StashSim, client: Caller, workshop: Workshop, script: str, meaning: tuple[object, str | None]
) -> None:
    # fact 26
    output, error = meaning
    workshop.plugin("probe", script)
    plugged.reload_plugins()
    if error is None:
        assert await operate(client, "probe") == output
    else:
        assert await client.errors(OPERATE, id="probe") == [error]


async def test_a_child_that_inherits_stdout_delays_the_caller(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 26
    child = 'import subprocess; subprocess.Popen([sys.executable, "-c", CHILD])'
    waiting = "import os,sys,time\\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.005)"
    gate = workshop.gates / "open"
    workshop.plugin("slow", f'CHILD = "{waiting}"\n{child[:-2]}, {str(gate)!r}])\nnote("parent ended")')
    plugged.reload_plugins()
    answers: list[Any] = []

    async def ask() -> None:
        answers.append(await operate(client, "slow"))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            await workshop.until_noted(1)
            (process,) = plugged.starter.running
            while process.poll() is None:  # noqa: ASYNC110 - another process ends
                await anyio.sleep(0.01)
            for _ in range(20):
                await anyio.sleep(0.005)
                assert answers == []
            gate.touch()
    assert answers == [""]


async def test_a_line_of_64_kib_breaks_the_pipe(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    # fact 27
    body = """
    sys.stderr.write("x" * int(args["size"]) + "\\n")
    sys.stderr.flush()
    for _ in range(200):
        time.sleep(0.005)
        sys.stderr.write("more\\n")
        sys.stderr.flush()
    print(json.dumps({"output": "lived"}))
    """
    workshop.plugin("loud", body)
    plugged.reload_plugins()
    assert await operate(client, "loud", size=65535) == "lived"
    (error,) = await client.errors(OPERATE, id="loud", args={"size": 65536})
    assert error in {"exit status 1", "exit status 120"}  # 120: Python also failed to flush stderr at its end


async def test_stderr_lines_go_to_the_log_by_their_prefix(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    body = r"""
    for line in ("\x01i\x02  told ", "\x01d\x02detail", "\x01e\x02broken", "bare", "\x01x\x02odd"):
        print(line, file=sys.stderr)
    """
    workshop.plugin("talker", body, manifest="errLog: warning")
    plugged.reload_plugins()
    await operate(client, "talker")
    said = [(e.level, e.message.partition("] ")[2]) for e in plugged.log.entries if "Plugin / talker" in e.message]
    assert said == [
        ("Info", "told"),
        ("Debug", "detail"),
        ("Error", "broken"),
        ("Warning", "bare"),
        ("Warning", "\x01x\x02odd"),
    ]


async def test_it_runs_elsewhere_and_can_import_its_neighbours(
    plugged: StashSim, client: Caller, workshop: Workshop, tmp_path: Path
) -> None:
    # fact 28
    (workshop.root / "neighbour.py").write_text("VALUE = 7\n", "utf-8")
    workshop.plugin(
        "probe",
        "import neighbour\n"
        'print(json.dumps({"output": [os.getcwd(), os.environ["PYTHONPATH"], neighbour.VALUE, os.getpgrp()]}))',
    )
    plugged.reload_plugins()
    directory, path, value, group = await operate(client, "probe")
    assert directory == str(tmp_path)
    assert path == str(workshop.root)
    assert value == 7
    assert group == os.getpgrp()


async def test_a_whole_cover_comes_by_stdin(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    # fact 25
    workshop.plugin("ears", "note(len(args['hookContext']['input']['cover_image']))", triggers="Scene.Update.Post")
    plugged.reload_plugins()
    scene = plugged.add_scene(title="a")
    cover = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8\xff" + bytes(2_500_000)).decode()
    await client.update(scene, cover_image=cover)
    assert workshop.noted() == [len(cover)]


async def test_a_process_need_not_read_its_stdin(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    # fact 25
    directory = workshop.plugin("deaf", "", triggers="Scene.Update.Post")
    (directory / "deaf.py").write_text("print('{}')\n", "utf-8")
    plugged.reload_plugins()
    scene = plugged.add_scene(title="a")
    await client.update(scene, details="x" * 3_000_000)
    assert plugged.log.messages("Error") == []


async def test_default_arguments_are_texts_and_given_ones_keep_their_type(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 21
    tasks = "tasks: [{name: t, defaultArgs: {mode: full, n: 5, on: true}, execArgs: [--verbose]}]"
    workshop.plugin("tasker", "note([args, sys.argv[1:]])", manifest=tasks)
    plugged.reload_plugins()
    mutation = 'mutation($a: Map) { runPluginTask(plugin_id: "tasker", task_name: "t", args_map: $a) }'
    async with plugged.running():
        job = (await client.ask(mutation, a={"n": 6, "deep": {"x": [1.5]}}))["runPluginTask"]
        await client.wait_for_job(job)
        old = 'mutation($a: [PluginArgInput!]) { runPluginTask(plugin_id: "tasker", task_name: "t", args: $a) }'
        job = (await client.ask(old, a=[{"key": "mode", "value": {"b": False}}]))["runPluginTask"]
        await client.wait_for_job(job)
    assert workshop.noted() == [
        [{"mode": "full", "n": 6, "on": "true", "deep": {"x": [1.5]}}, ["--verbose"]],
        [{"mode": False, "n": "5", "on": "true"}, ["--verbose"]],
    ]


async def test_a_stray_yml_and_an_unknown_key_show_in_the_log_only(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 52
    workshop.plugin("good", "pass", manifest="version: 0.1\nsettings: {n: {displayName: N, type: NUMBER}}")
    workshop.plugin("typo", "pass", manifest="hoooks: []")
    (workshop.root / "good" / "docker-compose.yml").write_text("services: {}\n", "utf-8")
    (workshop.root / "good" / "config.yaml").write_text("whatever: 1\n", "utf-8")
    (workshop.root / "zz").mkdir()
    (workshop.root / "zz" / "GOOD.yml").write_text("name: twin\n", "utf-8")
    await client.ask("mutation { reloadPlugins }")
    query = "{ plugins { id name version enabled tasks { name } hooks { name hooks } settings { name type } } }"
    (plugin,) = (await client.ask(query))["plugins"]
    assert (plugin["id"], plugin["version"]) == ("good", "0.1")
    assert plugin["settings"] == [{"name": "n", "type": "NUMBER"}]
    errors = plugged.log.messages("Error")
    assert any("field hoooks not found" in message for message in errors)
    assert any("docker-compose.yml" in message for message in errors)
    assert any("already exists" in message for message in plugged.log.messages("Warning"))


async def test_an_unknown_and_a_disabled_plugin(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    workshop.plugin("probe", 'print(json.dumps({"output": 1}))')
    plugged.reload_plugins()
    nothing = ["Internal system error. Error <runtime error: invalid memory address or nil pointer dereference>"]
    assert await client.errors(OPERATE, id="nobody") == nothing
    assert await client.errors(OPERATE, id="PROBE") == nothing
    await client.ask("mutation($m: BoolMap!) { setPluginsEnabled(enabledMap: $m) }", m={"probe": False})
    assert await client.errors(OPERATE, id="probe") == ["plugin probe is disabled"]
    await client.ask("mutation($m: BoolMap!) { setPluginsEnabled(enabledMap: $m) }", m={"probe": True})
    assert await operate(client, "probe") == 1


async def test_settings_of_a_plugin_are_replaced_as_a_whole(plugged: StashSim, client: Caller) -> None:
    # fact 50
    query = '{ configuration { plugins(include: ["mine"]) } }'
    assert (await client.ask(query))["configuration"]["plugins"] == {}
    mutation = 'mutation($m: Map!) { configurePlugin(plugin_id: "mine", input: $m) }'
    await client.ask(mutation, m={"ratio": 6.5, "on": True, "keyCase": "x"})
    assert (await client.ask(query))["configuration"]["plugins"] == {"mine": {"ratio": 6.5, "on": True, "keyCase": "x"}}
    await client.ask(mutation, m={"ratio": 1})
    assert (await client.ask(query))["configuration"]["plugins"] == {"mine": {"ratio": 1}}


async def test_a_session_of_a_plugin_ends_after_an_hour(
    plugged: StashSim, client: Caller, workshop: Workshop, clock: HandClock
) -> None:
    workshop.plugin("probe", 'print(json.dumps({"output": given["server_connection"]["SessionCookie"]["Value"]}))')
    plugged.reload_plugins()
    cookie = {"cookie": f"session={await operate(client, 'probe')}"}
    clock.move(minutes=59)
    assert (await client.reply("{ version { version } }", headers=cookie)).status == 200
    clock.move(minutes=2)
    assert (await client.reply("{ version { version } }", headers=cookie)).status == 401
