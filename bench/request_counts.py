"""Requests to Plex per scene, as the simulated server counts them: written for the first time, and nothing to write.

Posters are left out on purpose: each costs one upload, whoever sends it. Every other request counts, whatever it is
for: who the server is, its libraries, the listing, reads, edits, read-backs.
"""

from bench.plexapi_loop import run_loop
from bench.result import Result, Row
from bench.servers import Servers, serving
from bench.sync import a_store, run_sync

NAME = "requests"
SCENES = 3_000
QUICK_SCENES = 1_000
LOOP_SCENES = 300
CHANGED_TARGET = 1.05
UNCHANGED_TARGET = 0.03


def measure(is_quick: bool) -> Result:
    """Count the requests of ours and of the plexapi loop, twice each."""
    scenes = QUICK_SCENES if is_quick else SCENES
    changed, unchanged, kinds = _ours(scenes)
    loop_changed, loop_unchanged = _loop(LOOP_SCENES)
    rows = (
        Row(
            "Plex requests per changed scene, without images",
            f"≤ {CHANGED_TARGET}",
            f"{changed:.3f}",
            f"plexapi loop: {loop_changed:.2f}",
            changed <= CHANGED_TARGET,
        ),
        Row(
            "Plex requests per unchanged scene on a full re-check",
            f"≤ {UNCHANGED_TARGET}",
            f"{unchanged:.4f}",
            f"plexapi loop: {loop_unchanged:.2f}",
            unchanged <= UNCHANGED_TARGET,
        ),
    )
    how = (
        f"Counted by the simulated Plex over {scenes:,} scenes without posters: a first sync, then the same again with "
        f"nothing changed. The plexapi loop did {LOOP_SCENES} scenes, twice."
    )
    return Result(NAME, "Requests to Plex", how, rows, (("requests of kind", "first sync", "re-check"), *kinds))


def _ours(scenes: int) -> tuple[float, float, list[tuple[str, ...]]]:
    with serving(scenes, posters="none") as servers, a_store() as folder:
        counts = []
        for _ in range(2):
            servers.plex.reset_counts()
            run_sync(servers, folder, writes_in_flight=16)
            counts.append(servers.plex.counts())
    first, again = counts
    kinds = [kind for kind in {**first, **again} if kind != "unscoped_edits"]
    table: list[tuple[str, ...]] = [(kind, f"{first.get(kind, 0):,}", f"{again.get(kind, 0):,}") for kind in kinds]
    per_scene = [sum(seen.get(kind, 0) for kind in kinds) / scenes for seen in counts]
    return per_scene[0], per_scene[1], table


def _loop(scenes: int) -> tuple[float, float]:
    with serving(scenes, posters="none") as servers:
        return _looped(servers, scenes), _looped(servers, scenes)


def _looped(servers: Servers, scenes: int) -> float:
    servers.plex.reset_counts()
    run_loop(servers, with_posters=False)
    return servers.plex.requests() / scenes
