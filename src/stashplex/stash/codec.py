"""Documents of GraphQL out, bytes of Stash in: the only place that knows the names and habits of Stash's API.

Not a client: no request, no status. The Structs stay in here; what leaves are the domain's values.
Invariants: a query asks only for fields that this Stash has, since one unknown field voids the whole answer; no
value is ever written into a document but a scene's number. Source: stash-wire.md 5.2, 5.3, 5.5, 5.10, 5.11.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from stashplex.base.wire import repaired_json
from stashplex.domain.scene import Scene, SceneFile, SceneId
from stashplex.stash.more import ENTITY_FIELDS, MORE_FIELDS, EntityRow, More, details_of

_T = TypeVar("_T")

REQUIRED_FIELDS = ("id", "title", "files", "updated_at")
OPTIONAL_FIELDS: Mapping[str, tuple[str, str]] = {
    "code": ("code", "code"),
    "details": ("details", "details"),
    "director": ("director", "director"),
    "date": ("date", "date"),
    "rating100": ("rating100", "rating100"),
    "organized": ("organized", "organized"),
    "studio": ("studio { name }", "studio"),
    "performers": ("performers { name }", "performers"),
    "tags": ("tags { name }", "tags"),
    "paths": ("paths { screenshot }", "cover_url"),
}
"""Stash's field → what to ask for, and the name of the field of `Scene` that it fills."""

CHECK_DOCUMENT = "query Check { version { version } systemStatus { status } }"
FIELDS_DOCUMENT = 'query Fields { __type(name: "Scene") { fields(includeDeprecated: true) { name } } }'
"""With deprecated fields: one that Stash is about to replace is still answered, and would be lost at once otherwise."""
COUNT_DOCUMENT = "query Count { findScenes(filter: {per_page: 0}) { count } }"
STAMPS_DOCUMENT = """query Stamps($n: Int!, $where: SceneFilterType) {
  findScenes(filter: {per_page: $n, sort: "id", direction: ASC}, scene_filter: $where) { scenes { id updated_at } }
}"""


@dataclass(frozen=True, slots=True)
class StashIdentity:
    """Who answers. Shape: `version` as Stash spells it, `""` for a build without one; `status` is `OK` in service."""

    version: str
    status: str


@dataclass(frozen=True, slots=True)
class SceneFields:
    """What this Stash can tell of a scene. Shape: Stash's own names, sorted in `missing_fields`."""

    available: frozenset[str]
    missing_fields: tuple[str, ...]

    wanted: frozenset[str] = frozenset()
    """What rules ask for beyond the usual: keys of `MORE_FIELDS` and `ENTITY_FIELDS`."""

    @property
    def unknown_fields(self) -> frozenset[str]:
        """The fields of `Scene` that stay unknown, and what a rule asks for in vain."""
        usual = frozenset(OPTIONAL_FIELDS[name][1] for name in self.missing_fields)
        return usual | {name for name in self.wanted & MORE_FIELDS.keys() if name not in self.available}


@dataclass(frozen=True, slots=True)
class SceneStamp:
    """A scene's number and when Stash last changed it. Units: `updated_at` is aware, whole seconds."""

    id: SceneId
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class GraphError:
    """One entry of `errors`, as Stash words it. Shape: `path` joins the field names, `""` for the whole document."""

    message: str
    path: str


class _Struct(msgspec.Struct, gc=False, kw_only=True):
    """The common options: absent members have defaults, unknown members are skipped."""


class _Named(_Struct):
    name: str | None = None


class _Fingerprint(_Struct):
    type: str = ""
    value: str | int | None = None


class _File(_Struct):
    path: str = ""
    size: int | None = None
    duration: float | None = None
    fingerprints: list[_Fingerprint] | None = None


class _Paths(_Struct):
    screenshot: str | None = None


class _Scene(More, kw_only=True):
    id: str | int
    updated_at: str
    title: str | None = None
    details: str | None = None
    code: str | None = None
    director: str | None = None
    date: str | None = None
    rating100: int | None = None
    organized: bool | None = None
    files: list[_File] | None = None
    paths: _Paths | None = None


class _Stamp(_Struct):
    id: str | int
    updated_at: str


class _Found(_Struct, Generic[_T]):
    count: int | None = None
    scenes: list[_T] | None = None


class _Finding(_Struct, Generic[_T]):
    found: _Found[_T] | None = msgspec.field(name="findScenes", default=None)


class _Version(_Struct):
    version: str | None = None


class _Status(_Struct):
    status: str = ""


class _Check(_Struct):
    version: _Version | None = None
    system_status: _Status | None = msgspec.field(name="systemStatus", default=None)


class _Type(_Struct):
    fields: list[_Named] | None = None


class _Fields(_Struct):
    type: _Type | None = msgspec.field(name="__type", default=None)


class _Error(_Struct):
    message: str = ""
    path: list[str | int] | None = None


class _Errors(_Struct):
    errors: list[_Error] | None = None


class _Reply(_Struct, Generic[_T]):
    data: _T | None = None


_ERRORS = msgspec.json.Decoder(_Errors, strict=False)
_CHECK = msgspec.json.Decoder(_Reply[_Check], strict=False)
_FIELDS = msgspec.json.Decoder(_Reply[_Fields], strict=False)
_SCENES = msgspec.json.Decoder(_Reply[_Finding[_Scene]], strict=False)
_EACH = msgspec.json.Decoder(_Reply[dict[str, _Scene | None]], strict=False)
_STAMPS = msgspec.json.Decoder(_Reply[_Finding[_Stamp]], strict=False)


class IncompleteAnswer(msgspec.ValidationError):
    """An answer of the right shape that lacks what was asked for."""


def render_request(document: str, variables: Mapping[str, object]) -> bytes:
    """Return the body of a request."""
    return msgspec.json.encode({"query": document, "variables": dict(variables)})


def render_scenes_document(fields: SceneFields) -> str:
    """Return the query for several scenes by `$ids`, which must not be empty: empty means all."""
    return (
        "query Scenes($ids: [ID!]!) { findScenes(filter: {per_page: -1}, ids: $ids) { scenes { "
        f"{_selection(fields)} }} }} }}"
    )


def render_each_document(fields: SceneFields, ids: Iterable[SceneId]) -> str:
    """Return a query that looks up each scene by itself, so that one that is gone does not void the others."""
    looks = " ".join(f'scene{int(number)}: findScene(id: "{int(number)}") {{ ...Wanted }}' for number in ids)
    return f"query Each {{ {looks} }} fragment Wanted on Scene {{ {_selection(fields)} }}"


def parse_errors(body: bytes) -> tuple[GraphError, ...]:
    """Return the `errors` of an answer; none is the usual case. Raises: msgspec.DecodeError."""
    if b'"errors"' not in body:
        return ()
    found: _Errors = _decoded(_ERRORS, body)
    return tuple(
        GraphError(error.message, ".".join(str(step) for step in error.path or ())) for error in found.errors or ()
    )


def parse_check(body: bytes) -> StashIdentity:
    """Return who answers. Raises: msgspec.DecodeError."""
    data: _Check = _data(_CHECK, body)
    if data.system_status is None:
        raise IncompleteAnswer("no systemStatus")
    return StashIdentity((data.version and data.version.version) or "", data.system_status.status)


def parse_fields(body: bytes) -> SceneFields:
    """Return what this Stash can tell of a scene. Raises: msgspec.DecodeError."""
    data: _Fields = _data(_FIELDS, body)
    if data.type is None or not data.type.fields:
        raise IncompleteAnswer("no type Scene")
    available = frozenset(entry.name for entry in data.type.fields if entry.name)
    return SceneFields(available, tuple(sorted(OPTIONAL_FIELDS.keys() - available)))


def parse_count(body: bytes) -> int:
    """Return how many scenes there are. Raises: msgspec.DecodeError."""
    found: _Finding[_Stamp] = _data(_STAMPS, body)
    if found.found is None or found.found.count is None:
        raise IncompleteAnswer("no count")
    return found.found.count


def parse_stamps(body: bytes) -> tuple[SceneStamp, ...]:
    """Return a page of stamps in Stash's order. Raises: msgspec.DecodeError."""
    found: _Finding[_Stamp] = _data(_STAMPS, body)
    if found.found is None or found.found.scenes is None:
        raise IncompleteAnswer("no scenes")
    return tuple(SceneStamp(SceneId(int(entry.id)), instant_of(entry.updated_at)) for entry in found.found.scenes)


def parse_scenes(body: bytes, unknown: frozenset[str]) -> dict[SceneId, Scene]:
    """Return the scenes of one answer. `unknown` becomes their `unknown_fields`. Raises: msgspec.DecodeError."""
    found: _Finding[_Scene] = _data(_SCENES, body)
    if found.found is None or found.found.scenes is None:
        raise IncompleteAnswer("no scenes")
    scenes = [_scene(entry, unknown) for entry in found.found.scenes]
    return {scene.id: scene for scene in scenes}


def parse_each(body: bytes, unknown: frozenset[str], ids: Collection[SceneId]) -> dict[SceneId, Scene]:
    """Return the scenes among `ids` that were found one by one; those that Stash says it does not have are missing.

    Raises: msgspec.DecodeError.
    """
    data: dict[str, _Scene | None] = _data(_EACH, body)
    if data.keys() != {f"scene{number}" for number in ids}:
        raise IncompleteAnswer("not every scene is answered")
    scenes = [_scene(entry, unknown) for entry in data.values() if entry is not None]
    return {scene.id: scene for scene in scenes}


def _scene(entry: _Scene, unknown: frozenset[str]) -> Scene:
    return Scene(
        id=SceneId(int(entry.id)),
        title=entry.title or "",
        details=entry.details or "",
        code=entry.code or "",
        director=entry.director or "",
        date=entry.date or None,
        rating100=entry.rating100 or None,
        organized=bool(entry.organized),
        studio=(entry.studio and entry.studio.name) or None,
        performers=_names(entry.performers),
        tags=_names(entry.tags),
        files=tuple(_file(file) for file in entry.files or ()),
        cover_url=(entry.paths and entry.paths.screenshot) or None,
        updated_at=instant_of(entry.updated_at),
        unknown_fields=unknown,
        more=details_of(entry),
    )


def _file(entry: _File) -> SceneFile:
    oshash = next((str(found.value) for found in entry.fingerprints or () if found.type == "oshash"), None)
    return SceneFile(entry.path, entry.size, entry.duration, oshash)


def _names(entries: Collection[EntityRow] | None) -> tuple[str, ...]:
    return tuple(entry.name for entry in entries or () if entry.name)


def instant_of(text: str) -> datetime:
    """Return an aware time; Stash writes RFC 3339 with the server's offset (5.5)."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise IncompleteAnswer(f"not a time: {text[:40]!r}") from error
    if instant.tzinfo is None:
        raise IncompleteAnswer(f"a time without an offset: {text[:40]!r}")
    return instant


def _selection(fields: SceneFields) -> str:
    usual = {name: asked for name, (asked, _) in OPTIONAL_FIELDS.items() if name in fields.available}
    richer = {name: asked for name, asked in ENTITY_FIELDS.items() if name in fields.wanted & usual.keys()}
    more = {name: asked for name, asked in MORE_FIELDS.items() if name in fields.wanted & fields.available}
    asked = (usual | richer | more).values()
    return " ".join(("id title updated_at", *asked, "files { path size duration fingerprints { type value } }"))


def decoder_of(shape: Any) -> "msgspec.json.Decoder[Any]":
    """Return a decoder of answers whose `data` has a shape."""
    return msgspec.json.Decoder(_Reply[shape], strict=False)


def answer_of(decoder: "msgspec.json.Decoder[Any]", body: bytes) -> Any:
    """Return the `data` of an answer. Raises: msgspec.DecodeError."""
    return _data(decoder, body)


def _data(decoder: "msgspec.json.Decoder[Any]", body: bytes) -> Any:
    data = _decoded(decoder, body).data
    if data is None:
        raise IncompleteAnswer("no data")
    return data


def _decoded(decoder: "msgspec.json.Decoder[Any]", body: bytes) -> Any:
    """Decode; a body that is no proper JSON gets a second chance with its characters repaired."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        return decoder.decode(repaired_json(body))
