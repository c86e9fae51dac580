"""Fixtures of the Plex contract: a server to judge, and plexapi connected to it."""

from collections.abc import Iterator
from typing import Any

import pytest
from plexapi.server import PlexServer

from asgi import serving
from contract.plex.target import Target, furnished
from stashplex.sim.plex.app import PlexSim


@pytest.fixture
def target(pytestconfig: pytest.Config) -> Iterator[Target]:
    """The simulator, fresh for each test, or the live server of `--live-plex`."""
    url = pytestconfig.getoption("live_plex", default=None)
    if url:
        token = pytestconfig.getoption("live_plex_token", default=None) or ""
        section = pytestconfig.getoption("live_plex_section", default=None)
        if not section:
            pytest.fail("--live-plex needs --live-plex-section: the title of a throw-away movie library")
        yield Target(str(url), str(token), str(section), None)
        return
    sim = furnished()
    with serving(sim.app) as address:
        yield Target(address, sim.token, "Films", sim)


@pytest.fixture
def sim(target: Target) -> PlexSim:
    """The simulator itself, for tests that need its switches or its internet."""
    if target.sim is None:
        pytest.skip("arranges the simulator from inside: a live server cannot be arranged")
    return target.sim


@pytest.fixture
def server(target: Target) -> Iterator[Any]:
    """Plexapi, connected."""
    server = PlexServer(target.url, target.token)
    yield server
    server._session.close()


@pytest.fixture
def library(server: Any, target: Target) -> Any:
    """The library to play with."""
    return server.library.section(target.section)


@pytest.fixture
def movie(library: Any) -> Any:
    """One whole item of it."""
    return library.search(maxresults=1)[0].reload()
