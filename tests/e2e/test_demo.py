"""The demo: what a newcomer sees first, and what it leaves behind, which is nothing."""

import re
import signal
import sys
from pathlib import Path

import psutil
import pytest

from programs import PATIENCE_S, program, started

pytestmark = pytest.mark.e2e

FILMS = 137
"""A number that nobody else starts simulated servers with."""

SAYS = (
    r"Starting a simulated Stash and a simulated Plex with 137 real films",
    r"First sync:\n  137 scenes in [\d.]+ s \([\d,]+ scenes/s\): 137 synced, 0 unchanged, 0 waiting, 0 dead",
    r"137 edits, 137 posters; 1\.\d+ requests to Plex per scene",
    r"Three of them in Plex, before and after:",
    r"scene 11, /mnt/media/films/",
    r"title +\S.*  →  \S",
    r"poster +a still of the video  →  the cover in Stash",
    r"Somebody edits scene 11 in Stash: 'Edited in Stash a moment ago', rating 95",
    r"in Plex after [\d.]+ s and 1 edit: 'Edited in Stash a moment ago', rating 9\.5",
    r"Second sync of everything:\n  137 scenes in [\d.]+ s .*: 0 synced, 137 unchanged, 0 waiting, 0 dead",
    r"  0 edits, 0 posters; 0\.0\d+ requests to Plex per scene",
)


@pytest.fixture
def temporary(tmp_path: Path) -> dict[str, str]:
    """An environment whose temporary folder is ours, with settings that the demo must not read."""
    (tmp_path / "tmp").mkdir()
    return {
        "TMPDIR": str(tmp_path / "tmp"),
        "TEMP": str(tmp_path / "tmp"),
        "STASHPLEX_PLEX_URL": "http://127.0.0.1:1",
        "STASHPLEX_DATA_DIR": str(tmp_path / "data"),
    }


def test_the_demo_shows_what_it_promises_and_leaves_nothing(temporary: dict[str, str], tmp_path: Path) -> None:
    told = program(temporary, "demo", "--films", str(FILMS))
    assert (told.returncode, told.stderr) == (0, "")
    for line in SAYS:
        assert re.search(line, told.stdout), line
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "data").exists()
    assert not [process for process in psutil.process_iter() if f"stashplex.sim --films {FILMS}" in line_of(process)]


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C goes to the whole console there")
def test_kept_servers_stay_until_ctrl_c(temporary: dict[str, str], tmp_path: Path) -> None:
    with started(temporary, "demo", "--films", "100", "--keep") as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "stashplex sync" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], "the demo ended early"
        children = psutil.Process(process.pid).children(recursive=True)
        assert [child for child in children if "stashplex.sim" in line_of(child)]
        assert process.poll() is None
        exports = dict(re.findall(r"export (STASHPLEX_\w+)='(.*)'", "".join(lines)))
        by_hand = program(exports | {"STASHPLEX_DATA_DIR": str(tmp_path / "mine")}, "sync")
        assert by_hand.returncode == 0
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert not any(child.is_running() for child in children)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C goes to the whole console there")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing(temporary: dict[str, str], tmp_path: Path, how: signal.Signals) -> None:
    with started(temporary, "demo", "--films", "3201") as process:
        assert process.stdout is not None
        while "First sync" not in process.stdout.readline():
            assert process.poll() is None
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(how)
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert children
    assert not any(child.is_running() for child in children)
    assert list((tmp_path / "tmp").iterdir()) == []


def line_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
