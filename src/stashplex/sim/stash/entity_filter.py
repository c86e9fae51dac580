"""Filters of everything but scenes: performers, studios, tags, groups, galleries, markers, files.

Each kind is a table from the filter's field to a reader and a kind of criterion. A field without an entry is
refused, never ignored: a filter that is silently wide would make a client look right.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from stashplex.sim.stash import criterion as c
from stashplex.sim.stash.library import Library

Predicate = Callable[[Any], bool]
Read = Callable[[Any], Any]


def ids_of(name: str) -> Read:
    """Return a reader of the ids in a list of references."""
    return lambda thing: [each.id for each in getattr(thing, name)]


def id_of(name: str) -> Read:
    """Return a reader of the id of a single reference."""
    return lambda thing: [] if getattr(thing, name) is None else [getattr(thing, name).id]


def any_text(name: str) -> Callable[[c.Criterion], Predicate]:
    """Return a builder for a list of texts, of which one must match (or none, when negated)."""

    def build(criterion: c.Criterion) -> Predicate:
        test = c.text_test(criterion)
        is_negative = criterion["modifier"] in ("NOT_EQUALS", "EXCLUDES", "NOT_MATCHES_REGEX", "IS_NULL")
        decide = all if is_negative else any
        if criterion["modifier"] in ("IS_NULL", "NOT_NULL"):
            return lambda thing: bool(getattr(thing, name)) is not is_negative
        return lambda thing: decide(test(text) for text in getattr(thing, name))

    return build


class EntityFilters:
    """Builds predicates for one library."""

    def __init__(self, library: Library) -> None:
        self.library = library

    def predicate(self, kind: str, given: Mapping[str, Any] | None) -> Predicate:
        """Return the filter of one kind as a predicate. Raises: RequestRefused."""
        return c.compile_filter(given or {}, lambda name, value: self._field(kind, name, value))

    def _field(self, kind: str, name: str, value: Any) -> Predicate:
        for names, read, test in (*_COMMON, *_BY_KIND[kind]):
            if name in names:
                return _compose(read or attrgetter(name), test(value))
        if name in ("aliases", "url"):
            return any_text(_TEXT_LISTS[kind, name])(value)
        if name == "is_missing":
            return _is_missing(value)
        if name == "scene_count":
            usage, fits = self.library.usage(), c.order_test(value)
            return lambda thing: fits(usage.get(("scene", thing), 0))
        if name in ("tags", "parents", "children", "studios"):
            return self._family(kind, name, value)
        if name == "tags_filter":
            inner = self.predicate("tag", value)
            return lambda thing: any(inner(tag) for tag in thing.tags)
        raise c.refuse_filter(name)

    def _family(self, kind: str, name: str, value: Any) -> Predicate:
        library = self.library
        if kind == "studio" and name == "parents":
            return _compose(id_of("parent_studio"), c.links_test(value))
        if kind == "group" and name == "studios":
            return _compose(id_of("studio"), c.links_test(value, table=library.studios, below="child_studios"))
        if name == "studios":
            raise c.refuse_filter(name)
        return _compose(ids_of(name), c.links_test(value, table=library.tags, below="children"))


def _compose(read: Read, test: c.Test) -> Predicate:
    return lambda thing: test(read(thing))


def _is_missing(value: str) -> Predicate:
    attribute = {"stash_id": "stash_ids", "url": "urls", "aliases": "alias_list"}.get(value, value)
    return lambda thing: not getattr(thing, attribute)


def _gender(value: c.Criterion) -> c.Test:
    wanted = set(value.get("value_list") or ()) | ({value["value"]} if value.get("value") else set())
    modifier = value["modifier"]
    return {
        "EQUALS": lambda x: x in wanted,
        "INCLUDES": lambda x: x in wanted,
        "NOT_EQUALS": lambda x: x not in wanted,
        "EXCLUDES": lambda x: x not in wanted,
        "IS_NULL": lambda x: not x,
        "NOT_NULL": bool,
    }[modifier]


def _count(name: str) -> Read:
    return lambda thing: len(getattr(thing, name))


_Row = tuple[tuple[str, ...], Read | None, Callable[[Any], c.Test]]
_COMMON: tuple[_Row, ...] = (
    (("id", "rating100", "duration", "date", "birthdate", "death_date"), None, c.order_test),
    (("created_at", "updated_at", "mod_time"), None, c.order_test),
    (("name", "title", "code", "details", "director", "synopsis", "description", "sort_name"), None, c.text_test),
    (("disambiguation", "country", "path", "basename"), None, c.text_test),
    (("favorite", "organized", "ignore_auto_tag"), None, c.flag_test),
    (("stash_id_endpoint",), attrgetter("stash_ids"), c.stash_id_test),
)
_BY_KIND: dict[str, tuple[_Row, ...]] = {
    "performer": (
        (("filter_favorites",), attrgetter("favorite"), c.flag_test),
        (("gender",), None, _gender),
        (("tag_count",), _count("tags"), c.order_test),
    ),
    "studio": (
        (("child_count",), _count("child_studios"), c.order_test),
        (("tag_count",), _count("tags"), c.order_test),
    ),
    "tag": (
        (("parent_count",), _count("parents"), c.order_test),
        (("child_count",), _count("children"), c.order_test),
    ),
    "group": ((("aliases",), None, c.text_test),),
    "gallery": (),
    "marker": (
        (("tags",), lambda m: [m.primary_tag.id, *(t.id for t in m.tags)], c.links_test),
        (("scenes",), lambda m: [m.scene.id], c.links_test),
    ),
    "file": ((("dir",), attrgetter("parent_folder.path"), c.text_test),),
}
_TEXT_LISTS = {
    ("performer", "aliases"): "alias_list",
    ("performer", "url"): "urls",
    ("studio", "aliases"): "aliases",
    ("studio", "url"): "urls",
    ("tag", "aliases"): "aliases",
    ("group", "url"): "urls",
}
