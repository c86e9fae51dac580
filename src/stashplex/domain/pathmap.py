"""How a path that Stash shows is spelt by Plex, and the keys by which paths are compared.

Paths are strings here: the two servers may run on two systems, neither of them ours, so this machine's own
rules for paths must not leak in. It never asks whether a file exists.
The invariant: a rule fits at whole segments only (`/data` says nothing about `/database`), and paths whose names
differ in case have different keys.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from stashplex.base.errors import ConfigError

_SLASHES = re.compile(r"/+")
_DRIVE = re.compile(r"[A-Za-z]:(?=/|$)")
_HINT = "Write each rule as /stash/folder=/plex/folder with absolute paths and separate rules with a semicolon."


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


@dataclass(frozen=True, slots=True)
class PathRule:
    """One folder and its two spellings. Shape: both are absolute (POSIX, drive letter or UNC)."""

    stash_prefix: str
    plex_prefix: str


@dataclass(frozen=True, slots=True)
class PathMap:
    """Rules in the order in which they are tried; the first one that fits decides."""

    rules: tuple[PathRule, ...] = ()

    def to_plex(self, path: str) -> str | None:
        """Return Plex's spelling of a path of Stash, or None when no rule fits."""
        return _mapped(path, ((rule.stash_prefix, rule.plex_prefix) for rule in self.rules))

    def to_stash(self, path: str) -> str | None:
        """Return Stash's spelling of a path of Plex, or None when no rule fits."""
        return _mapped(path, ((rule.plex_prefix, rule.stash_prefix) for rule in self.rules))


def parse_path_map(text: str) -> PathMap:
    r"""Return the rules in `/stash/videos=/plex/videos; D:\v=/mnt/v`.

    Shape: rules are separated by semicolons, blanks around each side are trimmed; no text is no rules. A folder
    with `=` or `;` in its name cannot be written.
    Raises: ConfigError naming the rule that is wrong.
    """
    rules = tuple(_parsed_rule(part.strip()) for part in text.split(";") if part.strip())
    seen: set[str] = set()
    for rule in rules:
        key = path_key(rule.stash_prefix)
        if key in seen:
            raise ConfigError(
                f"The path map has two rules for {rule.stash_prefix!r}.", hint="Keep one rule for each folder of Stash."
            )
        seen.add(key)
    return PathMap(rules)


def _parsed_rule(part: str) -> PathRule:
    sides = [side.strip() for side in part.split("=")]
    if len(sides) != 2:
        raise ConfigError(f"The path map's rule {part!r} does not have exactly one '='.", hint=_HINT)
    for side in sides:
        if not side:
            raise ConfigError(f"The path map's rule {part!r} has an empty side.", hint=_HINT)
        if not _is_absolute(side):
            raise ConfigError(f"The path map's rule {part!r} has a relative path: {side!r}.", hint=_HINT)
    return PathRule(sides[0], sides[1])


def _is_absolute(path: str) -> bool:
    key = path_key(path)
    return key.startswith("/") or _DRIVE.match(key) is not None


def _mapped(path: str, prefixes: Iterable[tuple[str, str]]) -> str | None:
    key = path_key(path)
    for old, new in prefixes:
        folder = _as_folder(old)
        is_below = key and f"{key}/".startswith(folder) and not (folder == "/" and key.startswith("//"))
        if is_below:
            spelt = path_key(_as_folder(new) + key[len(folder) :])
            return spelt.replace("/", "\\") if "\\" in new else spelt
    return None


def _as_folder(prefix: str) -> str:
    """Return the key of a folder with the slash that ends its last segment."""
    key = path_key(prefix)
    return key if key.endswith("/") else f"{key}/"
