"""From a save in Stash until Plex shows it: one edit at a time, the service running and idle.

A save is what Stash does: the change, then the plugin's hook, then the answer. Plex is asked again and again until it
shows the new title; its answers take some milliseconds, which count. For comparison the same without pokes, when the
service finds the event by looking once a second.
"""

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from bench.hook import Plugin
from bench.result import Result, Row, median_of
from bench.servers import Servers, ask, serving
from stashplex.base.clock import SystemClock
from stashplex.sim.world import rating_key

NAME = "latency"
EDITS = 200
QUICK_EDITS = 20
FILMS = 100
MEDIAN_TARGET_S = 0.5
P99_TARGET_S = 2.0
PATIENCE_S = 60.0
_UPDATE = "mutation($i: SceneUpdateInput!) { sceneUpdate(input: $i) { id } }"

_clock = SystemClock()
_pause = Event()


def measure(is_quick: bool) -> Result:
    """Time edits, with pokes and without."""
    edits = QUICK_EDITS if is_quick else EDITS
    with serving(FILMS, posters="none") as servers, tempfile.TemporaryDirectory(prefix="stashplex-bench-") as folder:
        plugin = Plugin(Path(folder))
        with _a_service(plugin, servers):
            poked = _times(plugin, servers, edits, 0)
            (plugin.data_dir / "service.json").unlink()
            unpoked = _times(plugin, servers, edits, edits)
    rows = []
    for what, target_s, place in (("p50", MEDIAN_TARGET_S, 0.5), ("p99", P99_TARGET_S, 0.99)):
        took_s, without_s = _at(poked, place), _at(unpoked, place)
        rows.append(
            Row(
                f"save in Stash to value in Plex, {what}",
                f"≤ {target_s} s",
                f"{took_s:.3f} s",
                f"without pokes: {without_s:.3f} s",
                took_s <= target_s,
            )
        )
    table = (
        ("", "median", "p99", "longest"),
        ("with pokes", *_shown(poked)),
        ("without pokes", *_shown(unpoked)),
    )
    how = f"{edits} edits of single scenes, one after the other with pauses of up to a second; hook process included."
    return Result(NAME, "From a save to Plex", how, tuple(rows), table)


def _shown(times: list[float]) -> tuple[str, str, str]:
    return f"{median_of(times):.3f} s", f"{_at(times, 0.99):.3f} s", f"{max(times):.3f} s"


def _at(times: list[float], place: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * place))]


def _times(plugin: Plugin, servers: Servers, edits: int, first: int) -> list[float]:
    chance = random.Random(7)
    times = []
    for number in range(first, first + edits):
        _pause.wait(chance.random())
        times.append(_one(plugin, servers, number % FILMS + 1, f"Edit {number}"))
    return times


def _one(plugin: Plugin, servers: Servers, scene: int, title: str) -> float:
    """Return how long one edit took until Plex showed it. Units: seconds."""
    body = json.dumps({"query": _UPDATE, "variables": {"i": {"id": scene, "title": title}}}).encode()
    headers = {"ApiKey": servers.stash.secret, "Content-Type": "application/json"}
    started_s = _clock.monotonic_s()
    ask(f"{servers.stash.url}/graphql", body, headers)
    plugin.hook().communicate(plugin.payload(scene))
    while _title(servers, scene) != title:
        if _clock.monotonic_s() - started_s > PATIENCE_S:
            raise RuntimeError(f"Plex never showed the edit of scene {scene}")
        _pause.wait(0.01)
    return _clock.monotonic_s() - started_s


def _title(servers: Servers, scene: int) -> str:
    headers = {"X-Plex-Token": servers.plex.secret, "Accept": "application/json"}
    answer = ask(f"{servers.plex.url}/library/metadata/{rating_key(scene)}", headers=headers)
    return str(json.loads(answer)["MediaContainer"]["Metadata"][0]["title"])


@contextmanager
def _a_service(plugin: Plugin, servers: Servers) -> Iterator[None]:
    """Run a service that has everything in step, for the time of a context."""
    environment = {
        "STASHPLEX_STASH_URL": servers.stash.url,
        "STASHPLEX_STASH_API_KEY": servers.stash.secret,
        "STASHPLEX_PLEX_URL": servers.plex.url,
        "STASHPLEX_PLEX_TOKEN": servers.plex.secret,
        "STASHPLEX_PATH_MAP": servers.path_map,
        "STASHPLEX_DATA_DIR": str(plugin.data_dir),
    }
    subprocess.run([sys.executable, "-m", "stashplex", "sync"], env=environment, check=True, capture_output=True)
    with subprocess.Popen([sys.executable, "-m", "stashplex", "serve", "--single"], env=environment) as process:
        try:
            started_s = _clock.monotonic_s()
            while not (plugin.data_dir / "service.json").exists():
                if _clock.monotonic_s() - started_s > PATIENCE_S:
                    raise RuntimeError("the service did not start")
                _pause.wait(0.05)
            _pause.wait(2)
            yield
        finally:
            process.terminate()
