"""A rule of the path map that is a regular expression, and its inverse where it has one.

`pathmap` applies it to keys of paths: slashes are `/`, the form is NFC. The invariant: an inverse is only made of a
pattern that is literal text and groups, each of which its replacement uses once; anything else reads one way.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from stashplex.base.errors import ConfigError

LONGEST = 500
"""Characters of a pattern: nobody writes a longer one, and a short one cannot take for ever to build."""

_REFERENCE = re.compile(r"\\(?:(?P<number>[1-9][0-9]?)|g<(?P<name>\w+)>|(?P<slash>\\))")
_LITERAL_ESCAPES = frozenset(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_SPECIAL = frozenset(".^$*+?{}[]\\|()")
_HINT = "Write it as re:PATTERN=REPLACEMENT, with \\1, \\2 … for the groups of the pattern."


@dataclass(frozen=True, slots=True)
class PathPattern:
    r"""A regular expression over Stash's paths and what Plex has instead: `/data/disk(\d+)` and `/mnt/d\1`.

    It fits at the start of a path; what stands behind the fit stays.
    """

    pattern: str
    replacement: str

    def apply(self, key: str, *, ignores_case: bool) -> str | None:
        """Return what stands for a path, None when the pattern does not fit it."""
        return _applied(self, key, ignores_case=ignores_case)

    def inverse(self) -> "PathPattern | None":
        """Return the rule that leads back, None when there is none."""
        return _inverse(self)


def parse_pattern(rule: str) -> PathPattern:
    """Return the rule in `PATTERN=REPLACEMENT`; the last `=` divides it. Raises: ConfigError naming what is wrong."""
    pattern, equals, replacement = (part.strip() for part in rule.rpartition("="))
    if not equals or not pattern or not replacement:
        raise _wrong(rule, "has no pattern, no '=' or no replacement")
    if len(pattern) > LONGEST:
        raise _wrong(f"{rule[:40]}…", f"has a pattern of more than {LONGEST} characters")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise _wrong(rule, f"is no regular expression: {error}") from error
    if compiled.match("") is not None:
        raise _wrong(rule, "fits every path, even none at all")
    _check_replacement(rule, replacement, compiled)
    return PathPattern(pattern, replacement)


def _check_replacement(rule: str, replacement: str, compiled: re.Pattern[str]) -> None:
    if "\\" in _REFERENCE.sub("", replacement):
        raise _wrong(rule, "has a replacement with a backslash that is no group; write folders with /")
    for found in _REFERENCE.finditer(replacement):
        number, name = found["number"], found["name"]
        group = name if name and not name.isdecimal() else None
        index = int(number or name or 0) if group is None else 0
        if (group is not None and group not in compiled.groupindex) or index > compiled.groups:
            raise _wrong(rule, f"has no group {found[0]}")


def _wrong(rule: str, why: str) -> ConfigError:
    return ConfigError(f"The path map's rule {'re:' + rule!r} {why}.", hint=_HINT)


@lru_cache(maxsize=64)
def _compiled(pattern: str, *, ignores_case: bool) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE if ignores_case else 0)


def _applied(rule: PathPattern, key: str, *, ignores_case: bool) -> str | None:
    found = _compiled(rule.pattern, ignores_case=ignores_case).match(key)
    return None if found is None else found.expand(rule.replacement) + key[found.end() :]


@lru_cache(maxsize=64)
def _inverse(rule: PathPattern) -> PathPattern | None:
    pieces = _pieces(rule.pattern)
    if pieces is None:
        return None
    groups = [piece for is_group, piece in pieces if is_group]
    pattern, used, end = "", list[int](), 0
    for found in _REFERENCE.finditer(rule.replacement):
        pattern += re.escape(rule.replacement[end : found.start()])
        end = found.end()
        if found["slash"]:
            pattern += r"\\"
            continue
        number = _number_of(found, rule.pattern)
        used.append(number)
        pattern += groups[number - 1]
    pattern += re.escape(rule.replacement[end:])
    if sorted(used) != list(range(1, len(groups) + 1)):
        return None
    back, seen = "", 0
    for is_group, piece in pieces:
        seen += is_group
        back += f"\\g<{used.index(seen) + 1}>" if is_group else piece.replace("\\", "\\\\")
    return PathPattern(pattern, back)


def _number_of(found: re.Match[str], pattern: str) -> int:
    name = found["name"]
    if name and not name.isdecimal():
        return re.compile(pattern).groupindex[name]
    return int(found["number"] or name)


def _pieces(pattern: str) -> list[tuple[bool, str]] | None:
    """Return a pattern as literal texts and whole groups, None when there is anything else in it."""
    pieces: list[tuple[bool, str]] = []
    rest = pattern.removeprefix("^").removesuffix("$")
    at = 0
    while at < len(rest):
        character = rest[at]
        if character == "(":
            end = _end_of_group(rest, at)
            if end is None or (end < len(rest) and rest[end] in "*+?{"):
                return None
            pieces.append((True, rest[at:end]))
            at = end
        elif character == "\\" and rest[at + 1 : at + 2] in _LITERAL_ESCAPES:
            pieces.append((False, rest[at + 1]))
            at += 2
        elif character in _SPECIAL or rest[at + 1 : at + 2] in {"*", "+", "?", "{"}:
            return None
        else:
            pieces.append((False, character))
            at += 1
    return pieces


def _end_of_group(pattern: str, start: int) -> int | None:
    """Return where a group ends that holds no other one; None for look-arounds, nested groups and the like."""
    if pattern.startswith("(?", start) and not pattern.startswith("(?P<", start):
        return None
    at, is_class = start + 1, False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif is_class:
            is_class = character != "]"
        elif character == "[":
            is_class = True
        elif character == "(":
            return None
        elif character == ")":
            return at + 1
        at += 1
    return None
