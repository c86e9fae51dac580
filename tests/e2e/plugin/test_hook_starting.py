"""Who starts the service: of any number of hooks at most one, and never again and again."""

import json
import os
import subprocess
import sys

import pytest

from e2e.plugin.hooking import Installed, environment, wait_until
from programs import PATIENCE_S
from stashplex.plugin import follow_up

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script of POSIX")]


def test_a_hundred_hooks_at_once_are_a_hundred_files_and_one_service(plugin: Installed) -> None:
    service = plugin.serve_with("live()")
    running = [
        subprocess.Popen(
            plugin.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
        )
        for _ in range(100)
    ]
    for number, process in enumerate(running, 1):
        assert process.stdin is not None
        process.stdin.write(plugin.payload(id=number))
        process.stdin.close()
    for process in running:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.read()) == {"output": "ok"}
        assert process.wait(PATIENCE_S) == 0
        process.stdout.close()
        process.stderr.close()
    service.wait()
    plugin.run()
    service.end()
    assert len(service.noted()) == 1
    assert sorted(event["id"] for event in plugin.events()) == sorted([*range(1, 101), 17])


def test_the_service_outlives_the_hook_and_holds_nothing_of_it(plugin: Installed) -> None:
    service = plugin.serve_with(
        """
        note(
            session=os.getsid(0) == os.getpid(),
            streams=[os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)],
            path=os.environ.get("PYTHONPATH"),
            data=data_dir,
            folder=os.getcwd(),
        )
        """
    )
    answer = plugin.run()
    (note,) = service.wait()
    assert [level for level, _ in answer.log] == ["i"]
    assert note["argv"] == ["-m", "stashplex", "serve", "--single"]
    assert note["session"]
    assert note["streams"] == ["/dev/null"] * 3
    assert note["path"] is None
    assert note["data"] == note["folder"] == str(plugin.data_dir)


def test_the_answer_does_not_wait_for_the_service(plugin: Installed) -> None:
    service = plugin.serve_with("live()")
    assert plugin.run().code == 0, "which reads stdout to its end while the service lives"
    service.wait()
    service.end()


def test_a_service_that_runs_is_not_started_again(plugin: Installed) -> None:
    service = plugin.serve_with("live()")
    plugin.run()
    service.wait()
    wait_until(lambda: follow_up.is_held(str(plugin.data_dir / "service.lock")))
    started = plugin.data_dir / "service.starting"
    os.utime(started, (0, 0))
    plugin.run()
    service.end()
    assert started.stat().st_mtime == 0, "nobody tried"
    plugin.run()
    assert len(service.wait(2)) == 2


def test_a_service_that_dies_at_once_is_left_alone_for_a_while(plugin: Installed) -> None:
    service = plugin.serve_with("note()")
    for _ in range(4):
        plugin.run()
    assert len(service.wait()) == 1
    started = plugin.data_dir / "service.starting"
    os.utime(started, (0, 0))
    for _ in range(4):
        plugin.run()
    assert len(service.wait(2)) == 2
    assert len(plugin.events()) == 8


def test_a_service_that_a_person_stopped_stays_off(plugin: Installed) -> None:
    service = plugin.serve_with("note()")
    (plugin.data_dir / "stopped").touch()
    assert plugin.run().log == []
    (plugin.data_dir / "stopped").unlink()
    plugin.run()
    assert len(service.wait()) == 1


@pytest.mark.parametrize("content", ["/nowhere/bin/python", "\n", "/"])
def test_a_service_that_is_not_there_is_not_started(plugin: Installed, content: str) -> None:
    plugin.data_dir.mkdir()
    (plugin.data_dir / "environment").write_text(content)
    answer = plugin.run()
    assert (answer.code, answer.log) == (0, [])
    assert not (plugin.data_dir / "service.starting").exists()


def test_a_service_elsewhere_gets_one_relay_and_none_is_started_here(plugin: Installed) -> None:
    service = plugin.serve_with("note()")
    (plugin.data_dir / "service-elsewhere.json").write_text('{"url": "http://nas:9998", "key": "k"}')
    (plugin.folder / "task.py").write_text(_RELAY)
    for _ in range(5):
        plugin.run()
    (note,) = service.wait()
    assert note["arguments"] == ["--relay", str(plugin.data_dir)]
    service.end()
    os.utime(plugin.data_dir / "relay.starting", (0, 0))
    plugin.run()
    assert len(service.wait(2)) == 2


_RELAY = """
import fcntl, json, os, sys, time
data_dir = sys.argv[2]
file = open(os.path.join(data_dir, "relay.lock"), "w")
fcntl.flock(file, fcntl.LOCK_EX)
with open(os.path.join(data_dir, "notes"), "a") as notes:
    notes.write(json.dumps({"pid": os.getpid(), "arguments": sys.argv[1:]}) + "\\n")
deadline = time.monotonic() + 60
while not os.path.exists(os.path.join(data_dir, "end")) and time.monotonic() < deadline:
    time.sleep(0.01)
"""
