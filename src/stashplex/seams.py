"""Where the program meets the world: the network, time and chance; made once, from the settings.

With `app` the only module that creates the clock, the chance and the HTTP session. A simulation brings its own seams.
The invariant: the session that is opened here is closed here.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import aiohttp
import anyio

from stashplex.base.clock import Clock, SystemClock
from stashplex.base.config import Settings
from stashplex.base.feed import Feed, HttpFeed
from stashplex.base.transport import HttpTransport, LimitedTransport, Timeouts, Transport, can_connect
from stashplex.base.typed import read_cookie
from stashplex.base.wire import Watch
from stashplex.plex.client import PlexClient
from stashplex.stash.client import StashClient
from stashplex.stash.session import Session
from stashplex.version import __version__


@dataclass(frozen=True, slots=True)
class Seams:
    """What differs between production and a simulation: the network, time, chance.

    `can_connect` tells whether anything listens at an address, without a request. Without feeds nothing is heard.
    """

    stash: Transport
    plex: Transport
    can_connect: Callable[[str], Awaitable[bool]]
    clock: Clock
    chance: random.Random
    stash_feed: Feed | None = None
    plex_feed: Feed | None = None


@asynccontextmanager
async def open_seams(settings: Settings) -> AsyncIterator[Seams]:
    """Open a session for both servers."""
    timeouts = Timeouts(
        connect_s=settings.connect_timeout_s,
        read_s=settings.read_timeout_s,
        write_s=settings.write_timeout_s,
    )
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"stashplex/{__version__}"},
    ) as session:
        yield Seams(
            stash=HttpTransport(session, timeouts, verifies_tls=settings.stash_verify_tls),
            plex=HttpTransport(session, timeouts, verifies_tls=settings.plex_verify_tls),
            can_connect=can_connect,
            clock=SystemClock(),
            chance=random.Random(),  # noqa: S311 - jitter and lease tokens need no cryptography
            stash_feed=HttpFeed(session, connect_s=settings.connect_timeout_s, verifies_tls=settings.stash_verify_tls),
            plex_feed=HttpFeed(session, connect_s=settings.connect_timeout_s, verifies_tls=settings.plex_verify_tls),
        )


def limited_stash(transport: Transport, settings: Settings, admit: Callable[[], None]) -> Transport:
    """Return the way to Stash on which only so many requests are under way; `admit` raises when it is closed."""
    limiter = anyio.CapacityLimiter(settings.stash_requests_in_flight)
    return LimitedTransport(transport, reads=limiter, writes=limiter, admit=admit)


def limited_plex(transport: Transport, settings: Settings, admit: Callable[[], None]) -> Transport:
    """Return the way to Plex, likewise, with reads and writes counted apart."""
    reads, writes = (
        anyio.CapacityLimiter(most) for most in (settings.plex_reads_in_flight, settings.plex_writes_in_flight)
    )
    return LimitedTransport(transport, reads=reads, writes=writes, admit=admit)


def stash_client(
    settings: Settings, transport: Transport, watch: Watch | None, wanted: frozenset[str] = frozenset()
) -> StashClient:
    """Return one that speaks with Stash. `wanted` is what rules ask of scenes beyond the usual."""
    session = Session(partial(read_cookie, settings.data_dir, settings.stash_url))
    key = settings.stash_api_key.get_secret_value()
    return StashClient(transport, settings.stash_url, key, session=session, watch=watch, wanted=wanted)


def plex_client(settings: Settings, transport: Transport, watch: Watch | None, identifier: str) -> PlexClient:
    """Return one that speaks with Plex."""
    token = settings.plex_token.get_secret_value()
    return PlexClient(transport, settings.plex_url, token, client_identifier=identifier, watch=watch)
