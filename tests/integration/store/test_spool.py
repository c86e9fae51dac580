"""Events on disk: whole or not there, oldest first, gone only when somebody says so."""

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from builders import NOW
from stashplex.store import spool

EVENT = b'{"type": "Scene.Update.Post", "id": 42, "at": "2025-03-04T05:06:07+00:00", "fields": ["title"]}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


def test_an_event_comes_out_as_it_went_in(folder: Path) -> None:
    path = spool.append(folder, EVENT, now=NOW)
    assert list(spool.iter_ready(folder)) == [path]
    assert path.read_bytes() == EVENT


def test_events_come_oldest_first(folder: Path) -> None:
    moments = [NOW + timedelta(microseconds=step) for step in (3, -1, 0, 10**13)]
    paths = {moment: spool.append(folder, EVENT, now=moment) for moment in moments}
    assert list(spool.iter_ready(folder)) == [paths[moment] for moment in sorted(moments)]


def test_events_of_one_moment_are_all_kept(folder: Path) -> None:
    assert len({spool.append(folder, EVENT, now=NOW) for _ in range(50)}) == 50
    assert len(list(spool.iter_ready(folder))) == 50


def test_what_is_half_written_or_not_ours_is_not_ready(folder: Path) -> None:
    assert list(spool.iter_ready(folder)) == []
    folder.mkdir(parents=True)
    for name in (".0001-a.json", "0001-a.tmp", "README"):
        (folder / name).touch()
    assert list(spool.iter_ready(folder)) == []


def test_a_write_that_fails_leaves_no_file(folder: Path) -> None:
    with pytest.raises(TypeError):
        spool.append(folder, "text", now=NOW)  # type: ignore[arg-type] # the failure is the point
    assert list(folder.iterdir()) == []


FULL_DISK = """
import resource, sys
from datetime import datetime, UTC
from pathlib import Path
from stashplex.store import spool
folder, now = Path(sys.argv[1]), datetime(2025, 1, 1, tzinfo=UTC)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
try:
    spool.append(folder, b"x" * 101, now=now)
except OSError:
    print("refused", sorted(path.name for path in folder.iterdir()))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.append(folder, b"x" * 101, now=now)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_disk_without_room_raises_and_leaves_no_half_file(folder: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout == "refused []\n"
    assert [path.read_bytes() for path in spool.iter_ready(folder)] == [b"x" * 101]


def test_discarding_is_idempotent(folder: Path) -> None:
    path = spool.append(folder, EVENT, now=NOW)
    spool.discard(path)
    spool.discard(path)
    assert list(spool.iter_ready(folder)) == []


def test_what_is_set_aside_is_kept_with_its_reason(folder: Path) -> None:
    path = spool.append(folder, b"{", now=NOW)
    aside = spool.set_aside(path, "not JSON")
    assert list(spool.iter_ready(folder)) == []
    assert aside.read_bytes() == b"{"
    assert aside.with_name(f"{aside.name}.reason").read_text(encoding="utf-8") == "not JSON\n"


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_only_the_owner_may_look(folder: Path) -> None:
    path = spool.append(folder, EVENT, now=NOW)
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, path)] == [0o700, 0o600]


OTHER_PROGRAM = """
import json, os, sys, time
folder, scene = sys.argv[1], int(sys.argv[2])
name = "%016d-%d.json" % (time.time_ns() // 1000, os.getpid())
event = {"type": "Scene.Update.Post", "id": scene, "at": "2025-03-04T05:06:07+00:00", "fields": []}
with open(os.path.join(folder, "." + name), "w") as file:
    json.dump(event, file)
    file.flush()
    os.fsync(file.fileno())
os.replace(os.path.join(folder, "." + name), os.path.join(folder, name))
"""


def test_another_program_that_keeps_to_the_format_is_understood(folder: Path) -> None:
    """What a writer does that shares no code with us, in the order of its events."""
    folder.mkdir(parents=True)
    for scene in (1, 2, 3):
        subprocess.run([sys.executable, "-I", "-S", "-E", "-c", OTHER_PROGRAM, str(folder), str(scene)], check=True)
    ready = list(spool.iter_ready(folder))
    assert [json.loads(path.read_bytes())["id"] for path in ready] == [1, 2, 3]
    assert all(len(path.name.partition("-")[0]) == 16 for path in ready)


def test_another_program_reads_what_we_write(folder: Path) -> None:
    for step in range(3):
        spool.append(folder, EVENT, now=NOW + timedelta(seconds=step))
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    assert all(json.loads((folder / name).read_text(encoding="utf-8"))["id"] == 42 for name in names)
    micros = [int(name.partition("-")[0]) for name in names]
    assert [later - earlier for earlier, later in pairwise(micros)] == [1_000_000] * 2
