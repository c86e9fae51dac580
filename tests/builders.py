"""Values of the domain with defaults: a test names only what it is about."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from stashplex.domain.entry import Entry, EntryId, PlexId, Priority, State
from stashplex.domain.item import IndexedPart, Item, RatingKey, SectionKey
from stashplex.domain.link import Evidence, Link
from stashplex.domain.scene import Scene, SceneFile, SceneId

NOW = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)

_FILE = SceneFile(path="/data/a.mp4", size=1_000, duration_s=60.0, oshash="0123456789abcdef")

_SCENE = Scene(
    id=SceneId(42),
    title="A title",
    details="Some details.",
    code="",
    director="",
    date="2020-01-02",
    rating100=None,
    organized=True,
    studio=None,
    performers=(),
    tags=(),
    files=(_FILE,),
    cover_url=None,
    updated_at=NOW,
)

_PART = IndexedPart(
    rating_key=RatingKey("812"),
    section=SectionKey("5"),
    file="/data/a.mp4",
    size=1_000,
    duration_ms=60_000,
    updated_at=1_749_324_289,
)

_ITEM = Item(
    rating_key=RatingKey("812"),
    section=SectionKey("5"),
    title="a",
    title_sort="a",
    summary="",
    studio="",
    originally_available_at="",
    user_rating=None,
    genres=(),
    directors=(),
    actors=(),
    collections=(),
    labels=(),
    locked=frozenset(),
    thumb="",
    files=("/data/a.mp4",),
    updated_at=1_749_324_289,
)

_LINK = Link(
    rating_key=RatingKey("812"),
    section=SectionKey("5"),
    evidence=Evidence.EXACT_PATH,
    file="/data/a.mp4",
    base=None,
)

_ENTRY = Entry(
    id=EntryId(1),
    scene_id=SceneId(42),
    plex_id=PlexId(1),
    state=State.LEASED,
    priority=Priority.BULK,
    generation=1,
    settled_generation=0,
    due_at=NOW,
    retry_count=0,
    last_error_type=None,
    last_error=None,
    first_failed_at=None,
)


def a_file(path: str = "/data/a.mp4", **changes: Any) -> SceneFile:
    return replace(_FILE, path=path, **changes)


def a_scene(**changes: Any) -> Scene:
    return replace(_SCENE, **changes)


def a_part(file: str = "/data/a.mp4", **changes: Any) -> IndexedPart:
    return replace(_PART, file=file, **changes)


def an_item(**changes: Any) -> Item:
    return replace(_ITEM, **changes)


def a_link(**changes: Any) -> Link:
    return replace(_LINK, **changes)


def an_entry(**changes: Any) -> Entry:
    return replace(_ENTRY, **changes)
