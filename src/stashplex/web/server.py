"""Serves the API with uvicorn inside the program's own event loop, and hears pokes: datagrams that say "look now".

asyncio only, as uvicorn is. Signals stay with the program, nothing is logged per request. Invariants: the address is
usable as soon as it is yielded; leaving the context ends every connection within a second; a poke costs nothing and
promises nothing, as the spool is looked at anyway.
"""

import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Final

import anyio
import uvicorn
from anyio.abc import UDPSocket
from starlette.types import ASGIApp
from typing_extensions import override

from stashplex.base.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
GRACE_S: Final = 1


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address, port 0 for a free one. Raises: ConfigError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"The service cannot listen on {host}:{port}: {error.strerror or error}.",
            hint="Choose another address or port with the setting listen.",
        ) from error
    return listener


@asynccontextmanager
async def serving(listener: socket.socket, app: ASGIApp) -> AsyncIterator[int]:
    """Serve an application on a bound socket, which is closed in the end; yield its port."""
    with closing(listener):
        server = _Server(_config(app))
        async with anyio.create_task_group() as group:
            group.start_soon(_run, server, listener)
            try:
                await server.listening.wait()
                yield int(listener.getsockname()[1])
            finally:
                server.should_exit = True


@asynccontextmanager
async def hearing(on_poke: Callable[[], None]) -> AsyncIterator[int]:
    """Call `on_poke` for each datagram to a free port of this machine; yield the port."""
    async with (
        await anyio.create_udp_socket(family=socket.AF_INET, local_host=LOOPBACK, local_port=0) as ear,
        anyio.create_task_group() as group,
    ):
        group.start_soon(_hear, ear, on_poke)
        yield int(ear.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610 - a typed attribute, no SQL
        group.cancel_scope.cancel()


async def _hear(ear: UDPSocket, on_poke: Callable[[], None]) -> None:
    async for _ in ear:
        on_poke()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
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
