"""The seam between us and the network: one method, `await send(request) -> response`.

Production sends over aiohttp (`HttpTransport`), tests and simulations call an ASGI application in process
(`tests/transports.py`). A transport never retries, never follows redirects, and raises only `TransportFailed`.
"""

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO
from typing import Protocol

import aiohttp
import anyio
from typing_extensions import override
from yarl import URL


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Shape: `url` is absolute and already percent-encoded; `headers` may hold secrets and is never logged. `admit` is
    asked when the request has waited for its turn, directly before it leaves; it raises what keeps it from leaving.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    admit: Callable[[], None] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, read to its end. Shape: header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fault(StrEnum):
    """Why no answer came; decides whether the request may have had its effect."""

    CONNECT = "connect"
    CERTIFICATE = "certificate"
    TIMEOUT_BEFORE_SEND = "timeout_before_send"
    TIMEOUT_AFTER_SEND = "timeout_after_send"
    BROKEN = "broken"
    INVALID_URL = "invalid_url"


class TransportFailed(Exception):  # noqa: N818 - errors name the condition
    """No complete answer came. Translated once, in the client that sent the request."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault

    @property
    def may_have_applied(self) -> bool:
        """Tell whether the server may have acted on the request."""
        return self.fault in {Fault.TIMEOUT_AFTER_SEND, Fault.BROKEN}


class Transport(Protocol):
    """Anything that can send a request and return the whole answer."""

    async def send(self, request: Request) -> Response:
        """Send one request. Raises: TransportFailed."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds, for each step of one request.

    Units: seconds. `pool_s` is the wait for a free connection, `read_s` the longest silence while the
    answer is awaited or read, `write_s` bounds the whole exchange of a request with a body (an upload).
    """

    connect_s: float = 5.0
    read_s: float = 30.0
    write_s: float = 60.0
    pool_s: float = 30.0


class HttpTransport(Transport):
    """Sends over one aiohttp session. Source: docs/adr/0002-http-client.md.

    Shape: `verifies_tls` False takes any certificate, as of a server that signed its own.
    """

    def __init__(self, session: aiohttp.ClientSession, timeouts: Timeouts, *, verifies_tls: bool = True) -> None:
        self._session = session
        self._verifies_tls = verifies_tls
        self._plain = _client_timeout(timeouts, total_s=None)
        self._upload = _client_timeout(timeouts, total_s=timeouts.connect_s + timeouts.write_s + timeouts.read_s)

    @override
    async def send(self, request: Request) -> Response:
        try:
            async with self._session.request(
                request.method,
                URL(request.url, encoded=True),
                headers=request.headers,
                data=BytesIO(request.body) if request.body else None,  # in pieces: bytes would hold up the loop
                allow_redirects=False,
                ssl=self._verifies_tls,
                timeout=self._upload if request.body else self._plain,
            ) as answer:
                body = await answer.read()
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status, headers, body)
        except aiohttp.ConnectionTimeoutError as error:
            raise TransportFailed(Fault.TIMEOUT_BEFORE_SEND, "no connection in time") from error
        except TimeoutError as error:
            raise TransportFailed(Fault.TIMEOUT_AFTER_SEND, "no answer in time") from error
        except aiohttp.ClientConnectorCertificateError as error:
            reason = _distrust(error.certificate_error)
            raise TransportFailed(Fault.CERTIFICATE, f"its certificate is not trusted ({reason})") from error
        except aiohttp.ClientConnectorError as error:  # before ValueError: a refused certificate is both
            raise TransportFailed(Fault.CONNECT, _reason(error)) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError) as error:
            raise TransportFailed(Fault.INVALID_URL, "not a usable address") from error
        except aiohttp.ClientResponseError as error:
            unchained = TransportFailed(Fault.BROKEN, f"the connection broke ({type(error).__name__})")
        except aiohttp.ClientError as error:
            raise TransportFailed(Fault.BROKEN, f"the connection broke ({type(error).__name__})") from error
        except OSError as error:
            raise TransportFailed(Fault.BROKEN, f"the connection broke ({type(error).__name__})") from error
        raise unchained  # out here, because that error of aiohttp holds the request's headers, secrets included


def _client_timeout(timeouts: Timeouts, *, total_s: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=total_s,
        connect=timeouts.pool_s + timeouts.connect_s,
        sock_connect=timeouts.connect_s,
        sock_read=timeouts.read_s,
    )


def _distrust(error: Exception) -> str:
    """Return why a certificate is not trusted, in OpenSSL's words."""
    known = getattr(error, "verify_message", "") or getattr(error, "strerror", "")
    return str(known or "no reason given").rstrip(".")


def _reason(error: aiohttp.ClientConnectorError) -> str:
    """Return why a connection could not be made, in words for a person."""
    cause = error.os_error
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {cause.strerror or 'no reason given'}"
    return os.strerror(cause.errno).lower() if cause.errno else "connection failed"


class LimitedTransport(Transport):
    """Bounds how many reads and writes are under way at once, whoever sends them.

    Waiting here is not bounded by a timeout: a slow server makes the queue long, it does not make requests fail.
    `admit` is asked when the wait is over, directly before the request leaves; what it raises comes out of `send`.
    """

    def __init__(
        self,
        inner: Transport,
        *,
        reads: anyio.CapacityLimiter,
        writes: anyio.CapacityLimiter,
        admit: Callable[[], None],
    ) -> None:
        self._inner = inner
        self._admit = admit
        self._reads = reads
        self._writes = writes

    @override
    async def send(self, request: Request) -> Response:
        async with self._reads if request.method == "GET" else self._writes:
            self._admit()
            if request.admit is not None:
                request.admit()
            return await self._inner.send(request)


async def can_connect(url: str) -> bool:
    """Tell whether anything listens at the address of a server, without sending a request."""
    address = URL(url)
    if not address.host or not address.port:
        return False
    with anyio.move_on_after(3.0):
        try:
            stream = await anyio.connect_tcp(address.host, address.port)
        except OSError:
            return False
        await stream.aclose()
        return True
    return False
