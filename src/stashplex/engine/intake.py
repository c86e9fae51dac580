"""Turns "what may have changed" into marks: all scenes of Stash, some by number, or those of a period.

It never looks at values; a mark only says that a scene may differ. The invariant: a Stash without any scene marks
nothing and stops the run.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from stashplex.base.clock import Clock
from stashplex.base.errors import ConfigError, Server, SideEmpty
from stashplex.domain.entry import PlexId, Priority
from stashplex.domain.scene import SceneId
from stashplex.stash.client import StashClient
from stashplex.store.ledger import Ledger

Progress = Callable[[int], None]

SHOWN = 10
"""So many unknown numbers are named in a message."""


class Intake:
    """Marks entries for one Plex server."""

    def __init__(self, stash: StashClient, ledger: Ledger, plex_id: PlexId, clock: Clock) -> None:
        self._stash = stash
        self._ledger = ledger
        self._plex_id = plex_id
        self._clock = clock

    async def mark_all(self, progress: Progress) -> int:
        """Mark every scene of Stash; return how many there are. Raises: SideEmpty."""
        marked = 0
        async for page in self._stash.iter_scene_ids():
            ids = [row.id for row in page]
            self._ledger.mark(self._plex_id, ids, now=self._clock.now(), priority=Priority.BULK)
            marked += len(ids)
            progress(marked)
        if marked == 0:
            raise stash_is_empty(had_scenes=bool(self._ledger.list_entries(self._plex_id, limit=1)))
        return marked

    async def mark_since(self, period: timedelta, progress: Progress) -> tuple[SceneId, ...]:
        """Mark the scenes that Stash changed within the period; return them."""
        marked: list[SceneId] = []
        async for page in self._stash.iter_scene_ids(updated_since=self._clock.now() - period):
            ids = [row.id for row in page]
            self._ledger.mark(self._plex_id, ids, now=self._clock.now(), priority=Priority.BULK)
            marked += ids
            progress(len(marked))
        return tuple(marked)

    async def mark_scenes(self, scene_ids: Sequence[SceneId]) -> int:
        """Mark these scenes. Raises: ConfigError naming the numbers that Stash does not have."""
        await require_scenes(self._stash, scene_ids)
        return self._ledger.mark(self._plex_id, scene_ids, now=self._clock.now(), priority=Priority.INTERACTIVE)


def stash_is_empty(*, had_scenes: bool) -> SideEmpty:
    """Return the error for a Stash without any scene."""
    if had_scenes:
        return SideEmpty(
            Server.STASH,
            "Stash has no scenes, but it had some before; nothing was changed.",
            hint="Check that STASHPLEX_STASH_URL points to the right Stash and that its database is the right one.",
        )
    return SideEmpty(
        Server.STASH,
        "Stash has no scenes.",
        hint="Let Stash scan its folders first, or check that STASHPLEX_STASH_URL points to the right Stash.",
    )


async def require_scenes(stash: StashClient, scene_ids: Sequence[SceneId]) -> None:
    """Check that Stash has all these scenes. Raises: ConfigError naming those that it does not have."""
    known: set[SceneId] = set()
    for start in range(0, len(scene_ids), 100):
        known |= (await stash.scenes(scene_ids[start : start + 100])).keys()
    missing = [str(scene_id) for scene_id in scene_ids if scene_id not in known]
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise ConfigError(
            f"Stash has no scene {', '.join(missing[:SHOWN])}{more}.",
            hint="The number is the last part of a scene's address in Stash.",
        )
