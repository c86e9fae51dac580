"""Which scenes a person gives back to Plex, or wants put back to what they were.

A wish stays until a pass has done it; a scene that was given back is left alone until somebody asks for its sync. Each
method is one short transaction.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from stashplex.domain.entry import PlexId
from stashplex.domain.handback import HandBack, Parting
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.schema import from_micros, hand_back, to_micros

_COLUMNS = ("plex_id", "scene_id", "parting", "since", "asked_at")
_NEW = upsert(hand_back).values({name: bindparam(name) for name in _COLUMNS} | {"done_at": None})
_PUT = _NEW.on_conflict_do_update(
    index_elements=[hand_back.c.plex_id, hand_back.c.scene_id],
    set_={name: _NEW.excluded[name] for name in ("parting", "since", "asked_at", "done_at")},
)
_IS_ONE = (
    hand_back.c.plex_id == bindparam("of_plex"),
    hand_back.c.scene_id.in_(bindparam("scene_ids", expanding=True)),
)
_OF = select(hand_back.c.scene_id, hand_back.c.parting, hand_back.c.since, hand_back.c.done_at).where(*_IS_ONE)
_DONE = update(hand_back).where(*_IS_ONE, hand_back.c.done_at.is_(None)).values(done_at=bindparam("now"))
_UNDONE = delete(hand_back).where(*_IS_ONE, hand_back.c.parting == Parting.UNDO.value, hand_back.c.done_at.is_not(None))
_FORGET = delete(hand_back).where(*_IS_ONE)


class HandBacks:
    """Keeps wishes. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, plex_id: PlexId, scene_ids: Collection[SceneId], wish: HandBack, now: datetime) -> None:
        """Remember a wish about some scenes, in place of an earlier one."""
        since = None if wish.since is None else to_micros(wish.since)
        fixed = {"plex_id": plex_id, "parting": wish.parting.value, "since": since, "asked_at": to_micros(now)}
        with self._database.write() as connection:
            for scene_id in scene_ids:
                connection.execute(_PUT, {**fixed, "scene_id": scene_id})

    def of(self, plex_id: PlexId, scene_ids: Collection[SceneId]) -> dict[SceneId, HandBack]:
        """Return what is wished about some scenes. Shape: some thousands at a time."""
        with self._database.read() as connection:
            rows = connection.execute(_OF, {"of_plex": plex_id, "scene_ids": list(scene_ids)}).all()
        return {
            SceneId(scene_id): HandBack(
                Parting(parting), None if since is None else from_micros(since), done_at is not None
            )
            for scene_id, parting, since, done_at in rows
        }

    def finish(self, plex_id: PlexId, scene_ids: Collection[SceneId], now: datetime) -> None:
        """Note that wishes were fulfilled. What was put back is taken care of again, what was given back is not."""
        question = {"of_plex": plex_id, "scene_ids": list(scene_ids)}
        with self._database.write() as connection:
            connection.execute(_DONE, {**question, "now": to_micros(now)})
            connection.execute(_UNDONE, question)

    def forget(self, plex_id: PlexId, scene_ids: Collection[SceneId]) -> int:
        """Take care of scenes again; return how many had been given back, or were to be."""
        with self._database.write() as connection:
            return connection.execute(_FORGET, {"of_plex": plex_id, "scene_ids": list(scene_ids)}).rowcount
