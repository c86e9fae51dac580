"""What rules ask for beyond the usual of a scene: what stands above tags and studios, groups, stash ids, addresses.

A part of `codec`. Nothing of it is asked for unless a setting needs it: it would make every answer larger.
Source: stash-wire.md 5.3, 5.11. The fields of tags, studios and performers named here are older than any Stash that we
work with; those of scenes may be missing and are then unknown.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from stashplex.domain.scene import Details, Entity, Performer

LEVELS = 4
"""So many levels above a tag or a studio are asked for."""


def _nested(field: str) -> str:
    inner = "id name"
    for _ in range(LEVELS):
        inner = f"id name {field} {{ {inner} }}"
    return inner


ENTITY_FIELDS: Mapping[str, str] = {
    "tags": f"tags {{ {_nested('parents')} }}",
    "studio": f"studio {{ {_nested('parent_studio')} }}",
    "performers": f"performers {{ id name gender favorite tags {{ {_nested('parents')} }} }}",
}
"""A usual field of the scene → what to ask for when more than its names is needed."""

MORE_FIELDS: Mapping[str, str] = {
    "groups": "groups { group { name } }",
    "urls": "urls",
    "stash_ids": "stash_ids { stash_id }",
    "custom_fields": "custom_fields",
}
"""A field of the scene that is not asked for otherwise → what to ask for. Shape: called as in `Details`."""


class _Struct(msgspec.Struct, gc=False, kw_only=True):
    """The common options: absent members have defaults, unknown members are skipped."""


class EntityRow(_Struct):
    """A tag, studio or performer."""

    id: int | None = None
    name: str | None = None
    gender: str | None = None
    favorite: bool | None = None
    parents: list["EntityRow"] | None = None
    parent_studio: "EntityRow | None" = None
    tags: list["EntityRow"] | None = None


class _Group(_Struct):
    group: EntityRow | None = None


class _StashId(_Struct):
    stash_id: str | None = None


class More(_Struct):
    """The part of a scene that may be told in more words."""

    studio: EntityRow | None = None
    performers: list[EntityRow] | None = None
    tags: list[EntityRow] | None = None
    groups: list[_Group] | None = None
    urls: list[str | None] | None = None
    stash_ids: list[_StashId] | None = None
    custom_fields: dict[str, Any] | None = None


def details_of(row: More) -> Details:
    """Return what was told in more words. Shape: empty for what was told by name only."""
    studio = row.studio
    return Details(
        tags=_entities(row.tags),
        performers=tuple(
            Performer(_entity(one), one.gender or "", bool(one.favorite), _entities(one.tags))
            for one in row.performers or ()
            if one.name and one.id is not None
        ),
        studio=_entity(studio) if studio is not None and studio.name and studio.id is not None else None,
        groups=tuple(one.group.name for one in row.groups or () if one.group and one.group.name),
        urls=tuple(url for url in row.urls or () if url),
        stash_ids=tuple(one.stash_id for one in row.stash_ids or () if one.stash_id),
        custom_fields={key: _text(value) for key, value in (row.custom_fields or {}).items()},
    )


def _entities(rows: Iterable[EntityRow] | None) -> tuple[Entity, ...]:
    return tuple(_entity(row) for row in rows or () if row.name and row.id is not None)


def _entity(row: EntityRow) -> Entity:
    """Return an entity with those above it, level by level, each once."""
    above: dict[int | None, Entity] = {}
    level = list(_parents(row))
    while level:
        for one in level:
            if one.name and one.id != row.id:
                above.setdefault(one.id, Entity(one.name, one.id))
        level = [parent for one in level for parent in _parents(one)]
    return Entity(row.name or "", row.id, tuple(above.values()))


def _parents(row: EntityRow) -> Iterator[EntityRow]:
    yield from row.parents or ()
    if row.parent_studio is not None:
        yield row.parent_studio


def _text(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(_text(one) for one in value)
    return "" if value is None or isinstance(value, dict) else str(value)
