"""What Stash says about one video. Built by `stash/codec`, read by `mapping` and `matching`.

A `None` in an optional field means that Stash was asked and has no value; a field that Stash was not (or
could not be) asked for is in `unknown_fields`, and nothing may be derived from it.
"""

from dataclasses import dataclass
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
class Scene:
    """One scene with the names of its entities already joined in.

    Shape: `files[0]` is the primary file; tuples keep Stash's order. `rating100` 1 to 100 or None.
    `date` is `YYYY-MM-DD`, `YYYY-MM`, `YYYY` or None. `cover_url` is absolute as Stash built it, or None when
    Stash has none. Units: `updated_at` is aware.
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
