"""`history`, `undo` and `release` as commands: what they print and how they end."""

import json
from pathlib import Path

import pytest

from programs import program, serving

pytestmark = pytest.mark.e2e


def test_what_was_written_is_told_put_back_and_given_back(tmp_path: Path) -> None:
    with serving("--films", "3", "--posters", "none") as servers:
        environment = servers.environment(tmp_path / "data")
        assert program(environment, "release", "1").returncode == 2
        assert program(environment, "sync", "--json").returncode == 0
        told = json.loads(program(environment, "history", "1", "--json").stdout)
        assert {row["event"] for row in told} == {"field_written", "entry_synced"}
        trial = program(environment, "undo", "--since", "1h", "--dry-run", "--json")
        assert (trial.returncode, len(json.loads(trial.stdout)["scenes"])) == (0, 3)
        undone = json.loads(program(environment, "undo", "--since", "1h", "--scene", "2", "--json").stdout)
        assert (undone["waiting"], undone["scenes"][0]["refused"]) == (0, [])
        released = program(environment, "release", "1", "--json")
        shown = json.loads(released.stdout)
        assert (released.returncode, shown["is_done"]) == (0, True)
        assert "title" in shown["items"][0]["unlocked"]
        assert json.loads(program(environment, "sync", "--json").stdout)["writes"] == 0
        assert "entry_released" in program(environment, "history", "1").stdout
