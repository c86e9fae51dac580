"""The options that point the contract suites at real servers.

Without them the suites judge the simulators; with them the very same tests judge a live server, and what
needs a simulator's switches is skipped with its reason. Read them with `live_option`: when the whole of
`tests/` is collected, this file is met after the command line was read, so the options may be unknown.
"""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the addresses and secrets of live servers, for Plex and for Stash."""
    group = parser.getgroup("live", "live servers for the contract suites")
    group.addoption("--live-plex", default=None, metavar="URL", help="judge this Plex server, not the simulator")
    group.addoption("--live-plex-token", default=None, metavar="TOKEN", help="the owner's token of that server")
    group.addoption("--live-plex-section", default=None, metavar="TITLE", help="a throw-away movie library there")
    group.addoption("--live-stash", default=None, metavar="URL", help="judge this Stash server, not the simulator")
    group.addoption("--live-stash-api-key", default=None, metavar="KEY", help="the API key of that server")


def live_option(config: pytest.Config, name: str) -> str | None:
    """Return the value of one of the options above (`live_plex`, `live_stash`, ...), None when not given."""
    value = config.getoption(name, default=None)
    return None if value is None else str(value)


@pytest.fixture(scope="session")
def live_stash(pytestconfig: pytest.Config) -> str | None:
    """The address of a live Stash server, or None."""
    return live_option(pytestconfig, "live_stash")


@pytest.fixture(scope="session")
def live_stash_api_key(pytestconfig: pytest.Config) -> str | None:
    """The API key of the live Stash server, or None."""
    return live_option(pytestconfig, "live_stash_api_key")
