"""Killed anywhere and started again, the program loses nothing, writes nothing wrong and does nothing twice."""

from pathlib import Path

import pytest

from crash.drama import Drama
from crash.scenery import a_scenery

pytestmark = pytest.mark.crash


def test_a_killed_program_goes_on_where_it_was(seed: int, tmp_path: Path) -> None:
    print(f"replay: .venv/bin/pytest -q tests/crash/test_kills.py --crash-seed {seed}")
    with a_scenery(tmp_path / "data", seed) as scenery:
        Drama(scenery, tmp_path / "programs", seed).run()
