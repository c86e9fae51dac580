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
    "base_before_it_is_verified": 12,
    "breaker_believed_for_ever": 6,
    "breaker_forgotten_at_restart": 2,
    "breaker_not_asked": 2,
    "doubt_taken_for_success": 12,
    "event_removed_before_its_mark": 21,
    "first_contact_clears": 14,
    "generation_check_forgotten": 2,
    "intent_not_written_down": 18,
    "latest_first": 5,
    "lease_end_ignored": 7,
    "lease_of_the_living_taken": 6,
    "leases_kept_at_the_end": 5,
    "maintenance_must_repeat": 14,
    "mark_steals_a_lease": 2,
    "match_not_verified": 3,
    "missing_scene_clears": 11,
    "newest_mark_dropped": 2,
    "people_overwritten": 12,
    "priority_ignored": 16,
    "read_back_ignores_lists": 12,
    "refusal_ignored": 14,
    "release_spends_an_attempt": 4,
    "removed_tags_stay": 2,
    "retries_without_limit": 11,
    "scene_gone_stays_open": 2,
    "token_ignored": 16,
    "token_told": 7,
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
        found = next((found for seed in seeds if (found := play(seed).violations)), ())
    assert found, f"{name} survived {WITHIN} seeds"
    assert {one.invariant for one in found}.isdisjoint({"bug", "crash"}), f"{name} is planted wrongly: {found[0]}"
