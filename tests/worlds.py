"""Two simulated servers and the engine between them, in process: what engine tests and simulations arrange.

`a_world` fills both servers with the same films on different mount paths; `World.sync` runs one bounded sync
with the real store, the real clients and the real engine.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from asgi import AsgiTransport
from stashplex.app import App, build_app, open_store
from stashplex.base.clock import Clock, SystemClock
from stashplex.base.config import Settings
from stashplex.base.transport import Transport
from stashplex.cli.progress import steps
from stashplex.cli.scope import Scope
from stashplex.cli.sync import SyncReport, SyncResult, sync_app
from stashplex.domain.scene import SceneId
from stashplex.seams import Seams
from stashplex.sim.content.catalogue import Catalogue, Film
from stashplex.sim.plex.app import PlexSim
from stashplex.sim.plex.section import Section
from stashplex.sim.stash.app import StashSim
from stashplex.sim.world import PATH_MAP, Posters, build_world

STASH_URL = "http://stash.test:9999"
PLEX_URL = "http://plex.test:32400"


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
            | {"stash_api_key": self.stash.settings.api_key, "plex_token": self.plex.token}
            | {"poll_interval_s": 0, "sweep_schedule": "never"}  # most tests are about what events alone bring
            | self.settings
        )
        seams = Seams(
            stash=self.stash_transport or AsgiTransport(self.stash.app),
            plex=self.plex_transport or AsgiTransport(self.plex.app),
            can_connect=self._can_connect,
            clock=self.clock,
            chance=self.chance,
        )
        with open_store(self.data_dir) as store:
            yield build_app(settings, store, seams)

    async def _can_connect(self, url: str) -> bool:
        return url != PLEX_URL or not self.plex.switches.drop_connections

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
    kind = Posters.CHEAP if posters else Posters.NONE
    built = build_world(Catalogue(films), posters=kind, clock=clock)
    return World(built.stash_sim, built.plex_sim, built.section, data_dir, clock or SystemClock())
