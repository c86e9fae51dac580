"""What a section tells about itself: its types with filters, sorts and fields, and its lists of tags.

Pure descriptions; nothing here selects items. plexapi refuses to search by anything that is not listed here.
"""

from stashplex.sim.plex.answer import Element
from stashplex.sim.plex.item import type_numbers
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.tag import KINDS, Tag

_FILTERS = (
    ("genre", "string", "Genre"),
    ("year", "integer", "Year"),
    ("contentRating", "string", "Content Rating"),
    ("collection", "string", "Collection"),
    ("director", "string", "Director"),
    ("actor", "string", "Actor"),
    ("writer", "string", "Writer"),
    ("producer", "string", "Producer"),
    ("country", "string", "Country"),
    ("studio", "string", "Studio"),
    ("resolution", "string", "Resolution"),
    ("unwatched", "boolean", "Unplayed"),
    ("inProgress", "boolean", "In Progress"),
    ("unmatched", "boolean", "Unmatched"),
    ("duplicate", "boolean", "Duplicates"),
    ("label", "string", "Labels"),
)
_SORTS = (
    ("titleSort", "asc", "Title"),
    ("year", "desc", "Year"),
    ("originallyAvailableAt", "desc", "Release Date"),
    ("rating", "desc", "Critic Rating"),
    ("audienceRating", "desc", "Audience Rating"),
    ("userRating", "desc", "Rating"),
    ("contentRating", "asc", "Content Rating"),
    ("duration", "desc", "Duration"),
    ("viewOffset", "desc", "Progress"),
    ("viewCount", "desc", "Plays"),
    ("addedAt", "desc", "Date Added"),
    ("lastViewedAt", "desc", "Date Viewed"),
    ("random", "desc", "Randomly"),
)
_FIELDS = (
    ("title", "string", "Title"),
    ("studio", "string", "Studio"),
    ("userRating", "integer", "Rating"),
    ("contentRating", "tag", "Content Rating"),
    ("year", "integer", "Year"),
    ("originallyAvailableAt", "date", "Release Date"),
    ("duration", "integer", "Duration"),
    ("unmatched", "boolean", "Unmatched"),
    ("duplicate", "boolean", "Duplicate"),
    ("genre", "tag", "Genre"),
    ("collection", "tag", "Collection"),
    ("director", "tag", "Director"),
    ("writer", "tag", "Writer"),
    ("producer", "tag", "Producer"),
    ("actor", "tag", "Actor"),
    ("country", "tag", "Country"),
    ("addedAt", "date", "Date Added"),
    ("viewCount", "integer", "Plays"),
    ("lastViewedAt", "date", "Last Played"),
    ("unwatched", "boolean", "Unplayed"),
    ("resolution", "resolution", "Resolution"),
    ("hdr", "boolean", "HDR"),
    ("label", "tag", "Label"),
)
_COLLECTION_FIELDS = (("title", "string", "Title"), ("label", "tag", "Label"), ("addedAt", "date", "Date Added"))
_OPERATORS = {
    "tag": (("=", "is"), ("!=", "is not")),
    "integer": (("=", "is"), ("!=", "is not"), (">>=", "is greater than"), ("<<=", "is less than")),
    "string": (
        ("=", "contains"),
        ("!=", "does not contain"),
        ("==", "is"),
        ("!==", "is not"),
        ("<=", "begins with"),
        (">=", "ends with"),
    ),
    "boolean": (("=0", "is false"), ("=1", "is true"), ("=", "is"), ("!=", "is not")),
    "date": (("<<=", "is before"), (">>=", "is after")),
    "resolution": (("=", "is"),),
}


def section_meta(section: Section) -> Element:
    """Return what `includeMeta=1` adds to a listing of a section."""
    base = f"/library/sections/{section.id}"
    main = {
        "key": f"{base}/all?type={type_numbers.get(section.type, 1)}",
        "type": section.type,
        "title": section.type.capitalize(),
        "active": True,
        "Filter": [
            {"filter": name, "filterType": type_, "key": f"{base}/{name}", "title": title, "type": "filter"}
            for name, type_, title in _FILTERS
        ],
        "Sort": [_sort(name, direction, title) for name, direction, title in _SORTS],
        "Field": [{"key": name, "title": title, "type": type_} for name, type_, title in _FIELDS],
    }
    collection = {
        "key": f"{base}/collections",
        "type": "collection",
        "title": "Collections",
        "active": False,
        "Filter": [
            {"filter": "label", "filterType": "string", "key": f"{base}/label", "title": "Labels", "type": "filter"},
        ],
        "Sort": [_sort("titleSort", "asc", "Title"), _sort("addedAt", "desc", "Date Added")],
        "Field": [{"key": name, "title": title, "type": type_} for name, type_, title in _COLLECTION_FIELDS],
    }
    field_types = [
        {"type": type_, "Operator": [{"key": key, "title": title} for key, title in operators]}
        for type_, operators in _OPERATORS.items()
    ]
    return {"Type": [main, collection], "FieldType": field_types}


def tag_rows(section: Section, name: str) -> list[Element] | None:
    """Return the list of values of one filter (`genre`, `year`, ...), None when there is no such list."""
    base = f"/library/sections/{section.id}/all"
    if name in KINDS:
        return [_tag_row(base, name, tag) for tag in sorted(_tags(section, name), key=lambda tag: tag.text.casefold())]
    if name in {"year", "contentRating", "studio"}:
        values = sorted({str(item.fields[name]) for item in section.items.values() if name in item.fields})
        return [_value_row(base, name, value) for value in values]
    if name == "resolution":
        return [_value_row(base, name, "1080")] if section.items else []
    return None


def _tags(section: Section, name: str) -> set[Tag]:
    return {tagging.tag for item in section.items.values() for tagging in item.tags.get(name, ())}


def _tag_row(base: str, name: str, tag: Tag) -> Element:
    row: Element = {"key": str(tag.id), "title": tag.text, "fastKey": f"{base}?{name}={tag.id}", "type": name}
    if tag.thumb:
        row["thumb"] = tag.thumb
    return row


def _value_row(base: str, name: str, value: str) -> Element:
    return {"key": value, "title": value, "fastKey": f"{base}?{name}={value}", "type": name}


def _sort(name: str, direction: str, title: str) -> Element:
    sort: Element = {"key": name, "descKey": f"{name}:desc", "defaultDirection": direction, "title": title}
    if name == "titleSort":
        sort["default"] = "asc"
    return sort
