"""Templates for single values, such as `{studio} - {title}`: checked when they are set, total when they are filled.

A name in braces stands for a value of the scene. What has no value goes together with the brackets around it or with
the separator beside it, so that `{title} - {studio}` of a scene without a studio is its title. `{{` is a brace.
"""

import difflib
import re
import string
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from stashplex.base.errors import ConfigError

LONGEST = 500
_SEPARATOR = r"[\s\-\u2013\u2014|:,;/·•]+"
_BEFORE = re.compile(rf"(?:{_SEPARATOR})\Z")
_AFTER = re.compile(rf"\A(?:{_SEPARATOR})")
_BRACKETS = {"[": "]", "(": ")", "{": "}", "<": ">"}


@dataclass(frozen=True, slots=True)
class _Name:
    """A value of the scene."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A template that knows all of its names. Shape: `parts` are literal texts and names, in order."""

    parts: tuple[str | _Name, ...]

    @property
    def names(self) -> frozenset[str]:
        """The names that it uses."""
        return frozenset(part.name for part in self.parts if isinstance(part, _Name))

    @property
    def is_empty(self) -> bool:
        """It says nothing: the field is not wanted."""
        return not self.parts

    def fill(self, value_of: Callable[[str], str]) -> str:
        """Return the text with its values; `""` when none of its names has one."""
        if len(self.parts) <= 1:  # the usual case, for every scene
            return "".join(part if isinstance(part, str) else value_of(part.name) for part in self.parts)
        values = {name: value_of(name) for name in self.names}
        if self.names and not any(values.values()):
            return ""
        return _joined(self.parts, values)


def parse_template(text: str, names: Collection[str]) -> Template:
    """Return the template in a text. Raises: ConfigError for a name that does not exist, or braces that do not fit."""
    if len(text) > LONGEST:
        raise ConfigError(f"the template is longer than {LONGEST} characters", hint="Write a shorter one.")
    return _parsed(text, frozenset(names))


@lru_cache(maxsize=64)
def _parsed(text: str, names: frozenset[str]) -> Template:
    parts: list[str | _Name] = []
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ConfigError(
            f"the template {text!r} has a brace too many or too few", hint="Write {{ and }} for braces."
        ) from error
    for literal, name, form, conversion in pieces:
        if literal:
            parts.append(literal)
        if name is None:
            continue
        if form or conversion or name not in names:
            raise _unknown(text, name, names)
        parts.append(_Name(name))
    return Template(tuple(parts))


def _unknown(text: str, name: str, names: frozenset[str]) -> ConfigError:
    near = difflib.get_close_matches(name, sorted(names), n=1)
    known = ", ".join(f"{{{one}}}" for one in sorted(names))
    hint = f"Did you mean {{{near[0]}}}? Known names: {known}." if near else f"Known names: {known}."
    return ConfigError(f"the template {text!r} has {{{name}}}, which is no name", hint=hint)


def _joined(parts: Sequence[str | _Name], values: Mapping[str, str]) -> str:
    """Join literals and values.

    A name without a value takes its brackets along, and the separator before it, or at the start the one behind it.
    Separators inside values stay: only what the template itself says can go.
    """
    literals = {index: part for index, part in enumerate(parts) if isinstance(part, str)}
    shown = [part if isinstance(part, str) else values[part.name] for part in parts]
    for index, text in enumerate(shown):
        if text or index in literals:
            continue
        before, after = literals.get(index - 1, ""), literals.get(index + 1, "")
        opened, closed = before.rstrip(), after.lstrip()
        if opened and closed and _BRACKETS.get(opened[-1]) == closed[0]:
            before, after = opened[:-1], closed[1:]
        if not any(one.strip() for one in (*shown[: max(index - 1, 0)], before)):
            before, after = "", _AFTER.sub("", after)
        elif _AFTER.match(after) or not any(one.strip() for one in (after, *shown[index + 2 :])):
            before = _BEFORE.sub("", before)
        for place, changed in ((index - 1, before), (index + 1, after)):
            if place in literals:
                literals[place] = shown[place] = changed
    return "".join(shown)
