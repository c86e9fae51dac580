"""A plan as edit parameters: which bytes go to Plex, in how many requests, and what does not fit into any.

Pure: no request is sent here. `client` sends each query to the section's edit address.
Invariants: every query names exactly one item by its digits (without `id` the edit would hit the whole library);
a list of tags always travels whole, so a server that replaces and one that adds both end with the list of the
plan (plex-wire.md 4.2, 4.5, 4.8).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import quote

from stashplex.domain.document import Document, Field, TagField, TextField
from stashplex.domain.merge import is_same_text, tag_key
from stashplex.domain.plan import Change, Plan, TagChange, TextChange

BUDGET_BYTES = 7_000
"""The longest query by default: with method, path prefix and version it stays below a request line of 8,000 bytes."""

ELLIPSIS = "…"
_SELECTOR_BYTES = 40
"""Reserved for `type=1&id=…&` whatever the key, so that one text is always shortened at the same place."""

_ESCAPED_BYTES = 3
"""What an escaped byte takes, `%20` for instance: a text that fits even so need not be escaped to know it."""

_NAME_LENGTH = 64
"""Characters; longer values are texts, which do not come again."""

_DIGITS = re.compile(r"[0-9]+")
_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Unit:
    """Parameters that must travel in one request. Shape: `query` is encoded, `keys` are its parameters' names."""

    keys: frozenset[str]
    query: str


def edit_queries(
    plan: Plan,
    budget_bytes: int = BUDGET_BYTES,
    *,
    locks: frozenset[str] = frozenset(),
    locked: frozenset[str] | None = None,
    clears: bool = False,
) -> tuple[str, ...]:
    """Return the queries that apply a plan, to be sent in this order; none when there is nothing to say.

    Everything travels in one query if that fits, else texts and lists fill as few queries as their order allows.
    Every changed field is locked, and whatever `locks` names besides (`thumb`); what the plan hands back is unlocked.
    Where the plan locks nothing, and always for `collection`, a field keeps the lock that the item shows (`locked`,
    that is `Item.locked`; None: unknown, then that of `collection` is not mentioned): locked, it would freeze the
    collections that Plex makes itself (plex-wire.md 4.6). `clears` empties a list that loses elements before
    it is filled, instead of naming them: a server was reported to remove only the first of several (plex-wire.md 4.4).
    Raises: ValueError, for a key that is not all digits or a change that `fit` would have cut.
    """
    for key in (plan.rating_key, plan.section):
        if not _DIGITS.fullmatch(key):
            raise ValueError(f"an edit needs the digits of one item and one section, not {key!r}")
    selector = _render([("type", "1"), ("id", plan.rating_key)])
    room = budget_bytes - _SELECTOR_BYTES
    changed = {change.field.value for change in plan.changes}
    units = [
        unit
        for change in plan.changes
        for unit in _units(change, room, _lock(change.field, _state(change.field, plan, locked)), clears=clears)
    ]
    units += [_unit([(f"{name}.locked", "1")]) for name in sorted(locks - changed - plan.unlocks)]
    units += [_unit([(f"{name}.locked", "0")]) for name in sorted(plan.unlocks - changed)]
    too_long = [min(unit.keys) for unit in units if len(unit.query) > room]
    if too_long:
        raise ValueError(f"too long for one request, fit the plan first: {', '.join(too_long)}")
    return tuple(f"{selector}&{query}" for query in _packed(units, room))


def fit_texts(desired: Document, budget_bytes: int = BUDGET_BYTES) -> Document:
    """Return a desired document whose texts each fit into one request; call it before `plan`.

    A longer text ends in an ellipsis, always at the same character, so that the comparison with what Plex shows,
    the base and the read-back all mean the shortened text.
    """
    room = budget_bytes - _SELECTOR_BYTES
    return replace(desired, texts={field: _shortened(field, text, room) for field, text in desired.texts.items()})


def fit(plan: Plan, budget_bytes: int = BUDGET_BYTES, *, owned: Document | None = None) -> Plan:
    """Return the part of a plan that Plex can be sent; call it after `plan` and verify what it returns.

    A list that is too long for one request loses additions from its end, never an element that the item already
    shows; pieces would be lost on a server that replaces. If even those elements do not fit, the field is left
    alone. The base follows: what was ours before (`owned`) stays ours, what was not written does not become ours.
    A change that says nothing new after that is dropped: fitting twice changes nothing.
    """
    before = {} if owned is None else owned.tags
    room = budget_bytes - _SELECTOR_BYTES
    base_tags = dict(plan.base.tags)
    changes: list[Change] = []
    for change in plan.changes:
        fitted = _fitted(change, room)
        if isinstance(change, TagChange) and fitted is not change:
            ours, earlier = base_tags.pop(change.field, ()), before.get(change.field)
            if isinstance(fitted, TagChange):
                kept = {tag_key(tag) for tag in (*fitted.new, *(earlier or ()))}
                base_tags[change.field] = tuple(tag for tag in ours if tag_key(tag) in kept)
            elif earlier is not None:
                base_tags[change.field] = earlier
        if fitted is not None and (fitted is change or _says_something(fitted)):
            changes.append(fitted)
    return replace(plan, changes=tuple(changes), base=replace(plan.base, tags=base_tags))


def _fitted(change: Change, room: int) -> Change | None:
    if isinstance(change, TextChange):
        text = _shortened(change.field, change.new, room)
        return change if text == change.new else replace(change, new=text)
    if _list_bytes(change.field, change.new) <= room:
        return change
    shown = {tag_key(tag) for tag in change.old}
    kept = {tag for tag in change.new if tag_key(tag) in shown}
    left = room - _list_bytes(change.field, kept)
    if left < 0:
        return None
    for tag in change.new:
        cost = _list_bytes(change.field, {*kept, tag}) - _list_bytes(change.field, kept) if tag not in kept else 0
        if 0 < cost <= left:
            kept.add(tag)
            left -= cost
    return replace(change, new=tuple(tag for tag in change.new if tag in kept))


def _says_something(change: Change) -> bool:
    if isinstance(change, TextChange):
        return not is_same_text(change.field, change.old, change.new)
    return {tag_key(tag) for tag in change.old} != {tag_key(tag) for tag in change.new}


def _units(change: Change, room: int, lock: list[_Pair], *, clears: bool) -> Iterator[_Unit]:
    """Return a change as units; a removal may travel ahead of its list, in any number of requests."""
    if isinstance(change, TextChange):
        yield _unit([(f"{change.field}.value", change.new), *lock])
        return
    field = change.field
    removable = [] if clears else [tag for tag in change.removed if _is_removable(tag)]
    whole = [*_indexed(field, change.new), *lock]
    named = [*_removal(field, removable), *whole]
    if not change.new or len(removable) < len(change.removed):
        cleared = _unit([_clear(field), *(named if not change.new else whole)])
        yield cleared if len(cleared.query) <= room else _unit([_clear(field), *whole])
    elif len((unit := _unit(named)).query) <= room:
        yield unit
    else:
        yield from (_unit([*_removal(field, piece), *lock]) for piece in _pieces(field, removable, room))
        yield _unit(whole)


def _packed(units: Iterable[_Unit], room: int) -> Iterator[str]:
    """Fill queries in order; none says a parameter twice."""
    queries: list[str] = []
    used: set[str] = set()
    for unit in units:
        length = sum(len(query) + 1 for query in queries) + len(unit.query)
        if queries and (length > room or used & unit.keys):
            yield "&".join(queries)
            queries, used = [], set()
        queries.append(unit.query)
        used |= unit.keys
    if queries:
        yield "&".join(queries)


def _pieces(field: TagField, tags: Iterable[str], room: int) -> Iterator[list[str]]:
    """Cut a removal list into pieces of which each fits into one request."""
    piece: list[str] = []
    for tag in tags:
        longer = [*piece, tag]
        if piece and len(_render([*_removal(field, longer), *_lock(field, "1")])) > room:
            yield piece
            piece = [tag]
        else:
            piece = longer
    if piece:
        yield piece


def _shortened(field: TextField, text: str, room: int) -> str:
    """Return the text, cut at a character and ended by an ellipsis if its parameters would exceed `room` bytes."""
    most = _ESCAPED_BYTES * len(text.encode()) + len(_render(_text_pairs(field, "")))
    if most <= room or len(_render(_text_pairs(field, text))) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if len(_render(_text_pairs(field, text[:middle].rstrip() + ELLIPSIS))) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + ELLIPSIS


def _list_bytes(field: TagField, tags: Iterable[str]) -> int:
    """Return what a list takes up, whatever the way of removal. The order of the elements does not matter."""
    return len(_render([_clear(field), *_indexed(field, tags), *_lock(field, "1")]))


def _text_pairs(field: TextField, text: str) -> list[_Pair]:
    return [(f"{field}.value", text), (f"{field}.locked", "1")]


def _indexed(field: TagField, tags: Iterable[str]) -> list[_Pair]:
    return [(f"{field}[{index}].tag.tag", tag) for index, tag in enumerate(tags)]


def _removal(field: TagField, tags: Iterable[str]) -> list[_Pair]:
    names = ",".join(tags)
    return [(f"{field}[].tag.tag-", names)] if names else []


def _clear(field: TagField) -> _Pair:
    return (f"{field}[].tag", "")


def _state(field: Field, plan: Plan, locked: frozenset[str] | None) -> str:
    """Return the lock that a changed field gets; empty when it is not mentioned, which leaves it to Plex."""
    if field.value in plan.unlocks:
        return "0"
    if plan.locks and field is not TagField.COLLECTION:
        return "1"
    if locked is None:
        return "" if plan.locks else "0"
    return "1" if field.value in locked else "0"


def _lock(field: Field, state: str) -> list[_Pair]:
    return [(f"{field}.locked", state)] if state else []


def _is_removable(tag: str) -> bool:
    """Tell whether a tag survives the removal list, which Plex splits at commas and decodes once more."""
    return bool(tag) and tag == tag.strip() and not {",", "%", "+"} & set(tag)


def _unit(pairs: list[_Pair]) -> _Unit:
    return _Unit(frozenset(key for key, _ in pairs), _render(pairs))


def _render(pairs: Iterable[_Pair]) -> str:
    """Return an encoded query: UTF-8, blanks as `%20`, brackets escaped."""
    return "&".join(f"{_escaped_again(key)}={_escaped(value)}" for key, value in pairs)


def _escaped(text: str) -> str:
    """Escape a value; names, which come again and again, are remembered."""
    return _escaped_again(text) if len(text) <= _NAME_LENGTH else quote(text, safe="")


@lru_cache(maxsize=4096)
def _escaped_again(text: str) -> str:
    return quote(text, safe="")
