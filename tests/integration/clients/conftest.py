"""The ways to reach a simulated server: in process under both event loops, and over a real socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest

from asgi import AsgiApp, AsgiTransport, serving
from stashplex.base.transport import HttpTransport, Timeouts, Transport

Reach = Callable[[AsgiApp], AbstractAsyncContextManager[tuple[Transport, str]]]


@pytest.fixture(params=[("asyncio", False), ("trio", False), ("asyncio", True)], ids=["asyncio", "trio", "socket"])
def way(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """The event loop, and whether a socket is between."""
    loop, is_socket = request.param
    return str(loop), bool(is_socket)


@pytest.fixture
def reach(way: tuple[str, bool]) -> Reach:
    """Return how to reach an application: a context with a transport and the address to use."""

    @asynccontextmanager
    async def reached(app: AsgiApp) -> AsyncIterator[tuple[Transport, str]]:
        if not way[1]:
            yield AsgiTransport(app, timeout_s=5), "http://server.invalid"
            return
        with serving(app) as url:
            async with aiohttp.ClientSession() as session:
                yield HttpTransport(session, Timeouts()), url

    return reached
