"""What killed writers left goes after a day; whatever else lies there stays."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from builders import NOW
from stashplex.plugin import hook
from stashplex.store import drafts

OLD = [
    ".connection.json.0123456789abcdef",
    ".service.json.4711",
    ".stash-settings.json.4711",
    ".environment.4711",
    ".stopped.0123456789abcdef",
    "service-elsewhere.json.4711.new",
    "spool/.1767225600000000-0123456789abcdef.json.0123456789abcdef",
    "spool/.1767225600000000-0123456789abcdef.json",
    "tasks/plan.json.4711.new",
]
OTHERS = [
    "connection.json",
    "service.json",
    "stopped",
    ".bashrc",
    ".config.json.bak",
    ".stopped",
    "notes.new",
    "spool/1767225600000000-0123456789abcdef.json",
    "tasks/plan.json",
]


def test_what_was_left_goes_after_a_day(tmp_path: Path) -> None:
    for name in (*OLD, *OTHERS):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert drafts.remove(tmp_path, NOW) == 0
    assert drafts.remove(tmp_path, NOW + timedelta(seconds=1)) == len(OLD)
    assert [name for name in (*OLD, *OTHERS) if (tmp_path / name).exists()] == OTHERS


def test_a_folder_that_is_not_there_holds_none(tmp_path: Path) -> None:
    assert drafts.remove(tmp_path / "none", NOW) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="it kills by a signal")
def test_what_a_killed_hook_leaves_is_told_by_its_name(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(Path(hook.__file__).parent)!r}); import hook, os\n"
        "hook.os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        f'hook.record({str(tmp_path)!r}, \'"type":"a"\', 1767225600000000000)'
    )
    (tmp_path / "spool").mkdir()
    killed = subprocess.run([sys.executable, "-B", "-c", program], check=False)
    left = list((tmp_path / "spool").iterdir())
    assert (killed.returncode, len(left)) == (-signal.SIGKILL, 1)
    for path in left:
        os.utime(path, (0, 0))
    assert drafts.remove(tmp_path, NOW) == 1
