"""Matching against a known truth: 10,000 films of which some are renamed, doubled, missing, or on other mounts.

Pure: both sides are made here, matched by `domain.matching` and scored film by film; beside it, on the same films, what
matching by file name alone gives. Invariant: what counts as unambiguous is decided from the truth and from counts of
names, sizes and durations, never by asking the code that is measured.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.result import Result, Row
from stashplex.base.clock import SystemClock
from stashplex.base.errors import MatchAmbiguous
from stashplex.domain.evidence import Owned, whole_books
from stashplex.domain.item import IndexedPart, RatingKey, SectionKey
from stashplex.domain.matching import ListedScene, judge
from stashplex.domain.pathmap import PathMap, name_key, parse_path_map, path_key
from stashplex.domain.scene import SceneFile, SceneId

NAME = "matching"

FILMS = 10_000
RENAMED, SAME_NAME, SAME_SIZE, COPIES, ONE_SIDE = 0.05, 0.03, 0.02, 0.01, 0.02
SECTION = SectionKey("1")


@dataclass(frozen=True, slots=True)
class Film:
    """One film of the truth. Shape: `stash` or `plex` is empty where only the other side has it."""

    number: int
    stash: str
    plex: str
    size: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class Mounts:
    """Where the two sides see the folders, and the path map that says so. Shape: half of the pairs differ."""

    what: str
    folders: Sequence[tuple[str, str]]
    path_map: PathMap


@dataclass(frozen=True, slots=True)
class Score:
    """How the films of one run ended. `silent` are those that neither have a link nor a reason."""

    films: int
    unambiguous: int
    found: int
    wrong: int
    ambiguous: int
    not_found: int
    silent: int
    by_name_found: int
    by_name_wrong: int
    duration_s: float


_SAME = (("/films", "/films"), ("/srv/clips", "/srv/clips"))
_APART = (("/data/one", "/mnt/disk1"), ("/data/two", "D:\\two"))
_SWAPPED = (("/vol/a", "/vol/b"), ("/vol/b", "/vol/a"))
_RULES = "/data/one=/mnt/disk1; /data/two=D:\\two"
MOUNTS = (
    Mounts("mounts differ, path map set", (*_SAME, *_APART), parse_path_map(_RULES)),
    Mounts("mounts differ, no path map", (*_SAME, *_APART), PathMap()),
    Mounts("mounts swapped, path map set", (*_SAME, *_SWAPPED), parse_path_map("/vol/a=/vol/b; /vol/b=/vol/a")),
)


def measure(is_quick: bool) -> Result:
    """Match the films of each kind of mounts and compare with the truth."""
    count = 1_000 if is_quick else FILMS
    scores = {mounts.what: _score(mounts, _films(count, mounts, random.Random(7))) for mounts in MOUNTS}
    wrong = sum(score.wrong for score in scores.values())
    share = min(score.found / score.unambiguous for score in scores.values())
    silent = sum(score.silent for score in scores.values())
    by_name_wrong = [score.by_name_wrong for score in scores.values()]
    by_name = min(score.by_name_found / score.unambiguous for score in scores.values())
    rows = (
        Row("wrong links", "0", f"{wrong}", f"name only: {min(by_name_wrong)} to {max(by_name_wrong)}", wrong == 0),
        Row("unambiguous films found", "≥ 99 %", f"{share:.2%}", f"name only: {by_name:.2%}", share >= 0.99),
        Row("films without a link and without a reason", "0", f"{silent}", "-", silent == 0),
    )
    head = (
        "mounts",
        "films in Stash",
        "unambiguous",
        "of these found",
        "wrong",
        "told as ambiguous",
        "told as not in Plex",
    )
    head += ("name only: found", "name only: wrong", "seconds")
    table = [head]
    for what, score in scores.items():
        cells = (score.films, score.unambiguous, score.found, score.wrong, score.ambiguous, score.not_found)
        names = (score.by_name_found, score.by_name_wrong)
        table.append((what, *(f"{cell:,}" for cell in (*cells, *names)), f"{score.duration_s:.1f}"))
    how = (
        f"{count:,} films, made from one seed: {RENAMED:.0%} renamed on one side, {SAME_NAME:.0%} with a name that "
        f"others have, {SAME_SIZE:.0%} with a size that another has (half of these with its duration as well), "
        f"{COPIES:.0%} copied byte by byte under the same name, {ONE_SIDE:.0%} on one side only; half of the mounts "
        "differ. Name only takes the first item whose file has the same name."
    )
    return Result(NAME, "Matching against a known truth", how, rows, tuple(table))


def _films(count: int, mounts: Mounts, chance: random.Random) -> list[Film]:
    """Return the truth: each film's file on both sides."""
    films: list[Film] = []
    for number in range(count):
        here, there = mounts.folders[number % len(mounts.folders)]
        folder, name = f"studio {chance.randrange(200)}", f"Film {number:05d} {chance.randrange(10**6)}.mp4"
        size, duration_s = chance.randrange(10**8, 10**10), round(chance.uniform(300, 9_000), 3)
        kind = chance.random()
        twin = films[chance.randrange(len(films))] if films else None
        plex_name = name
        if (kind := kind - RENAMED) < 0:
            plex_name = f"renamed {chance.randrange(10**9)}.mkv"
        elif (kind := kind - SAME_NAME) < 0:
            name = plex_name = f"scene {chance.randrange(max(1, count // 200))}.mp4"
            folder = f"{folder}/{number}" if chance.random() < 0.5 else folder
        elif (kind := kind - SAME_SIZE) < 0 and twin is not None:
            size, duration_s = twin.size, twin.duration_s if chance.random() < 0.5 else duration_s
        elif (kind := kind - COPIES) < 0 and twin is not None:
            size, duration_s = twin.size, twin.duration_s
            name = plex_name = (twin.stash or twin.plex).replace("\\", "/").rpartition("/")[2]
            folder = f"copies {number}"
        is_one_sided = chance.random() < ONE_SIDE
        is_in_stash = not is_one_sided or chance.random() < 0.5
        stash = f"{here}/{folder}/{name}" if is_in_stash else ""
        plex = f"{there}/{folder}/{plex_name}" if not is_one_sided or not is_in_stash else ""
        films.append(Film(number, stash, plex.replace("/", "\\") if "\\" in there else plex, size, duration_s))
    return _without_clashes(films)


def _without_clashes(films: Sequence[Film]) -> list[Film]:
    """Leave out films that would have another one's path: no file system has two of those."""
    kept: list[Film] = []
    taken: set[tuple[str, str]] = set()
    for film in films:
        own = {(side, path_key(path)) for side, path in (("stash", film.stash), ("plex", film.plex)) if path}
        if not own & taken:
            taken |= own
            kept.append(film)
    return kept


def _score(mounts: Mounts, films: Sequence[Film]) -> Score:
    parts = [
        IndexedPart(RatingKey(str(film.number)), SECTION, film.plex, film.size, round(film.duration_s * 1_000) + 40, 1)
        for film in films
        if film.plex
    ]
    scenes = [
        (film, ListedScene(SceneId(film.number + 1), (SceneFile(film.stash, film.size, film.duration_s),)))
        for film in films
        if film.stash
    ]
    clock = SystemClock()
    started_s = clock.monotonic_s()
    owned = (Owned(scene.id, file) for _, scene in scenes for file in scene.files)
    books = whole_books(parts, owned, mounts.path_map)
    judged = [(film, judge(scene, books)) for film, scene in scenes]
    took_s = clock.monotonic_s() - started_s
    is_unambiguous = _unambiguous(films, mounts.path_map)
    found, endings = 0, Counter[str]()
    for film, one in judged:
        if one.matches:
            is_right = one.matches[0].rating_key == str(film.number)
            endings["right" if is_right else "wrong"] += 1
            found += is_right and is_unambiguous(film)
        elif one.problems:
            endings["ambiguous" if isinstance(one.problems[0], MatchAmbiguous) else "not found"] += 1
        else:
            endings["silent"] += 1
    by_name_found, by_name_wrong = _by_name(films, is_unambiguous)
    return Score(
        films=len(scenes),
        unambiguous=sum(is_unambiguous(film) for film, _ in scenes),
        found=found,
        wrong=endings["wrong"],
        ambiguous=endings["ambiguous"],
        not_found=endings["not found"],
        silent=endings["silent"],
        by_name_found=by_name_found,
        by_name_wrong=by_name_wrong,
        duration_s=took_s,
    )


def _unambiguous(films: Sequence[Film], path_map: PathMap) -> Callable[[Film], bool]:
    """Return who tells whether a film can be known: by its place, or by facts that no other film shares."""
    named = Counter((name_key(path), film.size) for film in films for path in {film.stash, film.plex} if path)
    both_named = Counter(
        (name_key(film.stash), film.size)
        for film in films
        if film.stash and name_key(film.stash) == name_key(film.plex)
    )
    sized = Counter(film.size for film in films)

    def tells(film: Film) -> bool:
        if not film.stash or not film.plex:
            return False
        if path_map.is_same_in_plex(path_map.place_of(film.stash), film.plex):
            return True
        own = (name_key(film.stash), film.size)
        if name_key(film.stash) == name_key(film.plex):
            return named[own] - both_named[own] == 1 and both_named[own] == 1
        return sized[film.size] == 1

    return tells


def _by_name(films: Sequence[Film], is_unambiguous: Callable[[Film], bool]) -> tuple[int, int]:
    """Return how many films the first item of the same name finds, and how many wrong ones it gives."""
    first: dict[str, int] = {}
    for film in films:
        if film.plex:
            first.setdefault(name_key(film.plex), film.number)
    given = [(film, first.get(name_key(film.stash))) for film in films if film.stash]
    found = sum(number == film.number and is_unambiguous(film) for film, number in given)
    return found, sum(number is not None and number != film.number for film, number in given)
