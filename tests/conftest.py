"""What every test may ask for."""

import io

import pytest

from stashplex.base import log


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
