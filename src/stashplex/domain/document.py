"""The fields that we own of one item: a value that says what they should be, are, or were.

Desired (from Stash), observed (from Plex) and base (what we last wrote) are all documents; `merge` compares them.
A key that is absent is *unknown* and is never written; an empty value is *known to be empty* and clears.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class TextField(StrEnum):
    """Single values; the value of each member is Plex's edit name."""

    TITLE = "title"
    TITLE_SORT = "titleSort"
    SUMMARY = "summary"
    STUDIO = "studio"
    DATE = "originallyAvailableAt"
    USER_RATING = "userRating"
    ORIGINAL_TITLE = "originalTitle"
    TAGLINE = "tagline"
    CONTENT_RATING = "contentRating"
    CRITIC_RATING = "rating"


class TagField(StrEnum):
    """Lists; the value of each member is Plex's edit name."""

    GENRE = "genre"
    DIRECTOR = "director"
    ACTOR = "actor"
    COLLECTION = "collection"
    LABEL = "label"
    WRITER = "writer"


Field = TextField | TagField

RATINGS = frozenset({TextField.USER_RATING, TextField.CRITIC_RATING})
"""The fields that hold a number from 0 to 10."""


@dataclass(frozen=True, slots=True)
class Document:
    """Known fields only. Text values are strings as Plex takes them (`userRating` as `"7.5"`), `""` is empty."""

    texts: Mapping[TextField, str] = field(default_factory=dict)
    tags: Mapping[TagField, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Poster:
    """What we know of the poster that we last wrote.

    Shape: `sha1` of the bytes as lower-case hex, `""` when the scene had no cover so far; `etag` as Stash sent it,
    `stash_stamp` the `t` of the cover's URL, `plex_thumb` the path with stamp that Plex showed afterwards.
    """

    sha1: str
    etag: str
    stash_stamp: str
    plex_thumb: str


@dataclass(frozen=True, slots=True)
class Base:
    """What we last wrote to one item: the third side of the merge.

    `is_forced` tells that a person asked for Stash's values once more: the next write goes over what people changed in
    Plex, and the poster is compared again. `seen` is the mark of what the item showed, where no lock tells that it is
    still the same item.
    """

    document: Document
    poster: Poster | None = None
    is_forced: bool = False
    seen: str = ""
