"""The first sync with posters against the floor, at 1, 4 and 16 writes in flight.

Runs of ours and of the floor alternate, each against a fresh pair of servers; medians of both are compared.
The ratio is that of the time between connecting and the last answer; start-up of the process is told beside it.
"""

from pathlib import Path

import anyio
import msgspec

from bench.floor import recorded, replay
from bench.result import SERIES, Result, Row, median_of
from bench.servers import LATENCY_MS, serving
from bench.sync import a_store, run_sync

NAME = "first-sync"
SCENES = 3_000
QUICK_SCENES = 600
IN_FLIGHT = (1, 4, 16)
TARGET = 0.85


def measure(is_quick: bool) -> Result:
    """Compare ours with the floor at each concurrency."""
    scenes = QUICK_SCENES if is_quick else SCENES
    rows: list[Row] = []
    table = [("in flight", "ours, scenes/s", "floor, scenes/s", "ratio", "ratio of whole processes", "requests")]
    with a_store() as folder:
        sent = folder / "requests"
        count = _record(scenes, sent)
        for writes_in_flight in IN_FLIGHT:
            ours, floor = _alternated(scenes, sent, writes_in_flight, 1 if is_quick else SERIES)
            ratio = floor[0] / ours[0]
            rates = (f"{scenes / ours[0]:.0f}", f"{scenes / floor[0]:.0f}")
            rows.append(
                Row(
                    f"first sync with posters, {writes_in_flight} in flight, share of the floor's speed",
                    f"≥ {TARGET:.0%}",
                    f"{ratio:.0%} ({rates[0]} scenes/s)",
                    f"floor: {rates[1]} scenes/s",
                    ratio >= TARGET,
                )
            )
            table.append((str(writes_in_flight), *rates, f"{ratio:.2f}", f"{floor[1] / ours[1]:.2f}", f"{count:,}"))
    how = (
        f"{scenes:,} scenes with posters, {LATENCY_MS} ms per Plex request. The floor is a bare aiohttp loop that "
        f"sends exactly the same requests under the same limits. Medians of {1 if is_quick else SERIES}, alternating."
    )
    return Result(NAME, "First sync with posters", how, tuple(rows), tuple(table))


def _record(scenes: int, file: Path) -> int:
    """Write the requests of one run into a file; return how many there are."""
    with serving(scenes, posters="cheap") as servers, a_store() as folder:
        sent = anyio.run(recorded, servers, folder)
    file.write_bytes(msgspec.msgpack.encode(sent))
    return len(sent)


def _alternated(
    scenes: int, sent: Path, writes_in_flight: int, series: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the median seconds of ours and of the floor: of the run, and of the whole process."""
    ours: list[tuple[float, float]] = []
    floor: list[tuple[float, float]] = []
    for _ in range(series):
        with serving(scenes, posters="cheap", plex_latency_ms=LATENCY_MS) as servers, a_store() as folder:
            synced = run_sync(servers, folder, writes_in_flight=writes_in_flight)
            ours.append((synced.report.duration_s, synced.process.wall_s))
        with serving(scenes, posters="cheap", plex_latency_ms=LATENCY_MS) as servers:
            replayed, ended = replay(sent, servers, writes_in_flight=writes_in_flight)
            floor.append((replayed.duration_s, ended.wall_s))
    return _medians(ours), _medians(floor)


def _medians(runs: list[tuple[float, float]]) -> tuple[float, float]:
    return median_of(run for run, _ in runs), median_of(whole for _, whole in runs)
