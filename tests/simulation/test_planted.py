"""Would the simulation notice? Each planted fault must be caught within so many seeds.

A fault that survives them all means a blind checker or weather that never blows. The seed that caught a fault last
time is tried first. Without the fault all these seeds are clean: `test_simulation` plays them too.
"""

import pytest

from simulation import planted, planted_servers
from simulation.history import play
from simulation.planting import PLANTED

WITHIN = 50
LATELY = {
    "base_before_it_is_verified": 4,
    "breaker_believed_for_ever": 6,
    "breaker_forgotten_at_restart": 2,
    "breaker_not_asked": 2,
    "event_removed_before_its_mark": 7,
    "index_not_refreshed": 3,
    "intent_not_written_down": 7,
    "lease_end_ignored": 3,
    "lease_of_the_living_taken": 6,
}
"""Which seed caught a fault when it was last looked for, unless it was the first: only a matter of time."""


def test_enough_faults_are_planted() -> None:
    assert planted.__doc__
    assert planted_servers.__doc__
    assert len(PLANTED) >= 25
    assert set(LATELY.values()) <= set(range(1, WITHIN + 1))


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_planted_fault_is_caught(name: str) -> None:
    seeds = dict.fromkeys((LATELY.get(name, 1), *range(1, WITHIN + 1)))
    with PLANTED[name]():
        caught = next((seed for seed in seeds if play(seed).violations), None)
    assert caught is not None, f"{name} survived {WITHIN} seeds"
