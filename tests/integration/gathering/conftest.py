"""The simulated Stash starts real hooks; one event loop is enough for that."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
