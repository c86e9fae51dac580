"""Keeps the list of Stash's files fresh enough to tell whether an item fits one scene only.

Asked by the matcher when a match rests on less than a place, and by the commands that compare both sides. It never
touches Plex. The invariant: a listing that breaks off removes nothing; what a scene that was just read has goes in at
once, so only files of scenes that nobody read for a day can be out of date.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

import anyio

from stashplex.base.clock import Clock
from stashplex.domain.matching import HasFiles
from stashplex.domain.scene import SceneId
from stashplex.stash.client import StashClient
from stashplex.store.cursors import Cursors
from stashplex.store.stash_files import StashFiles

CURSOR = "stash_files_listed_at"
WHOLE_AFTER = timedelta(hours=24)
"""A whole listing is this long good enough; scenes that were changed or added meanwhile are asked for alone."""

CHANGED_AFTER = timedelta(minutes=5)
OVERLAP = timedelta(hours=1)
"""Changes are asked for from this long before the last listing: Stash's clock is not ours."""

_WHOLE = "whole"
_CHANGED = "changed"


class Listing:
    """Lists the files of one Stash."""

    def __init__(self, stash: StashClient, files: StashFiles, cursors: Cursors, clock: Clock) -> None:
        self._stash = stash
        self._files = files
        self._cursors = cursors
        self._clock = clock
        self._lock = anyio.Lock()

    @property
    def is_known(self) -> bool:
        """A whole listing has ended once."""
        return self._listed_at(_WHOLE) is not None

    async def refresh(self, progress: Callable[[int], None] | None = None) -> None:
        """List what may be out of date, the whole of Stash now and then. Raises: ServerError, ProtocolError."""
        async with self._lock:
            now = self._clock.now()
            whole_at, changed_at = self._listed_at(_WHOLE), self._listed_at(_CHANGED)
            if whole_at is None or changed_at is None or not now - WHOLE_AFTER < whole_at <= now:
                await self._list(None, progress)
                self._cursors.put(f"{CURSOR}:{_WHOLE}", now.isoformat())
            elif now - CHANGED_AFTER < changed_at <= now:
                return
            else:
                await self._list(changed_at - OVERLAP, progress)
            self._cursors.put(f"{CURSOR}:{_CHANGED}", now.isoformat())

    def learn(self, scenes: Sequence[HasFiles], gone: Collection[SceneId] = ()) -> bool:
        """Note what scenes that were just read have, once there is a listing; tell whether that was news."""
        return self.is_known and self._files.learn(scenes, gone)

    async def look_again(self, scene_ids: Collection[SceneId]) -> bool:
        """Ask Stash what these scenes have now; tell whether that was news. Raises: ServerError, ProtocolError."""
        scenes = await self._stash.scenes(scene_ids)
        return self.learn(list(scenes.values()), [one for one in scene_ids if one not in scenes])

    async def _list(self, since: datetime | None, progress: Callable[[int], None] | None) -> None:
        crawl, seen = self._files.begin(), 0
        async with aclosing(self._stash.iter_files(updated_since=since)) as pages:
            async for page in pages:
                self._files.add_page(crawl, page)
                seen += len(page)
                if progress is not None:
                    progress(seen)
        if since is None:
            self._files.finish(crawl)

    def _listed_at(self, kind: str) -> datetime | None:
        text = self._cursors.find(f"{CURSOR}:{kind}")
        return None if text is None else datetime.fromisoformat(text)
