"""Would the simulation notice? Each planted fault must be caught within so many seeds.

A fault that survives them all means a blind checker or weather that never blows.
"""

import pytest

from simulation.history import play
from simulation.planted import PLANTED

WITHIN = 50


def test_enough_faults_are_planted() -> None:
    assert len(PLANTED) >= 25


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_planted_fault_is_caught(name: str) -> None:
    with PLANTED[name]():
        caught = next((seed for seed in range(1, WITHIN + 1) if play(seed).violations), None)
    assert caught is not None, f"{name} survived {WITHIN} seeds"
