"""Jobs and operations: one at a time, killed at once, left behind at the end (facts 45-49)."""

import subprocess

import anyio
import pytest

from integration.sim_stash.caller import Caller, Workshop
from stashplex.sim.stash.app import StashSim

pytestmark = pytest.mark.anyio

TASK = 'mutation($id: ID!) { job: runPluginTask(plugin_id: $id, task_name: "t") }'
STOP = "mutation($id: ID!) { stopJob(job_id: $id) }"
TASKS = "tasks: [{name: t}]"


async def start(client: Caller, plugin: str) -> str:
    return str((await client.ask(TASK, id=plugin))["job"])


async def test_a_task_waits_behind_a_scan(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    # fact 45
    workshop.plugin("gate", "note(1)\nwait_for('open')", triggers="Scene.Create.Post")
    workshop.plugin("task", "note(2)", manifest=TASKS)
    plugged.reload_plugins()
    plugged.disk.put("/media/a.mp4")
    async with plugged.running():
        await client.ask("mutation { metadataScan(input: {}) }")
        await workshop.until_noted(1)
        job = await start(client, "task")
        queue = (await client.ask("{ jobQueue { description status startTime } }"))["jobQueue"]
        assert [(each["description"], each["status"]) for each in queue] == [
            ("Scanning...", "RUNNING"),
            ("Running plugin task: t", "READY"),
        ]
        assert queue[0]["startTime"] == "2026-07-01T12:00:00.000000000+02:00"
        workshop.open_gate("open")
        await client.wait_for_job(job)
    assert workshop.noted() == [1, 2]


async def test_stopping_kills_at_once_and_spares_detached_children(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 46
    child = "import os,sys,time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.005)"
    body = f"""
    import signal, subprocess
    signal.signal(signal.SIGTERM, lambda *_: note("asked nicely"))
    child = subprocess.Popen([sys.executable, "-c", {child!r}, {str(workshop.gates / "open")!r}],
        start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    note(child.pid)
    wait_for("never")
    """
    workshop.plugin("task", body, manifest=TASKS)
    plugged.reload_plugins()
    async with plugged.running():
        job = await start(client, "task")
        (child_id,) = await workshop.until_noted(1)
        (process,) = plugged.starter.running
        await client.ask(STOP, id=job)
        await client.wait_for_job(job, "CANCELLED")
    assert process.returncode == -9
    assert is_alive(child_id)
    workshop.open_gate("open")
    assert workshop.noted() == [child_id]


async def test_a_failing_plugin_ends_as_finished(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    # fact 47
    workshop.plugin("says", 'print(json.dumps({"error": "boom"}))', manifest=TASKS)
    workshop.plugin("exits", "sys.exit(4)", manifest=TASKS)
    plugged.reload_plugins()
    async with plugged.running():
        for plugin in ("says", "exits"):
            job = await client.wait_for_job(await start(client, plugin))
            assert job["error"] is None
    assert plugged.log.messages("Error") == ["Plugin returned error: boom", "Plugin returned error: exit status 4"]


async def test_only_what_cannot_start_is_failed(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    # fact 47
    workshop.plugin("missing", "", manifest=TASKS, exec_line="exec: [no-such-program]")
    workshop.plugin("taskless", "")
    plugged.reload_plugins()
    async with plugged.running():
        for plugin in ("missing", "taskless", "unknown"):
            job = await client.wait_for_job(await start(client, plugin), "FAILED")
            assert job["error"]


async def test_the_end_of_the_server_leaves_a_running_task_behind(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 48
    body = """
    note("running")
    wait_for("open")
    note("still here")
    for _ in range(1000):
        os.write(2, b"anybody there?\\n")
        time.sleep(0.001)
    """
    workshop.plugin("task", body, manifest=TASKS)
    plugged.reload_plugins()
    async with plugged.running():
        await start(client, "task")
        await workshop.until_noted(1)
    (orphan,) = plugged.starter.orphans
    assert orphan.poll() is None
    workshop.open_gate("open")
    assert await workshop.until_noted(2) == ["running", "still here"]
    assert await anyio.to_thread.run_sync(reap, orphan) != 0


async def test_an_operation_runs_beside_a_job_and_dies_with_its_request(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 49
    workshop.plugin("task", "note('job')\nwait_for('open')", manifest=TASKS)
    workshop.plugin("beside", "note('operation')\nwait_for(args['gate'])")
    plugged.reload_plugins()
    operate = 'mutation($args: Map) { runPluginOperation(plugin_id: "beside", args: $args) }'
    leaving = anyio.Event()
    workshop.open_gate("now")
    async with plugged.running():
        job = await start(client, "task")
        await workshop.until_noted(1)
        assert (await client.ask(operate, args={"gate": "now"}))["runPluginOperation"] == ""
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                await client.reply(operate, {"args": {"gate": "never"}}, hang_up=leaving)

            group.start_soon(ask)
            await workshop.until_noted(3)
            process = plugged.starter.running[-1]
            leaving.set()
        assert process.returncode == -9
        assert [each.poll() for each in plugged.starter.running] == [None]
        workshop.open_gate("open")
        await client.wait_for_job(job)


async def test_progress_is_a_number_between_0_and_1(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    body = r"""
    print("\x01p\x020.25", file=sys.stderr, flush=True)
    note(1)
    wait_for("first")
    print("\x01p\x027", file=sys.stderr, flush=True)
    note(2)
    wait_for("second")
    """
    workshop.plugin("task", body, manifest=TASKS)
    plugged.reload_plugins()
    query = "query($id: ID!) { findJob(input: {id: $id}) { progress } }"
    async with plugged.running():
        job = await start(client, "task")
        for count, (gate, wanted) in enumerate([("first", 0.25), ("second", 1.0)], 1):
            await workshop.until_noted(count)
            with anyio.fail_after(10):
                while (await client.ask(query, id=job))["findJob"]["progress"] != wanted:  # noqa: ASYNC110 - another process
                    await anyio.sleep(0.005)
            workshop.open_gate(gate)
        await client.wait_for_job(job)


async def test_a_waiting_job_can_be_stopped_and_ten_ended_ones_be_found(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    workshop.plugin("gate", "note(1)\nwait_for('open')", manifest=TASKS)
    plugged.reload_plugins()
    async with plugged.running():
        first = await start(client, "gate")
        await workshop.until_noted(1)
        waiting = [await start(client, "gate") for _ in range(11)]
        await client.ask("mutation { stopAllJobs }")
        await client.wait_for_job(first, "CANCELLED")
        query = "query($id: ID!) { findJob(input: {id: $id}) { status } }"
        found = [(await client.ask(query, id=job))["findJob"] for job in [first, *waiting]]
        assert sum(1 for each in found if each is not None) == 10
        assert (await client.ask("{ jobQueue { id } }"))["jobQueue"] is None


async def test_a_job_needs_a_running_server(plugged: StashSim, client: Caller, workshop: Workshop) -> None:
    workshop.plugin("task", "note(1)", manifest=TASKS)
    plugged.reload_plugins()
    (error,) = await client.errors(TASK, id="task")
    assert "running()" in error


def is_alive(process_id: int) -> bool:
    return subprocess.run(["kill", "-0", str(process_id)], check=False, capture_output=True).returncode == 0


def reap(process: "subprocess.Popen[bytes]") -> int:
    return process.wait(timeout=10)
