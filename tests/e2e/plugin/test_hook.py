"""The hook as a process: what it answers, what it keeps, what it survives."""

import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from e2e.plugin.hooking import FLAGS, Installed, environment
from programs import PATIENCE_S
from stashplex.domain.scene import SceneId
from stashplex.store import spool

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform == "win32", reason="limits and signals of POSIX")]

OK = {"output": "ok"}
CHEAP = {"_abc", "_collections_abc", "_json", "_stat", "abc", "errno", "fcntl", "genericpath", "io", "os", "posix"}
CHEAP |= {"posixpath", "stat", "time", "_io", "codecs", "_codecs", "encodings", "zipimport"}


def pythons() -> list[str]:
    """Return the interpreters from 3.9 on that this machine has and that run."""
    found = [path for path in (shutil.which(f"python3.{minor}") for minor in range(9, 16)) if path]
    return [
        python for python in found if subprocess.run([python, "-V"], capture_output=True, check=False).returncode == 0
    ]


@pytest.mark.parametrize("python", [sys.executable, *pythons()])
def test_an_event_is_one_file_and_one_document(plugin: Installed, python: str) -> None:
    answer = plugin.run(python=python)
    assert (answer.code, answer.document, answer.log) == (0, OK, [])
    (event,) = plugin.events()
    assert (event["type"], event["id"], event["fields"]) == ("Scene.Update.Post", 17, ["id", "title"])
    assert all(path.suffix == ".py" for path in plugin.folder.iterdir()), "nothing is left in the plugin's folder"


def test_the_environment_may_name_the_data_folder(plugin: Installed, tmp_path: Path) -> None:
    elsewhere = tmp_path / "a" / "b"
    done = subprocess.run(
        plugin.command(),
        input=b'{"args": {"hookContext": {"id": 1, "type": "Scene.Create.Post", "input": null}}}',
        env=environment(STASHPLEX_DATA_DIR=str(elsewhere)),
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert json.loads(done.stdout) == OK
    assert len(list(spool.iter_ready(elsewhere / "spool"))) == 1
    assert not plugin.data_dir.exists()


def test_megabytes_of_cover_are_read_and_not_kept(plugin: Installed) -> None:
    answer = plugin.run(plugin.payload(input={"id": "17", "cover_image": "data:image/jpeg;base64," + "A" * 12_000_000}))
    assert (answer.code, answer.document) == (0, OK)
    assert sum(path.stat().st_size for path in plugin.spool.iterdir()) < 300


def test_what_is_kept_is_for_its_owner_alone(plugin: Installed) -> None:
    plugin.run(umask=0)
    plugin.serve_with("live()").end()
    plugin.run(umask=0)
    paths = [plugin.data_dir, *plugin.data_dir.rglob("*")]
    open_to_all = [path.name for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert set(open_to_all) <= {"environment", "end"}, "those two are the test's own"


BAD: dict[str, Any] = {
    "empty": b"",
    "blank": b" \n ",
    "garbage": b"\x00\xff\xfe garbage",
    "half": b'{"args": {"hookContext": {"id": 1',
    "two documents": b"{} {}",
    "a list": b"[1]",
    "deep": b'{"args":' + b"[" * 200_000,
    "no args": b"{}",
    "args no object": b'{"args": [1]}',
    "context no object": b'{"args": {"hookContext": "x"}}',
    "no connection": b'{"args": {"hookContext": {"id": 1, "type": "Scene.Update.Post"}}}',
    "no folder": b'{"server_connection": {}, "args": {"hookContext": {"id": 1, "type": "Scene.Update.Post"}}}',
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_what_stash_never_says_is_one_clear_line(plugin: Installed, raw: bytes) -> None:
    answer = plugin.run(raw)
    assert answer.code == 1
    assert list(answer.document) == ["error"]
    ((level, text),) = answer.log
    assert (level, text) == ("e", answer.document["error"])
    assert text.startswith("The event was not recorded: ")
    assert "Traceback" not in text
    assert plugin.events() == []


@pytest.mark.parametrize("python", pythons())
def test_each_python_says_of_half_a_text_that_it_is_none(plugin: Installed, python: str) -> None:
    answer = plugin.run(b'{"args": ', python=python)
    assert answer.document == {"error": "The event was not recorded: what came on stdin is not JSON."}


@pytest.mark.parametrize("context", [{"id": None}, {"id": 0}, {"type": ""}, {"id": 2**70}], ids=str)
def test_an_event_of_nothing_is_one_clear_line(plugin: Installed, context: dict[str, Any]) -> None:
    answer = plugin.run(plugin.payload(**context))
    assert (answer.code, len(answer.log)) == (1, 1)
    assert plugin.events() == []


def test_a_folder_that_cannot_be_written_is_one_clear_line(plugin: Installed) -> None:
    plugin.data_dir.write_text("a file, where the folder should be")
    answer = plugin.run()
    assert (answer.code, len(answer.log)) == (1, 1)
    assert str(plugin.data_dir) in answer.document["error"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_one_clear_line(plugin: Installed) -> None:
    plugin.stash.chmod(0o500)
    answer = plugin.run()
    plugin.stash.chmod(0o700)
    assert (answer.code, len(answer.log)) == (1, 1)
    assert "Permission denied" in answer.document["error"]


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder where even root may not write")
def test_a_folder_where_nobody_may_write_is_one_clear_line(plugin: Installed) -> None:
    answer = plugin.run(plugin.payload(connection={"Dir": "/sys/kernel"}))
    assert (answer.code, len(answer.log)) == (1, 1)


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(plugin: Installed) -> None:
    plugin.run()
    full = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (20, 20))
    answer = plugin.run(preexec_fn=full)
    assert (answer.code, len(answer.log)) == (1, 1)
    assert "not recorded" in answer.document["error"]
    assert len(list(plugin.spool.iterdir())) == 1, "the event of before, and no half of a second one"
    assert plugin.run().code == 0


def test_secrets_stay_out_of_messages_and_of_the_spool(plugin: Installed) -> None:
    plugin.serve_with("")
    (plugin.data_dir / "service.json").write_text('{"key": "bearer-secret"')
    answer = plugin.run()
    assert (answer.code, answer.document) == (0, OK)
    told = json.dumps([answer.log, plugin.events()])
    assert "bearer-secret" not in told
    assert "MTc5-cookie" not in told


def test_nobody_listening_to_the_answer_costs_no_event(plugin: Installed) -> None:
    with subprocess.Popen(
        plugin.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()
        assert process.stdin is not None
        process.stdin.write(plugin.payload())
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 1
    assert len(plugin.events()) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"poke_port": null}', '{"poke_port": "x"}', "\0" * 100_000])
def test_what_is_broken_beside_the_spool_costs_no_event(plugin: Installed, content: str) -> None:
    plugin.data_dir.mkdir()
    for name in ("service.json", "environment", "service.starting", "service.lock"):
        (plugin.data_dir / name).write_text(content)
    answer = plugin.run()
    assert (answer.code, answer.document) == (0, OK)
    assert "e" not in dict(answer.log)
    assert len(plugin.events()) == 1


def test_half_a_plugin_costs_no_event(plugin: Installed) -> None:
    (plugin.folder / "follow_up.py").unlink()
    answer = plugin.run()
    assert (answer.code, answer.document) == (0, OK)
    assert [level for level, _ in answer.log] == ["w"]
    assert len(plugin.events()) == 1


def test_a_task_without_its_program_is_one_clear_line(plugin: Installed) -> None:
    answer = plugin.run(b'{"server_connection": {}, "args": {"mode": "status"}}')
    assert answer.code == 1
    assert answer.document["error"] == "The plugin's file task.py is missing: install the plugin again."


def test_a_task_gets_what_stash_said_and_answers_itself(plugin: Installed) -> None:
    (plugin.folder / "task.py").write_text("def main(raw):\n    print(raw.decode(), end='')\n    return 3\n")
    done = subprocess.run(plugin.command(), input=b'{"args": {"mode": "x"}}', capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, b'{"args": {"mode": "x"}}', b"")
    assert not plugin.data_dir.exists()


def test_the_session_is_noted_and_renewed_when_it_is_old(plugin: Installed) -> None:
    plugin.run()
    noted = plugin.data_dir / "connection.json"
    first = json.loads(noted.read_bytes())
    assert first == {"scheme": "http", "host": "127.0.0.1", "port": 9999, "cookie": "MTc5-cookie"}
    newer = plugin.payload(connection={"Scheme": "https", "Host": "nas", "Port": 1, "SessionCookie": {"Value": "new"}})
    plugin.run(newer)
    assert json.loads(noted.read_bytes()) == first
    os.utime(noted, (0, 0))
    plugin.run(newer)
    assert json.loads(noted.read_bytes()) == {"scheme": "https", "host": "nas", "port": 1, "cookie": "new"}


def test_only_what_is_cheap_is_imported(plugin: Installed) -> None:
    plugin.run()
    (plugin.data_dir / "environment").write_text(sys.executable)
    (plugin.data_dir / "service.starting").write_text("1")
    (plugin.data_dir / "service.json").write_text('{"poke_port": 9}')
    bare = _imported(["-c", "pass"], b"")
    ours = _imported([str(plugin.folder / "hook.py")], plugin.payload())
    assert len(plugin.events()) == 2
    assert ours - bare <= CHEAP | {"_socket"}


def _imported(arguments: list[str], raw: bytes) -> set[str]:
    done = subprocess.run(
        [sys.executable, *FLAGS, "-X", "importtime", *arguments], input=raw, capture_output=True, check=True
    )
    return {line.rpartition(b"|")[2].strip().decode() for line in done.stderr.splitlines() if b"import time:" in line}


def test_fifty_thousand_waiting_files_are_no_obstacle(plugin: Installed) -> None:
    plugin.run()
    for number in range(50_000):
        (plugin.spool / f"{number:016d}-{number:x}.json").write_bytes(b"{}")
    running = [subprocess.Popen(plugin.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(20)]
    for number, process in enumerate(running, 1):
        output, _ = process.communicate(plugin.payload(id=number), timeout=PATIENCE_S)
        assert json.loads(output) == OK
    newest = list(spool.iter_ready(plugin.spool))[50_001:]
    assert {SceneId(json.loads(path.read_bytes())["id"]) for path in newest} == {SceneId(n) for n in range(1, 21)}
