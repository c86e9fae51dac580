"""The composition root: builds everything that lives longer than one call, once, from the settings.

With `seams` the only module that makes the clock, the chance and the HTTP session. Commands ask it for parts, never
the other way.
The invariant: whatever is opened here is closed here, however a command ends.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import anyio
from pydantic import SecretStr

from stashplex.base.clock import Clock
from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError, Server
from stashplex.base.layers import Loaded, Source
from stashplex.domain.ratelimit import Ramp, RampRules
from stashplex.engine.crawl import Crawler
from stashplex.engine.ear import Ears, ears_for
from stashplex.engine.farewell import Farewell, Memories
from stashplex.engine.finder import Finder
from stashplex.engine.gate import Gate
from stashplex.engine.gathering import Gathering, Memory, gather
from stashplex.engine.intake import Intake
from stashplex.engine.listing import Listing
from stashplex.engine.mapping_rules import check_rules, require_libraries, rulebook, wanted_inputs, wanted_sources
from stashplex.engine.matcher import Matcher, Shelf
from stashplex.engine.merging_rules import gone_rules, merge_rules
from stashplex.engine.planner import Planner
from stashplex.engine.preferences import Preferences
from stashplex.engine.recovery import Patient, Recovery
from stashplex.engine.rules import breaker_rules, match_rules, retry_rules
from stashplex.engine.scan import Scanner
from stashplex.engine.scheduler import Scheduler
from stashplex.engine.service import Service
from stashplex.engine.sweep import PERIODS
from stashplex.engine.target import Target, choose_sections
from stashplex.engine.upkeep import Upkeep
from stashplex.engine.wakeup import Wakeup
from stashplex.engine.worker import PassReport, Worker
from stashplex.plex.client import PlexClient
from stashplex.seams import Seams, limited_plex, limited_stash, open_seams, plex_client, stash_client
from stashplex.stash.client import StashClient
from stashplex.store.afresh import Afresh
from stashplex.store.backup import Backups
from stashplex.store.bases import Bases
from stashplex.store.breakers import Breakers
from stashplex.store.cursors import Cursors
from stashplex.store.database import Database
from stashplex.store.dead_letters import DeadLetters
from stashplex.store.filesystem import refuse_network
from stashplex.store.hand_backs import HandBacks
from stashplex.store.index import PlexIndex
from stashplex.store.installation import client_identifier
from stashplex.store.intents import Intents
from stashplex.store.journal import Journal
from stashplex.store.ledger import Ledger
from stashplex.store.overview import Overview
from stashplex.store.owner import Owners
from stashplex.store.pins import Pins
from stashplex.store.retention import Retention
from stashplex.store.stash_files import StashFiles
from stashplex.store.waking import Waking
from stashplex.web.facts import Facts

DATABASE_NAME = "stashplex.sqlite"
SPOOL_NAME = "spool"


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
    bases: Bases
    journal: Journal
    overview: Overview
    dead_letters: DeadLetters
    retention: Retention
    afresh: Afresh
    cursors: Cursors
    stash_files: StashFiles
    pins: Pins
    hand_backs: HandBacks


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
            Bases(database),
            Journal(database),
            Overview(database),
            DeadLetters(database),
            Retention(database),
            Afresh(database),
            Cursors(database),
            StashFiles(database),
            Pins(database),
            HandBacks(database),
        )
    finally:
        database.close()


@dataclass(frozen=True, slots=True)
class App:
    """Both clients behind their gates, the store, and the parts that work is made of."""

    settings: Settings
    store: Store
    seams: Seams
    stash: StashClient
    plex: PlexClient
    stash_gate: Gate
    plex_gate: Gate
    client_identifier: str

    @property
    def clock(self) -> Clock:
        """The clock."""
        return self.seams.clock

    async def connect(self) -> Target:
        """Check both servers and choose the libraries. Raises: ConfigError, ServerError."""
        await self.stash.check()
        identity = await self.plex.identity()
        known = await self.plex.sections()
        require_libraries(self.settings, known)
        sections = choose_sections(known, self.settings.plex_library)
        plex_id = self.store.ledger.plex_id(identity.machine_identifier, self.settings.plex_url)
        return Target(plex_id, self.settings.plex_url, identity.version, sections)

    async def probe_held(self) -> None:
        """Probe the servers that are held, now: a person started this and may have mended them."""
        for recovery in self.recoveries():
            await recovery.probe_now()

    def recoveries(self, wakeup: Wakeup | None = None) -> tuple[Recovery, Recovery]:
        """Return those that bring Stash and Plex back. `wakeup` rings when something is due again."""
        probe_stash = stash_client(self.settings, self.seams.stash, None)
        probe_plex = plex_client(self.settings, self.seams.plex, None, self.client_identifier)

        async def ask_stash() -> None:
            await probe_stash.check()

        async def ask_plex() -> None:
            await probe_plex.identity()
            choose_sections(await probe_plex.sections(), self.settings.plex_library)

        return (
            self._recovery(self.stash_gate, ask_stash, self.settings.stash_url, wakeup),
            self._recovery(self.plex_gate, ask_plex, self.settings.plex_url, wakeup),
        )

    def _recovery(self, gate: Gate, probe: Callable[[], Awaitable[None]], url: str, wakeup: Wakeup | None) -> Recovery:
        def wake() -> int:
            woken = self.store.waking.wake_held(self.clock.now())
            if wakeup is not None:
                wakeup.ring()
            return woken

        return Recovery(
            Patient(gate, probe, partial(self.seams.can_connect, url), wake),
            self.store.breakers,
            rules=breaker_rules(self.settings),
            clock=self.clock,
            chance=self.seams.chance,
        )

    def crawler(self, target: Target, *, accepts_smaller: bool = False) -> Crawler:
        """Return the one that keeps the path index fresh."""
        return Crawler(self.plex, self.store.index, target, self.clock, accepts_smaller=accepts_smaller)

    def intake(self, target: Target) -> Intake:
        """Return the one that marks entries."""
        return Intake(self.stash, self.store.ledger, target.plex_id, self.clock)

    def gathering(self, target: Target, crawler: Crawler, wakeup: Wakeup) -> Gathering:
        """Return the parts that learn of changes."""
        store = self.store
        return gather(
            self.settings.data_dir / SPOOL_NAME,
            stash=self.stash,
            memory=Memory(store.ledger, store.afresh, store.waking, store.cursors),
            target=target,
            crawler=crawler,
            clock=self.clock,
            wakeup=wakeup,
            poll_interval_s=self.settings.poll_interval_s,
            sweep_every=PERIODS[self.settings.sweep_schedule],
            wanted=wanted_inputs(self.settings),
        )

    def ears(self) -> Ears:
        """Return those that hear Stash and Plex, where that is possible and wanted."""
        feeds = (self.seams.stash_feed, self.seams.plex_feed) if self.settings.live_hints else (None, None)
        return ears_for(self.stash, self.plex, feeds, (self.stash_gate, self.plex_gate), self.seams.chance)

    def finder(self, target: Target, crawler: Crawler) -> Finder:
        """Return the one that notices files that appeared."""
        return Finder(
            stash=self.stash,
            crawler=crawler,
            ledger=self.store.ledger,
            waking=self.store.waking,
            target=target,
            matcher=self.matcher(target),
            clock=self.clock,
        )

    def listing(self) -> Listing:
        """Return the one that keeps the list of Stash's files fresh."""
        return Listing(self.stash, self.store.stash_files, self.store.cursors, self.clock)

    def matcher(self, target: Target) -> Matcher:
        """Return the one that matches scenes. Raises: ConfigError for a wrong path map."""
        books = Shelf(self.store.index, self.store.stash_files, self.store.pins, self.listing())
        return Matcher(books, target, match_rules(self.settings))

    def planner(self, target: Target, crawler: Crawler) -> Planner:
        """Return the one that plans batches. Raises: ConfigError for a wrong path map."""
        return Planner(
            stash=self.stash,
            plex=self.plex,
            index=self.store.index,
            bases=self.store.bases,
            crawler=crawler,
            target=target,
            matcher=self.matcher(target),
            rules=rulebook(self.settings, target.sections),
            merging=merge_rules(self.settings),
            farewell=self.farewell(target),
        )

    def farewell(self, target: Target) -> Farewell:
        """Return the one that plans what is not about Stash's values."""
        store = self.store
        known = Memories(store.hand_backs, store.journal, store.stash_files, self.listing(), target.plex_id, self.clock)
        return Farewell(self.stash, self.plex, known, gone_rules(self.settings))

    def scheduler(self, target: Target, crawler: Crawler, on_pass: Callable[[PassReport], None]) -> Scheduler:
        """Return the one that drains what is due."""
        worker = Worker(
            stash=self.stash,
            plex=self.plex,
            planner=self.planner(target, crawler),
            scanner=Scanner(self.plex, target, self.clock) if self.settings.scan_on_not_found else None,
            ledger=self.store.ledger,
            intents=self.store.intents,
            hand_backs=self.store.hand_backs,
            rules=retry_rules(self.settings),
            skips_not_found=self.settings.skip_not_found,
            in_work=anyio.CapacityLimiter(2 * self.settings.plex_writes_in_flight + 2),
            clock=self.clock,
            chance=self.seams.chance,
        )
        return Scheduler(
            ledger=self.store.ledger,
            owners=self.store.owners,
            waking=self.store.waking,
            worker=worker,
            crawler=crawler,
            gates=(self.stash_gate, self.plex_gate),
            recoveries=self.recoveries(),
            ramp=Ramp(RampRules()),
            rules=retry_rules(self.settings),
            plex_id=target.plex_id,
            batch_size=self.settings.batch_size,
            clock=self.clock,
            chance=self.seams.chance,
            on_pass=on_pass,
        )

    def upkeep(self) -> Upkeep:
        """Return the one that removes what nobody needs any more."""
        return Upkeep(
            dead_letters=self.store.dead_letters,
            retention=self.store.retention,
            breakers=self.store.breakers,
            backups=Backups(self.store.database.path),
            dead_retention=timedelta(days=self.settings.dead_retention_days),
            clock=self.clock,
        )

    def facts(self) -> Facts:
        """Return what the API tells."""
        urls = {Server.STASH: self.settings.stash_url, Server.PLEX: self.settings.plex_url}
        return Facts(
            ledger=self.store.ledger,
            overview=self.store.overview,
            breakers=self.store.breakers,
            spool=self.settings.data_dir / SPOOL_NAME,
            plex_url=self.settings.plex_url,
            stash_url=self.settings.stash_url,
            servers={server.value: breaker_key(server, url) for server, url in urls.items()},
        )

    def service(self) -> Service:
        """Return the long-running engine."""
        return Service(self, self.clock, self.seams.chance)


def breaker_key(server: Server, url: str) -> str:
    """Return what a server is called in the store: one with another address is another server."""
    return f"{server} {url}"


def build_app(settings: Settings, store: Store, seams: Seams) -> App:
    """Return an app over an open store. Raises: ConfigError."""
    match_rules(settings)
    merge_rules(settings)
    rules = breaker_rules(settings)
    identifier = client_identifier(store.database, seams.chance)
    gates = {
        server: Gate(
            server, breaker_key(server, url), store.breakers, rules=rules, clock=seams.clock, chance=seams.chance
        )
        for server, url in ((Server.STASH, settings.stash_url), (Server.PLEX, settings.plex_url))
    }
    stash_gate, wanted = gates[Server.STASH], wanted_sources(settings)
    return App(
        settings=settings,
        store=store,
        seams=seams,
        stash=stash_client(settings, limited_stash(seams.stash, settings, stash_gate.check), stash_gate, wanted),
        plex=plex_client(
            settings, limited_plex(seams.plex, settings, gates[Server.PLEX].check), gates[Server.PLEX], identifier
        ),
        client_identifier=identifier,
        stash_gate=stash_gate,
        plex_gate=gates[Server.PLEX],
    )


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """Open the store and a session for both servers. Raises: ConfigError, StoreError."""
    match_rules(settings)
    check_rules(settings)
    if not settings.plex_token.get_secret_value():
        raise ConfigError(
            "There is no Plex token.",
            hint="Set plex_token in Stash (Settings, Plugins), or STASHPLEX_PLEX_TOKEN, to that of the server's owner.",
        )
    if not settings.allow_network_store:
        refuse_network(settings.data_dir)
    with open_store(settings.data_dir) as store:
        async with open_seams(settings) as seams:
            yield build_app(settings, store, seams)


@asynccontextmanager
async def open_preferences(loaded: Loaded) -> AsyncIterator[Preferences]:
    """Open a session for asking Stash what was typed there. A key of a person's own stays where it is."""
    settings = loaded.settings
    keeps_key = loaded.origins["stash_api_key"].source in {Source.STASH, Source.DEFAULT}
    async with open_seams(settings) as seams:
        plain = settings.model_copy(update={"stash_api_key": SecretStr("")})
        clients = [stash_client(one, seams.stash, None) for one in (settings, plain)]
        yield Preferences(settings.data_dir, settings.stash_url, clients, keeps_key=keeps_key)


@asynccontextmanager
async def open_clients(settings: Settings) -> AsyncIterator[tuple[StashClient, PlexClient]]:
    """Open a session for both servers without a store: for a trial of the settings."""
    async with open_seams(settings) as seams:
        yield stash_client(settings, seams.stash, None), plex_client(settings, seams.plex, None, "stashplex-check")
