"""Does it converge whatever happens? The first seeds of the simulation, in chunks that run side by side.

`make sim SEEDS=20000` plays more of them and counts the states that were reached. A failing seed prints the end of its
log and the command that replays it.
"""

import pytest

from simulation.history import play

SEEDS = 40
CHUNK = 5


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_every_history_ends_in_step(first: int) -> None:
    failed = [verdict for seed in range(first, first + CHUNK) if (verdict := play(seed)).violations]
    assert not failed, "\n\n".join(map(str, failed[:2]))


@pytest.mark.parametrize("seed", [1, 4])
def test_the_same_seed_gives_the_same_history(seed: int) -> None:
    first, second = play(seed), play(seed)
    assert (first.digest, first.tail) == (second.digest, second.tail)
