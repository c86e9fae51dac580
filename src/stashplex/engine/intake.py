"""Turns "what may have changed" into marks: all scenes, some by number, those of a period, of a performer, of a tag.

It never looks at values; a mark only says that a scene may differ. The invariant: a Stash without any scene marks
nothing and stops the run.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from stashplex.base.clock import Clock
from stashplex.base.errors import ConfigError, Server, SideEmpty
from stashplex.domain.entry import PlexId, Priority
from stashplex.domain.event import Kind
from stashplex.domain.scene import SceneId
from stashplex.stash.client import StashClient
from stashplex.store.ledger import Ledger

Progress = Callable[[int], None]


def ignore(_marked: int) -> None:
    """Progress that nobody watches."""


SHOWN = 10
"""So many unknown numbers are named in a message."""

ASKED_AT_ONCE = 100
"""Performers, studios, tags or groups in one question: some hundred bytes."""


class Intake:
    """Marks entries for one Plex server."""

    def __init__(self, stash: StashClient, ledger: Ledger, plex_id: PlexId, clock: Clock) -> None:
        self._stash = stash
        self._ledger = ledger
        self._plex_id = plex_id
        self._clock = clock

    async def mark_all(self, progress: Progress) -> int:
        """Mark every scene of Stash but those that a person dismissed; return how many there are. Raises: SideEmpty."""
        marked = 0
        async with aclosing(self._stash.iter_scene_ids()) as pages:
            async for page in pages:
                ids = [row.id for row in page]
                self._ledger.mark(
                    self._plex_id, ids, now=self._clock.now(), priority=Priority.BULK, spares_dismissed=True
                )
                marked += len(ids)
                progress(marked)
        if marked == 0:
            raise stash_is_empty(had_scenes=bool(self._ledger.list_entries(self._plex_id, limit=1)))
        return marked

    async def mark_since(self, period: timedelta, progress: Progress) -> tuple[SceneId, ...]:
        """Mark the scenes that Stash changed within the period; return them."""
        marked: list[SceneId] = []
        async with aclosing(self._stash.iter_scene_ids(updated_since=self._clock.now() - period)) as pages:
            async for page in pages:
                ids = [row.id for row in page]
                self._ledger.mark(self._plex_id, ids, now=self._clock.now(), priority=Priority.BULK)
                marked += ids
                progress(len(marked))
        return tuple(marked)

    async def mark_scenes(self, scene_ids: Sequence[SceneId]) -> int:
        """Mark these scenes. Raises: ConfigError naming the numbers that Stash does not have."""
        await require_scenes(self._stash, scene_ids)
        return self._ledger.mark(self._plex_id, scene_ids, now=self._clock.now(), priority=Priority.INTERACTIVE)

    async def mark_of(self, kind: Kind, ids: Sequence[int], *, changed_by: datetime | None = None) -> int:
        """Mark all scenes that refer to any of these, or to what is below a studio or tag; return how many.

        One question for a hundred of them, and one more for each further thousand scenes. `changed_by` as for
        `mark_changed`.
        """
        marked = 0
        for start in range(0, len(ids), ASKED_AT_ONCE):
            async with aclosing(self._stash.iter_scenes_of(kind, ids[start : start + ASKED_AT_ONCE])) as pages:
                async for page in pages:
                    marked += self.mark_changed([row.id for row in page], changed_by=changed_by)
        return marked

    def mark_changed(self, scene_ids: Sequence[SceneId], *, changed_by: datetime | None = None) -> int:
        """Mark scenes that Stash says were changed, behind those that a person has just saved.

        What may have been marked for this change already tells its time: a dead letter that is younger stays one.
        """
        now = self._clock.now()
        return self._ledger.mark(self._plex_id, scene_ids, now=now, priority=Priority.BULK, changed_by=changed_by)


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
