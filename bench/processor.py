"""Processor time of our process per changed scene, images included, and scenes per second beside the plexapi loop.

User and system time of `stashplex sync`, less that of a sync of one scene, for the scenes but one: what each one costs.
Posters are drawn ones of 15 to 60 kB, as real covers are. Processor time suffers less from a busy machine than a
clock does.
"""

from bench.plexapi_loop import run_loop
from bench.result import SERIES, Result, Row, median_of
from bench.servers import LATENCY_MS, serving
from bench.sync import a_store, run_sync

NAME = "processor"
SCENES = 1_000
QUICK_SCENES = 300
LOOP_SCENES = 200
WRITES_IN_FLIGHT = 16
TARGET_MS = 3.0


def measure(is_quick: bool) -> Result:
    """Measure ours and the plexapi loop."""
    scenes, series = (QUICK_SCENES, 1) if is_quick else (SCENES, SERIES)
    start_s = median_of(_sync(1, "drawn")[0] for _ in range(series))
    ours_ms = median_of((_sync(scenes, "drawn")[0] - start_s) / (scenes - 1) * 1000 for _ in range(series))
    ours_rate = median_of(_sync(scenes, "cheap", LATENCY_MS)[1] for _ in range(series))
    loop_ms, loop_rate = _loop("drawn")[0], _loop("cheap", LATENCY_MS)[1]
    rows = (
        Row(
            "processor time of our process per changed scene, images included",
            f"≤ {TARGET_MS:.0f} ms",
            f"{ours_ms:.2f} ms",
            f"plexapi loop: {loop_ms:.1f} ms",
            ours_ms <= TARGET_MS,
        ),
        Row(
            f"first sync with posters, {LATENCY_MS} ms per Plex request, {WRITES_IN_FLIGHT} in flight",
            "-",
            f"{ours_rate:.0f} scenes/s",
            f"plexapi loop: {loop_rate:.1f} scenes/s",
            None,
        ),
    )
    table = (
        ("who", "processor time per scene", "scenes/s"),
        ("ours", f"{ours_ms:.2f} ms (and {start_s:.2f} s to start)", f"{ours_rate:.0f}"),
        ("plexapi loop", f"{loop_ms:.1f} ms (start included)", f"{loop_rate:.1f}"),
    )
    how = (
        f"{scenes:,} scenes, and {LOOP_SCENES} for the loop, one item at a time. Processor time with drawn posters and "
        f"no latency, scenes per second with tiny posters and {LATENCY_MS} ms per Plex request. Medians of {series} "
        "for ours."
    )
    return Result(NAME, "Processor time", how, rows, table)


def _sync(scenes: int, posters: str, latency_ms: float = 0.0) -> tuple[float, float]:
    """Return the processor seconds of the process, and scenes per second of the run."""
    with serving(scenes, posters=posters, plex_latency_ms=latency_ms) as servers, a_store() as folder:
        synced = run_sync(servers, folder, writes_in_flight=WRITES_IN_FLIGHT)
    return synced.process.cpu_s, scenes / synced.report.duration_s


def _loop(posters: str, latency_ms: float = 0.0) -> tuple[float, float]:
    """Return the processor milliseconds per scene, and scenes per second."""
    with serving(LOOP_SCENES, posters=posters, plex_latency_ms=latency_ms) as servers:
        looped, ended = run_loop(servers, with_posters=True)
    return ended.cpu_s / looped.scenes * 1000, looped.scenes / looped.duration_s
