"""Which rules of a path map explain where Plex shows Stash's files, told from both sides' lists of files.

Pure; `stashplex paths suggest` shows it, a person accepts it. A pair of files that have one name and size, each on its
side only, is a witness: what its two paths have in common at the end is the same folder, what stands before it are two
spellings of one. The invariant: every figure counts real files, and a proposed map was tried on all of them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stashplex.domain.pathmap import PathCase, PathMap, PathRule, folded_key, ignores_case, name_key, path_key

EXAMPLES = 20
MOST_RULES = 50
"""More rules than anybody keeps by hand; what is left then is told as not explained."""

SAMPLE = 5_000
"""So many witnesses, spread over all, are enough to find the rules; the figures are counted over all."""

LEAST_SHARE = 0.001
"""A rule must explain this part of the witnesses, and two of them: one moved file makes no rule."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """One file of one side, as that side spells it."""

    path: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A path map and how far it goes.

    Shape: `found` counts Stash's files that Plex has at the path that the map says, `found_before` those at the path
    as it is; `witnesses` are pairs of one file, `unexplained` those that the map gets wrong, `examples` pairs that it
    gets right and `doubts` pairs that it gets wrong, as (path in Stash, path in Plex); `explained` is per rule.
    """

    rules: tuple[PathRule, ...]
    explained: tuple[int, ...]
    stash_files: int
    plex_files: int
    found_before: int
    found: int
    witnesses: int
    unexplained: int
    examples: tuple[tuple[str, str], ...]
    doubts: tuple[tuple[str, str], ...]

    @property
    def setting(self) -> str:
        """The value of `path_map`, empty when no rule is needed. A folder with = or ; cannot be written so."""
        return "; ".join(f"{rule.stash_prefix}={rule.plex_prefix}" for rule in self.rules)


def propose(stash: Sequence[KnownFile], plex: Sequence[KnownFile]) -> Proposal:
    """Return the rules that explain most files, inner folders first."""
    pairs = _witnesses(stash, plex)
    rules = _rules(pairs[:: len(pairs) // SAMPLE + 1])
    path_map = PathMap(rules)
    there = {_place_key(file.path) for file in plex}
    explained: Counter[PathRule] = Counter()
    right: dict[PathRule | None, list[tuple[str, str]]] = {}
    wrong: list[tuple[str, str]] = []
    for here, shown in pairs:
        rule = next((rule for rule in rules if PathMap((rule,)).to_plex(here) is not None), None)
        if not _is_same(path_map.place_of(here), shown):
            wrong.append((here, shown))
            continue
        right.setdefault(rule, []).append((here, shown))
        if rule is not None:
            explained[rule] += 1
    return Proposal(
        rules=rules,
        explained=tuple(explained[rule] for rule in rules),
        stash_files=len(stash),
        plex_files=len(plex),
        found_before=sum(_place_key(file.path) in there for file in stash),
        found=sum(_place_key(path_map.place_of(file.path)) in there for file in stash),
        witnesses=len(pairs),
        unexplained=len(wrong),
        examples=_spread(right),
        doubts=tuple(wrong[:EXAMPLES]),
    )


def _witnesses(stash: Sequence[KnownFile], plex: Sequence[KnownFile]) -> list[tuple[str, str]]:
    """Return the pairs of files that have a name and size which no other file of their side has."""
    here, there = _unique(stash), _unique(plex)
    return [(here[key], there[key]) for key in here if key in there]


def _unique(files: Iterable[KnownFile]) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    doubles: set[tuple[str, int]] = set()
    for file in files:
        key = (name_key(file.path), file.size or 0)
        if not file.size:
            continue
        if key in found:
            doubles.add(key)
        found[key] = file.path
    return {key: path for key, path in found.items() if key not in doubles}


def _rules(pairs: Sequence[tuple[str, str]]) -> tuple[PathRule, ...]:
    """Return rules, each for the pairs that those before it get wrong, inner folders first."""
    rules: list[PathRule] = []
    left = [pair for pair in pairs if not _is_same(*pair)]
    least = max(2, LEAST_SHARE * len(pairs))
    depth = 0
    while left and len(rules) < MOST_RULES:
        votes = Counter(vote for pair in left if (vote := _vote(*pair, depth)) is not None)
        chosen = _best(votes, rules, pairs, least)
        if chosen is None:
            depth += 1
            if not votes:
                break
            continue
        rules = _sorted([*rules, chosen])
        left = [pair for pair in left if not _is_same(PathMap(tuple(rules)).place_of(pair[0]), pair[1])]
        depth = 0
    return tuple(rules)


def _best(
    votes: Counter[tuple[str, str]], rules: Sequence[PathRule], pairs: Sequence[tuple[str, str]], least: float
) -> PathRule | None:
    """Return the rule with most votes that explains more than it spoils."""
    taken = {path_key(rule.stash_prefix) for rule in rules}
    before = _right(rules, pairs)
    for (stash_prefix, plex_prefix), count in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0])):
        if count < least:
            return None
        if path_key(stash_prefix) in taken:
            continue
        rule = PathRule(stash_prefix, plex_prefix)
        if _right(_sorted([*rules, rule]), pairs) >= before + least:
            return rule
    return None


def _right(rules: Sequence[PathRule], pairs: Sequence[tuple[str, str]]) -> int:
    path_map = PathMap(tuple(rules))
    return sum(_is_same(path_map.place_of(here), there) for here, there in pairs)


def _vote(here: str, there: str, depth: int) -> tuple[str, str] | None:
    """Return the two folders above what two paths have in common at the end, less `depth` folders of that."""
    ours, theirs = path_key(here).split("/"), path_key(there).split("/")
    key = folded_key if ignores_case(there, PathCase.AUTO) else path_key
    common = 0
    for one, two in zip(reversed(ours), reversed(theirs), strict=False):
        if key(one) != key(two):
            break
        common += 1
    kept = min(common, len(ours) - 1, len(theirs) - 1) - depth
    if kept < 1:
        return None
    return _spelt(ours[:-kept], here), _spelt(theirs[:-kept], there)


def _spelt(segments: Sequence[str], example: str) -> str:
    folder = "/".join(segments) or "/"
    return folder.replace("/", "\\") if "\\" in example else folder


def _sorted(rules: Iterable[PathRule]) -> list[PathRule]:
    """Return rules with inner folders before outer ones, so that none keeps another from being reached."""
    return sorted(rules, key=lambda rule: (-_depth(rule.stash_prefix), path_key(rule.stash_prefix)))


def _depth(folder: str) -> int:
    return sum(bool(segment) for segment in path_key(folder).split("/"))


def _spread(right: dict[PathRule | None, list[tuple[str, str]]]) -> tuple[tuple[str, str], ...]:
    """Return examples of each rule in turn."""
    examples: list[tuple[str, str]] = []
    for position in range(EXAMPLES):
        examples += [pairs[position] for pairs in right.values() if position < len(pairs)]
    return tuple(examples[:EXAMPLES])


def _is_same(one: str, two: str) -> bool:
    return PathMap().is_same_in_plex(one, two)


def _place_key(path: str) -> str:
    """Return the key by which a path of Plex is looked for: without case where case means nothing."""
    return folded_key(path) if ignores_case(path, PathCase.AUTO) else path_key(path)
