"""Does what a person asked for and what concerns many scenes: all, the recent, the missing, once more, the index.

`errands` calls it with what waits in the spool. Each wish is safe to be done twice: whoever is killed in the middle
does it again. The invariant: nothing here writes to Plex; it makes the engine look.
"""

from collections.abc import Sequence
from contextlib import aclosing

import anyio
import structlog
from anyio.lowlevel import checkpoint

from stashplex.base.clock import Clock
from stashplex.domain.entry import EntryId, PlexId, Priority
from stashplex.domain.event import Asked, Wish
from stashplex.domain.scene import SceneId
from stashplex.engine.crawl import Crawler
from stashplex.engine.intake import Intake, ignore
from stashplex.stash.client import StashClient
from stashplex.store.afresh import Afresh
from stashplex.store.ledger import Ledger
from stashplex.store.waking import Waking

logger = structlog.get_logger()

PAGE = 500
LEASE_LOOKS = 180
"""Looks, one a second, for the end of passes that were under way: longer than any lease."""


class Wishes:
    """Grants wishes for one Plex server."""

    def __init__(
        self,
        *,
        stash: StashClient,
        intake: Intake,
        ledger: Ledger,
        afresh: Afresh,
        waking: Waking,
        crawler: Crawler,
        plex_id: PlexId,
        clock: Clock,
    ) -> None:
        self._stash = stash
        self._intake = intake
        self._ledger = ledger
        self._afresh = afresh
        self._waking = waking
        self._crawler = crawler
        self._plex_id = plex_id
        self._clock = clock

    async def grant(self, asked: Asked) -> int:
        """Do what was asked; return how many scenes were marked. Raises: ServerError, SideEmpty, ConfigError."""
        match asked.wish:
            case Wish.SYNC_ALL | Wish.SYNC_SCENE:
                return await self._intake.mark_all(ignore)
            case Wish.SYNC_RECENT:
                return len(await self._intake.mark_since(asked.period, ignore))
            case Wish.SYNC_MISSING:
                return await self._sync_missing()
            case Wish.REPUSH_ALL:
                return await self._repush_all()
            case Wish.REBUILD_INDEX:
                return await self._rebuild_index()

    async def _sync_missing(self) -> int:
        """Mark the scenes that were never written, whose file Plex lacks, or that need a person."""
        marked = 0
        async with aclosing(self._stash.iter_scene_ids()) as pages:
            async for page in pages:
                ids = [row.id for row in page]
                in_step = self._afresh.in_step(self._plex_id, ids)
                missing = [scene_id for scene_id in ids if scene_id not in in_step]
                now = self._clock.now()
                marked += self._ledger.mark(
                    self._plex_id, missing, now=now, priority=Priority.BULK, spares_dismissed=True
                )
        return marked

    async def _repush_all(self) -> int:
        """Let the next pass over each scene write over what people changed; then mark them all.

        A pass that is under way would forget what it was told: its scene is told again when it has ended.
        """
        after: EntryId | None = EntryId(0)
        leased: list[SceneId] = []
        while after is not None:
            page = self._afresh.force_page(self._plex_id, after, PAGE)
            after = page.after
            leased += page.leased
            await checkpoint()
        marked = await self._intake.mark_all(ignore)
        for _ in range(LEASE_LOOKS):
            if not leased:
                break
            await anyio.sleep(1.0)
            leased = self._force(leased)
        return marked

    def _force(self, scene_ids: Sequence[SceneId]) -> list[SceneId]:
        """Force and mark those that nobody works on any more; return the others."""
        leased: list[SceneId] = []
        for start in range(0, len(scene_ids), PAGE):
            chunk = scene_ids[start : start + PAGE]
            busy = self._afresh.force(self._plex_id, chunk)
            self._intake.mark_changed([scene_id for scene_id in chunk if scene_id not in busy])
            leased += busy
        return leased

    async def _rebuild_index(self) -> int:
        """Crawl every library again, and try the scenes once more whose file was not there."""
        self._afresh.forget_crawls(self._plex_id)
        self._crawler.start_round()
        await self._crawler.refresh(_unseen)
        marked = 0
        after = SceneId(0)
        while page := self._waking.list_missing(self._plex_id, after=after, limit=PAGE):
            marked += self._ledger.mark(self._plex_id, page, now=self._clock.now(), priority=Priority.BULK)
            after = page[-1]
            await checkpoint()
        return marked


def _unseen(_seen: int, _total: int) -> None:
    """Progress that nobody watches."""
