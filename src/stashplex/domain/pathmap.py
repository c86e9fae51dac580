"""How a path that Stash shows is spelt by Plex, and the keys by which paths are compared.

Paths are strings here: the two servers may run on two systems, neither of them ours, so this machine's own
rules for paths must not leak in. It never asks whether a file exists.
The invariant: a rule fits at whole segments only (`/data` says nothing about `/database`), and paths whose names
differ in case have different keys; whether case means something is asked apart, for each side.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from stashplex.base.errors import ConfigError
from stashplex.domain.pathpattern import PathPattern, parse_pattern

_SLASHES = re.compile(r"/+")
_DRIVE = re.compile(r"[A-Za-z]:(?=/|$)")
_PATTERN = "re:"
_HINT = "Write each rule as /stash/folder=/plex/folder with absolute paths and separate rules with a semicolon."


class PathCase(StrEnum):
    """Whether case means something in one side's paths. AUTO: not on a drive or a share of Windows, else it does."""

    AUTO = "auto"
    EXACT = "exact"
    IGNORE = "ignore"


@lru_cache(maxsize=4_096)
def path_key(path: str) -> str:
    r"""Return the spelling by which two paths are compared: `c:\a\\b\` and `C:/a/b` have the same key.

    Shape: Unicode NFC, `/` between segments, doubled and trailing slashes dropped; the leading `//` of a UNC
    path and the `/` of a root stay. Case is kept; a drive letter, whose case means nothing anywhere, is upper.
    """
    unified = unicodedata.normalize("NFC", path).replace("\\", "/")
    lead = "/" if unified.startswith("//") and not unified.startswith("///") else ""
    collapsed = lead + _SLASHES.sub("/", unified)
    bare = collapsed.rstrip("/") or collapsed
    return bare[0].upper() + bare[1:] if _DRIVE.match(bare) else bare


def name_key(path: str) -> str:
    """Return the base name for comparison by name alone. Shape: NFC, casefolded; `""` for a root."""
    return unicodedata.normalize("NFC", path_key(path).rpartition("/")[2].casefold())


def folded_key(path: str) -> str:
    """Return the key of a path where case means nothing. Two paths with one folded key have one `name_key`."""
    return unicodedata.normalize("NFC", path_key(path).casefold())


def ignores_case(path: str, case: PathCase) -> bool:
    """Tell whether case means nothing in a path."""
    match case:
        case PathCase.EXACT:
            return False
        case PathCase.IGNORE:
            return True
        case PathCase.AUTO:
            key = path_key(path)
            return key.startswith("//") or _DRIVE.match(key) is not None


@dataclass(frozen=True, slots=True)
class PathRule:
    """One folder and its two spellings. Shape: both are absolute (POSIX, drive letter or UNC)."""

    stash_prefix: str
    plex_prefix: str


@dataclass(frozen=True, slots=True)
class PathMap:
    """Rules in the order in which they are tried; the first one that fits decides."""

    rules: tuple[PathRule | PathPattern, ...] = ()
    stash_case: PathCase = PathCase.AUTO
    plex_case: PathCase = PathCase.AUTO

    def to_plex(self, path: str) -> str | None:
        """Return Plex's spelling of a path of Stash, or None when no rule fits."""
        return next((found for rule in self.rules if (found := self._there(rule, path)) is not None), None)

    def to_stash(self, path: str) -> str | None:
        """Return the path of Stash that becomes a path of Plex, or None when there is none or no rule leads back."""
        return next((found for found in self._back(path) if self._is_at(found, path)), None)

    def place_of(self, path: str) -> str:
        """Return where Plex would show a file of Stash: the mapped path, or the path itself when no rule fits."""
        return self.to_plex(path) or path

    def is_moved(self, path: str) -> bool:
        """Tell whether a rule puts a path of Stash elsewhere."""
        mapped = self.to_plex(path)
        return mapped is not None and not self.is_same_in_plex(mapped, path)

    def is_alone_there(self, path: str) -> bool:
        """Tell whether the rules put nothing else of Stash where Plex would show a path of Stash."""
        if any(isinstance(rule, PathPattern) and rule.inverse() is None for rule in self.rules):
            return False
        place = self.place_of(path)
        back = (found for found in self._back(place) if self._is_at(found, place))
        return all(self.is_same_in_stash(found, path) for found in back)

    def is_same_in_stash(self, one: str, two: str) -> bool:
        """Tell whether two spellings of Stash mean one file."""
        return _is_same(one, two, self.stash_case)

    def is_same_in_plex(self, one: str, two: str) -> bool:
        """Tell whether two spellings of Plex mean one file."""
        return _is_same(one, two, self.plex_case)

    def _there(self, rule: PathRule | PathPattern, path: str) -> str | None:
        folds = ignores_case(path, self.stash_case)
        if isinstance(rule, PathPattern):
            return _spelt(rule.apply(path_key(path), ignores_case=folds))
        return _mapped(path, rule.stash_prefix, rule.plex_prefix, folds=folds)

    def _back(self, path: str) -> Iterator[str]:
        """Yield the paths of Stash that a rule alone would turn into a path of Plex."""
        folds = ignores_case(path, self.plex_case)
        for rule in self.rules:
            if isinstance(rule, PathPattern):
                inverse = rule.inverse()
                found = inverse and _spelt(inverse.apply(path_key(path), ignores_case=folds))
            else:
                found = _mapped(path, rule.plex_prefix, rule.stash_prefix, folds=folds)
            if found:
                yield found

    def _is_at(self, path: str, plex_path: str) -> bool:
        mapped = self.to_plex(path)
        return mapped is not None and self.is_same_in_plex(mapped, plex_path)


def parse_path_map(text: str, *, stash_case: PathCase = PathCase.AUTO, plex_case: PathCase = PathCase.AUTO) -> PathMap:
    r"""Return the rules in `/stash/videos=/plex/videos; D:\v=/mnt/v; re:/d(\d)/=/mnt/\1/`.

    Shape: rules are separated by semicolons, or by line breaks where there is one, blanks around each side are
    trimmed; no text is no rules. A folder with `=` in its name cannot be written.
    Raises: ConfigError naming the rule that is wrong, or that another one keeps from ever being reached.
    """
    parts = [part.strip() for part in (text.splitlines() if "\n" in text else text.split(";"))]
    rules = tuple(_parsed_rule(part) for part in parts if part)
    path_map = PathMap(rules, stash_case, plex_case)
    _refuse_unreachable(path_map)
    return path_map


def is_absolute(path: str) -> bool:
    """Tell whether a path starts at a root, a drive or a share."""
    key = path_key(path)
    return key.startswith("/") or _DRIVE.match(key) is not None


def _parsed_rule(part: str) -> PathRule | PathPattern:
    if part.startswith(_PATTERN):
        return parse_pattern(part.removeprefix(_PATTERN))
    sides = [side.strip() for side in part.split("=")]
    if len(sides) != 2:
        raise ConfigError(f"The path map's rule {part!r} does not have exactly one '='.", hint=_HINT)
    for side in sides:
        if not side:
            raise ConfigError(f"The path map's rule {part!r} has an empty side.", hint=_HINT)
        if not is_absolute(side):
            raise ConfigError(f"The path map's rule {part!r} has a relative path: {side!r}.", hint=_HINT)
    return PathRule(sides[0], sides[1])


def _refuse_unreachable(path_map: PathMap) -> None:
    """Raise for a rule whose whole folder an earlier one takes and puts elsewhere."""
    for position, rule in enumerate(path_map.rules):
        if isinstance(rule, PathPattern):
            continue
        for earlier in path_map.rules[:position]:
            taken = PathMap((earlier,), path_map.stash_case, path_map.plex_case).to_plex(rule.stash_prefix)
            if taken is None or isinstance(earlier, PathPattern):
                continue
            if path_key(earlier.stash_prefix) == path_key(rule.stash_prefix):
                raise ConfigError(
                    f"The path map has two rules for {rule.stash_prefix!r}.",
                    hint="Keep one rule for each folder of Stash.",
                )
            if not path_map.is_same_in_plex(taken, rule.plex_prefix):
                raise ConfigError(
                    f"The path map's rule '{rule.stash_prefix}={rule.plex_prefix}' is never reached: "
                    f"'{earlier.stash_prefix}={earlier.plex_prefix}' stands before it and turns {rule.stash_prefix} "
                    f"into {taken}.",
                    hint="Write the rule of the inner folder before that of the outer one.",
                )


def _is_same(one: str, two: str, case: PathCase) -> bool:
    if path_key(one) == path_key(two):
        return True
    return ignores_case(one, case) and ignores_case(two, case) and folded_key(one) == folded_key(two)


def _mapped(path: str, old: str, new: str, *, folds: bool) -> str | None:
    """Return a path with one folder in place of another, None when it is not below it."""
    key, folder = path_key(path), _as_folder(old)
    if not key or (folder == "/" and key.startswith("//")):
        return None
    if f"{key}/".startswith(folder):
        rest = key[len(folder) :]
    elif folds and (below := _below(key, folder)) is not None:
        rest = below
    else:
        return None
    spelt = path_key(_as_folder(new) + rest)
    return spelt.replace("/", "\\") if "\\" in new else spelt


def _below(key: str, folder: str) -> str | None:
    """Return what of a path is below a folder, whatever the case of the folder."""
    segments, wanted = key.split("/"), folder.rstrip("/").split("/")
    head = segments[: len(wanted)]
    is_below = folded_key("/".join(head)) == folded_key("/".join(wanted))
    return "/".join(segments[len(wanted) :]) if is_below else None


def _spelt(path: str | None) -> str | None:
    """Return what a pattern made as its server would spell it: with backslashes on a drive."""
    if path is None:
        return None
    key = path_key(path)
    return key.replace("/", "\\") if _DRIVE.match(key) else key


def _as_folder(prefix: str) -> str:
    """Return the key of a folder with the slash that ends its last segment."""
    key = path_key(prefix)
    return key if key.endswith("/") else f"{key}/"
