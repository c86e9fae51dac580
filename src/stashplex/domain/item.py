"""What Plex shows of one video. Built by `plex/codec`, read by `matching`, `merge` and the worker.

Two shapes: `IndexedPart` is what a section listing tells (files, sizes, stamps; truncated tags are left out),
`Item` is the whole item as a batch read tells it.
"""

from dataclasses import dataclass
from typing import NewType

RatingKey = NewType("RatingKey", str)
SectionKey = NewType("SectionKey", str)


@dataclass(frozen=True, slots=True)
class Section:
    """One library. `content_changed_at` is an opaque counter, not a time. Source: plex-wire.md 1.4."""

    key: SectionKey
    type: str
    title: str
    content_changed_at: int
    locations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexedPart:
    """One file of one item as a listing shows it; the row of the path index.

    Units: `size` bytes, `duration_ms` milliseconds, `updated_at` epoch seconds of the item.
    """

    rating_key: RatingKey
    section: SectionKey
    file: str
    size: int | None
    duration_ms: int | None
    updated_at: int


@dataclass(frozen=True, slots=True)
class Item:
    """One item with everything that we may own, untruncated.

    Shape: absent text is `""`, absent tags are `()`; `locked` holds edit names (`title`, `genre`, `actor`, `thumb` …);
    `thumb` is Plex's path with its stamp or `""`; `files` are the paths of all parts of all versions.
    `title_sort` equals `title` when Plex leaves it out. Source: plex-wire.md 2.2, 3.
    """

    rating_key: RatingKey
    section: SectionKey
    title: str
    title_sort: str
    summary: str
    studio: str
    originally_available_at: str
    user_rating: float | None
    genres: tuple[str, ...]
    directors: tuple[str, ...]
    actors: tuple[str, ...]
    collections: tuple[str, ...]
    labels: tuple[str, ...]
    locked: frozenset[str]
    thumb: str
    files: tuple[str, ...]
    updated_at: int
    original_title: str = ""
    tagline: str = ""
    content_rating: str = ""
    critic_rating: float | None = None
    writers: tuple[str, ...] = ()
