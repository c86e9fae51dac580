"""What a measure gives: rows for the summary, a table of its own, and how busy the machine was meanwhile.

Values only; `page` and `__main__` show them. Invariant: every figure in a result was seen in this run.
"""

import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SERIES = 3
"""Runs of each kind whose median counts, in a full bench."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the summary. Shape: `is_met` None when there is no target."""

    what: str
    target: str
    measured: str
    baseline: str
    is_met: bool | None

    @property
    def verdict(self) -> str:
        """Return the verdict as the page says it."""
        return {True: "met", False: "**missed**", None: "-"}[self.is_met]


@dataclass(frozen=True, slots=True)
class Result:
    """What one measure found. Shape: `table` starts with its head; `load` is the load average before the measure."""

    name: str
    title: str
    how: str
    rows: tuple[Row, ...]
    table: tuple[tuple[str, ...], ...]
    load: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that can be measured. Shape: `run` is told whether it must be quick, and gives a result."""

    name: str
    run: Callable[[bool], Result]


def median_of(values: Iterable[float]) -> float:
    """Return the median."""
    return float(median(values))


def machine() -> str:
    """Return on what kind of machine this runs, in one line."""
    return ", ".join(
        (
            f"{os.cpu_count()} cores ({_processor()})",
            f"{_memory_gib():.0f} GiB",
            platform.system(),
            f"Python {platform.python_version()}",
        )
    )


def load_average() -> str:
    """Return how many processes wanted a core during the last minute, `unknown` where the system does not say."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
