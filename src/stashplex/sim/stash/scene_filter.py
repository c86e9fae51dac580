"""The filter of scenes.

A table from the filter's field to a predicate, the related filters (`performers_filter` …), and the trap of the real
server: each related filter is an inner join of the whole query, so that under OR it drops the scenes without such a
relation. A field without an entry is refused, never ignored.
"""

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any

from stashplex.sim.stash import criterion as c
from stashplex.sim.stash.entity_filter import EntityFilters, any_text, id_of, ids_of
from stashplex.sim.stash.library import Library
from stashplex.sim.stash.model import Scene

Predicate = Callable[[Scene], bool]

# related filter -> kind, how to get at the related things, whether Stash joins them in (and so drops the others)
_RELATED: dict[str, tuple[str, Callable[[Scene], Any], bool]] = {
    "performers_filter": ("performer", attrgetter("performers"), True),
    "tags_filter": ("tag", attrgetter("tags"), True),
    "groups_filter": ("group", lambda s: [m.group for m in s.groups], True),
    "galleries_filter": ("gallery", attrgetter("galleries"), True),
    "markers_filter": ("marker", attrgetter("scene_markers"), True),
    "files_filter": ("file", attrgetter("files"), True),
    "studios_filter": ("studio", lambda s: () if s.studio is None else (s.studio,), False),
}


class SceneFilters:
    """Builds predicates for one library."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.entities = EntityFilters(library)

    def predicate(self, given: Mapping[str, Any] | None) -> Predicate | None:
        """Return the filter as a predicate, None when it lets everything through. Raises: RequestRefused."""
        if not given:
            return None
        whole = c.compile_filter(given, self._field)
        joined = [_RELATED[name][1] for name in _names(given) if name in _RELATED and _RELATED[name][2]]
        if not joined:
            return whole
        return lambda scene: whole(scene) and all(read(scene) for read in joined)

    def _field(self, name: str, value: Any) -> Predicate:
        if name in _RELATED:
            kind, read, _ = _RELATED[name]
            inner = self.entities.predicate(kind, value)
            return lambda scene: any(inner(each) for each in read(scene))
        if name in _PLAIN:
            read, test = _PLAIN[name][0], _PLAIN[name][1](value)
            return lambda scene: test(read(scene))
        if name in _BUILT:
            return _BUILT[name](value)
        if name in _FAMILIES:
            read, table, below = _FAMILIES[name]
            test = c.links_test(value, table=getattr(self.library, table), below=below)
            return lambda scene: test(read(scene))
        raise c.refuse_filter(name)


def least_id(given: Mapping[str, Any] | None) -> int | None:
    """Return the id below which nothing can match, when the filter says so at its top."""
    wanted = (given or {}).get("id")
    if not wanted or wanted["modifier"] != "GREATER_THAN" or (given or {}).get("OR"):
        return None
    return int(wanted["value"]) + 1


def _names(given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        if name in ("AND", "OR", "NOT") and value is not None:
            yield from _names(value)
        elif value is not None:
            yield name


def _primary(name: str, otherwise: Any) -> Callable[[Scene], Any]:
    return lambda scene: getattr(scene.files[0], name) if scene.files else otherwise


def _print(kind: str) -> Callable[[Scene], Any]:
    return lambda scene: next((p for f in scene.files if (p := f.fingerprint_of(kind))), None)


def _path(value: c.Criterion) -> Predicate:
    test = c.text_test(value)
    is_negative = value["modifier"] in ("NOT_EQUALS", "EXCLUDES", "NOT_MATCHES_REGEX", "IS_NULL")
    decide = all if is_negative else any
    return lambda scene: decide(test(file.path) for file in scene.files) and (is_negative or bool(scene.files))


def _has_markers(value: str) -> Predicate:
    return lambda scene: bool(scene.scene_markers) is (value == "true")


def _is_missing(value: str) -> Predicate:
    special: dict[str, Predicate] = {
        "url": lambda s: not s.urls,
        "movie": lambda s: not s.groups,
        "group": lambda s: not s.groups,
        "stash_id": lambda s: not s.stash_ids,
        "cover": lambda s: s.cover is None,
        "phash": lambda s: _print("phash")(s) is None,
    }
    known = ("galleries", "studio", "performers", "date", "tags", "title", "code", "details", "director", "rating")
    if value in special:
        return special[value]
    if value not in known:
        raise c.refuse_filter(f"is_missing: {value}")
    attribute = "rating100" if value == "rating" else value
    return lambda s: not getattr(s, attribute)


def _any_link(name: str) -> Callable[[Scene], Any]:
    return lambda scene: any(getattr(p, name) for p in scene.performers)


_PLAIN: dict[str, tuple[Callable[[Scene], Any], Callable[[Any], c.Test]]] = {
    **{name: (attrgetter(name), c.text_test) for name in ("title", "code", "details", "director")},
    **{
        name: (attrgetter(name), c.order_test)
        for name in (
            "id",
            "rating100",
            "o_counter",
            "play_count",
            "play_duration",
            "resume_time",
            "last_played_at",
            "date",
            "created_at",
            "updated_at",
            "interactive_speed",
        )
    },
    "organized": (attrgetter("organized"), c.flag_test),
    "interactive": (attrgetter("interactive"), c.flag_test),
    "performer_favorite": (_any_link("favorite"), c.flag_test),
    "oshash": (_print("oshash"), c.text_test),
    "checksum": (_print("md5"), c.text_test),
    "phash": (_print("phash"), c.text_test),
    "file_count": (lambda s: len(s.files), c.order_test),
    "tag_count": (lambda s: len(s.tags), c.order_test),
    "performer_count": (lambda s: len(s.performers), c.order_test),
    "duration": (lambda s: int(s.files[0].duration) if s.files else None, c.order_test),
    "framerate": (_primary("frame_rate", None), c.order_test),
    "bitrate": (_primary("bit_rate", None), c.order_test),
    "video_codec": (_primary("video_codec", None), c.text_test),
    "audio_codec": (_primary("audio_codec", None), c.text_test),
    "stash_id_endpoint": (attrgetter("stash_ids"), c.stash_id_test),
}
_BUILT: dict[str, Callable[[Any], Predicate]] = {
    "path": _path,
    "url": any_text("urls"),
    "has_markers": _has_markers,
    "is_missing": _is_missing,
}
_FAMILIES: dict[str, tuple[Callable[[Scene], Any], str, str]] = {
    "tags": (ids_of("tags"), "tags", "children"),
    "studios": (id_of("studio"), "studios", "child_studios"),
    "performers": (ids_of("performers"), "performers", ""),
    "galleries": (ids_of("galleries"), "galleries", ""),
    "groups": (lambda s: [m.group.id for m in s.groups], "groups", ""),
    "performer_tags": (lambda s: [t.id for p in s.performers for t in p.tags], "tags", "children"),
}
