"""A simulated server with two libraries on a clock that stands still."""

import pytest

from integration.sim_plex.caller import Caller, HandClock
from stashplex.sim.plex.app import NO_AGENT, PlexSim
from stashplex.sim.plex.section import Section

GENRES = ["Drama", "Outdoor", "Silent"]
ACTORS = ["Ann", "Bob", "Cid", "Dee"]


@pytest.fixture
def clock() -> HandClock:
    """Stands still."""
    return HandClock()


@pytest.fixture
def sim(clock: HandClock) -> PlexSim:
    """Section 1 has an agent and POSIX paths, section 2 has no agent and Windows paths."""
    sim = PlexSim(clock=clock)
    films = sim.add_section("Films", locations=["/data/films"])
    sim.add_section("Other", agent=NO_AGENT, scanner="Plex Video Files Scanner", language="xn", locations=["D:\\Other"])
    for number in range(5):
        sim.add_item(
            films,
            [(f"/data/films/{number}/Film {number}.mkv", 1_000_000 + number, 60_000)],
            title=f"Film {number}",
            guids=[f"imdb://tt{number}"],
            tags={"genre": GENRES, "actor": ACTORS},
        )
    clock.move(100)
    return sim


@pytest.fixture
def films(sim: PlexSim) -> Section:
    """The library with an agent: items 1 to 5."""
    return sim.world.sections[1]


@pytest.fixture
def plex(sim: PlexSim) -> Caller:
    """Speaks to the server as its owner."""
    return Caller(sim)
