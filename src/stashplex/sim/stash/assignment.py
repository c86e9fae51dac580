"""Writing input values into objects: absent keeps, null clears, lists replace.

One table per kind from the input's key to a writer. No event is fired and no time is stamped here; the callers do
that, because not every change moves `updated_at`.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from stashplex.sim.stash.library import Library
from stashplex.sim.stash.model import Membership, Scene, StashID, Studio, Tag
from stashplex.sim.stash.refusal import RequestRefused

Write = Callable[[Library, Any, Any], None]
_DATE = re.compile(
    r"(?P<date>(?P<year>[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?)?)"
    r"(?(day)(?: [0-9:]{8}|T[0-9:]{8}(?:Z|[+-][0-9:]{5}))?)"
)


def assign(library: Library, kind: str, thing: Any, given: Mapping[str, Any]) -> None:
    """Write what is given into a thing. Raises: RequestRefused, possibly half-way: check first what can fail."""
    table = _WRITERS[kind]
    for name, value in given.items():
        if name in table:
            table[name](library, thing, value)


def picture_of(text: str | None) -> bytes | None:
    """Return the bytes of a data URL, None for nothing. Raises: RequestRefused."""
    if not text:
        return None
    if text.startswith(("http://", "https://")):
        raise RequestRefused("the simulated server fetches no pictures: send a data URL")
    head, is_data, data = text.partition(";base64,")
    if not is_data or not head.startswith("data:"):
        message = f'Get "{text}": unsupported protocol scheme ""'
        raise RequestRefused(message)
    try:
        return base64.b64decode(data, validate=True) or None
    except binascii.Error as error:
        message = f"illegal base64 data: {error}"
        raise RequestRefused(message) from error


def date_of(text: str | None) -> str | None:
    """Return a date, a month or a year as it is kept: without a time, None for nothing. Raises: RequestRefused."""
    if not text:
        return None
    known = _DATE.fullmatch(text)
    try:
        if known is not None:
            year = "2000" if known["year"] == "0000" else known["year"]  # Stash has a year 0, a leap year too
            datetime.fromisoformat("-".join((year, known["month"] or "01", known["day"] or "01")))
            return known["date"]
    except ValueError:
        pass
    message = f'converting date: failed to parse date "{text}"'
    raise RequestRefused(message)


def combined(mode: str, old: Iterable[Any], new: Iterable[Any]) -> tuple[Any, ...]:
    """Return a list after a bulk change by SET, ADD or REMOVE."""
    old, new = tuple(old), tuple(new)
    if mode == "SET":
        return new
    if mode == "ADD":
        return old + tuple(each for each in new if each not in old)
    return tuple(each for each in old if each not in new)


def stash_ids_of(library: Library, given: Iterable[Mapping[str, Any]] | None) -> tuple[StashID, ...]:
    """Return stash-box links from their inputs."""
    now = library.stamper.now()
    return tuple(StashID(g["endpoint"], g["stash_id"], g.get("updated_at") or now) for g in given or ())


def _text(name: str) -> Write:
    return lambda _, thing, value: setattr(thing, name, value or "")


def _value(name: str) -> Write:
    return lambda _, thing, value: setattr(thing, name, value)


def _flag(name: str) -> Write:
    return lambda _, thing, value: setattr(thing, name, bool(value))


def _texts(name: str) -> Write:
    return lambda _, thing, value: setattr(thing, name, tuple(dict.fromkeys(value or ())))


def _links(name: str, table: str) -> Write:
    return lambda library, thing, value: setattr(thing, name, getattr(library, table).get_linked(value or ()))


def _link(name: str, table: str) -> Write:
    def write(library: Library, thing: Any, value: Any) -> None:
        found = getattr(library, table).get_linked([] if value is None else [value])
        setattr(thing, name, found[0] if found else None)

    return write


def _picture(name: str) -> Write:
    return lambda _, thing, value: setattr(thing, name, picture_of(value))


def _cover(_: Library, scene: Any, value: str | None) -> None:
    """Write a cover; nothing can take one away, null and "" leave it as it is."""
    try:
        scene.cover = picture_of(value) or scene.cover
    except RequestRefused as error:
        message = f"processing cover image: {error}"
        raise RequestRefused(message) from error


def _date(_: Library, thing: Any, value: str | None) -> None:
    thing.date = date_of(value)


def _url(_: Library, thing: Any, value: str | None) -> None:
    thing.urls = (value,) if value else ()


def _stash_ids(library: Library, thing: Any, value: Any) -> None:
    thing.stash_ids = stash_ids_of(library, value)


def _groups(library: Library, scene: Scene, value: Any) -> None:
    wanted = {int(g.get("group_id") or g["movie_id"]): g.get("scene_index") for g in value or ()}
    scene.groups = tuple(Membership(g, wanted[g.id]) for g in library.groups.get_linked(wanted))


def _primary_file(library: Library, scene: Scene, value: Any) -> None:
    file = library.files.get_known(value)
    if file not in scene.files:
        message = f"file with id {value} not associated with scene"
        raise RequestRefused(message)
    scene.files = (file, *(each for each in scene.files if each is not file))


def _play_duration(library: Library, scene: Scene, value: float | None) -> None:
    library.activity_of(scene).play_duration = value or 0.0


def _parent(library: Library, studio: Studio, value: Any) -> None:
    old = studio.parent_studio
    if old is not None:
        old.child_studios = tuple(each for each in old.child_studios if each is not studio)
    _link("parent_studio", "studios")(library, studio, value)
    if studio.parent_studio is not None:
        studio.parent_studio.child_studios += (studio,)


def _tag_family(name: str, mirror: str) -> Write:
    def write(library: Library, tag: Tag, value: Any) -> None:
        for each in getattr(tag, name):
            setattr(each, mirror, tuple(t for t in getattr(each, mirror) if t is not tag))
        setattr(tag, name, library.tags.get_linked(value or ()))
        for each in getattr(tag, name):
            setattr(each, mirror, (*getattr(each, mirror), tag))

    return write


def _custom_fields(_: Library, thing: Any, value: Mapping[str, Any] | None) -> None:
    value = value or {}
    if {"full", "partial", "remove"} & set(value):
        kept = dict(value["full"]) if value.get("full") is not None else dict(thing.custom_fields)
        kept.update(value.get("partial") or {})
        thing.custom_fields = {k: v for k, v in kept.items() if k not in (value.get("remove") or ())}
    else:
        thing.custom_fields = dict(value)


_PERFORMER_TEXTS = (
    "name", "disambiguation", "ethnicity", "country", "eye_color", "hair_color", "measurements", "fake_tits",
    "career_length", "tattoos", "piercings", "details",
)  # fmt: skip
_PERFORMER_VALUES = (
    "gender", "birthdate", "death_date", "height_cm", "weight", "penis_length", "circumcised", "rating100",
)  # fmt: skip
_TAGS, _STUDIO = _links("tags", "tags"), _link("studio", "studios")
_PERFORMERS = _links("performers", "performers")

_WRITERS: dict[str, dict[str, Write]] = {
    "scene": {
        **{name: _text(name) for name in ("title", "code", "details", "director")},
        "date": _date,
        "rating100": _value("rating100"),
        "organized": _flag("organized"),
        "url": _url,
        "urls": _texts("urls"),
        "studio_id": _STUDIO,
        "gallery_ids": _links("galleries", "galleries"),
        "performer_ids": _PERFORMERS,
        "groups": _groups,
        "movies": _groups,
        "tag_ids": _TAGS,
        "cover_image": _cover,
        "stash_ids": _stash_ids,
        "play_duration": _play_duration,
        "primary_file_id": _primary_file,
    },
    "performer": {
        **{name: _text(name) for name in _PERFORMER_TEXTS},
        **{name: _value(name) for name in _PERFORMER_VALUES},
        **{name: _flag(name) for name in ("favorite", "ignore_auto_tag")},
        "url": _url,
        "urls": _texts("urls"),
        "alias_list": _texts("alias_list"),
        "tag_ids": _TAGS,
        "image": _picture("image"),
        "stash_ids": _stash_ids,
        "custom_fields": _custom_fields,
    },
    "studio": {
        **{name: _text(name) for name in ("name", "details")},
        **{name: _flag(name) for name in ("favorite", "ignore_auto_tag")},
        "rating100": _value("rating100"),
        "url": _url,
        "urls": _texts("urls"),
        "parent_id": _parent,
        "aliases": _texts("aliases"),
        "tag_ids": _TAGS,
        "image": _picture("image"),
        "stash_ids": _stash_ids,
    },
    "tag": {
        **{name: _text(name) for name in ("name", "sort_name", "description")},
        **{name: _flag(name) for name in ("favorite", "ignore_auto_tag")},
        "aliases": _texts("aliases"),
        "image": _picture("image"),
        "stash_ids": _stash_ids,
        "parent_ids": _tag_family("parents", "children"),
        "child_ids": _tag_family("children", "parents"),
    },
    "group": {
        **{name: _text(name) for name in ("name", "aliases", "director", "synopsis")},
        **{name: _value(name) for name in ("duration", "rating100")},
        "date": _date,
        "studio_id": _STUDIO,
        "urls": _texts("urls"),
        "tag_ids": _TAGS,
        "front_image": _picture("front_image"),
        "back_image": _picture("back_image"),
    },
    "gallery": {
        **{name: _text(name) for name in ("title", "code", "details")},
        "date": _date,
        "rating100": _value("rating100"),
        "organized": _flag("organized"),
        "urls": _texts("urls"),
        "studio_id": _STUDIO,
        "tag_ids": _TAGS,
        "performer_ids": _PERFORMERS,
    },
    "marker": {
        "title": _text("title"),
        "seconds": _value("seconds"),
        "end_seconds": _value("end_seconds"),
        "primary_tag_id": _link("primary_tag", "tags"),
        "tag_ids": _TAGS,
    },
}
