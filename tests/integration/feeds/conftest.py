"""Websockets are opened with aiohttp, which knows one event loop."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
