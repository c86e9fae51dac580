"""Does it converge whatever happens? Seeds of the simulation, in chunks that run side by side.

`make sim SEEDS=20000` plays more of them. A failing seed prints the end of its log and the command that replays it.
"""

from collections import Counter
from pathlib import Path

import pytest

from simulation.history import Verdict, play
from simulation.states import missed

SEEDS = 500
CHUNK = 25
FIRSTS = range(1, SEEDS + 1, CHUNK)


@pytest.fixture(scope="session")
def reached_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of this run share."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared.parent if shared.name.startswith("popen-") else shared) / "simulation-reached"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("first", FIRSTS)
def test_every_history_ends_in_step(first: int, reached_dir: Path) -> None:
    reached: Counter[str] = Counter()
    failed: list[Verdict] = []
    for seed in range(first, first + CHUNK):
        verdict = play(seed)
        reached.update(verdict.reached.keys())
        if verdict.violations:
            failed.append(verdict)
    assert not failed, "\n\n".join(map(str, failed[:2]))
    # Whoever is last looks at what all of them reached: the chunks run in any order and in several processes.
    (reached_dir / f".{first}").write_text("\n".join(reached), encoding="utf-8")
    (reached_dir / f".{first}").replace(reached_dir / f"{first}.txt")
    done = list(reached_dir.glob("*.txt"))
    if len(done) == len(FIRSTS):
        everything = {state for path in done for state in path.read_text(encoding="utf-8").splitlines()}
        assert missed(everything) == []


@pytest.mark.parametrize("seed", [1, 4, 9, 16])
def test_the_same_seed_gives_the_same_history(seed: int) -> None:
    first, second = play(seed), play(seed)
    assert (first.digest, first.tail) == (second.digest, second.tail)
