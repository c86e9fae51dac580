"""Which scene of Stash has which file, as the last listing of Stash saw it.

Asked when a scene cannot be matched by a place: then what else in Stash would fit an item as well counts. It is a hint,
filled by `engine/listing`; like the path index it compares keys of `domain.pathmap`. Each method is one short
transaction, except where it says so.
The invariant: a listing that breaks off removes nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, delete, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from stashplex.domain.evidence import Owned
from stashplex.domain.matching import HasFiles, ListedScene
from stashplex.domain.pathmap import name_key
from stashplex.domain.scene import SceneFile, SceneId
from stashplex.store.batch import Batch
from stashplex.store.database import Database
from stashplex.store.schema import stash_file

_QUESTION_CHUNK = 1_000
_COLUMNS = (stash_file.c.scene_id, stash_file.c.file, stash_file.c.size, stash_file.c.duration_ms)
_NEW = upsert(stash_file).values(
    {name: bindparam(name) for name in ("scene_id", "file", "name_key", "size", "duration_ms", "crawl")}
)
_ADD = Batch(
    _NEW.on_conflict_do_update(
        index_elements=[stash_file.c.scene_id, stash_file.c.file],
        set_={name: _NEW.excluded[name] for name in ("size", "duration_ms", "crawl")},
    )
)
_OF_SCENES = select(*_COLUMNS).where(stash_file.c.scene_id.in_(bindparam("scene_ids", expanding=True)))
_FORGET_SCENES = delete(stash_file).where(stash_file.c.scene_id.in_(bindparam("scene_ids", expanding=True)))
_FORGET_UNSEEN = delete(stash_file).where(stash_file.c.crawl < bindparam("of_crawl"))
_NEWEST = select(func.coalesce(func.max(stash_file.c.crawl), 0))
_PAGE = (
    select(*_COLUMNS)
    .where(
        stash_file.c.scene_id > bindparam("after"),
        stash_file.c.scene_id <= bindparam("after") + bindparam("span"),
    )
    .order_by(stash_file.c.scene_id, stash_file.c.id)
)
_LAST = select(func.coalesce(func.max(stash_file.c.scene_id), 0))


def _find(key: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    return select(key, *_COLUMNS).where(key.in_(bindparam("keys", expanding=True))).order_by(stash_file.c.id)


_FIND_BY_NAME = _find(stash_file.c.name_key)
_FIND_BY_SIZE = _find(stash_file.c.size)


class StashFiles:
    """The files of Stash. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self) -> int:
        """Return the number of a new listing: newer than that of any file known."""
        with self._database.read() as connection:
            return int(connection.execute(_NEWEST).scalar_one()) + 1

    def add_page(self, crawl: int, scenes: Sequence[HasFiles]) -> None:
        """Put what a listing tells of some scenes in place of what was known of them. Shape: some thousands at most."""
        self._replace(crawl, scenes, gone=())

    def finish(self, crawl: int) -> int:
        """Remove what a whole listing did not see; return how many files that were."""
        with self._database.write() as connection:
            return connection.execute(_FORGET_UNSEEN, {"of_crawl": crawl}).rowcount

    def learn(self, scenes: Sequence[HasFiles], gone: Collection[SceneId] = ()) -> bool:
        """Note what scenes that were just read have, and which are gone; tell whether that was news."""
        known = self.files_of([*(scene.id for scene in scenes), *gone])
        fresh = [scene for scene in scenes if _facts(scene.files) != _facts(known.get(scene.id, ()))]
        lost = [scene_id for scene_id in gone if scene_id in known]
        if fresh or lost:
            self._replace(self.begin(), fresh, gone=lost)
        return bool(fresh or lost)

    def files_of(self, scene_ids: Collection[SceneId]) -> dict[SceneId, list[SceneFile]]:
        """Return the files known of some scenes; scenes without any are missing. Shape: some thousands at a time."""
        found: dict[SceneId, list[SceneFile]] = {}
        with self._database.read() as connection:
            for row in connection.execute(_OF_SCENES, {"scene_ids": list(scene_ids)}):
                owned = _owned(row)
                found.setdefault(owned.scene_id, []).append(owned.file)
        return found

    def find_by_name(self, names: Collection[str]) -> dict[str, list[Owned]]:
        """Return the files with one of the name keys, by name."""
        return self._rows(_FIND_BY_NAME, sorted(set(names)))

    def find_by_size(self, sizes: Collection[int]) -> dict[int, list[Owned]]:
        """Return the files with one of the sizes, by size. Units: bytes."""
        return self._rows(_FIND_BY_SIZE, sorted(set(sizes)))

    def iter_scenes(self) -> Iterator[ListedScene]:
        """Yield every scene that has a file, by ascending number; a page is one short read."""
        after = 0
        with self._database.read() as connection:
            last = int(connection.execute(_LAST).scalar_one())
        while after < last:
            with self._database.read() as connection:
                rows = connection.execute(_PAGE, {"after": after, "span": _QUESTION_CHUNK}).all()
            scenes: dict[SceneId, list[SceneFile]] = {}
            for row in rows:
                owned = _owned(row)
                scenes.setdefault(owned.scene_id, []).append(owned.file)
            yield from (ListedScene(scene_id, tuple(files)) for scene_id, files in scenes.items())
            after += _QUESTION_CHUNK

    def _replace(self, crawl: int, scenes: Sequence[HasFiles], *, gone: Collection[SceneId]) -> None:
        forgotten = [*(scene.id for scene in scenes), *gone]
        with self._database.write() as connection:
            for start in range(0, len(forgotten), _QUESTION_CHUNK):
                connection.execute(_FORGET_SCENES, {"scene_ids": forgotten[start : start + _QUESTION_CHUNK]})
            _ADD.execute(connection, [_row(scene, file, crawl) for scene in scenes for file in scene.files])

    def _rows(self, statement: Select[*tuple[Any, ...]], keys: Sequence[Any]) -> dict[Any, list[Owned]]:
        found: dict[Any, list[Owned]] = {}
        with self._database.read() as connection:
            for start in range(0, len(keys), _QUESTION_CHUNK):
                for row in connection.execute(statement, {"keys": keys[start : start + _QUESTION_CHUNK]}):
                    found.setdefault(row[0], []).append(_owned(row[1:]))
        return found


def _facts(files: Iterable[SceneFile]) -> frozenset[tuple[str, int | None, int | None]]:
    return frozenset((file.path, file.size, _duration_ms(file)) for file in files)


def _duration_ms(file: SceneFile) -> int | None:
    return None if file.duration_s is None else round(file.duration_s * 1_000)


def _row(scene: HasFiles, file: SceneFile, crawl: int) -> Mapping[str, object]:
    return {
        "scene_id": scene.id,
        "file": file.path,
        "name_key": name_key(file.path),
        "size": file.size,
        "duration_ms": _duration_ms(file),
        "crawl": crawl,
    }


def _owned(row: Row[*tuple[Any, ...]] | tuple[Any, ...]) -> Owned:
    scene_id, path, size, duration_ms = row
    return Owned(SceneId(scene_id), SceneFile(path, size, None if duration_ms is None else duration_ms / 1_000))
