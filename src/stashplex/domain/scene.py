"""What Stash says about one video. Built by `stash/codec`, read by `mapping`, `filtering` and `matching`.

A `None` in an optional field means that Stash was asked and has no value; a field that Stash was not (or
could not be) asked for is in `unknown_fields`, and nothing may be derived from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

SceneId = NewType("SceneId", int)


@dataclass(frozen=True, slots=True)
class SceneFile:
    """One file of a scene, with the path as Stash sees it. Units: `size` bytes, `duration_s` seconds."""

    path: str
    size: int | None
    duration_s: float | None
    oshash: str | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """A tag, studio or performer. Shape: `above` are those that it is part of, the nearest ones first."""

    name: str
    id: int | None = None
    above: tuple["Entity", ...] = ()


@dataclass(frozen=True, slots=True)
class Performer:
    """What else is known of a performer. Shape: `gender` is Stash's word (`FEMALE`) or `""`."""

    entity: Entity
    gender: str = ""
    is_favorite: bool = False
    tags: tuple[Entity, ...] = ()


@dataclass(frozen=True, slots=True)
class Details:
    """What is only asked of Stash when a rule needs it. Shape: tuples in the order of the names in the scene."""

    tags: tuple[Entity, ...] = ()
    performers: tuple[Performer, ...] = ()
    studio: Entity | None = None
    groups: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    stash_ids: tuple[str, ...] = ()
    custom_fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene with the names of its entities already joined in.

    Shape: `files[0]` is the primary file; tuples keep Stash's order. `rating100` 1 to 100 or None.
    `date` is `YYYY-MM-DD`, `YYYY-MM`, `YYYY` or None. `cover_url` is absolute as Stash built it, or None when
    Stash has none. `more` is empty unless a rule asked for it. Units: `updated_at` is aware.
    Source: stash-wire.md 5.3.
    """

    id: SceneId
    title: str
    details: str
    code: str
    director: str
    date: str | None
    rating100: int | None
    organized: bool
    studio: str | None
    performers: tuple[str, ...]
    tags: tuple[str, ...]
    files: tuple[SceneFile, ...]
    cover_url: str | None
    updated_at: datetime
    unknown_fields: frozenset[str] = frozenset()
    more: Details = Details()

    @property
    def tag_entities(self) -> tuple[Entity, ...]:
        """The tags, with what is known of them."""
        return self.more.tags or tuple(map(Entity, self.tags))

    @property
    def cast(self) -> tuple[Performer, ...]:
        """The performers, with what is known of them."""
        return self.more.performers or tuple(Performer(Entity(name)) for name in self.performers)

    @property
    def studio_entity(self) -> Entity | None:
        """The studio, with what is known of it."""
        return self.more.studio or (Entity(self.studio) if self.studio else None)


def studios_above(scene: Scene) -> tuple[Entity, ...]:
    """Return the studios that the studio of a scene is part of, the nearest first."""
    return scene.studio_entity.above if scene.studio_entity else ()
