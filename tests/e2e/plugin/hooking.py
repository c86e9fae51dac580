"""The hook as Stash runs it: a plugin folder, a data folder, payloads, and programs that stand for the service.

The plugin folder is a copy, as an installed one is. A stand-in for the service is started as the real one is, notes
that it was, holds the lock of the service and lives until the test lets it go.
"""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time  # noqa: TID251 - other processes are waited for
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stashplex.plugin
from programs import ENVIRONMENT, PATIENCE_S

SOURCES = Path(next(iter(stashplex.plugin.__path__)))
FLAGS = ("-I", "-S", "-E")


@dataclass(frozen=True, slots=True)
class Answer:
    """How a hook ended. Shape: `log` has level and text of each line of stderr."""

    code: int
    document: dict[str, Any]
    log: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin folder and a Stash folder."""

    folder: Path
    stash: Path

    @property
    def data_dir(self) -> Path:
        """Return where what lasts is kept."""
        return self.stash / "stashplex"

    @property
    def spool(self) -> Path:
        """Return where events wait."""
        return self.data_dir / "spool"

    def events(self) -> list[Any]:
        """Return all events that have a final name, oldest first; each must be whole."""
        names = sorted(path for path in self.spool.glob("*.json") if not path.name.startswith("."))
        return [json.loads(path.read_bytes()) for path in names]

    def payload(self, *, connection: Mapping[str, Any] | None = None, **context: Any) -> bytes:
        """Return what Stash says on stdin of a hook."""
        event = {"id": 17, "type": "Scene.Update.Post", "input": {"id": "17"}, "inputFields": ["id", "title"]}
        return json.dumps(
            {
                "server_connection": {
                    "Scheme": "http",
                    "Host": "0.0.0.0",
                    "Port": 9999,
                    "SessionCookie": {"Name": "session", "Value": "MTc5-cookie"},
                    "Dir": str(self.stash),
                    "PluginDir": str(self.folder),
                }
                | dict(connection or {}),
                "args": {"mode": "hook", "hookContext": event | context},
            }
        ).encode()

    def command(self, python: str = sys.executable) -> list[str]:
        """Return the command line of the manifest."""
        return [python, *FLAGS, str(self.folder / "hook.py")]

    def run(self, raw: bytes | None = None, *, python: str = sys.executable, **more: Any) -> Answer:
        """Run the hook once, to its end."""
        done = subprocess.run(
            self.command(python),
            input=self.payload() if raw is None else raw,
            capture_output=True,
            env=environment(),
            timeout=PATIENCE_S,
            check=False,
            **more,
        )
        return Answer(done.returncode, json.loads(done.stdout), read_log(done.stderr))

    def serve_with(self, body: str) -> "StandIn":
        """Install a program in place of the service's Python. Shape: `body` may use `data_dir`, `note` and `live`."""
        self.data_dir.mkdir(mode=0o700, exist_ok=True)
        standing = StandIn(self.data_dir)
        program = self.stash / "stand-in"
        program.write_text(f"#!{sys.executable}\n{_STAND_IN}{textwrap.dedent(body)}", "utf-8")
        program.chmod(0o755)
        (self.data_dir / "environment").write_text(f"{program}\n", "utf-8")
        return standing


@dataclass(frozen=True, slots=True)
class StandIn:
    """Tells what the programs in place of the service noted, and ends them."""

    data_dir: Path

    def noted(self) -> list[Any]:
        """Return what each of them noted as it was started."""
        notes = self.data_dir / "notes"
        return [json.loads(line) for line in notes.read_text("utf-8").splitlines()] if notes.exists() else []

    def wait(self, count: int = 1) -> list[Any]:
        """Return the notes once there are so many."""
        wait_until(lambda: len(self.noted()) >= count)
        return self.noted()

    def end(self) -> None:
        """Let all of them end, now and whenever they start."""
        (self.data_dir / "end").touch()
        wait_until(lambda: not any(_lives(one["pid"]) for one in self.noted()))


def install(folder: Path) -> Installed:
    """Make a plugin folder and a Stash folder."""
    plugin, stash = folder / "plugins" / "stashplex", folder / "stash"
    plugin.mkdir(parents=True)
    stash.mkdir()
    for name in ("hook.py", "follow_up.py"):
        shutil.copy(SOURCES / name, plugin / name)
    return Installed(plugin, stash)


def environment(**more: str) -> dict[str, str]:
    """Return the environment of Stash, which puts its plugins on the path of Python."""
    kept = {name: value for name, value in ENVIRONMENT.items() if not name.upper().startswith("STASHPLEX_")}
    return kept | {"PYTHONPATH": "/nowhere"} | more


def read_log(stderr: bytes) -> list[tuple[str, str]]:
    """Return level and text of each line; every line must follow Stash's protocol."""
    lines = stderr.split(b"\n")
    assert lines.pop() == b""
    assert all(line[0] == 1 and line[2] == 2 for line in lines), stderr
    return [(chr(line[1]), line[3:].decode()) for line in lines]


def wait_until(is_done: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait for other processes. Raises: TimeoutError."""
    deadline_s = time.monotonic() + patience_s
    while not is_done():
        if time.monotonic() > deadline_s:
            raise TimeoutError
        time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8") if Path("/proc").exists() else os.kill(pid, 0)
    except (OSError, ProcessLookupError):
        return False
    return not isinstance(stat, str) or stat.rpartition(")")[2].split()[0] != "Z"


_STAND_IN = """
import fcntl, json, os, sys, time
data_dir = os.environ["STASHPLEX_DATA_DIR"]

def note(**what):
    line = json.dumps({"pid": os.getpid(), "argv": sys.argv[1:], **what}) + "\\n"
    descriptor = os.open(os.path.join(data_dir, "notes"), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.write(descriptor, line.encode())

def live(lock="service.lock"):
    note()
    file = open(os.path.join(data_dir, lock), "w")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    deadline = time.monotonic() + 60
    while not os.path.exists(os.path.join(data_dir, "end")) and time.monotonic() < deadline:
        time.sleep(0.01)

"""
