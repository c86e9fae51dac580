"""Two ways to call an ASGI application from a test: in process, and over a real loopback socket.

`AsgiTransport` is a `Transport` without any client library: one call of the application per request, under
asyncio and under trio, with a virtual clock or a real one. `serving` runs uvicorn in a thread on a free port.
Neither retries, and neither changes what the application answers.
"""

import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import anyio
import uvicorn
from anyio.lowlevel import checkpoint
from typing_extensions import override
from yarl import URL

from stashplex.base.transport import Fault, Request, Response, Transport, TransportFailed

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


class AsgiTransport(Transport):
    """Sends a request by calling an ASGI application.

    Units: `timeout_s` is the longest wait for an answer, None for ever. A `ConnectionRefusedError` of the
    application is a refused connection, a `ConnectionError` a broken one; anything else is the application's bug
    and passes through.
    """

    def __init__(self, app: AsgiApp, *, timeout_s: float | None = None, client: str = "127.0.0.1") -> None:
        self._app = app
        self._timeout_s = timeout_s
        self._client = client

    @override
    async def send(self, request: Request) -> Response:
        exchange = _Exchange(request.body)
        try:
            with anyio.fail_after(self._timeout_s):
                await checkpoint()
                await self._app(_scope(request, self._client), exchange.receive, exchange.send)
        except TimeoutError as error:
            raise TransportFailed(Fault.TIMEOUT_AFTER_SEND, "no answer in time") from error
        except ConnectionRefusedError as error:
            raise TransportFailed(Fault.CONNECT, "connection refused") from error
        except ConnectionError as error:
            raise TransportFailed(Fault.BROKEN, f"the connection broke ({type(error).__name__})") from error
        if not exchange.is_complete:
            raise TransportFailed(Fault.BROKEN, "the application ended without a complete answer")
        return Response(exchange.status, exchange.headers, b"".join(exchange.chunks))


class _Exchange:
    """What one call of an application receives and sends."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body
        self.status = 0
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []
        self.is_complete = False
        self._completed = anyio.Event()

    async def receive(self) -> MutableMapping[str, Any]:
        if self._body is None:
            await self._completed.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
            }
        elif message["type"] == "http.response.body":
            self.chunks.append(message.get("body", b""))
            self.is_complete = not message.get("more_body", False)
            if self.is_complete:
                self._completed.set()


def _scope(request: Request, client: str) -> dict[str, Any]:
    """Return the HTTP scope of a request; path and query go over exactly as they were written."""
    url = URL(request.url, encoded=True)
    target = request.url.split("#", 1)[0].split("://", 1)[-1]
    path_and_query = "/" + target.partition("/")[2] if "/" in target else "/"
    path, _, query = path_and_query.partition("?")
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    headers.append((b"host", (url.host or "localhost").encode("latin-1")))
    if request.body:
        headers.append((b"content-length", str(len(request.body)).encode("latin-1")))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme or "http",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": headers,
        "client": (client, 50000),
        "server": (url.host or "localhost", url.port or 80),
    }


@contextmanager
def serving(app: AsgiApp) -> Iterator[str]:
    """Serve an application on a free loopback port; yield its address without a final slash."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    started = threading.Event()
    server = _Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="websockets-sansio"), started)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if not started.wait(timeout=10):
            raise RuntimeError("the server did not start")
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(timeout=10)
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
