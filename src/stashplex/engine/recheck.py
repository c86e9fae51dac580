"""Looks at every scene again, because something is gone and Stash does not tell from which scenes it went.

Asked for by events (`errands`) and by counts that went down (`poll`). The invariant: what was counted before a re-check
began is remembered when all scenes are marked, so that what one of the two noticed is not done again for the other.
"""

from collections.abc import Mapping

import msgspec
import structlog

from stashplex.base.errors import SideEmpty
from stashplex.domain.entry import PlexId
from stashplex.domain.event import Kind
from stashplex.engine.intake import Intake, ignore
from stashplex.stash.client import StashClient
from stashplex.store.cursors import Cursors

logger = structlog.get_logger()


class Recheck:
    """Marks all scenes of one Stash for one Plex server."""

    def __init__(self, stash: StashClient, intake: Intake, cursors: Cursors, plex_id: PlexId) -> None:
        self._stash = stash
        self._intake = intake
        self._cursors = cursors
        self._name = f"counts.{plex_id}"
        self._counts: Mapping[Kind, int] | None = None

    async def run(self) -> int:
        """Mark all scenes; return how many. A Stash that is suddenly empty is told, and nothing is marked."""
        counts = await self._stash.counts()
        try:
            marked = await self._intake.mark_all(ignore)
        except SideEmpty as error:
            logger.warning("recheck_refused", error=str(error), hint=error.hint)
            return 0
        self._remember(counts)
        logger.info("recheck_marked", scenes=marked)
        return marked

    async def notice(self, counts: Mapping[Kind, int]) -> int:
        """Mark all scenes if there are fewer of any kind than before; return how many."""
        before = self._known()
        if any(number < before.get(kind, 0) for kind, number in counts.items()):
            return await self.run()
        if dict(counts) != dict(before):
            self._remember(counts)
        return 0

    def _known(self) -> Mapping[Kind, int]:
        if self._counts is None:
            raw = self._cursors.find(self._name)
            self._counts = {} if raw is None else _parsed(raw)
        return self._counts

    def _remember(self, counts: Mapping[Kind, int]) -> None:
        self._cursors.put(self._name, msgspec.json.encode(dict(counts)).decode())
        self._counts = dict(counts)


def _parsed(raw: str) -> Mapping[Kind, int]:
    """Return stored counts; what nobody understands is forgotten, and the next counts are the first."""
    try:
        return msgspec.json.decode(raw, type=dict[Kind, int])
    except msgspec.MsgspecError:
        return {}
