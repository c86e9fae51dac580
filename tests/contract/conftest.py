"""What the options that point suites at real servers were set to; `tests/conftest.py` registers them.

Without them the suites judge the simulators; with them the very same tests judge a live server, and what
needs a simulator's switches is skipped with its reason.
"""

import pytest


def live_option(config: pytest.Config, name: str) -> str | None:
    """Return the value of one of the options (`live_plex`, `live_stash`, ...), None when not given."""
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
