"""Notices files that Plex did not have and has now, and wakes the scenes that wait for them, the dead ones too.

It asks Plex only while something is missing: one short request, and a crawl when the libraries changed. The
invariant: what is woken has its file in the index.
"""

from collections.abc import Sequence

from stashplex.base.clock import Clock
from stashplex.domain.entry import PlexId, Priority
from stashplex.domain.matching import wanted_names, wanted_paths
from stashplex.domain.pathmap import PathMap
from stashplex.domain.scene import Scene, SceneId
from stashplex.engine.crawl import Crawler
from stashplex.engine.target import Target
from stashplex.stash.client import StashClient
from stashplex.store.index import PlexIndex
from stashplex.store.ledger import Ledger
from stashplex.store.waking import Waking

PAGE = 100


class Finder:
    """Wakes the scenes of one Plex server whose files appeared."""

    def __init__(
        self,
        *,
        stash: StashClient,
        crawler: Crawler,
        index: PlexIndex,
        ledger: Ledger,
        waking: Waking,
        target: Target,
        path_map: PathMap,
        clock: Clock,
    ) -> None:
        self._stash = stash
        self._crawler = crawler
        self._index = index
        self._ledger = ledger
        self._waking = waking
        self._target = target
        self._path_map = path_map
        self._clock = clock

    async def run_once(self) -> int:
        """Look for what is missing; return how many scenes were woken. Raises: ServerError, SideEmpty, ConfigError."""
        plex_id = self._target.plex_id
        page = self._waking.list_missing(plex_id, after=SceneId(0), limit=PAGE)
        if not page:
            return 0
        self._crawler.start_round()
        if not await self._crawler.refresh_once():
            return 0
        woken = 0
        while page:
            scenes = await self._stash.scenes(page)
            found = self._found(plex_id, list(scenes.values()))
            if found:
                woken += self._ledger.mark(plex_id, found, now=self._clock.now(), priority=Priority.BULK)
            page = self._waking.list_missing(plex_id, after=page[-1], limit=PAGE)
        return woken

    def _found(self, plex_id: PlexId, scenes: Sequence[Scene]) -> list[SceneId]:
        sections = [section.key for section in self._target.sections]
        paths = {scene.id: wanted_paths(scene, self._path_map) for scene in scenes}
        names = {scene.id: wanted_names(scene) for scene in scenes}
        by_path = self._index.find_by_path(plex_id, sections, set().union(*paths.values()))
        by_name = self._index.find_by_name(plex_id, sections, set().union(*names.values()))
        return [
            scene.id
            for scene in scenes
            if paths[scene.id] & by_path.keys()
            or any(
                file.size and part.size == file.size
                for key in names[scene.id]
                for part in by_name.get(key, ())
                for file in scene.files
            )
        ]
