"""What we last wrote to an item, whichever scene that was for.

Scenes are merged, and re-created under new numbers; the item in Plex stays, and what we wrote there stays ours. The
planner asks here for items that its entry was not linked to before. Each call is one short read.
"""

from collections.abc import Collection

from sqlalchemy import bindparam, select

from stashplex.domain.document import Base
from stashplex.domain.entry import PlexId
from stashplex.domain.item import RatingKey
from stashplex.domain.pathmap import path_key
from stashplex.store.database import Database
from stashplex.store.schema import entry, link, parse_base

_FIND = (
    select(link.c.rating_key, link.c.file, link.c.base)
    .join(entry, link.c.entry_id == entry.c.id)
    .where(
        entry.c.plex_id == bindparam("plex_id"),
        link.c.rating_key.in_(bindparam("keys", expanding=True)),
        link.c.base.is_not(None),
    )
    .order_by(link.c.id)
)


class Bases:
    """Finds bases by item. Raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, plex_id: PlexId, rating_keys: Collection[RatingKey]) -> dict[tuple[RatingKey, str], Base]:
        """Return the newest base of each of these items that has one, by the item and the key of the matched file.

        Shape: some hundred keys at a time.
        """
        if not rating_keys:
            return {}
        found: dict[tuple[RatingKey, str], Base] = {}
        with self._database.read() as connection:
            for rating_key, file, raw in connection.execute(_FIND, {"plex_id": plex_id, "keys": list(rating_keys)}):
                base = parse_base(raw)
                if base is not None:
                    found[RatingKey(rating_key), path_key(file)] = base
        return found
