"""What the plugin's hook adds to a save: one process over an empty Python, and a thousand of them at once.

Both are started by the same interpreter, one of an empty virtual environment, in turn: whatever else the machine does
meets both. The hook never asks Stash or Plex for anything, so that these are down is measured like the rest, by
addresses where nobody listens.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from threading import Event

import psutil

import stashplex.plugin
from bench.process import run_python
from bench.result import Result, Row, median_of
from bench.servers import Servers, serving
from stashplex.base.clock import SystemClock

NAME = "hook"
PAIRS = 400
QUICK_PAIRS = 30
HOOKS = 1000
QUICK_HOOKS = 60
WAITING = 50_000
QUICK_WAITING = 2_000
MEDIAN_TARGET = 1.35
P99_TARGET = 1.6
MEMORY_TARGET_BYTES = 150_000_000
PATIENCE_S = 300
FLAGS = ("-I", "-S", "-E")
OK = b'{"output": "ok"}\n'

Process = subprocess.Popen[bytes]

_clock = SystemClock()
_pause = Event()


class Plugin:
    """A plugin folder, a data folder and an interpreter without anything installed."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "empty", with_pip=False)
        self.python = str(folder / "empty" / "bin" / "python")
        self.folder = folder / "plugin"
        self.data_dir = folder / "stash" / "stashplex"
        self.folder.mkdir()
        self.data_dir.mkdir(parents=True)
        sources = Path(next(iter(stashplex.plugin.__path__)))
        for name in ("hook.py", "follow_up.py"):
            copy(sources / name, self.folder / name)

    def payload(self, scene: int) -> bytes:
        """Return what Stash says of an edit of one field; its address leads nowhere."""
        given = dict.fromkeys(("title", "details", "url", "date", "rating100", "studio_id", "tag_ids", "cover_image"))
        event = {"id": scene, "type": "Scene.Update.Post", "input": given, "inputFields": ["id", "title"]}
        connection = {"Scheme": "http", "Host": "0.0.0.0", "Port": 9, "SessionCookie": {"Value": "MTc5" * 40}}  # noqa: S104 - what Stash tells
        connection |= {"Dir": str(self.data_dir.parent), "PluginDir": str(self.folder)}
        return json.dumps({"server_connection": connection, "args": {"hookContext": event}}).encode()

    def hook(self, environment: dict[str, str] | None = None) -> Process:
        """Start the hook."""
        return _started([self.python, *FLAGS, str(self.folder / "hook.py")], environment or {})

    def bare(self) -> Process:
        """Start an empty program."""
        return _started([self.python, "-c", "pass"], {})

    def files(self) -> int:
        """Return how many events wait."""
        spool = self.data_dir / "spool"
        return sum(not name.startswith(".") for name in os.listdir(spool)) if spool.exists() else 0  # noqa: PTH208 - names alone, 50,000 of them


def measure(is_quick: bool) -> Result:
    """Time pairs of processes in each state, then start many hooks at once, then let the service take it all."""
    pairs, hooks = (QUICK_PAIRS, QUICK_HOOKS) if is_quick else (PAIRS, HOOKS)
    rows: list[Row] = []
    table: list[tuple[str, ...]] = [("state", "empty Python", "hook", "median, ratio", "p99, ratio")]
    for state, plugin in _states(QUICK_WAITING if is_quick else WAITING):
        times = [_pair(plugin, number) for number in range(1, pairs + 1)]
        bare, ours = sorted(time[0] for time in times), sorted(time[1] for time in times)
        compared = _compared(state, bare, ours)
        rows += compared
        shown = (f"{median_of(bare) * 1e3:.1f} ms", f"{median_of(ours) * 1e3:.1f} ms")
        table.append((state, *shown, *(row.measured for row in compared)))
    rows += _storm(hooks)
    how = (
        f"{pairs} pairs in each state, the two of a pair one after the other in changing order, by the interpreter of "
        f"an empty virtual environment. Every hook makes its event durable. {hooks:,} hooks were then started at once."
    )
    return Result(NAME, "The hook in a save", how, tuple(rows), tuple(table))


def _compared(state: str, bare: list[float], ours: list[float]) -> list[Row]:
    """Return a row for the median and one for the 99th percentile of sorted times."""
    last = int(len(bare) * 0.99) - 1
    rows = []
    for what, target, bare_s, ours_s in (
        ("median", MEDIAN_TARGET, median_of(bare), median_of(ours)),
        ("p99", P99_TARGET, bare[last], ours[last]),
    ):
        ratio = ours_s / bare_s
        measured, baseline = f"{ratio:.2f} times", f"empty Python: {bare_s * 1e3:.1f} ms"
        rows.append(Row(f"hook, {state}, {what}", f"≤ {target} times", measured, baseline, ratio <= target))
    return rows


def _states(waiting: int) -> Iterator[tuple[str, Plugin]]:
    """Give a plugin in each state in turn."""
    with tempfile.TemporaryDirectory(prefix="stashplex-bench-") as folder:
        plugin = Plugin(Path(folder))
        yield "no service, Stash and Plex down", plugin
    with tempfile.TemporaryDirectory(prefix="stashplex-bench-") as folder, _a_service(Plugin(Path(folder))) as plugin:
        yield "a service runs", plugin
    with tempfile.TemporaryDirectory(prefix="stashplex-bench-") as folder, _a_service(Plugin(Path(folder))) as plugin:
        spool = plugin.data_dir / "spool"
        for number in range(waiting):
            (spool / f"{number:016d}-{number:016x}.json").write_bytes(b"{}")
        yield f"{waiting:,} files in the spool", plugin


@contextmanager
def _a_service(plugin: Plugin) -> Iterator[Plugin]:
    """Have somebody hold the service's lock and hear the pokes, for the time of a context."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        told = {"poke_port": listener.getsockname()[1], "pid": os.getpid()}
        (plugin.data_dir / "service.json").write_text(json.dumps(told), encoding="utf-8")
        _stand_in(plugin)
        plugin.hook().communicate(plugin.payload(1))
        _wait((plugin.data_dir / "notes").exists)
        os.utime(plugin.data_dir / "service.starting", (0, 0))
        yield plugin
        (plugin.data_dir / "end").touch()
        _wait((plugin.data_dir / "ended").exists)


def _pair(plugin: Plugin, number: int) -> tuple[float, float]:
    """Return how long an empty program and a hook took, one after the other."""
    if number % 2:
        return _seconds(plugin.bare, b""), _seconds(plugin.hook, plugin.payload(number))
    ours = _seconds(plugin.hook, plugin.payload(number))
    return _seconds(plugin.bare, b""), ours


def _seconds(start: Callable[[], Process], raw: bytes) -> float:
    started_s = _clock.monotonic_s()
    process = start()
    output, errors = process.communicate(raw)
    took_s = _clock.monotonic_s() - started_s
    if process.returncode or output not in {b"", OK}:
        raise RuntimeError(f"a process of the bench ended with {process.returncode}: {errors!r}")
    return took_s


def _storm(hooks: int) -> list[Row]:
    """Start hooks as fast as this machine can; return what was kept and started, and what the service then needs."""
    with tempfile.TemporaryDirectory(prefix="stashplex-bench-", ignore_cleanup_errors=True) as folder:
        plugin = Plugin(Path(folder))
        _stand_in(plugin)
        started_s = _clock.monotonic_s()
        running = [_fed(plugin.hook(), plugin.payload(number)) for number in range(1, hooks + 1)]
        said = sum(_answered(process) for process in running)
        took_s = _clock.monotonic_s() - started_s
        _wait((plugin.data_dir / "notes").exists)
        (plugin.data_dir / "end").touch()
        _wait((plugin.data_dir / "ended").exists)
        kept, services = plugin.files(), (plugin.data_dir / "notes").read_text(encoding="utf-8").count("\n")
        with serving(hooks, posters="none") as servers:
            peak_bytes = _emptied_by_a_service(plugin, servers)
    return [
        Row(
            f"events kept of {hooks:,} hooks at once",
            f"{hooks:,}",
            f"{kept:,}",
            f"{said:,} said ok, in {took_s:.0f} s",
            kept == hooks,
        ),
        Row("services started by them", "≤ 1", str(services), "-", services <= 1),
        Row(
            "memory of the service that takes them",
            "< 150 MB",
            f"{peak_bytes / 1e6:.0f} MB",
            "-",
            peak_bytes < MEMORY_TARGET_BYTES,
        ),
    ]


def _emptied_by_a_service(plugin: Plugin, servers: Servers) -> int:
    """Let a hook start the real service, which empties the spool and brings all in step; return its peak memory."""
    settings = {
        "STASHPLEX_STASH_URL": servers.stash.url,
        "STASHPLEX_STASH_API_KEY": servers.stash.secret,
        "STASHPLEX_PLEX_URL": servers.plex.url,
        "STASHPLEX_PLEX_TOKEN": servers.plex.secret,
        "STASHPLEX_PATH_MAP": servers.path_map,
        "STASHPLEX_DATA_DIR": str(plugin.data_dir),
    }
    for name in ("service.starting", "service.lock"):
        (plugin.data_dir / name).unlink()
    (plugin.data_dir / "environment").write_text(sys.executable, encoding="utf-8")
    plugin.hook(settings).communicate(plugin.payload(1))
    told = plugin.data_dir / "service.json"
    _wait(told.exists)
    process = psutil.Process(int(json.loads(told.read_bytes())["pid"]))
    peak_bytes = 0

    def is_done() -> bool:
        nonlocal peak_bytes
        peak_bytes = max(peak_bytes, process.memory_info().rss)
        return plugin.files() == 0

    _wait(is_done)
    for _ in range(20):
        is_done()
        counts = json.loads(run_python(["-m", "stashplex", "status", "--json"], settings).output)
        if not counts.get("waiting"):
            break
    process.terminate()
    return peak_bytes


def _stand_in(plugin: Plugin) -> None:
    program = plugin.data_dir / "stand-in"
    program.write_text(f"#!{plugin.python}\n{_STAND_IN}", encoding="utf-8")
    program.chmod(0o755)
    (plugin.data_dir / "environment").write_text(str(program), encoding="utf-8")


_STAND_IN = """
import fcntl, os, time
with open("notes", "a") as notes:
    notes.write("started\\n")
lock = open("service.lock", "w")
fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
while not os.path.exists("end"):
    time.sleep(0.05)
open("ended", "w").close()
"""


def _started(command: list[str], environment: dict[str, str]) -> Process:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)


def _fed(process: Process, raw: bytes) -> Process:
    if process.stdin:
        process.stdin.write(raw)
        process.stdin.close()
    return process


def _answered(process: Process) -> bool:
    with process:
        return bool(process.stdout and process.stdout.read() == OK)


def _wait(is_done: Callable[[], bool]) -> None:
    until_s = _clock.monotonic_s() + PATIENCE_S
    while not is_done():
        if _clock.monotonic_s() > until_s:
            raise RuntimeError("the bench waited in vain")
        _pause.wait(0.02)
