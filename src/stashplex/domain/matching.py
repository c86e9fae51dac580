"""Which Plex items belong to a scene: at most one in each library, by the strongest evidence found there.

It looks into books that the caller has read for a whole batch (`engine/matcher`) and never guesses: a tie, on either
side, is a person's decision. What two files say alone is in `evidence`; the ranking: docs/adr/0008-evidence.md.
The invariant: within a library, weaker evidence is never taken when there is stronger, neither for this scene nor for
another one that fits the same item better.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from stashplex.base.errors import MatchAmbiguous, PlexNotFound, SceneInvalid, StashplexError
from stashplex.domain.evidence import Books
from stashplex.domain.item import IndexedPart, Item, RatingKey, SectionKey
from stashplex.domain.link import Evidence, Link
from stashplex.domain.pathmap import PathMap, name_key, path_key
from stashplex.domain.pin import Pin
from stashplex.domain.scene import SceneFile, SceneId

_SHOWN = 5
"""So many paths or candidates are named in a message."""

_RANK = {evidence: rank for rank, evidence in enumerate(Evidence)}


class HasFiles(Protocol):
    """What is matched: a scene, or what a listing tells of one."""

    @property
    def id(self) -> SceneId:
        """The number of the scene."""
        ...

    @property
    def files(self) -> tuple[SceneFile, ...]:
        """Its files, the primary one first."""
        ...


@dataclass(frozen=True, slots=True)
class ListedScene:
    """What a listing of files tells of a scene."""

    id: SceneId
    files: tuple[SceneFile, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """One item that belongs to a scene. `file` is the path, as Plex shows it, by which the item was matched."""

    rating_key: RatingKey
    section: SectionKey
    evidence: Evidence
    file: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One item that may belong to a scene, and what stands against it.

    Shape: `file` is Plex's, `scene_file` Stash's path; `objection` is empty when nothing rules the item out; `others`
    are the scenes that the objection is about, `rivals` those that fit the item just as well.
    """

    rating_key: RatingKey
    section: SectionKey
    evidence: Evidence
    file: str
    scene_file: str
    objection: str = ""
    others: tuple[SceneId, ...] = ()
    rivals: tuple[SceneId, ...] = ()

    @property
    def match(self) -> Match:
        """The match that this candidate would be."""
        return Match(self.rating_key, self.section, self.evidence, self.file)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What belongs to a scene, ordered by library, and each library's problem where a person or time is needed."""

    matches: tuple[Match, ...]
    problems: tuple[StashplexError, ...]


def wanted_paths(scene: HasFiles, path_map: PathMap) -> set[str]:
    """Return the path keys under which a scene is looked for."""
    return set(_looked_up(scene, path_map))


def wanted_names(scene: HasFiles) -> set[str]:
    """Return the name keys under which a scene is looked for."""
    return {name_key(file.path) for file in scene.files}


def match(scene: HasFiles, books: Books) -> tuple[Match, ...]:
    """Return the items of a scene, one for each library that has it.

    Any file of the scene may match; of several on one item the first in the scene's order is named.
    Shape: not empty, ordered by section.
    Raises: SceneInvalid without files; PlexNotFound when no library has it, or not the item that it is pinned to;
    MatchAmbiguous when the strongest evidence in one library fits several items, or several scenes.
    """
    judged = judge(scene, books)
    if judged.problems:
        raise judged.problems[0]
    return judged.matches


def judge(scene: HasFiles, books: Books) -> Judgement:
    """Return what belongs to a scene, library by library. Raises: SceneInvalid without files."""
    if not scene.files:
        raise SceneInvalid(f"Scene {scene.id} has no file.", hint="Remove the scene from Stash or restore its file.")
    candidates = weigh(scene, books)
    matches: list[Match] = []
    problems: list[StashplexError] = [_broken(pin) for pin in books.pins.get(scene.id, ()) if not _at_pin(pin, books)]
    for section in sorted({one.section for one in candidates if not one.objection}):
        best = _strongest(one for one in candidates if one.section == section and not one.objection)
        problem = _tie(scene, best)
        if problem is None:
            matches.append(best[0].match)
        else:
            problems.append(problem)
    if not matches and not problems:
        problems.append(_not_found(scene, books.path_map, candidates))
    return Judgement(tuple(matches), tuple(problems))


def weigh(scene: HasFiles, books: Books, *, is_full: bool = False) -> list[Candidate]:
    """Return what may belong to a scene, with what stands against it.

    Shape: in the scene's order of files. Weaker evidence is left out where a place decides a library, unless the
    picture is to be full.
    """
    pins = {pin.section: pin for pin in books.pins.get(scene.id, ())}
    found = [_pinned(pin, part) for pin in pins.values() for part in _at_pin(pin, books)]
    for file in scene.files:
        evidence = Evidence.MAPPED_PATH if books.path_map.is_moved(file.path) else Evidence.EXACT_PATH
        found += [_candidate(scene, file, part, evidence, books) for part in _at_place(file, books)]
    decided = {one.section for one in found if not one.objection} | pins.keys()
    for file in scene.files:
        for part in _weaker_parts(file, books):
            weaker = None if part.section in decided and not is_full else books.evidence(file, part)
            if weaker is not None and not weaker.is_by_place:
                found.append(_candidate(scene, file, part, weaker, books))
    return [_unless_pinned_elsewhere(one, pins) for one in found]


def is_still_matched(matched: Match | Link, item: Item) -> bool:
    """Tell whether an item just read shows the file by which it was matched. Asked before each write."""
    return item.rating_key == matched.rating_key and path_key(matched.file) in {path_key(file) for file in item.files}


def _at_place(file: SceneFile, books: Books) -> list[IndexedPart]:
    return books.parts_at(books.path_map.place_of(file.path))


def _weaker_parts(file: SceneFile, books: Books) -> Iterator[IndexedPart]:
    """Walk the parts that may belong to a file although they do not stand where it must, each once."""
    seen: set[tuple[RatingKey, str]] = set()
    known = (books.by_path.get(path_key(file.path), ()), books.by_name.get(name_key(file.path), ()))
    for parts in (*known, books.by_size.get(file.size, ()) if file.size else ()):
        for part in parts:
            if (part.rating_key, part.file) not in seen:
                seen.add((part.rating_key, part.file))
                yield part


def _candidate(scene: HasFiles, file: SceneFile, part: IndexedPart, evidence: Evidence, books: Books) -> Candidate:
    """Return a part with what stands against it: whoever has it pinned, fits it better, or fits it as well."""
    plain = Candidate(part.rating_key, part.section, evidence, part.file, file.path)
    owner = books.pinned.get((part.section, path_key(part.file)), scene.id)
    if owner != scene.id:
        return replace(plain, objection=f"it is pinned to scene {owner}", others=(owner,))
    if evidence.is_by_place:
        return plain if books.path_map.is_alone_there(file.path) else _at_shared_place(plain, scene, file, part, books)
    rivals: list[SceneId] = []
    for other in books.others(scene.id, part, evidence):
        theirs = books.evidence(other.file, part)
        if theirs is None or _RANK[theirs] > _RANK[evidence]:
            continue
        if _RANK[theirs] < _RANK[evidence]:
            objection = f"it belongs to scene {other.scene_id} by {theirs}"
            return replace(plain, objection=objection, others=(other.scene_id,))
        if not _has_home(other.scene_id, other.file, part, evidence, books):
            rivals.append(other.scene_id)
    if evidence is Evidence.NAME and not _is_only_name(scene, file, part, books):
        return replace(plain, objection="others have the same name")
    return replace(plain, rivals=tuple(dict.fromkeys(rivals)))


def _at_shared_place(plain: Candidate, scene: HasFiles, file: SceneFile, part: IndexedPart, books: Books) -> Candidate:
    """Return a part at a place where the path map may put other scenes too: the size decides, or nobody does."""
    there = [
        other
        for other in books.others(scene.id, part, plain.evidence)
        if (theirs := books.evidence(other.file, part)) is not None and theirs.is_by_place
    ]
    alike = [other.scene_id for other in there if other.file.size == part.size]
    if file.size == part.size:
        return replace(plain, rivals=tuple(dict.fromkeys(alike)))
    if alike:
        objection = f"scene {alike[0]} stands at the same place and has its size"
        return replace(plain, objection=objection, others=tuple(dict.fromkeys(alike)))
    return replace(plain, rivals=tuple(dict.fromkeys(other.scene_id for other in there)))


def _has_home(scene_id: SceneId, file: SceneFile, part: IndexedPart, evidence: Evidence, books: Books) -> bool:
    """Tell whether a rival's file has another item of the library, by stronger evidence and without a doubt."""
    for other in (*_at_place(file, books), *books.by_name.get(name_key(file.path), ())):
        if other.section != part.section or other.rating_key == part.rating_key:
            continue
        theirs = books.evidence(file, other)
        if theirs is None or _RANK[theirs] >= _RANK[evidence]:
            continue
        doubts = (books.evidence(one.file, other) for one in books.others(scene_id, other, theirs))
        if not any(doubt is not None and _RANK[doubt] <= _RANK[theirs] for doubt in doubts):
            return True
    return False


def _is_only_name(scene: HasFiles, file: SceneFile, part: IndexedPart, books: Books) -> bool:
    """Tell whether nobody else has a name, neither in the library nor in Stash."""
    name = name_key(file.path)
    here = {one.rating_key for one in books.by_name.get(name, ()) if one.section == part.section}
    return here == {part.rating_key} and all(one.scene_id == scene.id for one in books.stash_by_name.get(name, ()))


def _at_pin(pin: Pin, books: Books) -> list[IndexedPart]:
    """Return the parts of the pinned item: it is found by its files, and its key tells which of several it is."""
    parts = [part for file in pin.files for part in books.by_path.get(path_key(file), ())]
    here = [part for part in parts if part.section == pin.section]
    return [part for part in here if part.rating_key == pin.rating_key] or here


def _pinned(pin: Pin, part: IndexedPart) -> Candidate:
    return Candidate(part.rating_key, pin.section, Evidence.PINNED, part.file, "")


def _unless_pinned_elsewhere(one: Candidate, pins: Mapping[SectionKey, Pin]) -> Candidate:
    if one.evidence is Evidence.PINNED or one.section not in pins:
        return one
    return replace(one, objection=one.objection or "the scene is pinned by hand in this library")


def _broken(pin: Pin) -> PlexNotFound:
    return PlexNotFound(
        f"Scene {pin.scene_id} is pinned to item {pin.rating_key} of library {pin.section}, but Plex does not show "
        f"{_listed(pin.files)} any more.",
        paths=pin.files,
        hint=f"Let Plex scan the file, pin the scene to another item, or run stashplex unpin {pin.scene_id}.",
    )


def _strongest(candidates: Iterable[Candidate]) -> list[Candidate]:
    ranked = sorted(candidates, key=lambda one: _RANK[one.evidence])
    return [one for one in ranked if one.evidence is ranked[0].evidence]


def _tie(scene: HasFiles, best: Sequence[Candidate]) -> MatchAmbiguous | None:
    """Return the error for several items that fit equally well, or several scenes that fit the one item."""
    first = best[0]
    by_item = {candidate.rating_key: candidate for candidate in reversed(best)}
    if len(by_item) > 1:
        named = _listed([f"item {key} ({by_item[key].file})" for key in sorted(by_item)])
        return MatchAmbiguous(
            f"Scene {scene.id} fits {len(by_item)} items of library {first.section} by {first.evidence}: {named}.",
            hint=f"Run stashplex pin {scene.id} ITEM, or merge these items in Plex, then retry.",
        )
    rivals = sorted({rival for candidate in best for rival in candidate.rivals})
    if rivals:
        named = _listed([f"scene {rival}" for rival in rivals])
        return MatchAmbiguous(
            f"Item {first.rating_key} ({first.file}) of library {first.section} fits scene {scene.id} by "
            f"{first.evidence}, and just as well {named}.",
            hint=f"Run stashplex pin SCENE {first.rating_key} for the right one, or correct the path map, then retry.",
        )
    return None


def _not_found(scene: HasFiles, path_map: PathMap, candidates: Sequence[Candidate]) -> PlexNotFound:
    told = [f"item {one.rating_key} ({one.file}) fits by {one.evidence}, but {one.objection}" for one in candidates]
    more = f" Not taken: {'; '.join(told[:_SHOWN])}." if told else ""
    return PlexNotFound(
        f"Plex has none of these files: {_listed(_looked_up(scene, path_map))}.{more}",
        paths=tuple(path_map.place_of(file.path) for file in scene.files),
        hint="Scan the library in Plex, or correct the path map if Plex shows the file under another path.",
    )


def _looked_up(scene: HasFiles, path_map: PathMap) -> list[str]:
    """Return the path keys that are looked up, in the scene's order, each once."""
    spelt = ((file.path, path_map.to_plex(file.path)) for file in scene.files)
    return list(dict.fromkeys(path_key(path) for pair in spelt for path in pair if path is not None))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
