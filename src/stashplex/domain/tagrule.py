"""Rules about names: which tags, studios or performers are meant, and what they are called in Plex.

A rule is a name (case does not matter), `id:12` (Stash's number), `below:NAME` (whatever is somewhere under NAME) or
`re:EXPRESSION` (found anywhere in the name). Several are separated by semicolons or stand on lines of their own.
The invariant: a rule that can never decide anything is refused when it is set.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from stashplex.base.errors import ConfigError
from stashplex.domain.merge import tag_key
from stashplex.domain.scene import Entity

LONGEST = 500
"""Characters of an expression: nobody writes a longer one, and a short one cannot take for ever to build."""

_NUMBER = re.compile(r"[0-9]{1,18}")
_KINDS = ("re", "id", "below")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Shape: `kind` is `name`, `id`, `below` or `re`; `text` is what stands behind it."""

    kind: str
    text: str

    def fits(self, entity: Entity) -> bool:
        """Tell whether an entity is meant."""
        match self.kind:
            case "id":
                return entity.id == int(self.text)
            case "below":
                return any(tag_key(one.name) == tag_key(self.text) for one in entity.above)
            case "re":
                return expression(self.text).search(entity.name) is not None
            case _:
                return tag_key(entity.name) == tag_key(self.text)


@dataclass(frozen=True, slots=True)
class Naming:
    """One rule and what the entities that it means become."""

    rule: Rule
    value: str


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules in a text, in its order. Raises: ConfigError naming the rule that is wrong or stands twice."""
    rules: list[Rule] = []
    for entry in _entries(text):
        rule = _rule(entry, entry)
        if _shadow(rule, rules):
            raise _wrong(entry, "stands there twice" if rule in rules else "never decides anything: one before it does")
        rules.append(rule)
    return tuple(rules)


def parse_namings(text: str) -> tuple[Naming, ...]:
    r"""Return the rules with what they give, `RULE=VALUE`; the last `=` divides.

    Raises: ConfigError naming the rule that is wrong, or that one before it leaves nothing.
    """
    namings: list[Naming] = []
    for entry in _entries(text):
        pattern, equals, value = (part.strip() for part in entry.rpartition("="))
        if not equals or not pattern:
            raise _wrong(entry, "has no '=', or nothing before it", "Write it as TAG=VALUE.")
        rule = _rule(entry, pattern)
        if _shadow(rule, [one.rule for one in namings]):
            raise _wrong(entry, "is never reached: a rule before it decides")
        _check_groups(entry, rule, value)
        namings.append(Naming(rule, value))
    return tuple(namings)


def is_meant(entity: Entity, rules: Sequence[Rule]) -> bool:
    """Tell whether one of these rules means an entity."""
    return any(rule.fits(entity) for rule in rules)


def renamed(entity: Entity, namings: Sequence[Naming]) -> str:
    """Return what an entity is called: by the first rule that means it, else its own name. `""` leaves it out."""
    for naming in namings:
        if naming.rule.fits(entity):
            if naming.rule.kind == "re" and naming.value:
                return expression(naming.rule.text).sub(naming.value, entity.name)
            return naming.value
    return entity.name


def value_for(entities: Sequence[Entity], namings: Sequence[Naming]) -> str:
    """Return the value of the first rule that means one of these entities, `""` when there is none."""
    return next((one.value for one in namings if any(one.rule.fits(entity) for entity in entities)), "")


@lru_cache(maxsize=512)
def expression(text: str) -> re.Pattern[str]:
    """Return a compiled expression; case does not matter. Raises: re.error."""
    return re.compile(text, re.IGNORECASE)


def _entries(text: str) -> Iterator[str]:
    return (entry for part in text.replace(";", "\n").splitlines() if (entry := part.strip()))


def _rule(entry: str, pattern: str) -> Rule:
    kind, colon, rest = pattern.partition(":")
    rest = rest.strip()
    if not colon or kind not in _KINDS:
        return Rule("name", pattern)
    if not rest:
        raise _wrong(entry, f"says nothing behind {kind}:")
    if kind == "id" and not _NUMBER.fullmatch(rest):
        raise _wrong(entry, "has an id that is no number")
    if kind == "re":
        _check_expression(entry, rest)
    return Rule(kind, rest)


def _check_expression(entry: str, text: str) -> None:
    if len(text) > LONGEST:
        raise _wrong(f"{entry[:40]}…", f"has an expression of more than {LONGEST} characters")
    try:
        expression(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise _wrong(entry, f"is no regular expression: {error}") from error


def _check_groups(entry: str, rule: Rule, value: str) -> None:
    if rule.kind != "re" or "\\" not in value:
        return
    try:
        expression(rule.text).sub(value, "")
    except (re.error, IndexError) as error:
        raise _wrong(entry, f"names a group that does not exist: {error}") from error


def _shadow(rule: Rule, earlier: Sequence[Rule]) -> bool:
    """Tell whether rules before this one decide whatever it would: the same one, or an expression that fits it."""
    named = Entity(rule.text) if rule.kind == "name" else None
    return any(
        (one.kind, tag_key(one.text)) == (rule.kind, tag_key(rule.text))
        if one.kind != "re" and rule.kind != "re"
        else one == rule or (one.kind == "re" and named is not None and one.fits(named))
        for one in earlier
    )


def _wrong(entry: str, reason: str, hint: str = "Rules are names, id:12, below:NAME or re:EXPRESSION.") -> ConfigError:
    return ConfigError(f"the rule {entry!r} {reason}", hint=hint)
