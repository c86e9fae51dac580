"""The power goes at any moment: what had been acknowledged is there, and what is there is sound."""

import random
import sys
from pathlib import Path

import pytest

from crash.power.disk import Disk
from crash.power.recording import CUTS_PER_LIFE, Loss, cuts, judge, record

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files are named by /proc")


def _losses(folder: Path, seed: int, *, synchronous: str | None = None, syncs_files: bool = True) -> list[Loss]:
    """Live a life, cut it, and return what was lost."""
    life, images = folder / f"life-{seed}", folder / f"images-{seed}"
    life.mkdir()
    images.mkdir()
    recording = record(life, seed, synchronous=synchronous, syncs_files=syncs_files)
    return [loss for loss in cuts(recording, images, random.Random(seed), CUTS_PER_LIFE) if loss]


def test_nothing_acknowledged_is_lost(tmp_path: Path, life: int) -> None:
    assert _losses(tmp_path, life) == []


def test_a_first_start_may_be_cut_anywhere(tmp_path: Path) -> None:
    """Each operation up to the first acknowledged step, five times: the file is made, given a schema, named."""
    root = tmp_path / "life"
    root.mkdir()
    recording = record(root, 1)
    wrong = []
    for cut in range(recording.acknowledged[0] + 1):
        disk = Disk(root)
        disk.play(recording.operations[:cut])
        for number in range(5):
            image = tmp_path / f"cut-{cut}-{number}"
            image.mkdir()
            disk.lay_out(image, random.Random(cut * 5 + number))
            wrong += [what] if (what := judge(recording, cut, image)) else []
    assert wrong == []


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_a_store_that_syncs_less_is_found_out(tmp_path: Path, synchronous: str) -> None:
    assert [loss for seed in range(1, 6) for loss in _losses(tmp_path, seed, synchronous=synchronous)]


def test_a_spool_that_does_not_sync_is_found_out(tmp_path: Path) -> None:
    losses = [loss for seed in range(1, 6) for loss in _losses(tmp_path, seed, syncs_files=False)]
    assert any("event" in loss.what for loss in losses)
