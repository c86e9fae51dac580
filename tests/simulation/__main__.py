"""Plays seeds: `python -m simulation --seed 7` replays one with its log, `--seeds 500` plays many and counts.

Called by `make sim`. Ends with 1 when a seed failed, or when a large run missed a state that it must reach.
"""

import argparse
import io
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count

from simulation.history import Verdict, play
from simulation.states import FEW, missed, table
from stashplex.base import log


def main() -> int:
    """Play what the command line asks for."""
    parser = argparse.ArgumentParser(prog="simulation", description="Play seeded histories of the whole engine.")
    parser.add_argument("--seed", type=int, help="replay one seed and print the end of its log")
    parser.add_argument("--log", action="store_true", help="with --seed: print the whole log")
    parser.add_argument("--seeds", type=int, default=FEW, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--jobs", type=int, default=cpu_count() or 1, help="how many processes play")
    given = parser.parse_args()
    be_quiet()
    if given.seed is not None:
        return _replay(given.seed, is_whole=given.log)
    return _play_many(range(given.first, given.first + given.seeds), given.jobs)


def be_quiet() -> None:
    """Keep the program's log off the terminal."""
    log.configure(is_verbose=False, stream=io.StringIO())


def _replay(seed: int, *, is_whole: bool) -> int:
    verdict = play(seed, is_recorded=True)
    _say(*(verdict.everything if is_whole else verdict.tail), *map(str, verdict.violations))
    _say(
        f"seed {seed}: {'FAILED' if verdict.violations else 'ok'}",
        f"{verdict.virtual_s:,.0f} virtual seconds, {verdict.digest[:16]}",
    )
    return 1 if verdict.violations else 0


def _play_many(seeds: range, jobs: int) -> int:
    reached: Counter[str] = Counter()
    failed: list[Verdict] = []
    hours = 0.0
    with ProcessPoolExecutor(jobs, initializer=be_quiet) as pool:
        for verdict in pool.map(play, seeds, chunksize=4):
            reached.update(verdict.reached.keys())
            hours += verdict.virtual_s / 3_600
            if verdict.violations:
                failed.append(verdict)
                _say(f"seed {verdict.seed}: {verdict.violations[0]}", f"  replay: {verdict.replay}")
    _say("", "seeds that reached each state:", table(reached), "")
    _say(f"{len(seeds):,} seeds, {hours:,.0f} virtual hours, {len(failed)} failed")
    lacks = missed(reached) if len(seeds) >= FEW else []
    if lacks:
        _say(f"never reached: {', '.join(lacks)}")
    return 1 if failed or lacks else 0


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
