"""Notices files that Plex did not have and has now, and wakes the scenes that wait for them, the dead ones too.

It asks Plex only while something is missing: one short request, and a crawl when the libraries changed. Invariants:
what is woken has its file in the index; each crawl, whoever made it, is looked through to its end.
"""

from collections.abc import Sequence

from stashplex.base.clock import Clock
from stashplex.base.errors import PlexNotFound
from stashplex.domain.entry import Priority
from stashplex.domain.matching import Judgement
from stashplex.domain.scene import Scene, SceneId
from stashplex.engine.crawl import Crawler
from stashplex.engine.matcher import Matcher
from stashplex.engine.target import Target
from stashplex.stash.client import StashClient
from stashplex.store.index import SectionState
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
        ledger: Ledger,
        waking: Waking,
        target: Target,
        matcher: Matcher,
        clock: Clock,
    ) -> None:
        self._stash = stash
        self._crawler = crawler
        self._ledger = ledger
        self._waking = waking
        self._target = target
        self._matcher = matcher
        self._clock = clock
        self._looked_at: tuple[SectionState | None, ...] = ()

    async def run_once(self) -> int:
        """Look for what is missing; return how many scenes were woken. Raises: ServerError, SideEmpty, ConfigError."""
        plex_id = self._target.plex_id
        page = self._waking.list_missing(plex_id, after=SceneId(0), limit=PAGE)
        if not page:
            return 0
        self._crawler.start_round()
        await self._crawler.refresh_once()
        crawled = self._crawler.last_crawls()
        if crawled == self._looked_at:
            return 0
        woken = 0
        while page:
            scenes = await self._stash.scenes(page)
            found = await self._found(list(scenes.values()))
            if found:
                woken += self._ledger.mark(plex_id, found, now=self._clock.now(), priority=Priority.BULK)
            page = self._waking.list_missing(plex_id, after=page[-1], limit=PAGE)
        self._looked_at = crawled
        return woken

    async def _found(self, scenes: Sequence[Scene]) -> list[SceneId]:
        """Return the scenes that have an item now, or fit several: then a person must hear of it."""
        judged = await self._matcher.judge_all(scenes)
        return [
            scene_id
            for scene_id, one in judged.items()
            if isinstance(one, Judgement) and not any(isinstance(problem, PlexNotFound) for problem in one.problems)
        ]
