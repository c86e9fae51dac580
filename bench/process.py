"""Runs one program and tells what it cost: seconds, processor time, peak memory.

Each run is a fresh process, so that nothing is warm and its peak is its own. Invariant: a program that fails ends
the bench with what it said; a figure of a failed run never reaches a table.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from stashplex.base.clock import SystemClock

_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that ended well. Units: seconds (`cpu_s` is user and system time), bytes."""

    output: str
    wall_s: float
    cpu_s: float
    peak_bytes: int


def run_python(arguments: Sequence[str], environment: Mapping[str, str]) -> Ended:
    """Run this Python with nothing in its environment but what is given. Raises: RuntimeError when it fails."""
    clock = SystemClock()
    started_s = clock.monotonic_s()
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watched = psutil.Process(process.pid)
        cpu_s, peak_bytes = 0.0, 0
        while True:
            cpu_s, peak_bytes = _look(watched, cpu_s, peak_bytes)
            try:
                output, errors = process.communicate(timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                continue
            break
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}:\n{output}{errors}")
    return Ended(output, clock.monotonic_s() - started_s, cpu_s, peak_bytes)


def _look(watched: psutil.Process, cpu_s: float, peak_bytes: int) -> tuple[float, int]:
    """Return the newest figures, the last known ones when the process is gone."""
    try:
        times = watched.cpu_times()
        return max(cpu_s, times.user + times.system), max(peak_bytes, watched.memory_info().rss)
    except psutil.NoSuchProcess:
        return cpu_s, peak_bytes
