"""Real processes and real sockets: the simulated servers, the program, and servers that misbehave on purpose.

Starting Python with all libraries costs a second or more, so most tests share one pair of servers and run the command
in their own process (`command`); what must be a process of its own is one (`program`, `started`).
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

from click.testing import CliRunner, Result
from typing_extensions import override

from stashplex.cli.main import main

PATIENCE_S = 60
ENVIRONMENT = os.environ  # noqa: TID251 - a child process starts with what this one has
Environment = dict[str, str]


@dataclass(frozen=True, slots=True)
class Servers:
    """A running pair of simulated servers and what it told."""

    process: subprocess.Popen[str]
    told: Mapping[str, Any]

    def environment(self, data_dir: Path, **changes: str) -> Environment:
        """Return the environment variables that are enough for a run, with changes by the names of settings."""
        settings = {
            "stash_url": self.told["stash_url"],
            "stash_api_key": self.told["stash_api_key"],
            "plex_url": self.told["plex_url"],
            "plex_token": self.told["plex_token"],
            "path_map": self.told["path_map"],
            "data_dir": str(data_dir),
        }
        return {f"STASHPLEX_{name.upper()}": value for name, value in (settings | changes).items()}

    def turn(self, server: str, **switches: Any) -> None:
        """Turn switches of one server."""
        self._panel("POST", server, server, json.dumps(switches).encode())

    def plex_counts(self) -> dict[str, int]:
        """Return how many requests of each kind Plex has had."""
        return dict(json.loads(self._panel("GET", "plex", "counts")))

    def digest(self) -> str:
        """Return one text for everything that Plex shows."""
        return str(json.loads(self._panel("GET", "plex", "digest"))["digest"])

    def plex(self, path: str) -> Any:
        """Return what Plex answers to a GET."""
        headers = {"X-Plex-Token": self.told["plex_token"], "Accept": "application/json"}
        return json.loads(_answer(Request(self.told["plex_url"] + path, headers=headers)))["MediaContainer"]

    def stash(self, query: str) -> Any:
        """Return what Stash answers to a question."""
        headers = {"ApiKey": self.told["stash_api_key"], "Content-Type": "application/json"}
        body = json.dumps({"query": query}).encode()
        return json.loads(_answer(Request(self.told["stash_url"] + "/graphql", body, headers)))["data"]

    def _panel(self, method: str, server: str, what: str, body: bytes | None = None) -> bytes:
        return _answer(Request(f"{self.told[f'{server}_url']}/_sim/{what}", body, method=method))


def _answer(request: Request) -> bytes:
    with urlopen(request, timeout=PATIENCE_S) as answer:
        return bytes(answer.read())


@contextmanager
def serving(*arguments: str) -> Iterator[Servers]:
    """Run the simulated servers as a process."""
    with subprocess.Popen(
        [sys.executable, "-m", "stashplex.sim", *arguments], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout is not None
            yield Servers(process, json.loads(process.stdout.readline()))
        finally:
            process.terminate()


def clean_environment() -> Environment:
    """Return this process's environment without any setting of ours."""
    return {name: value for name, value in ENVIRONMENT.items() if not name.upper().startswith("STASHPLEX_")}


def command(environment: Mapping[str, str], *arguments: str) -> Result:
    """Run a command inside this process. Shape: `stdout` and `stderr` apart; a bug comes out as it is."""
    changes: dict[str, str | None] = {name: None for name in ENVIRONMENT if name.upper().startswith("STASHPLEX_")}
    return CliRunner(env=changes | dict(environment)).invoke(main, list(arguments), catch_exceptions=False)


def program(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a process, to its end."""
    return subprocess.run(
        _line(arguments),
        env=clean_environment() | dict(environment),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )


@contextmanager
def started(environment: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command as a process; kill it in the end if it still runs."""
    with subprocess.Popen(
        _line(arguments),
        env=clean_environment() | dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _line(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "stashplex", *arguments]


@dataclass(slots=True)
class Misbehaving:
    """A server that answers every request alike. `seen` holds the request lines and headers that it was sent."""

    url: str = ""
    seen: list[str] = field(default_factory=list)


@contextmanager
def misbehaving(
    status: int, body: bytes = b"", *, well: Mapping[str, bytes] | None = None, **headers: str
) -> Iterator[Misbehaving]:
    """Serve one answer for everything, but `well` by path. Shape: `_` in a header's name stands for `-`."""
    told = Misbehaving()

    class Handler(BaseHTTPRequestHandler):
        def _respond(self) -> None:
            told.seen.append(f"{self.requestline}\n{self.headers}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            known = (well or {}).get(self.path)
            self.send_response(status if known is None else 200)
            for name, value in headers.items() if known is None else ():
                self.send_header(name.replace("_", "-"), value)
            answer = body if known is None else known
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = _respond  # noqa: N815 - the names are those of http.server

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the test looks at `seen`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()
