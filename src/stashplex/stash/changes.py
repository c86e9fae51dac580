"""What changed in Stash since a time, and which scenes refer to something: documents out, rows in.

Used by `client` alone. Each kind is asked for by itself within one document: under OR, Stash drops rows (stash-wire.md
5.4). A performer, studio, tag or group is told as itself, since a change of it does not touch its scenes.
Invariant: times go to Stash as text without an offset, as Stash compares text (5.5); who asks leaves a margin.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from stashplex.domain.event import Kind
from stashplex.stash.codec import IncompleteAnswer, answer_of, decoder_of, instant_of


class Subject(StrEnum):
    """What can change. The value of each member is its name in the document."""

    SCENE = "scene"
    FILE = "file"
    PERFORMER = "performer"
    STUDIO = "studio"
    TAG = "tag"
    GROUP = "group"


KIND_OF: Mapping[Subject, Kind] = {
    Subject.PERFORMER: Kind.PERFORMER,
    Subject.STUDIO: Kind.STUDIO,
    Subject.TAG: Kind.TAG,
    Subject.GROUP: Kind.GROUP,
}
"""The subjects that scenes refer to."""

_NAMES: Mapping[Subject, tuple[str, str, str]] = {
    Subject.SCENE: ("Scene", "scene_filter", "scenes { id updated_at }"),
    Subject.FILE: ("Scene", "scene_filter", "scenes { id files { updated_at } }"),
    Subject.PERFORMER: ("Performer", "performer_filter", "performers { id updated_at }"),
    Subject.STUDIO: ("Studio", "studio_filter", "studios { id updated_at }"),
    Subject.TAG: ("Tag", "tag_filter", "tags { id updated_at }"),
    Subject.GROUP: ("Group", "group_filter", "groups { id updated_at }"),
}
"""Type, argument and selection of the find for each subject."""

_NEEDED: Mapping[Subject, str] = {Subject.FILE: "files_filter", Subject.GROUP: "groups"}
"""What the filter of scenes must know for a subject that older versions lack."""

FILTERS_DOCUMENT = 'query Filters { __type(name: "SceneFilterType") { inputFields { name } } }'


@dataclass(frozen=True, slots=True)
class Change:
    """Something that Stash stamped. Shape: `stamp` is Stash's own text, of all files for a file; `at` is aware."""

    id: int
    stamp: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of each subject that was asked for, and how many of each kind there are, if that was asked for."""

    rows: Mapping[Subject, tuple[Change, ...]]
    counts: Mapping[Kind, int]


class _Type(msgspec.Struct):
    fields: list[dict[str, str]] | None = msgspec.field(name="inputFields", default=None)


class _Filters(msgspec.Struct):
    type: _Type | None = msgspec.field(name="__type", default=None)


class _File(msgspec.Struct):
    updated_at: str


class _Row(msgspec.Struct):
    id: str | int
    updated_at: str = ""
    files: list[_File] = []


class _Found(msgspec.Struct):
    count: int | None = None
    scenes: list[_Row] | None = None
    performers: list[_Row] | None = None
    studios: list[_Row] | None = None
    tags: list[_Row] | None = None
    groups: list[_Row] | None = None

    def rows(self) -> list[_Row] | None:
        """Return the list that was asked for."""
        lists = (self.scenes, self.performers, self.studios, self.tags, self.groups)
        return next((rows for rows in lists if rows is not None), None)


_FILTERS = decoder_of(_Filters)
_CHANGES = decoder_of(dict[str, _Found])


def subjects_for(filters: Collection[str]) -> tuple[Subject, ...]:
    """Return what a Stash can be asked for, whose filter of scenes knows these names."""
    return tuple(subject for subject in Subject if subject not in _NEEDED or _NEEDED[subject] in filters)


def render_changes_document(subjects: Iterable[Subject], counted: Iterable[Subject]) -> str:
    """Return the query for a page of each subject, and for the counts of some."""
    asked = tuple(subjects)
    variables = " ".join(f"${one}: {_NAMES[one][0]}FilterType, ${one}_page: FindFilterType" for one in asked)
    finds = [
        f"{one}: find{_NAMES[one][0]}s(filter: ${one}_page, {_NAMES[one][1]}: ${one}) {{ {_NAMES[one][2]} }}"
        for one in asked
    ]
    counts = [f"{one}s: find{_NAMES[one][0]}s(filter: {{per_page: 0}}) {{ count }}" for one in counted]
    return f"query Changes{f'({variables})' if variables else ''} {{ {' '.join((*finds, *counts))} }}"


def render_variables(subject: Subject, after: int, since: str, page_size: int) -> dict[str, object]:
    """Return the variables of one subject.

    Shape: `after` is the last number seen for scenes and files, the pages seen for the others, whose filter knows no
    number.
    """
    newer = {"updated_at": {"modifier": "GREATER_THAN", "value": since}}
    page: dict[str, object] = {"per_page": page_size, "sort": "id", "direction": "ASC"}
    where: dict[str, object] = dict(newer)
    if subject is Subject.FILE:
        where = {"files_filter": newer}
    if subject in {Subject.SCENE, Subject.FILE}:
        where["id"] = {"modifier": "GREATER_THAN", "value": after}
    else:
        page["page"] = after + 1
    return {subject.value: where, f"{subject}_page": page}


def render_reference(kind: Kind, ids: Collection[int], filters: Collection[str]) -> dict[str, object]:
    """Return the filter for all scenes that refer to any of these, or to something below a studio or tag."""
    named: dict[str, object] = {"value": [str(number) for number in ids], "modifier": "INCLUDES"}
    match kind:
        case Kind.PERFORMER:
            return {"performers": named}
        case Kind.STUDIO:
            return {"studios": named | {"depth": -1}}
        case Kind.TAG:
            return {"tags": named | {"depth": -1}}
        case Kind.GROUP:
            return {"groups" if "groups" in filters else "movies": named}


def parse_filters(body: bytes) -> frozenset[str]:
    """Return what the filter of scenes knows. Raises: msgspec.DecodeError."""
    data: _Filters = answer_of(_FILTERS, body)
    if data.type is None or not data.type.fields:
        raise IncompleteAnswer("no type SceneFilterType")
    return frozenset(field["name"] for field in data.type.fields)


def parse_changes(body: bytes, subjects: Iterable[Subject], counted: Iterable[Subject]) -> Changes:
    """Return what changed. Raises: msgspec.DecodeError."""
    data: dict[str, _Found] = answer_of(_CHANGES, body)
    rows: dict[Subject, tuple[Change, ...]] = {}
    for subject in subjects:
        found = data[subject.value].rows() if subject.value in data else None
        if found is None:
            raise IncompleteAnswer(f"no list of {subject}s")
        rows[subject] = tuple(_change(row) for row in found if row.updated_at or row.files)
    counts: dict[Kind, int] = {}
    for subject in counted:
        count = data[f"{subject}s"].count if f"{subject}s" in data else None
        if count is None:
            raise IncompleteAnswer(f"no count of {subject}s")
        counts[KIND_OF[subject]] = count
    return Changes(rows, counts)


def _change(row: _Row) -> Change:
    stamps = [row.updated_at] if row.updated_at else sorted(file.updated_at for file in row.files)
    return Change(int(row.id), " ".join(stamps), max(instant_of(stamp) for stamp in stamps))
