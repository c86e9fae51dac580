"""The hook killed at each of its lines: what has its name is whole, and the next hook works.

The hook runs under a trace that sends its own process a signal before the nth line that it comes to inside a function,
for every n, until a run ends by itself. Each run has a folder to make, a session to note and a service to start.
"""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from e2e.plugin.hooking import FLAGS, Installed, environment, install
from programs import PATIENCE_S
from stashplex.store import spool

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]

MOST_LINES = 2000
AT_ONCE = 4
LAST = b"came to no such line"

_TRACED = """
import os, posix, sys

def prepare(path, number, wanted):
    seen, folder, kill, own, write, leave = 0, os.path.dirname(path), os.kill, os.getpid(), os.write, os._exit

    def trace(frame, event, argument):
        nonlocal seen
        if not frame.f_code.co_filename.startswith(folder):
            return None
        if event == "line" and frame.f_code.co_name != "<module>":
            seen += 1
            if seen == wanted:
                kill(own, number)
        return trace

    def ended(code):
        if seen < wanted:
            write(2, b"came to no such line")
        leave(code)

    os._exit = posix._exit = ended
    sys.settrace(trace)

path, number, wanted = sys.argv[1:]
with open(path) as file:
    code = compile(file.read(), path, "exec")
__file__ = path
prepare(path, int(number), int(wanted))
exec(code, globals())
"""


def runs_with(number: signal.Signals, folder: Path, *, step: int = 1) -> Iterator[tuple[Installed, int, bytes]]:
    """Run a hook for its lines, a signal before that line; yield folder, exit code and stdout of each.

    The last ones are those that came to no such line.
    """
    for first in count(1, AT_ONCE * step):
        assert first < MOST_LINES
        batch = [
            (plugin := install(folder / str(wanted)), _started(plugin, number, wanted))
            for wanted in range(first, first + AT_ONCE * step, step)
        ]
        for plugin, process in batch:
            output, errors = process.communicate(plugin.payload(id=99), timeout=PATIENCE_S)
            yield plugin, process.returncode, output
        if LAST in errors:
            return


def _started(plugin: Installed, number: signal.Signals, wanted: int) -> "subprocess.Popen[bytes]":
    plugin.data_dir.mkdir(mode=0o700)
    (plugin.data_dir / "environment").write_text(shutil.which("true") or "")
    return subprocess.Popen(
        [sys.executable, *FLAGS, "-c", _TRACED, str(plugin.folder / "hook.py"), str(int(number)), str(wanted)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def test_a_kill_at_any_line_leaves_a_whole_file_or_none_and_the_next_hook_works(tmp_path: Path) -> None:
    outcomes = []
    for plugin, code, output in runs_with(signal.SIGKILL, tmp_path):
        kept = [event["id"] for event in plugin.events()]
        assert kept in ([], [99])
        assert code in (0, -signal.SIGKILL)
        if output:
            assert json.loads(output) == {"output": "ok"}
            assert kept == [99], "ok is said of what is kept"
        outcomes.append(bool(kept))
        if len(outcomes) % 7 == 0:
            assert plugin.run().document == {"output": "ok"}
            assert [event["id"] for event in plugin.events()] == [*kept, 17]
            assert len(list(spool.iter_ready(plugin.spool))) == len(kept) + 1, "what was being written is no event"
    assert outcomes[-1]
    assert outcomes == sorted(outcomes), "once it is kept it stays"
    assert outcomes.count(False) > 30


def test_a_stop_of_stash_does_not_end_a_hook_that_has_begun_to_record(tmp_path: Path) -> None:
    ended = []
    for plugin, code, _ in runs_with(signal.SIGTERM, tmp_path, step=3):
        ended.append(code)
        assert code in (0, -signal.SIGTERM)
        assert len(plugin.events()) == (code == 0)
    assert 0 in ended
    assert ended[ended.index(0) :].count(0) == len(ended) - ended.index(0), "deaf from one line on to the end"
    assert ended.count(0) > 20
