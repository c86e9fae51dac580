"""Serves ASGI applications with uvicorn on loopback ports, inside a program.

Not the imitation itself, and not for the network: it listens on 127.0.0.1 only. asyncio only, as uvicorn is.
Invariants: the address is usable as soon as it is yielded; leaving the context ends every connection within seconds,
also when the program around it is cancelled; no signal handler is touched.
"""

import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Final

import anyio
import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

HOST: Final = "127.0.0.1"
GRACE_S: Final = 1
"""How long open requests may take after the end was asked for; a hanging one is cancelled then."""


@asynccontextmanager
async def serving(app: ASGIApp, *, port: int = 0) -> AsyncIterator[str]:
    """Serve an application; yield its address without a final slash.

    Shape: port 0 picks a free one. Raises: OSError when the port is taken; what the body raises comes out as an
    ExceptionGroup, as from any task group.
    """
    async with serving_on(listen(port), app) as url:
        yield url


@asynccontextmanager
async def serving_on(listener: socket.socket, app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application on a bound socket, which is closed in the end; yield its address without a final slash."""
    with closing(listener):
        server = _Server(_config(app))
        async with anyio.create_task_group() as group:
            group.start_soon(_run, server, listener)
            try:
                await server.listening.wait()
                yield f"http://{HOST}:{listener.getsockname()[1]}"
            finally:
                server.should_exit = True


def listen(port: int) -> socket.socket:
    """Return a socket bound to a port of this machine, 0 to pick one. Raises: OSError when it is taken."""
    # asyncio sends small answers at once only if the protocol is named; without it each one waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )


async def _run(server: "_Server", listener: socket.socket) -> None:
    """Run until `should_exit`, not until cancelled: a cancelled uvicorn leaves its connections open."""
    with anyio.CancelScope(shield=True):
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """A uvicorn server that tells when it listens and leaves signals to the program."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = anyio.Event()

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
