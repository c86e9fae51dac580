"""Does it converge whatever happens? The first seeds of the simulation, in chunks that run side by side.

`make sim SEEDS=20000` plays more of them. A failing seed prints the end of its log and the command that replays it.
Whichever chunk ends last checks that all of them together reached every state.
"""

from pathlib import Path

import pytest

from simulation.history import play
from simulation.states import missed

SEEDS = 500
CHUNK = 10


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Return a folder that all processes of this run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "states of the simulation"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_every_history_ends_in_step(first: int, shared: Path) -> None:
    verdicts = [play(seed) for seed in range(first, first + CHUNK)]
    note_states(shared, first, {state for verdict in verdicts for state in verdict.reached})
    failed = [verdict for verdict in verdicts if verdict.violations]
    assert not failed, "\n\n".join(map(str, failed[:2]))
    assert missed_by_all(shared) == []


@pytest.mark.parametrize("seed", [1, 4])
def test_the_same_seed_gives_the_same_history(seed: int) -> None:
    first, second = play(seed), play(seed)
    assert (first.digest, first.tail) == (second.digest, second.tail)


def test_a_state_that_no_chunk_reached_is_told(tmp_path: Path) -> None:
    for first in range(1, SEEDS + 1, CHUNK):
        assert missed_by_all(tmp_path) == []
        note_states(tmp_path, first, {"stopped"})
    assert "lease lost while writing" in missed_by_all(tmp_path)
    assert "stopped" not in missed_by_all(tmp_path)


def note_states(folder: Path, first: int, states: set[str]) -> None:
    """Write down which states one chunk reached."""
    written = folder / f".{first}"
    written.write_text("\n".join(sorted(states)), encoding="utf-8")
    written.rename(folder / f"{first}.txt")


def missed_by_all(folder: Path) -> list[str]:
    """Return the states that all chunks together missed; nothing while some are still to come."""
    files = list(folder.glob("*.txt"))
    if len(files) < SEEDS // CHUNK:
        return []
    return missed(state for file in files for state in file.read_text(encoding="utf-8").splitlines())
