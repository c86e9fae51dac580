"""A simulated Stash in process, a caller with its key, and a workshop for plugins."""

import sys
from pathlib import Path

import pytest

from integration.sim_stash.caller import Caller, HandClock, Workshop
from stashplex.sim.stash.app import StashSim


@pytest.fixture
def clock() -> HandClock:
    """Noon in Berlin on 2026-07-01."""
    return HandClock()


@pytest.fixture
def sim(clock: HandClock) -> StashSim:
    """An empty server without plugins."""
    return StashSim(clock=clock)


@pytest.fixture
def caller(sim: StashSim) -> Caller:
    """Sends the API key."""
    return Caller(sim)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Where plugins are written before the server with plugins starts."""
    return Workshop(tmp_path)


@pytest.fixture
def plugged(clock: HandClock, workshop: Workshop, tmp_path: Path) -> StashSim:
    """A server that reads its plugins from the workshop; call `reload_plugins` after writing them."""
    sim = StashSim(
        clock=clock,
        plugins_path=workshop.root.parent,
        environment=workshop.environment(),
        working_directory=tmp_path,
    )
    sim.settings.python_path = sys.executable
    return sim


@pytest.fixture
def client(plugged: StashSim) -> Caller:
    """Sends the API key to the server with plugins."""
    return Caller(plugged)
