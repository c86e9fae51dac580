"""Reads what the matching needs of both sides, for a whole batch, and lets it judge.

Used by the planner, by the finder and by the commands that show matches. It reads the indexes only, and asks Stash for
its files when a match would rest on less than a place; it never asks Plex. The invariant: a tie or an owner among
Stash's scenes is told only of scenes that Stash was asked about just now.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from stashplex.domain.evidence import Books, Owned, pinned_by_path
from stashplex.domain.item import IndexedPart, SectionKey
from stashplex.domain.matching import Candidate, HasFiles, Judgement, judge, wanted_paths, weigh
from stashplex.domain.pathmap import PathMap, name_key, path_key
from stashplex.domain.pin import Pin
from stashplex.domain.scene import SceneId
from stashplex.engine.attempt import Failed, attempt
from stashplex.engine.listing import Listing
from stashplex.engine.rules import MatchRules
from stashplex.engine.target import Target
from stashplex.store.index import PlexIndex
from stashplex.store.pins import Pins
from stashplex.store.stash_files import StashFiles

MOST_ASKED = 100
"""So many other scenes are asked about again before a tie is told; more would not be one person's decision."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What is known of both sides."""

    index: PlexIndex
    files: StashFiles
    pins: Pins
    listing: Listing


class Matcher:
    """Matches scenes to the items of one Plex server."""

    def __init__(self, shelf: Shelf, target: Target, rules: MatchRules) -> None:
        self._index = shelf.index
        self._files = shelf.files
        self._listing = shelf.listing
        self._pins = shelf.pins
        self._plex_id = target.plex_id
        self._sections = [section.key for section in target.sections]
        self._rules = rules

    def ignored(self, scene_ids: Collection[SceneId]) -> frozenset[SceneId]:
        """Return those of some scenes that a person wants left alone."""
        return self._pins.ignored(self._plex_id, scene_ids)

    async def judge_all(self, scenes: Sequence[HasFiles]) -> dict[SceneId, Judgement | Failed]:
        """Return what belongs to each of these scenes. Raises: ServerError, when Stash must be asked and fails."""
        self._listing.learn(scenes)
        books = await self._books(scenes)
        judged = {scene.id: await _judged(scene, books) for scene in scenes}
        doubted = [scene for scene in scenes if _has_problem(judged[scene.id])]
        others = _others(doubted, books)
        if others and await self._listing.look_again(sorted(others)[:MOST_ASKED]):
            books = await self._books(doubted)
            judged |= {scene.id: await _judged(scene, books) for scene in doubted}
        return judged

    async def weigh(self, scene: HasFiles) -> tuple[list[Candidate], Judgement | Failed]:
        """Return everything that may belong to a scene, and the judgement. Raises: ServerError."""
        await self._listing.refresh()
        judged = await self.judge_all([scene])
        books = await self._books([scene], is_full=True)
        return weigh(scene, books, is_full=True), judged[scene.id]

    async def _books(self, scenes: Sequence[HasFiles], *, is_full: bool = False) -> Books:
        """Read what judging these scenes needs: more than places only for those whose place decides nothing."""
        path_map = self._rules.path_map
        pins = self._pins.of(self._plex_id, self._sections)
        books = Books(
            path_map,
            self._by_path(scenes, (pin for scene in scenes for pin in pins.get(scene.id, ()))),
            pins=pins,
            pinned=pinned_by_path(pins),
            may_match_names=self._rules.may_match_names,
        )
        open_ones = [scene for scene in scenes if is_full or self._is_open(scene, books)]
        if not open_ones:
            return books
        files = [file for scene in open_ones for file in scene.files]
        names = {name_key(file.path) for file in files}
        sizes = {file.size for file in files if file.size}
        books = replace(
            books,
            by_name=self._index.find_by_name(self._plex_id, self._sections, names),
            by_size=self._index.find_by_size(self._plex_id, self._sections, sizes),
        )
        weighed = (one for scene in open_ones for one in weigh(scene, books, is_full=is_full))
        weaker = {
            one.file for one in weighed if not one.evidence.is_by_place or not path_map.is_alone_there(one.scene_file)
        }
        if not weaker:
            return books
        await self._listing.refresh()
        return self._with_stash(books, names | {name_key(file) for file in weaker}, sizes)

    def _with_stash(self, books: Books, names: Collection[str], sizes: Collection[int]) -> Books:
        """Add the files of Stash that may fit the same items, and where those are at home in Plex."""
        by_name, by_size = self._files.find_by_name(names), self._files.find_by_size(sizes)
        owned = [one for found in (by_name, by_size) for files in found.values() for one in files]
        homes = _homes(owned, books.path_map)
        their_names = {name_key(one.file.path) for one in owned} - books.by_name.keys()
        more_names = self._index.find_by_name(self._plex_id, self._sections, their_names)
        return replace(
            books,
            by_path={**self._index.find_by_path(self._plex_id, self._sections, homes), **books.by_path},
            by_name={**more_names, **books.by_name},
            stash_by_name={**self._files.find_by_name(more_names.keys() - by_name.keys()), **by_name},
            stash_by_size=by_size,
        )

    def _by_path(self, scenes: Sequence[HasFiles], pins: Iterable[Pin]) -> Mapping[str, Sequence[IndexedPart]]:
        paths = set().union(*(wanted_paths(scene, self._rules.path_map) for scene in scenes))
        paths |= {path_key(file) for pin in pins for file in pin.files}
        return self._index.find_by_path(self._plex_id, self._sections, paths)

    def _is_open(self, scene: HasFiles, books: Books) -> bool:
        """Tell whether a library is left that no place decides, or a place that others may share."""
        if not all(self._rules.path_map.is_alone_there(file.path) for file in scene.files):
            return True
        decided: set[SectionKey] = {one.section for one in weigh(scene, books) if not one.objection}
        decided |= {pin.section for pin in books.pins.get(scene.id, ())}
        return not decided.issuperset(self._sections)


async def _judged(scene: HasFiles, books: Books) -> Judgement | Failed:
    """Judge one scene; a bug in that is this scene's."""

    async def step() -> Judgement:
        return judge(scene, books)

    result = await attempt(step)
    return result if isinstance(result, Failed) else result.value


def _homes(owned: Iterable[Owned], path_map: PathMap) -> set[str]:
    return {path_key(path_map.place_of(one.file.path)) for one in owned}


def _has_problem(judged: Judgement | Failed) -> bool:
    return isinstance(judged, Judgement) and bool(judged.problems)


def _others(scenes: Sequence[HasFiles], books: Books) -> set[SceneId]:
    """Return the scenes that stand between some scenes and an item."""
    weighed = (one for scene in scenes for one in weigh(scene, books))
    return {scene_id for one in weighed for scene_id in (*one.others, *one.rivals)}
