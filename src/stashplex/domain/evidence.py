"""How strongly one file of Stash and one file of Plex belong together, looked at alone.

The one rule that candidates, rivals and owners are all judged by; `matching` decides between them.
The invariant: it is the strongest evidence that the two files give, and it never rests on a name alone unless that is
allowed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stashplex.domain.item import IndexedPart, SectionKey
from stashplex.domain.link import Evidence
from stashplex.domain.pathmap import PathMap, folded_key, ignores_case, name_key, path_key
from stashplex.domain.pin import Pin
from stashplex.domain.scene import SceneFile, SceneId

CLOSE_S = 1.0
"""So much may two durations of one file differ where they are evidence: two programs round one video."""

APART_S = 2.0
APART_SHARE = 0.01
"""Beyond both, two durations speak against one file whatever else agrees."""


@dataclass(frozen=True, slots=True)
class Owned:
    """One file of a scene of Stash."""

    scene_id: SceneId
    file: SceneFile


@dataclass(frozen=True, slots=True)
class Books:
    """What is known of both sides as far as some scenes need it, keyed as `path_key` and `name_key` say.

    Shape: each may hold more than is needed. Plex's parts are of the chosen libraries only; `stash_by_name` and
    `stash_by_size` may be empty where nothing but a place decides. `pins` are those of one Plex server.
    """

    path_map: PathMap
    by_path: Mapping[str, Sequence[IndexedPart]]
    by_name: Mapping[str, Sequence[IndexedPart]] = field(default_factory=dict)
    by_size: Mapping[int, Sequence[IndexedPart]] = field(default_factory=dict)
    stash_by_name: Mapping[str, Sequence[Owned]] = field(default_factory=dict)
    stash_by_size: Mapping[int, Sequence[Owned]] = field(default_factory=dict)
    pins: Mapping[SceneId, Sequence[Pin]] = field(default_factory=dict)
    pinned: Mapping[tuple[SectionKey, str], SceneId] = field(default_factory=dict)
    may_match_names: bool = False

    def parts_at(self, path: str) -> list[IndexedPart]:
        """Return the parts at a path as Plex spells it; where case means nothing, one in that very case goes first."""
        exact = list(self.by_path.get(path_key(path), ()))
        if not ignores_case(path, self.path_map.plex_case):
            return exact
        sections = {part.section for part in exact}
        wanted = folded_key(path)
        return exact + [
            part
            for part in self.by_name.get(name_key(path), ())
            if part.section not in sections and folded_key(part.file) == wanted
        ]

    def others(self, scene_id: SceneId, part: IndexedPart, evidence: Evidence) -> list[Owned]:
        """Return the files of other scenes that may belong to a part by evidence at least as strong, each once."""
        found = list(self.stash_by_name.get(name_key(part.file), ()))
        if evidence is Evidence.SIZE_AND_DURATION and part.size:
            found += self.stash_by_size.get(part.size, ())
        return list({(one.scene_id, one.file.path): one for one in found if one.scene_id != scene_id}.values())

    def evidence(self, file: SceneFile, part: IndexedPart) -> Evidence | None:
        """Return the strongest evidence that a file and a part give, None when there is none."""
        return evidence_of(file, part, self.path_map, may_match_names=self.may_match_names)


def whole_books(
    parts: Iterable[IndexedPart],
    owned: Iterable[Owned],
    path_map: PathMap,
    *,
    pins: Mapping[SceneId, Sequence[Pin]] | None = None,
    may_match_names: bool = False,
) -> Books:
    """Return the books of both sides as a whole, for those who hold both in memory."""
    by_path: dict[str, list[IndexedPart]] = {}
    by_name: dict[str, list[IndexedPart]] = {}
    by_size: dict[int, list[IndexedPart]] = {}
    for part in parts:
        by_path.setdefault(path_key(part.file), []).append(part)
        by_name.setdefault(name_key(part.file), []).append(part)
        if part.size:
            by_size.setdefault(part.size, []).append(part)
    stash_by_name: dict[str, list[Owned]] = {}
    stash_by_size: dict[int, list[Owned]] = {}
    for one in owned:
        stash_by_name.setdefault(name_key(one.file.path), []).append(one)
        if one.file.size:
            stash_by_size.setdefault(one.file.size, []).append(one)
    known = pins or {}
    return Books(
        path_map,
        by_path,
        by_name,
        by_size,
        stash_by_name,
        stash_by_size,
        pins=known,
        pinned=pinned_by_path(known),
        may_match_names=may_match_names,
    )


def pinned_by_path(pins: Mapping[SceneId, Sequence[Pin]]) -> dict[tuple[SectionKey, str], SceneId]:
    """Return whose pin a file of a library has, by the key of its path."""
    return {
        (pin.section, path_key(file)): scene_id for scene_id, own in pins.items() for pin in own for file in pin.files
    }


def evidence_of(file: SceneFile, part: IndexedPart, path_map: PathMap, *, may_match_names: bool) -> Evidence | None:
    """Return the strongest evidence that a file of Stash and a part of Plex give, pins aside."""
    place = path_map.place_of(file.path)
    if path_map.is_same_in_plex(place, part.file):
        return Evidence.MAPPED_PATH if path_map.is_moved(file.path) else Evidence.EXACT_PATH
    is_size_same = bool(file.size) and file.size == part.size
    if path_map.is_same_in_plex(file.path, part.file) and (is_size_same or not (file.size and part.size)):
        return Evidence.UNMAPPED_PATH
    is_name_same = name_key(file.path) == name_key(part.file)
    if is_size_same and is_name_same and not _is_apart(file, part):
        return Evidence.NAME_AND_SIZE
    if is_size_same and not is_name_same and _is_close(file, part):
        return Evidence.SIZE_AND_DURATION
    if is_name_same and may_match_names:
        return Evidence.NAME
    return None


def _difference_s(file: SceneFile, part: IndexedPart) -> float | None:
    if not file.duration_s or not part.duration_ms:
        return None
    return abs(file.duration_s - part.duration_ms / 1_000)


def _is_close(file: SceneFile, part: IndexedPart) -> bool:
    difference_s = _difference_s(file, part)
    return difference_s is not None and difference_s <= CLOSE_S


def _is_apart(file: SceneFile, part: IndexedPart) -> bool:
    difference_s = _difference_s(file, part)
    return difference_s is not None and difference_s > max(APART_S, APART_SHARE * (file.duration_s or 0.0))
