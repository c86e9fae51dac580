"""Bytes of Plex to values: the only place that knows the names and the habits of Plex's JSON.

Not a client: no request, no status, no policy. The Structs stay in here; what leaves are the domain's values.
Invariant: Plex's loose typing (numbers as strings, booleans as 0/1/"1", one child as an object, absent arrays,
raw control characters) is accepted; anything else raises `msgspec.DecodeError`, which the client translates.
Source: plex-wire.md 0.1, 1.4, 2.2, 3, 5.2.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from stashplex.base.wire import repaired_json
from stashplex.domain.item import IndexedPart, Item, RatingKey, Section, SectionKey

_T = TypeVar("_T")
_Many: TypeAlias = list[_T] | _T | None
_OPTIMIZED_VERSION = 42
_LOCK_NAMES = {"role": "actor"}
"""`Field` is expected to use the edit's name; the response's name of the cast is accepted too (plex-wire 3)."""


@dataclass(frozen=True, slots=True)
class PlexIdentity:
    """Who answers. `version` as Plex spells it, for instance `1.43.4.10903-e5521bd8c`."""

    machine_identifier: str
    version: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing. Shape: `total` counts the section's items, or this page's if Plex does not say."""

    parts: tuple[IndexedPart, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One poster that Plex could show for an item. `key` is what `select_poster` takes."""

    key: str
    is_selected: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Where a page stands in its whole list. Units: items. None: Plex did not say."""

    returned: int
    offset: int | None
    total: int | None


class _Struct(msgspec.Struct, gc=False, kw_only=True):
    """The common options: absent members have defaults, unknown members are skipped."""


class _Part(_Struct):
    file: str | None = None
    size: int | None = None
    duration: int | None = None


class _Media(_Struct):
    part: _Many[_Part] = msgspec.field(name="Part", default=None)
    proxy_type: int | None = msgspec.field(name="proxyType", default=None)


class _Listed(_Struct, rename="camel"):
    """What the path index needs of a listed item, and nothing else: this is the hot path."""

    rating_key: str | int
    updated_at: int | None = None
    deleted_at: int | None = None
    media: _Many[_Media] = msgspec.field(name="Media", default=None)


class _Tag(_Struct):
    tag: str = ""


class _Lock(_Struct):
    name: str = ""
    locked: bool = False


class _Full(_Listed, rename="camel"):
    title: str = ""
    title_sort: str | None = None
    summary: str | None = None
    studio: str | None = None
    originally_available_at: str | None = None
    user_rating: float | None = None
    original_title: str | None = None
    tagline: str | None = None
    content_rating: str | None = None
    critic_rating: float | None = msgspec.field(name="rating", default=None)
    thumb: str | None = None
    library_section_id: str | int | None = msgspec.field(name="librarySectionID", default=None)
    genre: _Many[_Tag] = msgspec.field(name="Genre", default=None)
    director: _Many[_Tag] = msgspec.field(name="Director", default=None)
    role: _Many[_Tag] = msgspec.field(name="Role", default=None)
    collection: _Many[_Tag] = msgspec.field(name="Collection", default=None)
    label: _Many[_Tag] = msgspec.field(name="Label", default=None)
    writer: _Many[_Tag] = msgspec.field(name="Writer", default=None)
    field: _Many[_Lock] = msgspec.field(name="Field", default=None)


class _Location(_Struct):
    path: str = ""


class _Directory(_Struct, rename="camel"):
    key: str | int
    type: str = ""
    title: str = ""
    content_changed_at: int | None = None
    location: _Many[_Location] = msgspec.field(name="Location", default=None)


class _Poster(_Struct, rename="camel"):
    key: str = ""
    rating_key: str = ""
    selected: bool | None = None


class _Container(_Struct, Generic[_T], rename="camel"):
    metadata: _Many[_T] = msgspec.field(name="Metadata", default=None)
    offset: int | None = None
    total_size: int | None = None
    library_section_id: str | int | None = msgspec.field(name="librarySectionID", default=None)


class _Sections(_Struct):
    directory: _Many[_Directory] = msgspec.field(name="Directory", default=None)


class _Identity(_Struct, rename="camel"):
    machine_identifier: str
    version: str = ""


class _Reply(_Struct, Generic[_T]):
    container: _T = msgspec.field(name="MediaContainer")


_LISTING = msgspec.json.Decoder(_Reply[_Container[_Listed]], strict=False)
_ITEMS = msgspec.json.Decoder(_Reply[_Container[_Full]], strict=False)
_POSTERS = msgspec.json.Decoder(_Reply[_Container[_Poster]], strict=False)
_SECTIONS = msgspec.json.Decoder(_Reply[_Sections], strict=False)
_IDENTITY = msgspec.json.Decoder(_Reply[_Identity], strict=False)


def parse_identity(body: bytes) -> PlexIdentity:
    """Return who answers. Raises: msgspec.DecodeError."""
    found: _Identity = _decoded(_IDENTITY, body).container
    return PlexIdentity(found.machine_identifier, found.version)


def parse_sections(body: bytes) -> tuple[Section, ...]:
    """Return the libraries in Plex's order. Raises: msgspec.DecodeError."""
    found: _Sections = _decoded(_SECTIONS, body).container
    return tuple(
        Section(
            SectionKey(str(entry.key)),
            entry.type,
            entry.title,
            entry.content_changed_at or 0,
            tuple(location.path for location in _each(entry.location)),
        )
        for entry in _each(found.directory)
    )


def parse_listing(body: bytes, section: SectionKey) -> tuple[Page, Window]:
    """Return a page's files and where it stands, without trashed items and optimised versions.

    Raises: msgspec.DecodeError.
    """
    container: _Container[_Listed] = _decoded(_LISTING, body).container
    listed = _each(container.metadata)
    parts: list[IndexedPart] = []
    for item in listed:
        if item.deleted_at is not None:
            continue
        rating_key, updated_at = RatingKey(str(item.rating_key)), item.updated_at or 0
        parts += [
            IndexedPart(rating_key, section, part.file, part.size, part.duration, updated_at)
            for part in _parts(item)
            if part.file
        ]
    window = Window(len(listed), container.offset, container.total_size)
    return Page(tuple(parts), len(listed) if container.total_size is None else container.total_size), window


def parse_items(body: bytes) -> tuple[dict[RatingKey, Item], Window]:
    """Return whole items by rating key, without trashed ones, and where the page stands.

    Raises: msgspec.DecodeError.
    """
    container: _Container[_Full] = _decoded(_ITEMS, body).container
    entries = _each(container.metadata)
    items = [_item(entry, container.library_section_id) for entry in entries if entry.deleted_at is None]
    window = Window(len(entries), container.offset, container.total_size)
    return {item.rating_key: item for item in items}, window


def parse_posters(body: bytes) -> tuple[Candidate, ...]:
    """Return the poster candidates in Plex's order. Raises: msgspec.DecodeError."""
    container: _Container[_Poster] = _decoded(_POSTERS, body).container
    return tuple(Candidate(entry.rating_key or entry.key, bool(entry.selected)) for entry in _each(container.metadata))


def _item(entry: _Full, container_section: str | int | None) -> Item:
    section = entry.library_section_id if entry.library_section_id is not None else container_section
    return Item(
        rating_key=RatingKey(str(entry.rating_key)),
        section=SectionKey("" if section is None else str(section)),
        title=entry.title,
        title_sort=entry.title_sort or entry.title,
        summary=entry.summary or "",
        studio=entry.studio or "",
        originally_available_at=entry.originally_available_at or "",
        user_rating=entry.user_rating,
        genres=_tags(entry.genre),
        directors=_tags(entry.director),
        actors=_tags(entry.role),
        collections=_tags(entry.collection),
        labels=_tags(entry.label),
        locked=frozenset(_LOCK_NAMES.get(lock.name.lower(), lock.name) for lock in _each(entry.field) if lock.locked),
        thumb=entry.thumb or "",
        files=tuple(part.file for part in _parts(entry) if part.file),
        updated_at=entry.updated_at or 0,
        original_title=entry.original_title or "",
        tagline=entry.tagline or "",
        content_rating=entry.content_rating or "",
        critic_rating=entry.critic_rating,
        writers=_tags(entry.writer),
    )


def _parts(item: _Listed) -> Iterator[_Part]:
    """Walk the parts of all versions but the optimised ones."""
    for media in _each(item.media):
        if media.proxy_type != _OPTIMIZED_VERSION:
            yield from _each(media.part)


def _tags(tags: _Many[_Tag]) -> tuple[str, ...]:
    return tuple(entry.tag for entry in _each(tags) if entry.tag)


def _each(children: _Many[_T]) -> list[_T]:
    """Return the children as a list, however many Plex sent and however it wrapped them."""
    if isinstance(children, list):
        return children
    return [] if children is None else [children]


def _decoded(decoder: "msgspec.json.Decoder[Any]", body: bytes) -> Any:
    """Decode; a body that is no proper JSON gets a second chance with its characters repaired."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        return decoder.decode(repaired_json(body))


def render_keys(keys: Iterable[RatingKey]) -> str:
    """Return the comma list that addresses several items."""
    return ",".join(keys)
