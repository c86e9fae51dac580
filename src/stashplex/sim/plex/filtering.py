"""Filters and sorts of a listing, which are also the selector of an edit.

The operator is part of the key (`updatedAt>>=5`); a comma is OR inside one field, a repeated key is AND,
`push`, `or`, `pop` group. An unknown key is ignored or refused, as the switches say: an ignored one in the
selector of an edit means every item, as it may on the real server.
"""

import operator as operators
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from stashplex.sim.plex.answer import Refused
from stashplex.sim.plex.item import Item, Value
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.tag import KINDS
from stashplex.sim.plex.world import World

Test = Callable[[Item], bool]

_KEY = re.compile(r"(?:[a-zA-Z]+\.)?([a-zA-Z]\w*)(!=|>>|<<|=|!|>|<)?")
_NOT_FILTER = re.compile(
    r"X-Plex-.*|include.*|exclude.*|async.*|check.*|type|sort|limit|skipRefresh|and|group|having|nocache|language"
)
_EDIT_KEY = re.compile(r".*\.(value|locked|tag|tag-|text|thumb|tagKey)|.*\[\d*\].*")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "mon": 2592000, "y": 31536000}

STRINGS = {"title", "studio", "tagline", "summary", "originalTitle", "editionTitle", "titleSort"}
CHOICES = {"contentRating", "resolution", "guid", "id"}
INTEGERS = {"year", "rating", "audienceRating", "userRating", "viewCount", "viewOffset", "duration", "index"}
DATES = {"addedAt", "updatedAt", "originallyAvailableAt", "lastViewedAt", "lastRatedAt"}
BOOLEANS = {"unwatched", "inProgress", "unmatched", "duplicate", "trash", "hdr"}


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query selects. Shape: `ids` is None when no `id=` was given; `test` is None when all pass."""

    ids: tuple[int, ...] | None
    updated_after: int | None
    test: Test | None


def parse_selection(world: World, pairs: Iterable[tuple[str, str]], account: int) -> Selection:
    """Return what a query selects. Raises: Refused 400 for an unknown key, if the switch says so."""
    reader = _Reader(world, account)
    for key, value in pairs:
        reader.take(key, value)
    return Selection(reader.ids, reader.updated_after, reader.test())


def select(section: Section, selection: Selection) -> list[Item]:
    """Return the selected items of a section, in the default order unless there are few or all are recent."""
    test = selection.test
    if selection.ids is not None:
        found = [section.items[key] for key in selection.ids if key in section.items]
        found.sort(key=lambda item: (item.title_sort, item.key))
    elif selection.updated_after is not None:
        found = []
        for item in reversed(section.touched.values()):
            if item.updated_at < selection.updated_after:
                break
            found.append(item)
        found.sort(key=lambda item: (item.title_sort, item.key))
    else:
        found = [section.items[key] for _, key in section.order]
    return found if test is None else [item for item in found if test(item)]


class _Reader:
    """Reads a query pair by pair. Shape: `_groups` is a stack of alternatives, each a list of tests."""

    def __init__(self, world: World, account: int) -> None:
        self._world = world
        self._account = account
        self._groups: list[list[list[Test]]] = [[[]]]
        self.ids: tuple[int, ...] | None = None
        self.updated_after: int | None = None

    def take(self, key: str, value: str) -> None:
        match key:
            case "push":
                self._groups.append([[]])
            case "pop":
                self._close_group()
            case "or":
                self._groups[-1].append([])
            case _:
                self._take_filter(key, value)

    def test(self) -> Test | None:
        while len(self._groups) > 1:
            self._close_group()
        alternatives = self._groups[0]
        return None if alternatives == [[]] else _any_of(alternatives)

    def _close_group(self) -> None:
        if len(self._groups) == 1:
            return
        alternatives = self._groups.pop()
        if alternatives != [[]]:
            self._groups[-1][-1].append(_any_of(alternatives))

    def _take_filter(self, key: str, value: str) -> None:
        if _EDIT_KEY.fullmatch(key) or _NOT_FILTER.fullmatch(key):
            return
        found = _KEY.fullmatch(key)
        name, operator = (found[1], found[2] or "") if found else (key, "")
        if value.startswith("=") and name in STRINGS and operator in {"", "!"}:
            operator, value = operator + "=", value[1:]
        test = self._test(name, operator, value)
        if test is not None:
            self._groups[-1][-1].append(test)

    def _test(self, name: str, operator: str, value: str) -> Test | None:
        if name == "id" and operator == "":
            return self._id_test(value)
        if name in DATES:
            return self._date_test(name, operator, value)
        make = _MAKERS.get(name)
        if make is not None:
            return make(name, operator, value, self._account)
        if self._world.switches.unknown_filter_is_error:
            raise Refused(400)
        return None

    def _id_test(self, value: str) -> Test | None:
        """Take an `id=` list; an empty one is no filter at all. Outside groups it needs no test."""
        if not value:
            return None
        ids = tuple(dict.fromkeys(int(piece) for piece in value.split(",") if piece.isdecimal()))
        if len(self._groups) == 1 and len(self._groups[0]) == 1 and self.ids is None:
            self.ids = ids
            return None
        return lambda item: item.key in ids

    def _date_test(self, name: str, operator: str, value: str) -> Test:
        moments = [_moment(piece, self._world.now) for piece in value.split(",")]
        if name == "updatedAt" and operator == ">>" and len(self._groups) == 1 and len(self._groups[0]) == 1:
            self.updated_after = max(moments[0], self.updated_after or 0)
        return _date_test(name, operator, moments, self._account, self._world.switches.date_after_includes_equal)


def _any_of(alternatives: list[list[Test]]) -> Test:
    if len(alternatives) == 1:
        tests = alternatives[0]
        return tests[0] if len(tests) == 1 else lambda item: all(test(item) for test in tests)
    return lambda item: any(all(test(item) for test in tests) for tests in alternatives)


def _string_test(name: str, operator: str, value: str, account: int) -> Test:  # noqa: ARG001 - one shape of maker
    wanted = [piece.casefold() for piece in (value.split(",") if operator in {"=", "!="} else [value])]

    def text(item: Item) -> str:
        return str(item.fields.get(name, item.title if name == "titleSort" else "")).casefold()

    tests: dict[str, Test] = {
        "": lambda item: any(piece in text(item) for piece in wanted),
        "!": lambda item: all(piece not in text(item) for piece in wanted),
        "=": lambda item: text(item) in wanted,
        "!=": lambda item: text(item) not in wanted,
        "<": lambda item: text(item).startswith(wanted[0]),
        ">": lambda item: text(item).endswith(wanted[0]),
    }
    if operator not in tests:
        raise Refused(400)
    return tests[operator]


def _choice_test(name: str, operator: str, value: str, account: int) -> Test:  # noqa: ARG001 - one shape of maker
    wanted = frozenset(value.split(","))

    def texts(item: Item) -> frozenset[str]:
        match name:
            case "guid":
                return frozenset((item.guid, *item.guids))
            case "id":
                return frozenset((str(item.key),))
            case "resolution":
                return frozenset(("1080",))
            case _:
                return frozenset((str(item.fields.get(name, "")),))

    if operator in {"!", "!="}:
        return lambda item: wanted.isdisjoint(texts(item))
    return lambda item: not wanted.isdisjoint(texts(item))


def _number_test(name: str, operator: str, value: str, account: int) -> Test:
    try:
        wanted = [float(piece) for piece in value.split(",")]
    except ValueError as error:
        raise Refused(400) from error
    first = wanted[0]

    compare = _COMPARISONS.get(operator)

    def holds(number: float | None) -> bool:
        if number is None:
            return operator == "!"
        if compare is not None:
            return compare(number, first)
        return (number in wanted) != (operator == "!")

    return lambda item: holds(_number(item, name, account))


def _number(item: Item, name: str, account: int) -> float | None:
    view = item.views.get(account)
    match name:
        case "userRating":
            return view.rating if view else None
        case "viewCount":
            return float(view.count) if view else 0.0
        case "viewOffset":
            return float(view.offset_ms) if view else 0.0
        case "duration":
            return float(item.media[0].parts[0].file.duration_ms) if item.media else None
        case _:
            value = item.fields.get(name)
            return None if value is None else float(value)


def _date_test(name: str, operator: str, moments: list[int], account: int, includes_equal: bool) -> Test:
    first = moments[0]

    compare = _COMPARISONS.get(operator)

    def holds(moment: int | None) -> bool:
        if moment is None:
            return operator == "!"
        if includes_equal and moment == first:
            return operator != "!"
        if compare is not None:
            return compare(moment, first)
        return (moment in moments) != (operator == "!")

    if name == "updatedAt" and operator == ">>" and not includes_equal:
        return lambda item: item.updated_at > first
    return lambda item: holds(_date(item, name, account))


def _date(item: Item, name: str, account: int) -> int | None:
    view = item.views.get(account)
    match name:
        case "addedAt":
            return item.added_at
        case "updatedAt":
            return item.updated_at
        case "lastViewedAt":
            return (view.last_viewed_at or None) if view else None
        case "lastRatedAt":
            return (view.last_rated_at or None) if view else None
        case _:
            day = item.fields.get(name)
            return None if day is None else _moment(str(day), 0)


def _moment(text: str, now: int) -> int:
    """Return the epoch of `1749000000`, `2021-03-04` or `-3d`. Raises: Refused 400."""
    if text.isdecimal():
        return int(text)
    relative = re.fullmatch(r"-(\d+)(mon|[smhdwy])", text)
    if relative:
        return now - int(relative[1]) * _UNIT_S[relative[2]]
    try:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except ValueError as error:
        raise Refused(400) from error


def _boolean_test(name: str, operator: str, value: str, account: int) -> Test:  # noqa: ARG001 - one shape of maker
    wanted = value == "1"

    def holds(item: Item) -> bool:
        view = item.views.get(account)
        match name:
            case "unwatched":
                return view is None or view.count == 0
            case "inProgress":
                return view is not None and view.offset_ms > 0
            case "unmatched":
                return not item.is_matched
            case "duplicate":
                return len(item.media) > 1
            case "trash":
                return item.deleted_at is not None
            case _:
                return False

    return lambda item: holds(item) == wanted


def _tag_test(name: str, operator: str, value: str, account: int) -> Test:  # noqa: ARG001 - one shape of maker
    pieces = value.split(",")
    ids = frozenset(int(piece) for piece in pieces if piece.isdecimal())
    texts = frozenset(piece for piece in pieces if not piece.isdecimal())

    def has(item: Item) -> bool:
        return any(tagging.tag.id in ids or tagging.tag.text in texts for tagging in item.tags.get(name, ()))

    if operator in {"!", "!="}:
        return lambda item: not has(item)
    return has


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">>": operators.gt,
    "<<": operators.lt,
    ">": operators.ge,
    "<": operators.le,
}
_MAKERS: Mapping[str, Callable[[str, str, str, int], Test]] = (
    dict.fromkeys(STRINGS, _string_test)
    | dict.fromkeys(CHOICES, _choice_test)
    | dict.fromkeys(INTEGERS, _number_test)
    | dict.fromkeys(BOOLEANS, _boolean_test)
    | dict.fromkeys(KINDS, _tag_test)
)


def sort_value(item: Item, name: str, account: int) -> Value | None:
    """Return what an item is sorted by under this name, None when it has no such value."""
    if name == "titleSort":
        return item.title_sort
    if name == "id":
        return item.key
    if name == "guid":
        return item.guid
    if name in DATES:
        return _date(item, name, account)
    if name in INTEGERS:
        return _number(item, name, account)
    return str(item.fields.get(name, "")).casefold()
