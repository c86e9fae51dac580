"""The real transport over real sockets: every timeout is used, every failure has its kind, no secret gets out.

asyncio only: aiohttp knows no other loop. The servers here are scripts on bare sockets, since a proper server
cannot be made to behave badly enough.
"""

import gzip
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

import aiohttp
import aiohttp.abc
import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from typing_extensions import override

from stashplex.base.transport import Fault, HttpTransport, Request, Response, Timeouts, TransportFailed

pytestmark = pytest.mark.anyio

SECRET = "t0ps3cr3t"
HEADERS = {"X-Plex-Token": SECRET, "ApiKey": SECRET}
SHORT = Timeouts(connect_s=0.3, read_s=0.3, write_s=0.3, pool_s=0.3)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Some-Name: v\r\n\r\nok"
Script = Callable[[SocketStream], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def a_server(script: Script) -> AsyncIterator[str]:
    """Run a script for each connection; yield the address."""

    async def handled(stream: SocketStream) -> None:
        async with stream:
            try:
                await script(stream)
            except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
                return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handled)
        port = listener.listeners[0].extra(SocketAttribute.local_port)  # noqa: S610 - not Django's
        yield f"http://127.0.0.1:{port}"
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def a_transport(timeouts: Timeouts = SHORT, limit: int = 10) -> AsyncIterator[HttpTransport]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit)) as session:
        yield HttpTransport(session, timeouts)


async def sent(url: str, *, method: str = "GET", body: bytes = b"", timeouts: Timeouts = SHORT) -> Response:
    async with a_transport(timeouts) as transport:
        return await transport.send(Request(method, url, HEADERS, body))


async def failure(
    url: str, *, method: str = "GET", body: bytes = b"", within_s: float = 3.0, timeouts: Timeouts = SHORT
) -> TransportFailed:
    """Return why a request fails; assert that it takes no longer than that and tells no secret."""
    with anyio.fail_after(within_s), pytest.raises(TransportFailed) as caught:
        await sent(url, method=method, body=body, timeouts=timeouts)
    assert_clean(caught.value)
    return caught.value


def assert_clean(error: BaseException) -> None:
    chain: BaseException | None = error
    while chain is not None:
        assert SECRET not in f"{chain} {chain!r} {chain.args!r}"
        chain = chain.__cause__ or chain.__context__


def answering(answer: bytes, *, pause_s: float = 0.0, pieces: int = 1) -> Script:
    """Return a script that reads a request's head and answers, in pieces with pauses between."""

    async def script(stream: SocketStream) -> None:
        while True:
            await stream.receive()
            size = -(-len(answer) // pieces)
            for first in range(0, len(answer), size):
                await stream.send(answer[first : first + size])
                await anyio.sleep(pause_s)

    return script


async def silent(_: SocketStream) -> None:
    await anyio.sleep_forever()


async def rude(stream: SocketStream) -> None:
    await stream.receive()


async def test_an_answer_is_read_to_its_end() -> None:
    async with a_server(answering(OK)) as url:
        assert await sent(url) == Response(200, {"content-length": "2", "x-some-name": "v"}, b"ok")


async def test_a_compressed_answer_is_unpacked() -> None:
    packed = gzip.compress(b"text")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with a_server(answering(head + packed)) as url:
        assert (await sent(url)).body == b"text"


async def test_a_redirect_is_not_followed() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"
    async with a_server(answering(answer)) as url:
        response = await sent(url)
    assert (response.status, response.headers["location"]) == (302, "/login")


async def test_the_address_goes_out_as_it_was_written() -> None:
    heads: list[bytes] = []

    async def script(stream: SocketStream) -> None:
        heads.append(await stream.receive())
        await stream.send(OK)

    async with a_server(script) as url:
        await sent(f"{url}/a/all?x=%2C%20%5B0%5D&y=a%2Bb&z.tag-=%25", method="PUT")
    assert heads[0].startswith(b"PUT /a/all?x=%2C%20%5B0%5D&y=a%2Bb&z.tag-=%25 HTTP/1.1\r\n")


@pytest.mark.parametrize("size", [1, 5_000_000])
async def test_a_body_goes_out_whole(size: int) -> None:
    received: list[int] = []

    async def script(stream: SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, rest = data.partition(b"\r\n\r\n")
        assert f"content-length: {size}".encode() in head.lower()
        count = len(rest)
        while count < size:
            count += len(await stream.receive())
        received.append(count)
        await stream.send(OK)

    async with a_server(script) as url:
        await sent(url, method="POST", body=b"x" * size, timeouts=Timeouts())
    assert received == [size]


async def test_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = await failure(f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert (error.fault, error.may_have_applied) == (Fault.CONNECT, False)
    assert str(error) == "connection refused"


async def test_a_name_that_nobody_knows() -> None:
    class Unknown(aiohttp.abc.AbstractResolver):
        @override
        async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[aiohttp.abc.ResolveResult]:
            raise OSError(None, "Name or service not known")

        @override
        async def close(self) -> None:
            return

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Unknown())) as session:
        with pytest.raises(TransportFailed, match="its name is not known") as caught:
            await HttpTransport(session, SHORT).send(Request("GET", "http://nas.invalid/", HEADERS))
    assert caught.value.fault is Fault.CONNECT
    assert_clean(caught.value)


async def test_the_connect_timeout_is_used() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        timeouts = Timeouts(connect_s=0.3, read_s=30, write_s=30, pool_s=30)
        error = await failure(f"http://127.0.0.1:{address[1]}", within_s=1.5, timeouts=timeouts)
        for one in waiting:
            one.close()
    assert (error.fault, error.may_have_applied) == (Fault.TIMEOUT_BEFORE_SEND, False)


async def test_the_read_timeout_is_used_when_no_answer_begins() -> None:
    async with a_server(silent) as url:
        error = await failure(url, within_s=1.5)
    assert (error.fault, error.may_have_applied) == (Fault.TIMEOUT_AFTER_SEND, True)


async def test_the_read_timeout_is_used_when_an_answer_stops() -> None:
    async def script(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(OK[:-1])
        await anyio.sleep_forever()

    async with a_server(script) as url:
        error = await failure(url, within_s=1.5)
    assert error.fault is Fault.TIMEOUT_AFTER_SEND


async def test_a_slow_answer_that_never_stops_is_read() -> None:
    async with a_server(answering(OK, pause_s=0.1, pieces=8)) as url:
        assert (await sent(url)).body == b"ok"  # 0.8 s in all, 0.3 s of silence allowed


async def test_the_write_timeout_is_used_when_a_body_is_not_taken() -> None:
    with socket.socket() as deaf:  # connections wait in the kernel, and nobody ever reads
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        error = await failure(f"http://127.0.0.1:{deaf.getsockname()[1]}", method="POST", body=b"x" * 50_000_000)
    assert (error.fault, error.may_have_applied) == (Fault.TIMEOUT_AFTER_SEND, True)


async def test_an_upload_that_pauses_is_not_cut_by_the_read_timeout() -> None:
    size = 30_000_000  # more than all buffers between
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def read_late() -> None:
            connection, _ = listener.accept()
            with connection:
                pause.wait(0.8)
                count = 0
                while count < size:
                    count += len(connection.recv(1_000_000))
                connection.sendall(OK)

        pause = threading.Event()
        thread = threading.Thread(target=read_late, daemon=True)
        thread.start()
        timeouts = Timeouts(connect_s=1, read_s=0.5, write_s=30, pool_s=1)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert (await sent(url, method="POST", body=b"x" * size, timeouts=timeouts)).status == 200
        thread.join()


async def test_the_pool_timeout_is_used() -> None:
    timeouts = Timeouts(connect_s=0.2, read_s=30, write_s=30, pool_s=0.2)
    async with (
        a_server(silent) as url,
        a_transport(timeouts, limit=1) as transport,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(transport.send, Request("GET", url))
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(1.5), pytest.raises(TransportFailed) as caught:
            await transport.send(Request("GET", url, HEADERS))
        tasks.cancel_scope.cancel()
    assert (caught.value.fault, caught.value.may_have_applied) == (Fault.TIMEOUT_BEFORE_SEND, False)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(rude, id="closed without an answer"),
        pytest.param(answering(b"nonsense\r\n\r\n"), id="no HTTP"),
        pytest.param(answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), id="huge header"),
    ],
)
async def test_a_broken_answer(script: Script) -> None:
    async with a_server(script) as url:
        error = await failure(url)
    assert (error.fault, error.may_have_applied) == (Fault.BROKEN, True)


async def test_an_answer_that_ends_too_early() -> None:
    async def script(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")

    async with a_server(script) as url:
        assert (await failure(url)).fault is Fault.BROKEN


async def test_a_kept_connection_that_the_server_closed_costs_nothing() -> None:
    async def script(stream: SocketStream) -> None:
        await stream.receive()
        await stream.send(OK)

    async with a_server(script) as url, a_transport() as transport:
        for _ in range(3):
            assert (await transport.send(Request("POST", url, HEADERS, b"x"))).status == 200
            await anyio.sleep(0.05)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "http://", "http://[::1", "ftp://host/x", "http://host:99999/", "http://host:port/"]
)
async def test_an_unusable_address(url: str) -> None:
    assert (await failure(url)).fault is Fault.INVALID_URL


async def test_a_secret_with_a_line_break_is_not_sent_and_not_told() -> None:
    with pytest.raises(TransportFailed) as caught:
        async with a_transport() as transport:
            await transport.send(Request("GET", "http://127.0.0.1:1/", {"ApiKey": f"{SECRET}\r\nX: y"}))
    assert_clean(caught.value)


async def test_plain_http_where_tls_was_asked_for_is_no_connection() -> None:
    async with a_server(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as url:
        error = await failure(url.replace("http:", "https:"))
    assert error.fault is Fault.CONNECT


async def test_a_refused_certificate_is_no_connection_and_no_wrong_address() -> None:
    class SelfSigned(aiohttp.TCPConnector):
        @override
        async def _create_connection(self, req: aiohttp.ClientRequest, traces: object, timeout: object) -> NoReturn:
            reason = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
            raise aiohttp.ClientConnectorCertificateError(req.connection_key, reason)

    async with aiohttp.ClientSession(connector=SelfSigned()) as session:
        with pytest.raises(TransportFailed, match="self-signed") as caught:
            await HttpTransport(session, SHORT).send(Request("GET", "https://plex:32400/", HEADERS))
    assert caught.value.fault is Fault.CERTIFICATE
    assert_clean(caught.value)


def test_a_request_shows_neither_headers_nor_body() -> None:
    assert repr(Request("GET", "http://x", HEADERS, b"secret body")) == "Request(method='GET', url='http://x')"
