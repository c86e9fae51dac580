"""What every test may ask for."""

import io

import pytest

from stashplex.base import log


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the addresses and secrets of live servers, for Plex and for Stash."""
    group = parser.getgroup("live", "live servers for the contract suites")
    group.addoption("--live-plex", default=None, metavar="URL", help="judge this Plex server, not the simulator")
    group.addoption("--live-plex-token", default=None, metavar="TOKEN", help="the owner's token of that server")
    group.addoption("--live-plex-section", default=None, metavar="TITLE", help="a throw-away movie library there")
    group.addoption("--live-stash", default=None, metavar="URL", help="judge this Stash server, not the simulator")
    group.addoption("--live-stash-api-key", default=None, metavar="KEY", help="the API key of that server")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Every async test runs under both event loops."""
    return str(request.param)


@pytest.fixture(autouse=True)
def logged() -> io.StringIO:
    """Log into memory, for tests that look at it; a terminal's worth of debug lines helps nobody."""
    stream = io.StringIO()
    log.configure(is_verbose=True, stream=stream)
    return stream
