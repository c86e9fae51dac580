"""Single criteria of a filter, turned into predicates with the meaning SQL gives them in Stash.

Text compares as SQLite's LIKE does, times compare as text. A modifier that Stash cannot handle makes it panic, so
it ends as an "Internal system error" here too (for links it is ignored); what only this simulator lacks says so.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from stashplex.sim.stash.library import Table, parse_id
from stashplex.sim.stash.refusal import InternalSystemError, RequestRefused

T = TypeVar("T")
Test = Callable[[Any], bool]
Criterion = Mapping[str, Any]


def compile_filter(given: Mapping[str, Any], build: Callable[[str, Any], Callable[[T], bool]]) -> Callable[[T], bool]:
    """Return a whole filter as one predicate. Shape: `build(name, criterion)` knows the fields."""
    joined = [name for name in ("AND", "OR", "NOT") if given.get(name) is not None]
    if len(joined) > 1:
        message = f"cannot have {joined[0]} and {joined[1]} in the same filter"
        raise RequestRefused(message)
    tests = [
        build(name, value) for name, value in given.items() if name not in ("AND", "OR", "NOT") if value is not None
    ]

    def own(thing: T) -> bool:
        return all(test(thing) for test in tests)

    first = tests[0] if len(tests) == 1 else own
    if not joined:
        return first
    other = compile_filter(given[joined[0]], build)
    if joined == ["OR"]:
        return (lambda thing: first(thing) or other(thing)) if tests else other
    if joined == ["NOT"]:
        return lambda thing: first(thing) and not other(thing)
    return lambda thing: first(thing) and other(thing)


def refuse_filter(name: str) -> RequestRefused:
    """Return the error for a criterion that this simulator does not play."""
    return RequestRefused(f"the simulated server does not know the filter {name!r}")


@lru_cache(maxsize=256)
def like(pattern: str) -> re.Pattern[str]:
    """Return SQL's LIKE: `%` any text, `_` one character, case of ASCII letters ignored."""
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(c, re.escape(c)) for c in pattern), re.IGNORECASE | re.DOTALL)


def search_words(text: str) -> list[str]:
    """Return the blank-separated words; what stands in double quotes is one word."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', text)]


def text_test(criterion: Criterion) -> Callable[[str | None], bool]:
    """Return a test of one text."""
    modifier, value = criterion["modifier"], criterion["value"]
    if modifier in ("EQUALS", "NOT_EQUALS"):
        match = like(value).fullmatch
        return _negated(lambda text: match(text or "") is not None, modifier == "NOT_EQUALS")
    if modifier in ("INCLUDES", "EXCLUDES"):
        finds = [like(word).search for word in search_words(value)]
        return _negated(lambda text: any(find(text or "") for find in finds), modifier == "EXCLUDES")
    if modifier in ("MATCHES_REGEX", "NOT_MATCHES_REGEX"):
        try:
            found = re.compile(value).search
        except re.error as error:
            message = f"error parsing regexp: {error}"
            raise RequestRefused(message) from error
        return _negated(lambda text: found(text or "") is not None, modifier == "NOT_MATCHES_REGEX")
    if modifier in ("IS_NULL", "NOT_NULL"):
        return _negated(lambda text: not (text or "").strip(), modifier == "NOT_NULL")
    raise InternalSystemError("unsupported string filter modifier")


def order_test(criterion: Criterion) -> Test:
    """Return a test of one number, date or stored time: whatever compares with `<`."""
    modifier, value, other = criterion["modifier"], criterion["value"], criterion.get("value2")
    tests: dict[str, Test] = {
        "EQUALS": lambda x: bool(x == value),
        "NOT_EQUALS": lambda x: bool(x != value),
        "GREATER_THAN": lambda x: x is not None and x > value,
        "LESS_THAN": lambda x: x is not None and x < value,
        "IS_NULL": lambda x: x is None,
        "NOT_NULL": lambda x: x is not None,
        "BETWEEN": lambda x: x is not None and value <= x <= other,
        "NOT_BETWEEN": lambda x: x is not None and not value <= x <= other,
    }
    if modifier not in tests:
        is_time = isinstance(value, str)
        raise InternalSystemError(
            "unsupported date modifier type" if is_time else f"unsupported numeric modifier type {modifier}"
        )
    return tests[modifier]


def flag_test(wanted: bool) -> Test:
    """Return a test of one boolean."""
    return lambda x: bool(x) is wanted


def links_test(criterion: Criterion, *, table: Table[Any] | None = None, below: str = "") -> Test:
    """Return a test of the ids that a thing refers to. A modifier that does not fit is ignored, like the whole test.

    Shape: with `table` and `below`, each wanted id stands for itself and its descendants to `depth`.
    """
    modifier = criterion["modifier"]
    wanted = [_family(parse_id(v), criterion.get("depth") or 0, table, below) for v in criterion.get("value") or ()]
    unwanted = _union(
        _family(parse_id(v), criterion.get("depth") or 0, table, below) for v in criterion.get("excludes") or ()
    )
    tests: dict[str, Callable[[set[int]], bool]] = {
        "INCLUDES": lambda ids: any(ids & family for family in wanted),
        "INCLUDES_ALL": lambda ids: all(ids & family for family in wanted),
        "EQUALS": lambda ids: ids == _union(wanted),
        "NOT_EQUALS": lambda ids: ids != _union(wanted),
        "EXCLUDES": lambda ids: not ids & _union(wanted),
        "IS_NULL": lambda ids: not ids,
        "NOT_NULL": bool,
    }
    if modifier not in tests:
        return lambda _: True
    test = tests[modifier]
    if not wanted and modifier in ("INCLUDES", "INCLUDES_ALL", "EXCLUDES"):
        return lambda ids: not unwanted & set(ids)
    return lambda ids: test(set(ids)) and not unwanted & set(ids)


def stash_id_test(criterion: Criterion) -> Test:
    """Return a test of a list of stash-box links."""
    modifier, endpoint, wanted = criterion["modifier"], criterion.get("endpoint"), criterion.get("stash_id")

    def matching(links: Iterable[Any]) -> list[Any]:
        here = [link for link in links if not endpoint or link.endpoint == endpoint]
        return (
            here if not wanted or modifier in ("IS_NULL", "NOT_NULL") else [li for li in here if li.stash_id == wanted]
        )

    if modifier not in ("EQUALS", "NOT_EQUALS", "IS_NULL", "NOT_NULL"):
        raise InternalSystemError
    return _negated(lambda links: bool(matching(links)), modifier in ("NOT_EQUALS", "IS_NULL"))


def _negated(test: Test, is_negated: bool) -> Test:
    return (lambda x: not test(x)) if is_negated else test


def _union(families: Iterable[set[int]]) -> set[int]:
    return set().union(*families)


def _family(root: int, depth: int, table: Table[Any] | None, below: str) -> set[int]:
    """Return an id with its descendants: depth 0 none, -1 all."""
    family, edge = {root}, [root]
    while edge and depth != 0 and table is not None:
        children = {c.id for each in edge if each in table for c in getattr(table[each], below)}
        edge = list(children - family)
        family |= children
        depth -= 1
    return family
