"""What people did, and when: each version of each value in Stash, each edit by a person in Plex.

The oracle reads it at the end; nothing else does. Invariant: a value is written down in the moment in which it changes.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from simulation.scenery import Scenery
from stashplex.sim.stash.model import Scene

TEXTS = ("title", "titleSort", "summary", "studio", "originallyAvailableAt", "userRating")
LISTS = ("genre", "director", "actor", "collection")
Value = str | frozenset[str]


@dataclass(frozen=True, slots=True)
class Touch:
    """One edit by a person in Plex.

    Shape: `value` is the new text, or the tag that was added or removed; `is_quiet` tells that the scene was in step
    and nobody worked on it; `version` is that of the scene in Stash at the time; `is_first` that Plex had it before us.
    """

    key: str
    field: str
    value: str
    is_added: bool
    is_quiet: bool
    version: int
    is_first: bool = False


@dataclass
class Memory:
    """What people did. Shape: `versions` holds all documents of each scene, the first one at 0."""

    versions: dict[int, list[dict[str, Value]]] = field(default_factory=lambda: defaultdict(list))
    touches: list[Touch] = field(default_factory=list)
    destroyed: dict[int, dict[str, Value] | None] = field(default_factory=dict)

    def keep(self, scene: Scene) -> None:
        """Write a scene's present values down."""
        self.versions[scene.id].append(wanted(scene))

    def keep_all(self, scenery: Scenery) -> None:
        """Write all scenes down."""
        for scene in scenery.stash.library.scenes.values():
            self.keep(scene)


def wanted(scene: Scene) -> dict[str, Value]:
    """Return what Plex should show of a scene, by the documented rules (mapping of fields)."""
    title = scene.title
    for article in ("The ", "A ", "An "):
        if title.startswith(article):
            break
    else:
        article = ""
    studio = scene.studio.name if scene.studio else ""
    return {
        "title": title,
        "titleSort": title.removeprefix(article),
        "summary": scene.details,
        "studio": studio,
        "originallyAvailableAt": scene.date or "",
        "userRating": _rating(scene.rating100),
        "genre": frozenset(tag.name for tag in scene.tags),
        "director": frozenset([scene.director] if scene.director else []),
        "actor": frozenset(performer.name for performer in scene.performers),
        "collection": frozenset([studio] if studio else []),
    }


def shown(item: Any) -> dict[str, Value]:
    """Return what an item shows to its owner."""
    rating = item.view(1).rating
    return {
        "title": item.title,
        "titleSort": str(item.fields.get("titleSort", item.title)),
        "summary": str(item.fields.get("summary", "")),
        "studio": str(item.fields.get("studio", "")),
        "originallyAvailableAt": str(item.fields.get("originallyAvailableAt", "")),
        "userRating": "" if rating is None else f"{rating:g}",
        **{kind: frozenset(tagging.tag.text for tagging in item.tags.get(kind, ())) for kind in LISTS},
    }


def _rating(rating100: int | None) -> str:
    return "" if rating100 is None else f"{rating100 / 10:g}"
