"""The server that the contract suite judges: the simulator behind a real socket, or a live one."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from stashplex.base.clock import SystemClock
from stashplex.sim.plex.app import PlexSim

T = TypeVar("T")

FILMS = 30
"""How many items the simulator's library holds; a live one needs at least 10."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the server is. `sim` is None for a live server."""

    url: str
    token: str
    section: str
    sim: PlexSim | None


def eventually(check: Callable[[], T], *, deadline_s: float = 10.0) -> T:
    """Return the first true value of `check`; the last one when time is up."""
    clock = SystemClock()
    end = clock.monotonic_s() + deadline_s
    found = check()
    while not found and clock.monotonic_s() < end:
        threading.Event().wait(0.05)
        found = check()
    return found


def furnished() -> PlexSim:
    """Return a simulator with one library of films whose tags overflow what a listing shows."""
    sim = PlexSim()
    sim.switches.scan_s = 0.05
    section = sim.add_section("Films", locations=["/data/films"])
    for number in range(FILMS):
        sim.add_item(
            section,
            [(f"/data/films/{number:02d}/Film {number:02d}.mkv", 1_000_000_000 + number, 5_400_000)],
            title=f"Film {number:02d}",
            guids=[f"imdb://tt{number:07d}"],
            fields={"year": 1990 + number, "originallyAvailableAt": f"{1990 + number}-05-04", "studio": "Acme"},
            tags={"genre": ["Drama", "Outdoor", "Silent"], "actor": ["Ann", "Bob", "Cid", "Dee"], "director": ["Eve"]},
        )
    return sim
