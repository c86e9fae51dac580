"""The seam to news that a server sends by itself, over a websocket: `open(call)` gives a line, a line gives texts.

Hints only: nothing is replayed, and nobody may depend on a line. Production uses aiohttp (`HttpFeed`). A feed never
reconnects, and raises only `FeedFailed`. The invariant: secrets travel in headers, and no message holds them.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
from typing_extensions import override
from yarl import URL

HEARTBEAT_S = 30.0
"""A line on which nothing comes is asked for a sign of life: a router may have forgotten it."""

LARGEST_BYTES = 4 * 1024 * 1024


class FeedFailed(Exception):  # noqa: N818 - errors name the condition
    """A line could not be opened, or broke. It says why, without the address."""


@dataclass(frozen=True, slots=True)
class Call:
    """What to open. Shape: `url` is absolute, http or https; `headers` may hold secrets and is never logged."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    protocols: tuple[str, ...] = ()


class Line(Protocol):
    """One open connection."""

    async def send(self, text: str) -> None:
        """Send a text. Raises: FeedFailed."""

    async def receive(self) -> str:
        """Return the next text, whenever it comes. Raises: FeedFailed, when the line ends."""


class Feed(Protocol):
    """Anything that can open a line."""

    def open(self, call: Call) -> AbstractAsyncContextManager[Line]:
        """Open a line for the time of a block. Raises: FeedFailed."""


class HttpFeed(Feed):
    """Opens lines on one aiohttp session."""

    def __init__(self, session: aiohttp.ClientSession, *, connect_s: float, verifies_tls: bool = True) -> None:
        self._session = session
        self._connect_s = connect_s
        self._verifies_tls = verifies_tls

    @override
    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[Line]:
        socket = await self._connected(call)
        try:
            yield _HttpLine(socket)
        finally:
            await socket.close()

    async def _connected(self, call: Call) -> aiohttp.ClientWebSocketResponse:
        try:
            return await self._session.ws_connect(
                URL(call.url, encoded=True),
                headers=call.headers,
                protocols=call.protocols,
                heartbeat=HEARTBEAT_S,
                max_msg_size=LARGEST_BYTES,
                ssl=self._verifies_tls,
                timeout=aiohttp.ClientWSTimeout(ws_close=self._connect_s),
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            status = getattr(error, "status", None)
            failed = FeedFailed(f"{type(error).__name__}{f' ({status})' if status else ''}")
        raise failed  # out here, because errors of aiohttp hold the request's headers, secrets included


class _HttpLine(Line):
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    @override
    async def send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            raise FeedFailed(f"the line broke ({type(error).__name__})") from error

    @override
    async def receive(self) -> str:
        while True:
            message = await self._socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                return str(message.data)
            if message.type in {
                aiohttp.WSMsgType.CLOSE,
                aiohttp.WSMsgType.CLOSING,
                aiohttp.WSMsgType.CLOSED,
                aiohttp.WSMsgType.ERROR,
            }:
                raise FeedFailed("the line was closed")
