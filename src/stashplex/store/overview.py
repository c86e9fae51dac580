"""What people ask of the store: which Plex servers it knows, what entries wait for, how scenes are linked.

Reads only, for the commands `status`, `why` and `plan`; the engine uses `ledger`. Each method is one short read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from stashplex.domain.entry import PlexId
from stashplex.domain.item import RatingKey, SectionKey
from stashplex.domain.link import Evidence, Link
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.schema import entry, link, parse_base, parse_intent, plex, plex_item

_QUESTION_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class KnownPlex:
    """A Plex server that was synced at least once. `name` is its address at that time."""

    id: PlexId
    machine_identifier: str
    name: str


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How many entries of one state have one kind of error."""

    state: str
    error_type: str
    entries: int


_SERVERS = select(plex.c.id, plex.c.machine_identifier, plex.c.name).order_by(plex.c.id)
_ERRORS = (
    select(entry.c.state, entry.c.last_error_type, func.count())
    .where(
        entry.c.plex_id == bindparam("plex_id"), entry.c.last_error_type.is_not(None), entry.c.dismissed_at.is_(None)
    )
    .group_by(entry.c.state, entry.c.last_error_type)
    .order_by(func.count().desc())
)
_OPEN = select(func.count()).where(
    entry.c.plex_id == bindparam("plex_id"),
    entry.c.scene_id.in_(bindparam("scene_ids", expanding=True)),
    entry.c.due_at.is_not(None),
)
_FILE = select(plex_item.c.file).where(plex_item.c.plex_id == bindparam("plex_id")).limit(1)
_LINKS = (
    select(
        entry.c.scene_id, link.c.rating_key, link.c.section, link.c.evidence, link.c.file, link.c.base, link.c.intent
    )
    .join(entry, link.c.entry_id == entry.c.id)
    .where(entry.c.plex_id == bindparam("plex_id"), entry.c.scene_id.in_(bindparam("scene_ids", expanding=True)))
    .order_by(link.c.id)
)


class Overview:
    """Answers for people. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list_plex(self) -> tuple[KnownPlex, ...]:
        """Return the Plex servers, the one known longest first."""
        with self._database.read() as connection:
            return tuple(
                KnownPlex(PlexId(plex_id), machine_identifier, name)
                for plex_id, machine_identifier, name in connection.execute(_SERVERS)
            )

    def count_errors(self, plex_id: PlexId) -> tuple[ErrorCount, ...]:
        """Return what the entries of one server wait for or died of, the most frequent first."""
        with self._database.read() as connection:
            return tuple(
                ErrorCount(state, error_type or "", count)
                for state, error_type, count in connection.execute(_ERRORS, {"plex_id": plex_id})
            )

    def count_open(self, plex_id: PlexId, scene_ids: Sequence[SceneId]) -> int:
        """Return how many of some scenes are neither settled nor dead. Shape: any number."""
        with self._database.read() as connection:
            return sum(
                connection.execute(
                    _OPEN, {"plex_id": plex_id, "scene_ids": scene_ids[start : start + _QUESTION_CHUNK]}
                ).scalar_one()
                for start in range(0, len(scene_ids), _QUESTION_CHUNK)
            )

    def find_file(self, plex_id: PlexId) -> str | None:
        """Return the path of any file that a server has, as an example."""
        with self._database.read() as connection:
            return connection.execute(_FILE, {"plex_id": plex_id}).scalar_one_or_none()

    def links_for(self, plex_id: PlexId, scene_ids: Sequence[SceneId]) -> dict[SceneId, tuple[Link, ...]]:
        """Return the links of some scenes; scenes without any are missing. Shape: some hundreds at a time."""
        links: dict[SceneId, tuple[Link, ...]] = {}
        with self._database.read() as connection:
            rows = connection.execute(_LINKS, {"plex_id": plex_id, "scene_ids": list(scene_ids)})
            for scene_id, rating_key, section, evidence, file, base, intent in rows:
                found = Link(
                    RatingKey(rating_key),
                    SectionKey(section),
                    Evidence(evidence),
                    file,
                    parse_base(base),
                    parse_intent(intent),
                )
                links[SceneId(scene_id)] = (*links.get(SceneId(scene_id), ()), found)
        return links
