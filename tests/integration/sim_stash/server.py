"""A whole simulated Stash behind a real socket: with its lifespan, so that jobs run.

`asgi.serving` leaves the lifespan out; this is the same with it.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from typing_extensions import override

from stashplex.sim.stash.app import StashSim


@contextmanager
def serving_whole(sim: StashSim) -> Iterator[str]:
    """Serve a simulator on a free loopback port; yield its address without a final slash."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    sim.settings.host, sim.settings.port = "127.0.0.1", port
    started = threading.Event()
    config = uvicorn.Config(sim.app, log_level="critical", lifespan="on", ws="websockets-sansio")
    server = _Server(config, started)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if not started.wait(timeout=10):
            raise RuntimeError("the server did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


class _Server(uvicorn.Server):
    """A uvicorn server that tells when it listens."""

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._started = started

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started.set()
