"""How cost grows with the library: time and memory of a first sync and of a re-check, at growing sizes.

Without posters and without latency, so that what grows is ours (and the simulated servers', which share the machine).
Exponents are slopes of least squares between the logarithms; 1 means proportional.
"""

import math
from collections.abc import Sequence

from bench.result import Result, Row
from bench.servers import serving
from bench.sync import Synced, a_store, run_sync

NAME = "growth"
SIZES = (1_000, 10_000, 100_000)
QUICK_SIZES = (1_000, 4_000)
WRITES_IN_FLIGHT = 16
EXPONENT_TARGET = 1.05
MEMORY_TARGET_BYTES = 1_000


def measure(is_quick: bool) -> Result:
    """Sync libraries of growing size, each twice."""
    sizes = QUICK_SIZES if is_quick else SIZES
    start_s = _run(1)[0].process.cpu_s
    runs = [_run(size) for size in sizes]
    first, again = zip(*runs, strict=True)
    exponent = _exponent(sizes, [run.report.duration_s for run in first])
    memory = (first[-1].process.peak_bytes - first[0].process.peak_bytes) / (sizes[-1] - sizes[0])
    cpu_exponent = _exponent(sizes, [run.process.cpu_s - start_s for run in first])
    again_exponent = _exponent(sizes, [run.report.duration_s for run in again])
    span = " → ".join(f"{size:,}" for size in sizes)
    rows = (
        Row(
            f"cost growth {span} scenes, exponent of time",
            f"≤ {EXPONENT_TARGET}",
            f"{exponent:.2f} (its processor time: {cpu_exponent:.2f}; re-check: {again_exponent:.2f})",
            "1 = proportional",
            exponent <= EXPONENT_TARGET,
        ),
        Row(
            f"memory growth {span} scenes, per scene",
            "≤ 1 kB",
            f"{max(0.0, memory) / 1000:.2f} kB",
            f"{first[0].process.peak_bytes / 1e6:.0f} MB at {sizes[0]:,}",
            memory <= MEMORY_TARGET_BYTES,
        ),
    )
    table: list[tuple[str, ...]] = [
        ("scenes", "first sync", "processor time of ours per scene", "peak memory", "re-check", "peak memory")
    ]
    table += [_line(size, start_s, *run) for size, run in zip(sizes, runs, strict=True)]
    how = f"Without posters, no latency, {WRITES_IN_FLIGHT} writes in flight; one run of each size."
    return Result(NAME, "Growth with the library", how, rows, tuple(table))


def _run(size: int) -> tuple[Synced, Synced]:
    with serving(size, posters="none") as servers, a_store() as folder:
        first = run_sync(servers, folder, writes_in_flight=WRITES_IN_FLIGHT)
        return first, run_sync(servers, folder, writes_in_flight=WRITES_IN_FLIGHT)


def _line(size: int, start_s: float, first: Synced, again: Synced) -> tuple[str, ...]:
    return (
        f"{size:,}",
        f"{first.report.duration_s:.1f} s",
        f"{(first.process.cpu_s - start_s) / size * 1000:.2f} ms",
        f"{first.process.peak_bytes / 1e6:.0f} MB",
        f"{again.report.duration_s:.1f} s",
        f"{again.process.peak_bytes / 1e6:.0f} MB",
    )


def _exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the slope of the line of least squares through the logarithms."""
    points = [(math.log(size), math.log(each)) for size, each in zip(sizes, seconds, strict=True)]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
