"""Killed anywhere and started again, the program loses nothing, writes nothing wrong and does nothing twice."""

from pathlib import Path

import pytest

from crash.drama import KILLS, Drama
from crash.scenery import a_scenery

pytestmark = pytest.mark.crash


def test_a_killed_program_goes_on_where_it_was(crash_seed: int, tmp_path: Path) -> None:
    with a_scenery(tmp_path / "data", crash_seed) as scenery:
        drama = Drama(scenery, tmp_path / "programs", crash_seed)
        drama.run()
    assert drama.kills == KILLS
