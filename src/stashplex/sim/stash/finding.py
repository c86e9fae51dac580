"""Finding: search words, order and pages of a list, and the result that a find returns.

Pages are Stash's: 25 unless told otherwise, -1 everything, 0 only a count, page 0 is page 1. A result counts only
when it is asked to, so that a page by id over a large library costs what the page costs.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from operator import attrgetter
from random import Random
from typing import Any

from stashplex.sim.stash.criterion import search_words
from stashplex.sim.stash.library import Library, Table, parse_id
from stashplex.sim.stash.model import Scene
from stashplex.sim.stash.refusal import RequestRefused

Key = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Page:
    """What a `FindFilterType` asks for. Shape: `per_page` None is everything."""

    q: str = ""
    number: int = 1
    per_page: int | None = 25
    sort: str = ""
    is_descending: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> "Page":
        """Return the page that a filter argument asks for."""
        given = given or {}
        per_page = given.get("per_page")
        per_page = 25 if per_page is None else per_page
        return cls(
            q=given.get("q") or "",
            number=max(given.get("page") or 1, 1),
            per_page=None if per_page < 0 else per_page,
            sort=given.get("sort") or "",
            is_descending=given.get("direction") == "DESC",
        )

    def cut(self, rows: Iterable[Any]) -> list[Any]:
        """Return the rows of this page."""
        if self.per_page is None:
            return list(rows)
        start = (self.number - 1) * self.per_page
        return list(islice(rows, start, start + self.per_page))


class Found:
    """A find's answer. Shape: counts and sums run over all that matched, `rows` is the page."""

    def __init__(self, matched: Callable[[], Iterable[Any]], rows: Iterable[Any]) -> None:
        self._matched = matched
        self.rows = rows

    def __getattr__(self, name: str) -> Any:
        """Return the page under whatever name the schema gives it."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self.rows

    @cached_property
    def count(self) -> int:
        """How many matched."""
        return sum(1 for _ in self._matched())

    @cached_property
    def duration(self) -> float:
        """Seconds of all that matched."""
        return sum(_first(each, "duration") for each in self._matched())

    @cached_property
    def filesize(self) -> float:
        """Bytes of all that matched."""
        return float(sum(_first(each, "size") for each in self._matched()))

    @cached_property
    def size(self) -> int:
        """Bytes of all files that matched."""
        return sum(file.size for file in self._matched())

    @cached_property
    def megapixels(self) -> float:
        """Not computed."""
        return 0.0


def find_ids(table: Table[Any], ids: Sequence[Any]) -> Found:
    """Return exactly these, in this order. Raises: RequestRefused for an unknown or repeated id."""
    seen: set[str] = set()
    for each in map(str, ids):
        if each in seen:
            message = f"validating ids: duplicate id found: {each}"
            raise RequestRefused(message)
        seen.add(each)
    rows = [table.get_known(each) for each in [parse_id(each, "converting ids: ") for each in ids]]
    return Found(lambda: rows, rows)


def find_rows(rows: Iterable[Any], page: Page, matches: Callable[[Any], bool], texts: Callable[[Any], Any]) -> Found:
    """Return a page of any kind but scenes."""
    search = search_test(page.q, texts)
    matched = [each for each in rows if matches(each) and search(each)]
    return Found(lambda: matched, page.cut(in_order(matched, page, _ENTITY_KEYS)))


def find_scenes(
    library: Library, page: Page, matches: Callable[[Scene], bool] | None, least: int | None = None
) -> Found:
    """Return a page of scenes. Units: `least` is the smallest id that can match."""
    search = search_test(page.q, scene_texts) if page.q else None
    start = 0 if least is None else bisect_left(library.scene_ids, least)

    def matched() -> Iterable[Scene]:
        rows: Iterable[Scene] = (library.scenes[i] for i in library.scene_ids[start:])
        if matches is not None:
            rows = filter(matches, rows)
        return rows if search is None else filter(search, rows)

    if page.per_page == 0:
        return Found(matched, [])
    is_by_id = page.sort in ("", "id") and not page.is_descending
    return Found(matched, page.cut(matched() if is_by_id else in_order(list(matched()), page, _SCENE_KEYS)))


def search_test(q: str, texts: Callable[[Any], Iterable[str]]) -> Callable[[Any], bool]:
    """Return whether all words occur in a thing's texts; a word behind `-` must not."""
    words = [word.lower() for word in search_words(q)]

    def test(thing: Any) -> bool:
        whole = "\n".join(texts(thing)).lower()
        return all((word[1:] not in whole) if word[0] == "-" and word[1:] else word in whole for word in words)

    return test if words else lambda _: True


def in_order(rows: list[Any], page: Page, keys: Mapping[str, Key]) -> list[Any]:
    """Return the rows as `page.sort` wants them, empty values first. Raises: RequestRefused."""
    if page.sort.startswith("random"):
        shuffled = list(rows)
        Random(page.sort).shuffle(shuffled)
        return shuffled
    key = keys.get(page.sort or "id")
    if key is None:
        message = f"invalid sort: {page.sort}"
        raise RequestRefused(message)

    def whole(row: Any) -> tuple[bool, Any, str, int]:
        value = key(row)
        return (value is not None, value, str(getattr(row, "title", "")), row.id)

    return sorted(rows, key=whole, reverse=page.is_descending)


def scene_texts(scene: Scene) -> list[str]:
    """Return what a search over scenes looks at."""
    texts = [scene.title, scene.details, scene.code, *(marker.title for marker in scene.scene_markers)]
    for file in scene.files:
        texts += [file.path, file.oshash]
    return texts


def entity_texts(thing: Any) -> list[str]:
    """Return what a search over performers, studios, tags or groups looks at."""
    aliases = getattr(thing, "alias_list", None) or getattr(thing, "aliases", None) or ()
    return [thing.name, aliases] if isinstance(aliases, str) else [thing.name, *aliases]


def _first(thing: Any, name: str) -> float:
    files = getattr(thing, "files", None)
    if files is None:
        return float(getattr(thing, name))
    return float(getattr(files[0], name)) if files else 0.0


def _file_key(name: str) -> Key:
    return lambda scene: getattr(scene.files[0], name) if scene.files else None


_SCENE_KEYS: dict[str, Key] = {
    **{
        name: attrgetter(name)
        for name in (
            "id",
            "created_at",
            "updated_at",
            "title",
            "code",
            "date",
            "organized",
            "play_count",
            "o_counter",
            "play_duration",
            "resume_time",
            "last_played_at",
        )
    },
    "rating": attrgetter("rating100"),
    "path": _file_key("path"),
    "file_mod_time": _file_key("mod_time"),
    "duration": _file_key("duration"),
    "filesize": _file_key("size"),
    "bitrate": _file_key("bit_rate"),
    "framerate": _file_key("frame_rate"),
    "file_count": lambda s: len(s.files),
    "tag_count": lambda s: len(s.tags),
    "performer_count": lambda s: len(s.performers),
    "studio": lambda s: None if s.studio is None else s.studio.name,
}
_ENTITY_KEYS: dict[str, Key] = {
    **{name: attrgetter(name) for name in ("id", "created_at", "updated_at", "path", "basename", "mod_time", "size")},
    **{name: attrgetter(name) for name in ("title", "date", "birthdate", "seconds")},
    "name": lambda each: (getattr(each, "sort_name", "") or each.name).lower(),
    "rating": attrgetter("rating100"),
}
