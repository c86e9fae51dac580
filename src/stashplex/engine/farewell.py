"""Plans what is not about Stash's values: giving an item back, putting old values back, a scene that is deleted.

Used by the planner. It reads the store and Plex and never writes. The invariant: it touches only items that a scene is
linked to, that still show the file by which they were matched, and that no other scene of Stash may have taken over.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from stashplex.base.clock import Clock
from stashplex.domain.document import Base, Document
from stashplex.domain.entry import PlexId
from stashplex.domain.handback import HandBack, Parting, label_plan, put_back, release_plan, undo_plan, unlabelled
from stashplex.domain.item import Item
from stashplex.domain.journal import JournalEvent, JournalRow
from stashplex.domain.link import Link
from stashplex.domain.matching import Match, is_still_matched
from stashplex.domain.merge import believed, united
from stashplex.domain.pathmap import name_key
from stashplex.domain.plan import Plan, observed_document, trusted
from stashplex.domain.policy import Destroyed
from stashplex.domain.scene import SceneId
from stashplex.engine.itemplan import FarewellPlan, ItemPlan
from stashplex.engine.listing import CHANGED_AFTER, OVERLAP, Listing
from stashplex.engine.posters import PosterWay
from stashplex.plex.client import PlexClient
from stashplex.plex.edit import fit
from stashplex.stash.client import StashClient
from stashplex.store.hand_backs import HandBacks
from stashplex.store.journal import Journal
from stashplex.store.stash_files import StashFiles

_ROWS = 1_000
"""More rows than the history of a scene has."""


@dataclass(frozen=True, slots=True)
class GoneRules:
    """What becomes of the items of a scene that Stash has no more."""

    destroyed: Destroyed = Destroyed.LEAVE
    label: str = ""


@dataclass(frozen=True, slots=True)
class Memories:
    """What is remembered of one Plex server, and the clock."""

    hand_backs: HandBacks
    journal: Journal
    files: StashFiles
    listing: Listing
    plex_id: PlexId
    clock: Clock


class Farewell:
    """Plans for one Plex server."""

    def __init__(self, stash: StashClient, plex: PlexClient, memories: Memories, rules: GoneRules) -> None:
        self._stash = stash
        self._plex = plex
        self._memories = memories
        self._plex_id = memories.plex_id
        self._rules = rules

    def wishes(self, scene_ids: Collection[SceneId]) -> dict[SceneId, HandBack]:
        """Return what people wish about some scenes."""
        return self._memories.hand_backs.of(self._plex_id, scene_ids)

    async def wished(self, scene_id: SceneId, links: Sequence[Link], wish: HandBack) -> FarewellPlan:
        """Return what fulfils a wish about a scene. Raises: ServerError, EntryError."""
        rows = self._memories.journal.list_for_scene(self._plex_id, scene_id, limit=_ROWS)
        items: list[ItemPlan] = []
        refused: list[str] = []
        for link, item in await self._items(links):
            base = _base_of(link, item)
            plan, reasons = _plan_for(wish, item, base, rows)
            items.append(_item_plan(link, item, plan, base))
            refused += reasons
        is_undo = wish.parting is Parting.UNDO
        event = JournalEvent.ENTRY_UNDONE if is_undo else JournalEvent.ENTRY_RELEASED
        return FarewellPlan(tuple(items), event, lets_go=not is_undo, refused=tuple(refused))

    async def gone(self, links: Mapping[SceneId, Sequence[Link]]) -> dict[SceneId, FarewellPlan]:
        """Return what is to be written for scenes that Stash has no more; nothing is said of those that are left.

        Raises: ServerError, ProtocolError.
        """
        linked = {scene_id: some for scene_id, some in links.items() if some}
        if self._rules.destroyed is Destroyed.LEAVE or not linked:
            return {}
        taken = await self._names_in_stash(linked)
        plans: dict[SceneId, FarewellPlan] = {}
        for scene_id, some in linked.items():
            items = [
                _item_plan(link, item, self._parted(item, _base_of(link, item)), _base_of(link, item))
                for link, item in await self._items([link for link in some if name_key(link.file) not in taken])
            ]
            if items:
                lets_go = self._rules.destroyed is Destroyed.RELEASE
                plans[scene_id] = FarewellPlan(
                    tuple(items), JournalEvent.ENTRY_RELEASED, lets_go=lets_go, is_wish=False
                )
        return plans

    def welcome(self, planned: Plan, item: Item, base: Base | None) -> Plan:
        """Return a plan that takes away what an item of a deleted scene was marked with."""
        return unlabelled(planned, item, base, self._rules.label)

    def _parted(self, item: Item, base: Base | None) -> Plan:
        if self._rules.destroyed is Destroyed.LABEL:
            return label_plan(item, base, self._rules.label)
        return release_plan(item, base)

    async def _items(self, links: Sequence[Link]) -> list[tuple[Link, Item]]:
        """Return the items of some links that are there and still show the file."""
        read = await self._plex.items([link.rating_key for link in links]) if links else {}
        found = [(link, read.get(link.rating_key)) for link in links]
        return [(link, item) for link, item in found if item is not None and is_still_matched(link, item)]

    async def _names_in_stash(self, gone: Mapping[SceneId, Sequence[Link]]) -> frozenset[str]:
        """Return the names of those files that another scene has: it may be the one that the scene was merged into."""
        memories = self._memories
        await memories.listing.refresh()
        async with aclosing(
            self._stash.iter_files(updated_since=memories.clock.now() - CHANGED_AFTER - OVERLAP)
        ) as pages:
            async for page in pages:
                memories.listing.learn(page)
        names = {name_key(link.file) for links in gone.values() for link in links}
        found = memories.files.find_by_name(names)
        return frozenset(name for name, owners in found.items() if any(one.scene_id not in gone for one in owners))


def _base_of(link: Link, item: Item) -> Base | None:
    return trusted(believed(link.base, link.intent, observed_document(item)), item)


def _plan_for(wish: HandBack, item: Item, base: Base | None, rows: Sequence[JournalRow]) -> tuple[Plan, Sequence[str]]:
    if wish.parting is Parting.RELEASE:
        return release_plan(item, base), ()
    back = put_back(item, [row for row in rows if wish.since is None or row.at >= wish.since])
    if wish.parting is Parting.RESTORE:
        return release_plan(item, base, back), back.refused
    return undo_plan(item, base, back), back.refused


def _item_plan(link: Link, item: Item, plan: Plan, base: Base | None) -> ItemPlan:
    match = Match(link.rating_key, link.section, link.evidence, link.file)
    fitted = fit(plan, owned=Document() if base is None else base.document)
    return ItemPlan(match, item, fitted, base, united(fitted.base, link.intent, link.base), PosterWay.LEAVE)
