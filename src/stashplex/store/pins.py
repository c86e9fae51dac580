"""What people decided about matches: which scene is which item, and which scenes are left alone.

Nothing but a person's command changes it, and nothing here is ever removed by itself: a decision outlives a rebuilt
library and a scene's entry. Each method is one short transaction.
"""

from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from stashplex.domain.entry import PlexId
from stashplex.domain.item import RatingKey, SectionKey
from stashplex.domain.pin import Pin
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.schema import ignored, pin, to_micros

_NEW = upsert(pin).values(
    {name: bindparam(name) for name in ("plex_id", "scene_id", "section", "rating_key", "files", "pinned_at")}
)
_PUT = _NEW.on_conflict_do_update(
    index_elements=[pin.c.plex_id, pin.c.scene_id, pin.c.section],
    set_={name: _NEW.excluded[name] for name in ("rating_key", "files", "pinned_at")},
)
_ALL = (
    select(pin.c.scene_id, pin.c.section, pin.c.rating_key, pin.c.files)
    .where(pin.c.plex_id == bindparam("of_plex"), pin.c.section.in_(bindparam("sections", expanding=True)))
    .order_by(pin.c.scene_id, pin.c.section)
)
_REMOVE = delete(pin).where(pin.c.plex_id == bindparam("of_plex"), pin.c.scene_id == bindparam("of_scene"))
_IGNORE = (
    upsert(ignored)
    .values(plex_id=bindparam("plex_id"), scene_id=bindparam("scene_id"), ignored_at=bindparam("ignored_at"))
    .on_conflict_do_nothing()
)
_HEED = delete(ignored).where(ignored.c.plex_id == bindparam("of_plex"), ignored.c.scene_id == bindparam("of_scene"))
_IGNORED = select(ignored.c.scene_id).where(
    ignored.c.plex_id == bindparam("of_plex"), ignored.c.scene_id.in_(bindparam("scene_ids", expanding=True))
)
_ALL_IGNORED = select(ignored.c.scene_id).where(ignored.c.plex_id == bindparam("of_plex")).order_by(ignored.c.scene_id)


class Pins:
    """Keeps decisions. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, plex_id: PlexId, chosen: Pin, now: datetime) -> None:
        """Pin a scene to an item, in place of what it was pinned to in that library before."""
        row = {
            "plex_id": plex_id,
            "scene_id": chosen.scene_id,
            "section": chosen.section,
            "rating_key": chosen.rating_key,
            "files": msgspec.json.encode(chosen.files).decode(),
            "pinned_at": to_micros(now),
        }
        with self._database.write() as connection:
            connection.execute(_PUT, row)

    def remove(self, plex_id: PlexId, scene_id: SceneId) -> int:
        """Remove a scene's pins, one for each library; return how many there were."""
        with self._database.write() as connection:
            return connection.execute(_REMOVE, {"of_plex": plex_id, "of_scene": scene_id}).rowcount

    def of(self, plex_id: PlexId, sections: Collection[SectionKey]) -> dict[SceneId, tuple[Pin, ...]]:
        """Return all pins of some libraries, by scene: people make few."""
        found: dict[SceneId, tuple[Pin, ...]] = {}
        with self._database.read() as connection:
            for row in connection.execute(_ALL, {"of_plex": plex_id, "sections": list(sections)}):
                files = msgspec.json.decode(row.files, type=tuple[str, ...])
                one = Pin(SceneId(row.scene_id), SectionKey(row.section), RatingKey(row.rating_key), files)
                found[one.scene_id] = (*found.get(one.scene_id, ()), one)
        return found

    def ignore(self, plex_id: PlexId, scene_id: SceneId, now: datetime) -> bool:
        """Leave a scene alone from now on; tell whether it was not before."""
        with self._database.write() as connection:
            row = {"plex_id": plex_id, "scene_id": scene_id, "ignored_at": to_micros(now)}
            return connection.execute(_IGNORE, row).rowcount > 0

    def heed(self, plex_id: PlexId, scene_id: SceneId) -> bool:
        """Leave a scene alone no longer; tell whether it was."""
        with self._database.write() as connection:
            return connection.execute(_HEED, {"of_plex": plex_id, "of_scene": scene_id}).rowcount > 0

    def ignored(self, plex_id: PlexId, scene_ids: Collection[SceneId]) -> frozenset[SceneId]:
        """Return those of some scenes that are left alone. Shape: some thousands at a time."""
        with self._database.read() as connection:
            question = {"of_plex": plex_id, "scene_ids": list(scene_ids)}
            return frozenset(SceneId(found) for found in connection.execute(_IGNORED, question).scalars())

    def list_ignored(self, plex_id: PlexId) -> tuple[SceneId, ...]:
        """Return every scene that is left alone, by number."""
        with self._database.read() as connection:
            return tuple(SceneId(found) for found in connection.execute(_ALL_IGNORED, {"of_plex": plex_id}).scalars())
