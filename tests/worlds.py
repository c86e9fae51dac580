"""Two simulated servers and the engine between them, in process: what engine tests and simulations arrange.

`a_world` fills both servers with the same films on different mount paths; `World.sync` runs one bounded sync
with the real store, the real clients and the real engine.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console

from asgi import AsgiTransport
from stashplex.app import App, open_store
from stashplex.base.clock import Clock, SystemClock
from stashplex.base.config import Settings
from stashplex.base.transport import Transport
from stashplex.cli.progress import steps
from stashplex.cli.scope import Scope
from stashplex.cli.sync import SyncReport, SyncResult, sync_app
from stashplex.domain.scene import SceneId
from stashplex.plex.client import PlexClient
from stashplex.sim.content.catalogue import PLEX_ROOT, STASH_ROOT, Catalogue, Film
from stashplex.sim.content.poster import poster_cheap
from stashplex.sim.plex.app import NO_AGENT, PlexSim
from stashplex.sim.plex.section import Section
from stashplex.sim.stash.app import StashSim
from stashplex.stash.client import StashClient

STASH_URL = "http://stash.test:9999"
PLEX_URL = "http://plex.test:32400"
PATH_MAP = f"{STASH_ROOT}={PLEX_ROOT}"


@dataclass
class World:
    """Both servers, the folder of the store, and the clock that all three share."""

    stash: StashSim
    plex: PlexSim
    section: Section
    data_dir: Path
    clock: Clock
    settings: dict[str, object] = field(default_factory=dict)
    stash_transport: Transport | None = None
    plex_transport: Transport | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    @contextmanager
    def app(self) -> Iterator[App]:
        """Open the store and both clients."""
        settings = Settings.model_validate(
            {"data_dir": self.data_dir, "path_map": PATH_MAP, "stash_url": STASH_URL, "plex_url": PLEX_URL}
            | self.settings
        )
        with open_store(self.data_dir) as store:
            yield App(
                settings=settings,
                store=store,
                stash=StashClient(
                    self.stash_transport or AsgiTransport(self.stash.app), STASH_URL, self.stash.settings.api_key
                ),
                plex=PlexClient(self.plex_transport or AsgiTransport(self.plex.app), PLEX_URL, self.plex.token),
                clock=self.clock,
                chance=self.chance,
            )

    async def sync_result(self, *scene_ids: int, wait_s: float = 0.0) -> SyncResult:
        """Run one bounded sync of some scenes, or of all."""
        with self.app() as app, steps(Console(quiet=True), is_shown=False) as shown:
            return await sync_app(app, Scope(tuple(map(SceneId, scene_ids))), wait_s, shown)

    async def sync(self, *scene_ids: int, wait_s: float = 0.0) -> SyncReport:
        """Run one bounded sync during which no server fails."""
        result = await self.sync_result(*scene_ids, wait_s=wait_s)
        if result.server_error is not None:
            raise result.server_error
        return result.report

    def item_of(self, film: Film) -> str:
        """Return the rating key of a film."""
        found = [
            str(item.key)
            for item in self.section.items.values()
            if any(file.path == film.plex_path for file in item.files)
        ]
        return found[0]


def a_world(data_dir: Path, films: int = 3, *, clock: Clock | None = None, posters: bool = True) -> World:
    """Return both servers, filled with the first films; scene ids are film numbers."""
    clock = clock or SystemClock()
    stash, plex = StashSim(clock=clock), PlexSim(clock=clock)
    section = plex.add_section("Films", agent=NO_AGENT, locations=[PLEX_ROOT])
    for film in Catalogue(films):
        add_film(stash, plex, section, film, posters=posters)
    return World(stash, plex, section, data_dir, clock)


def add_film(stash: StashSim, plex: PlexSim, section: Section, film: Film, *, posters: bool = True) -> None:
    """Put one film on both servers."""
    stash.add_scene(
        id=film.number,
        title=film.title,
        details=film.details,
        code=film.code,
        director=film.director,
        date=film.date,
        rating100=film.rating100,
        organized=film.organized,
        studio=film.studio,
        performers=list(film.performers),
        tags=list(film.tags),
        files=[(film.stash_path, film.size, film.duration_s, film.oshash)],
        cover=partial(poster_cheap, film) if posters else None,
    )
    plex.add_item(section, files=[(film.plex_path, film.size, int(film.duration_s * 1000))], title=film.stem)
