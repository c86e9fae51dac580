"""Plays seeds: `python -m simulation --seed 7` replays one with its log, `--seeds 500` plays many and counts.

Called by `make sim`. Ends with 1 when a seed failed or a state was never reached.
"""

import argparse
import io
import sys
from collections import Counter

from simulation.history import Verdict, play
from stashplex.base import log


def main() -> int:
    """Play what the command line asks for."""
    parser = argparse.ArgumentParser(prog="simulation")
    parser.add_argument("--seed", type=int, help="replay one seed")
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--log", action="store_true", help="print the whole log of a seed")
    given = parser.parse_args()
    log.configure(is_verbose=False, stream=io.StringIO())
    if given.seed is not None:
        verdict = play(given.seed, is_recorded=True)
        for line in verdict.everything if given.log else verdict.tail:
            print(line)
        for violation in verdict.violations:
            print(violation)
        print(
            "ok" if not verdict.violations else "FAILED",
            verdict.digest[:16],
            f"{verdict.virtual_s:.0f} virtual seconds",
        )
        return 1 if verdict.violations else 0
    reached: Counter[str] = Counter()
    failed: list[Verdict] = []
    for seed in range(given.first, given.first + given.seeds):
        verdict = play(seed)
        reached.update(dict.fromkeys(verdict.reached, 1))
        if verdict.violations:
            failed.append(verdict)
            print(f"seed {seed}: {verdict.violations[0]}", flush=True)
    for state, count in sorted(reached.items()):
        print(f"{count:6} {state}")
    print(f"{len(failed)} of {given.seeds} failed")
    return 1 if failed else 0


sys.exit(main())
