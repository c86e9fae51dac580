"""The composition root: builds everything that lives longer than one call, once, from the settings.

The only module that creates the clock, the chance and the HTTP session. Commands ask it for parts, never the other way.
The invariant: whatever is opened here is closed here, however a command ends.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import anyio

from stashplex.base.clock import Clock, SystemClock
from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError
from stashplex.base.transport import HttpTransport, LimitedTransport, Timeouts, Transport
from stashplex.domain.mapping import MappingOptions
from stashplex.domain.pathmap import parse_path_map
from stashplex.engine.crawl import Crawler
from stashplex.engine.intake import Intake
from stashplex.engine.planner import Planner
from stashplex.engine.scheduler import Scheduler
from stashplex.engine.target import Target, choose_sections
from stashplex.engine.worker import PassReport, Worker
from stashplex.plex.client import PlexClient
from stashplex.stash.client import StashClient
from stashplex.store.breakers import Breakers
from stashplex.store.database import Database
from stashplex.store.index import PlexIndex
from stashplex.store.intents import Intents
from stashplex.store.journal import Journal
from stashplex.store.ledger import Ledger
from stashplex.store.overview import Overview
from stashplex.store.owner import Owners
from stashplex.store.waking import Waking
from stashplex.version import __version__

DATABASE_NAME = "stashplex.sqlite"


@dataclass(frozen=True, slots=True)
class Store:
    """The open store."""

    database: Database
    ledger: Ledger
    owners: Owners
    intents: Intents
    waking: Waking
    breakers: Breakers
    index: PlexIndex
    journal: Journal
    overview: Overview


@contextmanager
def open_store(data_dir: Path) -> Iterator[Store]:
    """Open the database in the data folder. Raises: StoreError."""
    database = Database.open(data_dir / DATABASE_NAME)
    try:
        yield Store(
            database,
            Ledger(database),
            Owners(database),
            Intents(database),
            Waking(database),
            Breakers(database),
            PlexIndex(database),
            Journal(database),
            Overview(database),
        )
    finally:
        database.close()


@dataclass(frozen=True, slots=True)
class App:
    """Both clients and the store, for the time of one command."""

    settings: Settings
    store: Store
    transport: Transport
    stash: StashClient
    plex: PlexClient
    clock: Clock
    chance: random.Random

    async def connect(self) -> Target:
        """Check both servers and choose the libraries. Raises: ConfigError, ServerError."""
        await self.stash.check()
        identity = await self.plex.identity()
        sections = choose_sections(await self.plex.sections(), self.settings.plex_library)
        plex_id = self.store.ledger.plex_id(identity.machine_identifier, self.settings.plex_url)
        return Target(plex_id, self.settings.plex_url, identity.version, sections)

    def crawler(self, target: Target, *, accepts_smaller: bool = False) -> Crawler:
        """Return the one that keeps the path index fresh."""
        return Crawler(self.plex, self.store.index, target, self.clock, accepts_smaller=accepts_smaller)

    def intake(self, target: Target) -> Intake:
        """Return the one that marks entries."""
        return Intake(self.stash, self.store.ledger, target.plex_id, self.clock)

    def planner(self, target: Target, crawler: Crawler) -> Planner:
        """Return the one that plans batches. Raises: ConfigError for a wrong path map."""
        return Planner(
            stash=self.stash,
            plex=self.plex,
            index=self.store.index,
            crawler=crawler,
            target=target,
            path_map=parse_path_map(self.settings.path_map),
            options=MappingOptions(),
        )

    def scheduler(self, target: Target, crawler: Crawler, on_pass: Callable[[PassReport], None]) -> Scheduler:
        """Return the one that drains what is due."""
        worker = Worker(
            stash=self.stash,
            plex=self.plex,
            planner=self.planner(target, crawler),
            ledger=self.store.ledger,
            intents=self.store.intents,
            clock=self.clock,
            chance=self.chance,
        )
        return Scheduler(
            ledger=self.store.ledger,
            owners=self.store.owners,
            worker=worker,
            crawler=crawler,
            plex_id=target.plex_id,
            batch_size=self.settings.batch_size,
            clock=self.clock,
            chance=self.chance,
            on_pass=on_pass,
        )


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """Open the store and a session for both servers. Raises: ConfigError, StoreError."""
    parse_path_map(settings.path_map)
    if not settings.plex_token.get_secret_value():
        raise ConfigError(
            "There is no Plex token.", hint="Set STASHPLEX_PLEX_TOKEN to the token of the server's owner."
        )
    timeouts = Timeouts(
        connect_s=settings.connect_timeout_s,
        read_s=settings.read_timeout_s,
        write_s=settings.write_timeout_s,
        pool_s=settings.pool_timeout_s,
    )
    with open_store(settings.data_dir) as store:
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=0)
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"stashplex/{__version__}"},
        ) as session:
            transport = HttpTransport(session, timeouts)
            yield App(
                settings=settings,
                store=store,
                transport=transport,
                stash=StashClient(
                    _limited_stash(transport, settings),
                    settings.stash_url,
                    settings.stash_api_key.get_secret_value(),
                ),
                plex=PlexClient(
                    _limited_plex(transport, settings), settings.plex_url, settings.plex_token.get_secret_value()
                ),
                clock=SystemClock(),
                chance=random.Random(),  # noqa: S311 - jitter and lease tokens need no cryptography
            )


def _limited_stash(transport: Transport, settings: Settings) -> Transport:
    limiter = anyio.CapacityLimiter(settings.stash_requests_in_flight)
    return LimitedTransport(transport, reads=limiter, writes=limiter)


def _limited_plex(transport: Transport, settings: Settings) -> Transport:
    return LimitedTransport(
        transport,
        reads=anyio.CapacityLimiter(settings.plex_reads_in_flight),
        writes=anyio.CapacityLimiter(settings.plex_writes_in_flight),
    )
