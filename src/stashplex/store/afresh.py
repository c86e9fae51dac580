"""What a look afresh needs beyond marks: what was never brought, what is to be written once more, the index.

Used by `engine.wishes`. Not a mark: the ledger does that. Each method is one short transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, literal_column, null, select, update

from stashplex.domain.entry import EntryId, PlexId
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.schema import entry, link, parse_base, render_base, section

_IN_STEP = (
    select(entry.c.scene_id)
    .join(link, link.c.entry_id == entry.c.id)
    .where(
        entry.c.plex_id == bindparam("of_plex"),
        entry.c.scene_id.in_(bindparam("scene_ids", expanding=True)),
        entry.c.state == literal_column("'synced'"),
        link.c.base.is_not(None),
    )
    .distinct()
)
_PAGE = (
    select(entry.c.id, entry.c.scene_id, entry.c.lease_token)
    .where(entry.c.plex_id == bindparam("of_plex"), entry.c.id > bindparam("after"))
    .order_by(entry.c.id)
    .limit(bindparam("limit"))
)
_LEASED = select(entry.c.scene_id).where(
    entry.c.plex_id == bindparam("of_plex"),
    entry.c.scene_id.in_(bindparam("scene_ids", expanding=True)),
    entry.c.lease_token.is_not(None),
)
_IDS = select(entry.c.id).where(
    entry.c.plex_id == bindparam("of_plex"), entry.c.scene_id.in_(bindparam("scene_ids", expanding=True))
)
_BASES = select(link.c.id, link.c.base).where(
    link.c.entry_id.in_(bindparam("entry_ids", expanding=True)), link.c.base.is_not(None)
)
_SET_BASE = update(link).where(link.c.id == bindparam("of_link")).values(base=bindparam("new_base"))
_FORGET_CRAWLS = update(section).where(section.c.plex_id == bindparam("of_plex")).values(content_changed_at=null())


@dataclass(frozen=True, slots=True)
class Forced:
    """A page of entries that will be written over. Shape: `after` None means that this was the last page.

    `leased` are the scenes that somebody works on now, which were left as they are.
    """

    after: EntryId | None
    leased: tuple[SceneId, ...]


class Afresh:
    """Looks at scenes afresh. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def in_step(self, plex_id: PlexId, scene_ids: Collection[SceneId]) -> frozenset[SceneId]:
        """Return those of the scenes that were written and are settled. Shape: some thousands at a time."""
        question = {"of_plex": plex_id, "scene_ids": list(scene_ids)}
        with self._database.read() as connection:
            return frozenset(SceneId(scene_id) for scene_id in connection.execute(_IN_STEP, question).scalars())

    def force_page(self, plex_id: PlexId, after: EntryId, limit: int) -> Forced:
        """Let the next pass over each entry of a page write over what people changed in Plex."""
        with self._database.write() as connection:
            question = {"of_plex": plex_id, "after": after, "limit": limit}
            rows = connection.execute(_PAGE, question).all()
            free = [row.id for row in rows if row.lease_token is None]
            links = connection.execute(_BASES, {"entry_ids": free}).all()
            forced = [{"of_link": number, "new_base": _forced(base)} for number, base in links]
            if forced:
                connection.execute(_SET_BASE, forced)
        leased = tuple(SceneId(row.scene_id) for row in rows if row.lease_token is not None)
        return Forced(EntryId(rows[-1].id) if len(rows) == limit else None, leased)

    def force(self, plex_id: PlexId, scene_ids: Collection[SceneId]) -> frozenset[SceneId]:
        """Do as `force_page` for some scenes; return those that somebody works on now. Shape: some hundreds."""
        question = {"of_plex": plex_id, "scene_ids": list(scene_ids)}
        with self._database.write() as connection:
            leased = frozenset(SceneId(found) for found in connection.execute(_LEASED, question).scalars())
            free = [scene_id for scene_id in scene_ids if scene_id not in leased]
            ids = connection.execute(_IDS, {"of_plex": plex_id, "scene_ids": free}).scalars().all()
            links = connection.execute(_BASES, {"entry_ids": ids}).all()
            forced = [{"of_link": number, "new_base": _forced(base)} for number, base in links]
            if forced:
                connection.execute(_SET_BASE, forced)
        return leased

    def forget_crawls(self, plex_id: PlexId) -> None:
        """Let each library be crawled again, whatever Plex says about its changes."""
        with self._database.write() as connection:
            connection.execute(_FORGET_CRAWLS, {"of_plex": plex_id})


def _forced(raw: str) -> str | None:
    base = parse_base(raw)
    return None if base is None else render_base(replace(base, is_forced=True))
