"""Which Plex items belong to a scene: at most one in each library, by the strongest evidence found there.

It looks into indexes that the caller has read for a whole batch (`wanted_paths`, `wanted_names`) and never
guesses: a tie is a person's decision, and a name alone is no evidence.
The invariant: within a library, weaker evidence is never consulted when there is stronger.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stashplex.base.errors import MatchAmbiguous, PlexNotFound, SceneInvalid
from stashplex.domain.item import IndexedPart, Item, RatingKey, SectionKey
from stashplex.domain.link import Evidence, Link
from stashplex.domain.pathmap import PathMap, name_key, path_key
from stashplex.domain.scene import Scene, SceneFile

_SHOWN = 5
"""So many paths or candidates are named in a message."""


@dataclass(frozen=True, slots=True)
class Match:
    """One item that belongs to a scene. `file` is the path, as Plex shows it, by which the item was matched."""

    rating_key: RatingKey
    section: SectionKey
    evidence: Evidence
    file: str


@dataclass(frozen=True, slots=True)
class _Lookup:
    """The indexes of one call, keyed as `path_key` and `name_key` say."""

    path_map: PathMap
    by_path: Mapping[str, Sequence[IndexedPart]]
    by_name: Mapping[str, Sequence[IndexedPart]]

    def parts(self, file: SceneFile, evidence: Evidence) -> Sequence[IndexedPart]:
        """Return the parts that belong to one file by one kind of evidence."""
        match evidence:
            case Evidence.EXACT_PATH:
                return self.by_path.get(path_key(file.path), ())
            case Evidence.MAPPED_PATH:
                mapped = self.path_map.to_plex(file.path)
                return () if mapped is None else self.by_path.get(path_key(mapped), ())
            case Evidence.NAME_AND_SIZE:
                named = self.by_name.get(name_key(file.path), ())
                return [part for part in named if file.size and part.size == file.size]


def wanted_paths(scene: Scene, path_map: PathMap) -> set[str]:
    """Return the path keys under which `match` looks for a scene."""
    return set(_looked_up(scene, path_map))


def wanted_names(scene: Scene) -> set[str]:
    """Return the name keys under which `match` looks for a scene."""
    return {name_key(file.path) for file in scene.files}


def match(
    scene: Scene,
    *,
    path_map: PathMap,
    by_path: Mapping[str, Sequence[IndexedPart]],
    by_name: Mapping[str, Sequence[IndexedPart]],
) -> tuple[Match, ...]:
    """Return the items of a scene, one for each library that has it.

    Any file of the scene may match; of several on one item the first in the scene's order is named.
    Shape: not empty, ordered by section. The indexes may hold more than this scene wants.
    Raises: SceneInvalid without files; PlexNotFound when no library has it; MatchAmbiguous when the strongest
    evidence in one library fits several items.
    """
    if not scene.files:
        raise SceneInvalid(f"Scene {scene.id} has no file.", hint="Remove the scene from Stash or restore its file.")
    found = _by_section(scene, _Lookup(path_map, by_path, by_name))
    if not found:
        raise PlexNotFound(
            f"Plex has none of these files: {_listed(_looked_up(scene, path_map))}.",
            paths=tuple(path_map.to_plex(file.path) or file.path for file in scene.files),
            hint="Scan the library in Plex, or correct the path map if Plex shows the file under another path.",
        )
    return tuple(_only(scene, found[section]) for section in sorted(found))


def is_still_matched(matched: Match | Link, item: Item) -> bool:
    """Tell whether an item just read shows the file by which it was matched. Asked before each write."""
    return item.rating_key == matched.rating_key and path_key(matched.file) in {path_key(file) for file in item.files}


def _by_section(scene: Scene, lookup: _Lookup) -> dict[SectionKey, list[Match]]:
    """Return the candidates of each library, all by the strongest evidence that it has."""
    found: dict[SectionKey, list[Match]] = {}
    for evidence in Evidence:
        fresh: dict[SectionKey, list[Match]] = {}
        for file in scene.files:
            for part in lookup.parts(file, evidence):
                candidate = Match(part.rating_key, part.section, evidence, part.file)
                fresh.setdefault(part.section, []).append(candidate)
        found = fresh | found
    return found


def _only(scene: Scene, candidates: list[Match]) -> Match:
    first = candidates[0]
    by_item = {candidate.rating_key: candidate for candidate in reversed(candidates)}
    if len(by_item) > 1:
        named = _listed([f"item {key} ({by_item[key].file})" for key in sorted(by_item)])
        raise MatchAmbiguous(
            f"Scene {scene.id} fits {len(by_item)} items of library {first.section} by {first.evidence}: {named}.",
            hint="Merge these items in Plex or remove all but one, then retry.",
        )
    return first


def _looked_up(scene: Scene, path_map: PathMap) -> list[str]:
    """Return the path keys that are looked up, in the scene's order, each once."""
    spelt = ((file.path, path_map.to_plex(file.path)) for file in scene.files)
    return list(dict.fromkeys(path_key(path) for pair in spelt for path in pair if path is not None))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
