"""The path index: which Plex item holds which file, as the last crawl of each section saw it.

Filled page by page by the engine, asked by path or by name when a scene is matched. It is a hint: the worker reads
the item itself before it writes. It compares keys of `domain.pathmap`, never raw paths; a migration that follows a
change of those keys must empty it.
Invariant: rows disappear only when the newest crawl of their section has finished without seeing them.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from stashplex.domain.entry import PlexId
from stashplex.domain.item import IndexedPart, RatingKey, SectionKey
from stashplex.domain.pathmap import name_key, path_key
from stashplex.store.batch import Batch
from stashplex.store.database import Database
from stashplex.store.schema import from_micros, plex_item, section, to_micros

_QUESTION_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class SectionState:
    """What the last finished crawl of a section left.

    Shape: `content_changed_at` and `crawled_at` are None until a crawl has finished; `item_count` counts items,
    not files; `crawl` is the number of the newest crawl that began.
    """

    crawl: int
    content_changed_at: int | None
    item_count: int
    crawled_at: datetime | None


_IS_OF_PLEX = plex_item.c.plex_id == bindparam("plex_id")
_IS_IN_SECTIONS = plex_item.c.section.in_(bindparam("sections", expanding=True))
_IS_SECTION = (section.c.plex_id == bindparam("of_plex")) & (section.c.section == bindparam("of_section"))


def _add() -> Batch:
    """Add a part, or refresh one, which touches no index: both keys follow from the path."""
    names: tuple[str, ...] = ("plex_id", "rating_key", "section", "file", "path_key", "name_key")
    names += ("size", "duration_ms", "updated_at", "crawl")
    statement = upsert(plex_item).values({name: bindparam(name) for name in names})
    new = statement.excluded
    refreshed = statement.on_conflict_do_update(
        index_elements=[plex_item.c.plex_id, plex_item.c.section, plex_item.c.path_key, plex_item.c.rating_key],
        set_={
            "file": new.file,
            "size": new.size,
            "duration_ms": new.duration_ms,
            "updated_at": new.updated_at,
            "crawl": case((new.crawl > plex_item.c.crawl, new.crawl), else_=plex_item.c.crawl),
        },
    )
    return Batch(refreshed)


_BEGIN = (
    upsert(section)
    .values(plex_id=bindparam("of_plex"), section=bindparam("of_section"), crawl=1, item_count=0)
    .on_conflict_do_update(index_elements=[section.c.plex_id, section.c.section], set_={"crawl": section.c.crawl + 1})
    .returning(section.c.crawl)
)
_ADD = _add()
_FORGET_UNSEEN = delete(plex_item).where(
    _IS_OF_PLEX, plex_item.c.section == bindparam("of_section"), plex_item.c.crawl < bindparam("crawl")
)
_FORGET = delete(plex_item).where(_IS_OF_PLEX, plex_item.c.rating_key == bindparam("of_key"))
_FINISH = (
    update(section)
    .where(_IS_SECTION)
    .values(
        content_changed_at=bindparam("new_content_changed_at"),
        crawled_at=bindparam("new_crawled_at"),
        item_count=select(func.count(plex_item.c.rating_key.distinct()))
        .where(plex_item.c.plex_id == bindparam("of_plex"), plex_item.c.section == bindparam("of_section"))
        .scalar_subquery(),
    )
)
_SECTION = select(section.c.crawl, section.c.content_changed_at, section.c.item_count, section.c.crawled_at).where(
    _IS_SECTION
)
_COUNT = select(func.count()).select_from(plex_item).where(_IS_OF_PLEX, _IS_IN_SECTIONS)


_PART = (
    plex_item.c.rating_key,
    plex_item.c.section,
    plex_item.c.file,
    plex_item.c.size,
    plex_item.c.duration_ms,
    plex_item.c.updated_at,
)


def _find(key: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    return (
        select(key, *_PART)
        .where(_IS_OF_PLEX, _IS_IN_SECTIONS, key.in_(bindparam("keys", expanding=True)))
        .order_by(plex_item.c.section, plex_item.c.id)
    )


_FIND_BY_PATH = _find(plex_item.c.path_key)
_FIND_BY_NAME = _find(plex_item.c.name_key)
_FIND_BY_SIZE = _find(plex_item.c.size)
_PAGE = (
    select(plex_item.c.id, *_PART)
    .where(_IS_OF_PLEX, _IS_IN_SECTIONS, plex_item.c.id > bindparam("after"))
    .order_by(plex_item.c.id)
    .limit(bindparam("limit"))
)
_FIND_ANYWHERE = (
    select(plex_item.c.id, *_PART)
    .where(_IS_OF_PLEX, plex_item.c.name_key == bindparam("of_name"))
    .order_by(plex_item.c.section, plex_item.c.id)
)


class PlexIndex:
    """The path index of all Plex servers. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin_crawl(self, plex_id: PlexId, section_key: SectionKey) -> int:
        """Return the number of a new crawl of a section. An older crawl still under way removes nothing any more."""
        with self._database.write() as connection:
            return int(connection.execute(_BEGIN, {"of_plex": plex_id, "of_section": section_key}).scalar_one())

    def add_page(self, plex_id: PlexId, section_key: SectionKey, crawl: int, parts: Sequence[IndexedPart]) -> None:
        """Add or refresh the parts of one page, all together. Shape: some thousands at most.

        Does nothing when a newer crawl has begun: what this one saw may be gone.
        """
        rows = [_row(plex_id, part, crawl) | {"section": section_key} for part in parts]
        whose = {"of_plex": plex_id, "of_section": section_key}
        with self._database.write() as connection:
            begun = connection.execute(_SECTION, whose).one_or_none()
            if begun is None or begun.crawl == crawl:
                _ADD.execute(connection, rows)

    def finish_crawl(
        self, plex_id: PlexId, section_key: SectionKey, crawl: int, content_changed_at: int, now: datetime
    ) -> int:
        """Remove the parts that the crawl did not see, note its end, and return how many were removed.

        Does nothing when a newer crawl has begun: that one will tell.
        """
        whose = {"of_plex": plex_id, "of_section": section_key}
        with self._database.write() as connection:
            begun = connection.execute(_SECTION, whose).one_or_none()
            if begun is None or begun.crawl != crawl:
                return 0
            removed = connection.execute(
                _FORGET_UNSEEN, {"plex_id": plex_id, "of_section": section_key, "crawl": crawl}
            ).rowcount
            connection.execute(
                _FINISH,
                {
                    **whose,
                    "new_content_changed_at": content_changed_at,
                    "new_crawled_at": to_micros(now),
                },
            )
            return removed

    def upsert(self, plex_id: PlexId, parts: Sequence[IndexedPart]) -> None:
        """Replace all that is known of the items of these parts, as one item's own answer tells it.

        Safe while a crawl of the same section is under way: what is told here counts as seen by it.
        """
        keys = {part.rating_key for part in parts}
        with self._database.write() as connection:
            for key in keys:
                connection.execute(_FORGET, {"plex_id": plex_id, "of_key": key})
            for part in parts:
                begun = connection.execute(_SECTION, {"of_plex": plex_id, "of_section": part.section}).one_or_none()
                _ADD.execute(connection, [_row(plex_id, part, 0 if begun is None else begun.crawl)])

    def forget(self, plex_id: PlexId, rating_key: RatingKey) -> int:
        """Remove the parts of an item that is gone; return how many there were."""
        with self._database.write() as connection:
            return connection.execute(_FORGET, {"plex_id": plex_id, "of_key": rating_key}).rowcount

    def find_by_path(
        self, plex_id: PlexId, sections: Collection[SectionKey], paths: Collection[str]
    ) -> dict[str, list[IndexedPart]]:
        """Return the parts whose file is one of the paths, in whatever spelling.

        Shape: by the path as it was asked; a path that nothing has is absent; several items may have one file.
        """
        return self._find(_FIND_BY_PATH, path_key, plex_id, sections, paths)

    def find_by_name(
        self, plex_id: PlexId, sections: Collection[SectionKey], names: Collection[str]
    ) -> dict[str, list[IndexedPart]]:
        """Return the parts whose file has one of the base names, whatever the case. A name may be a whole path.

        Shape: as `find_by_path`.
        """
        return self._find(_FIND_BY_NAME, name_key, plex_id, sections, names)

    def find_by_size(
        self, plex_id: PlexId, sections: Collection[SectionKey], sizes: Collection[int]
    ) -> dict[int, list[IndexedPart]]:
        """Return the parts whose file has one of the sizes. Shape: as `find_by_path`. Units: bytes."""
        return self._rows(_FIND_BY_SIZE, plex_id, sections, sorted(set(sizes)))

    def find_anywhere(self, plex_id: PlexId, path: str) -> list[IndexedPart]:
        """Return the parts of any library whose file has the base name of a path."""
        with self._database.read() as connection:
            rows = connection.execute(_FIND_ANYWHERE, {"plex_id": plex_id, "of_name": name_key(path)})
            return [_part(row) for row in rows]

    def iter_parts(self, plex_id: PlexId, sections: Collection[SectionKey]) -> Iterator[IndexedPart]:
        """Yield every part of these sections, page by page: no snapshot stays open in between."""
        after = 0
        while True:
            with self._database.read() as connection:
                question = {"plex_id": plex_id, "sections": list(sections), "after": after, "limit": _QUESTION_CHUNK}
                rows = connection.execute(_PAGE, question).all()
            if not rows:
                return
            yield from (_part(row) for row in rows)
            after = rows[-1].id

    def section_state(self, plex_id: PlexId, section_key: SectionKey) -> SectionState | None:
        """Return what is known of a section, None when no crawl ever began."""
        with self._database.read() as connection:
            row = connection.execute(_SECTION, {"of_plex": plex_id, "of_section": section_key}).one_or_none()
        if row is None:
            return None
        crawled_at = None if row.crawled_at is None else from_micros(row.crawled_at)
        return SectionState(row.crawl, row.content_changed_at, row.item_count, crawled_at)

    def count(self, plex_id: PlexId, sections: Collection[SectionKey]) -> int:
        """Return how many part files are known in these sections."""
        with self._database.read() as connection:
            return connection.execute(_COUNT, {"plex_id": plex_id, "sections": list(sections)}).scalar_one()

    def _find(
        self,
        statement: Select[*tuple[Any, ...]],
        key_of: Callable[[str], str],
        plex_id: PlexId,
        sections: Collection[SectionKey],
        asked: Collection[str],
    ) -> dict[str, list[IndexedPart]]:
        keys = {one: key_of(one) for one in asked}
        found: dict[str, list[IndexedPart]] = self._rows(statement, plex_id, sections, sorted(set(keys.values())))
        return {one: list(found[key]) for one, key in keys.items() if key in found}

    def _rows(
        self,
        statement: Select[*tuple[Any, ...]],
        plex_id: PlexId,
        sections: Collection[SectionKey],
        wanted: Sequence[str] | Sequence[int],
    ) -> dict[Any, list[IndexedPart]]:
        found: dict[Any, list[IndexedPart]] = {}
        with self._database.read() as connection:
            for start in range(0, len(wanted), _QUESTION_CHUNK):
                chunk = wanted[start : start + _QUESTION_CHUNK]
                question = {"plex_id": plex_id, "sections": list(sections), "keys": chunk}
                for row in connection.execute(statement, question):
                    found.setdefault(row[0], []).append(_part(row))
        return found


def _row(plex_id: PlexId, part: IndexedPart, crawl: int) -> dict[str, object]:
    return {
        "plex_id": plex_id,
        "rating_key": part.rating_key,
        "section": part.section,
        "file": part.file,
        "path_key": path_key(part.file),
        "name_key": name_key(part.file),
        "size": part.size,
        "duration_ms": part.duration_ms,
        "updated_at": part.updated_at,
        "crawl": crawl,
    }


def _part(row: Row[*tuple[Any, ...]]) -> IndexedPart:
    _, rating_key, section_key, file, size, duration_ms, updated_at = row
    return IndexedPart(RatingKey(rating_key), SectionKey(section_key), file, size, duration_ms, updated_at)
