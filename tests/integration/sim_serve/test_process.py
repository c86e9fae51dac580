"""The process that serves both worlds: one line when ready, then requests, then a clean end."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import psutil
import pytest

if sys.platform == "win32":
    STOP, FLAGS = signal.CTRL_BREAK_EVENT, subprocess.CREATE_NEW_PROCESS_GROUP
else:
    STOP, FLAGS = signal.SIGTERM, 0


class Served:
    """One running process and what it told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.told: dict[str, Any] = json.loads(process.stdout.readline())

    def ask(self, method: str, url: str, body: bytes | None = None, **headers: str) -> bytes:
        request = Request(url, data=body, method=method, headers=headers)
        with urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def plex(self, method: str, path: str, body: bytes | None = None) -> Any:
        token = {"X-Plex-Token": self.told["plex_token"], "Accept": "application/json"}
        answer = self.ask(method, self.told["plex_url"] + path, body, **token)
        return json.loads(answer) if answer else None

    def stash(self, query: str) -> Any:
        body = json.dumps({"query": query}).encode()
        headers = {"ApiKey": self.told["stash_api_key"], "Content-Type": "application/json"}
        return json.loads(self.ask("POST", self.told["stash_url"] + "/graphql", body, **headers))["data"]

    def stop(self, how: int = STOP) -> tuple[int, str, str]:
        """Ask the process to end; return exit code, the rest of stdout, stderr."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@contextmanager
def serving_process(*arguments: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "stashplex.sim", "--films", "30", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        creationflags=FLAGS,
    )
    try:
        yield Served(process)
    finally:
        process.kill()
        process.communicate()


def is_listening(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) == 0


def test_both_worlds_answer_and_end_without_leftovers() -> None:
    with serving_process() as served:
        told = served.told
        assert (told["library"], told["path_map"]) == ("Films", "/data/films=/mnt/media/films")
        assert served.plex("GET", "/library/sections")["MediaContainer"]["Directory"][0]["title"] == "Films"
        scene = served.stash('{ findScene(id: "1") { title files { path } paths { screenshot } } }')["findScene"]
        assert scene["title"] == "The Land Girls"
        assert scene["files"][0]["path"].startswith("/data/films/")
        cover = served.ask("GET", scene["paths"]["screenshot"], ApiKey=told["stash_api_key"])
        assert cover.startswith(b"\xff\xd8")
        family = psutil.Process(served.process.pid).children(recursive=True)
        assert served.stop() == (0, "", "")
        assert not is_listening(told["stash_url"])
        assert not is_listening(told["plex_url"])
        assert not any(child.is_running() for child in family)


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C goes to the whole console there")
def test_ctrl_c_ends_it_as_well() -> None:
    with serving_process("--only", "plex", "--posters", "none") as served:
        assert served.stop(signal.SIGINT) == (0, "", "")


def test_one_side_alone() -> None:
    with serving_process("--only", "stash", "--posters", "cheap") as served:
        assert served.told["plex_url"] is None
        assert served.told["plex_token"] is None
        assert served.stash("{ stats { scene_count } }")["stats"]["scene_count"] == 30
        assert served.stop()[0] == 0


def test_the_panel_counts_turns_and_digests() -> None:
    with serving_process("--only", "plex", "--plex-latency-ms", "1") as served:
        before = served.plex("GET", "/_sim/digest")["digest"]
        served.plex("PUT", f"/library/sections/1/all?type=1&id=10001&title.value={quote('Ünïque')}&title.locked=1")
        assert served.plex("GET", "/_sim/digest")["digest"] != before
        assert served.plex("GET", "/_sim/counts")["edit"] == 1
        served.plex("POST", "/_sim/reset-counts", b"")
        assert served.plex("GET", "/_sim/counts").get("edit", 0) == 0
        served.plex("POST", "/_sim/plex", b'{"maintenance": true}')
        with pytest.raises(HTTPError, match="503"):
            served.plex("GET", "/library/sections")
        served.plex("POST", "/_sim/plex", b'{"maintenance": false, "write_latency_s": 0}')
        assert served.plex("GET", "/library/sections")["MediaContainer"]["size"] == 1
        assert served.stop()[0] == 0


def test_a_hanging_request_does_not_keep_it_alive() -> None:
    with serving_process("--only", "plex") as served, socket.socket() as caller:
        served.plex("POST", "/_sim/plex", b'{"read_latency_s": 3600}')
        caller.connect(("127.0.0.1", urlsplit(served.told["plex_url"]).port or 0))
        line = f"GET /library/sections HTTP/1.1\r\nHost: x\r\nX-Plex-Token: {served.told['plex_token']}\r\n\r\n"
        caller.sendall(line.encode())
        served.plex("GET", "/_sim/counts")
        assert served.stop()[0] == 0


def test_a_taken_port_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        run = subprocess.run(
            [sys.executable, "-m", "stashplex.sim", "--films", "1", "--plex-port", port],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert run.returncode == 1
    assert run.stdout == ""
    assert f"port {port}" in run.stderr.lower()
    assert "Traceback" not in run.stderr
