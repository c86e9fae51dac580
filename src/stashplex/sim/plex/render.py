"""How an item looks in answers: the short line of a listing and the whole item of a read.

A line is truncated as the real server truncates it (2 genres, 3 roles, no locks, labels or collections); its
JSON is cached on the item until the item changes. Unset optional attributes are absent, not empty.
"""

from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from stashplex.sim.plex.answer import Element, encode_fragment
from stashplex.sim.plex.call import Call
from stashplex.sim.plex.item import Collection, Item, Media, Part
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.tag import KINDS, Kind, Tagging
from stashplex.sim.plex.world import World

_BEFORE_STAMPS = ("studio", "originalTitle", "editionTitle", "contentRating")
_AFTER_SUMMARY = ("rating", "audienceRating", "year", "tagline")
_ITEM_PREFERENCES = (
    ("languageOverride", "text", "", ":Library default|en-US:English|de-DE:Deutsch"),
    ("useOriginalTitle", "int", "-1", "-1:Library default|0:No|1:Yes"),
)
_COLLECTION_PREFERENCES = (
    ("collectionMode", "int", "-1", "-1:Library default|0:Hide collection|1:Hide items|2:Show both"),
    ("collectionSort", "int", "0", "0:Release date|1:Alphabetical|2:Custom"),
)
_GALLERY_PATHS = {"thumb": "coverPoster", "art": "background"}


@dataclass(frozen=True, slots=True)
class Shape:
    """Which parts of an item a request wants."""

    account: int
    has_guids: bool = False
    has_prefs: bool = False
    without_elements: frozenset[str] = frozenset()
    without_fields: frozenset[str] = frozenset()


def shape_of(call: Call) -> Shape:
    """Return the shape that a request asks for."""
    honoured = call.world.switches.honour_excludes
    return Shape(
        account=call.account,
        has_guids=call.query.is_on("includeGuids"),
        has_prefs=call.query.is_on("includePreferences"),
        without_elements=frozenset(call.query.list_of("excludeElements")) if honoured else frozenset(),
        without_fields=frozenset(call.query.list_of("excludeFields")) if honoured else frozenset(),
    )


class Lines:
    """Renders the lines of one listing, from the cache where it can."""

    def __init__(self, call: Call) -> None:
        self._world = call.world
        self._shape = shape_of(call)
        shape = self._shape
        self._key = (shape.account, shape.has_guids, shape.without_elements, shape.without_fields)
        self._is_cached = call.wants_json and call.is_owner and not call.world.switches.loose_types

    def render(self, item: Item) -> Element | msgspec.Raw:
        """Return one line."""
        if not self._is_cached:
            return line(self._world, item, self._shape)
        if item.fragment is None or item.fragment_shape != self._key:
            item.fragment = encode_fragment(line(self._world, item, self._shape))
            item.fragment_shape = self._key
        return msgspec.Raw(item.fragment)


def line(world: World, item: Item, shape: Shape) -> Element:
    """Return an item as a listing shows it."""
    if isinstance(item, Collection):
        return collection_element(world, item, shape)
    element = _scalars(item, shape, world.switches.stamp_follows_item)
    if item.deleted_at is not None:
        element["deletedAt"] = item.deleted_at
    element["Media"] = [_media(media) for media in item.media]
    element["Image"] = _images(element)
    if shape.has_guids and item.guids:
        element["Guid"] = [{"id": guid} for guid in item.guids]
    for kind in KINDS.values():
        taggings = item.tags.get(kind.name)
        if taggings and kind.listed:
            element[kind.array] = [{"tag": tagging.tag.text} for tagging in taggings[: kind.listed]]
    return _trimmed(element, shape)


def full(world: World, item: Item, shape: Shape) -> Element:
    """Return an item as a read of the item shows it."""
    section = world.sections[item.section_id]
    if isinstance(item, Collection):
        element = collection_element(world, item, shape)
        element |= _section_names(section)
    else:
        element = _scalars(item, shape, world.switches.stamp_follows_item)
        element |= _section_names(section)
        element["Media"] = [_media(media, has_streams=True) for media in item.media]
        element["Image"] = _images(element)
        if item.guids:
            element["Guid"] = [{"id": guid} for guid in item.guids]
        if "rating" in element:
            image = "themoviedb://image.rating"
            element["Rating"] = [{"image": image, "type": "critic", "value": element["rating"]}]
    for name, taggings in item.tags.items():
        if taggings:
            element[KINDS[name].array] = [_tag(world, item, KINDS[name], tagging) for tagging in taggings]
    if item.locks:
        element["Field"] = [{"locked": True, "name": name} for name in sorted(item.locks)]
    if shape.has_prefs:
        element["Preferences"] = {"Setting": _preferences(item)}
    return _trimmed(element, shape)


def collection_element(world: World, item: Collection, shape: Shape) -> Element:
    """Return a collection. Its picture is composed of its members' until one is set."""
    section = world.sections[item.section_id]
    count = len(item.members)
    element: Element = {
        "ratingKey": str(item.key),
        "key": f"/library/collections/{item.key}/children",
        "guid": item.guid,
        "type": "collection",
        "title": item.title,
    }
    if "titleSort" in item.fields:
        element["titleSort"] = item.fields["titleSort"]
    if "contentRating" in item.fields:
        element["contentRating"] = item.fields["contentRating"]
    element |= {
        "subtype": section.type,
        "summary": item.fields.get("summary", ""),
        "smart": bool(item.smart_uri),
        "index": item.tag.id,
        "thumb": f"/library/collections/{item.key}/composite/{item.updated_at}",
        "addedAt": item.added_at,
        "updatedAt": item.updated_at,
        "childCount": count,
    }
    if item.smart_uri:
        element["content"] = item.smart_uri
    element |= _stamps(item, world.switches.stamp_follows_item)
    _add_view(element, item, shape.account)
    years = [int(member.fields["year"]) for member in item.members.values() if "year" in member.fields]
    if years:
        element |= {"minYear": min(years), "maxYear": max(years)}
    for name in ("collectionMode", "collectionSort"):
        if name in item.prefs:
            element[name] = int(item.prefs[name])
    return element


def _scalars(item: Item, shape: Shape, stamp_follows_item: bool) -> Element:
    fields = item.fields
    element: Element = {
        "ratingKey": str(item.key),
        "key": f"/library/metadata/{item.key}",
        "guid": item.guid,
        "slug": _slug(item.title),
    }
    for name in _BEFORE_STAMPS:
        if name in fields:
            element[name] = fields[name]
    element["type"] = item.type
    element["title"] = fields.get("title", "")
    if "titleSort" in fields:
        element["titleSort"] = fields["titleSort"]
    element["summary"] = fields.get("summary", "")
    for name in _AFTER_SUMMARY:
        if name in fields:
            element[name] = fields[name]
    _add_view(element, item, shape.account)
    element |= _stamps(item, stamp_follows_item)
    if item.media:
        element["duration"] = sum(part.file.duration_ms for part in item.media[0].parts)
    if "originallyAvailableAt" in fields:
        element["originallyAvailableAt"] = fields["originallyAvailableAt"]
    element["addedAt"] = item.added_at
    element["updatedAt"] = item.updated_at
    return element


def _add_view(element: Element, item: Item, account: int) -> None:
    view = item.views.get(account)
    if view is None:
        return
    named = {
        "userRating": view.rating,
        "viewOffset": view.offset_ms or None,
        "viewCount": view.count or None,
        "lastViewedAt": view.last_viewed_at or None,
        "lastRatedAt": view.last_rated_at or None,
    }
    element.update({name: value for name, value in named.items() if value is not None})


def _stamps(item: Item, stamp_follows_item: bool) -> Element:
    stamps: Element = {}
    if item.thumb_at is not None:
        stamps["thumb"] = f"/library/metadata/{item.key}/thumb/{_stamp(item, item.thumb_at, stamp_follows_item)}"
    if item.art_at is not None:
        stamps["art"] = f"/library/metadata/{item.key}/art/{_stamp(item, item.art_at, stamp_follows_item)}"
    return stamps


def _stamp(item: Item, own: int, stamp_follows_item: bool) -> int:
    return item.updated_at if stamp_follows_item else own


def _images(element: Element) -> list[Element]:
    return [
        {"alt": element["title"], "type": type_, "url": element[name]}
        for name, type_ in _GALLERY_PATHS.items()
        if name in element
    ]


def _media(media: Media, *, has_streams: bool = False) -> Element:
    duration = sum(part.file.duration_ms for part in media.parts)
    size = sum(part.file.size_bytes for part in media.parts)
    first = media.parts[0].file.path if media.parts else ""
    element: Element = {
        "id": media.id,
        "duration": duration,
        "bitrate": size * 8 // duration if duration else 0,
        "width": 1920,
        "height": 1080,
        "aspectRatio": 1.78,
        "audioChannels": 2,
        "audioCodec": "aac",
        "videoCodec": "h264",
        "videoResolution": "1080",
        "container": _container(first),
        "videoFrameRate": "24p",
        "videoProfile": "high",
        "Part": [_part(part, has_streams=has_streams) for part in media.parts],
    }
    if media.proxy_type:
        element["proxyType"] = media.proxy_type
        element["optimizedForStreaming"] = 1
    return element


def _part(part: Part, *, has_streams: bool) -> Element:
    container = _container(part.file.path)
    element: Element = {
        "id": part.id,
        "key": f"/library/parts/{part.id}/{part.file.size_bytes % 2_000_000_000}/file.{container}",
        "duration": part.file.duration_ms,
        "file": part.file.path,
        "size": part.file.size_bytes,
        "container": container,
        "videoProfile": "high",
    }
    if has_streams:
        element["Stream"] = [
            {
                "id": part.id * 10,
                "key": f"/library/streams/{part.id * 10}",
                "streamType": 1,
                "codec": "h264",
                "index": 0,
                "displayTitle": "1080p (H.264)",
            },
            {
                "id": part.id * 10 + 1,
                "key": f"/library/streams/{part.id * 10 + 1}",
                "streamType": 2,
                "codec": "aac",
                "index": 1,
                "displayTitle": "AAC (Stereo)",
            },
        ]
    return element


def _container(path: str) -> str:
    stem, dot, extension = path.rpartition(".")
    return extension.lower() if dot and stem and len(extension) <= 4 else "mp4"


def _tag(world: World, item: Item, kind: Kind, tagging: Tagging) -> Element:
    tag = tagging.tag
    element: Element = {"id": tag.id, "filter": f"{kind.name}={tag.id}", "tag": tag.text}
    if tag.key:
        element["tagKey"] = tag.key
    if tagging.role:
        element["role"] = tagging.role
    if tag.thumb:
        element["thumb"] = tag.thumb
    if kind.name == "collection":
        element["guid"] = world.sections[item.section_id].collections_by_tag[tag.id].guid
    return element


def _section_names(section: Section) -> Element:
    return {
        "librarySectionTitle": section.title,
        "librarySectionID": section.id,
        "librarySectionKey": f"/library/sections/{section.id}",
    }


def _preferences(item: Item) -> list[Element]:
    table = _COLLECTION_PREFERENCES if isinstance(item, Collection) else _ITEM_PREFERENCES
    return [
        {
            "id": name,
            "type": type_,
            "label": name,
            "summary": "",
            "default": default,
            "value": item.prefs.get(name, default),
            "enumValues": choices,
            "hidden": False,
            "advanced": False,
            "group": "",
        }
        for name, type_, default, choices in table
    ]


def _trimmed(element: Element, shape: Shape) -> Element:
    for name in shape.without_elements:
        element.pop(name, None)
    for name in shape.without_fields:
        element.pop(name, None)
    return element


def _slug(title: str) -> str:
    return quote("-".join(title.casefold().split()), safe="-")
