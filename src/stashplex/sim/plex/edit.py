"""Edits: `PUT .../all` and `PUT /library/metadata/{ids}`, from the query string to the items.

One request is read and checked as a whole before anything changes, then applied to every selected item.
Without `id` the first form edits every item of its type: that is what the real server does.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import unquote

from stashplex.sim.plex.answer import DONE, Answer, Refused
from stashplex.sim.plex.call import Call
from stashplex.sim.plex.filtering import parse_selection, select
from stashplex.sim.plex.item import Collection, Item, Value, type_numbers
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.switches import TagMode
from stashplex.sim.plex.tag import KINDS
from stashplex.sim.plex.tagging import Entry, TagEdit, apply_tags
from stashplex.sim.plex.world import World

_KEY = re.compile(r"(\w+)(?:\[(\d*)\])?\.(value|locked|tag|tag\.tag-?|tag\.thumb|tag\.tagKey|tagging\.text)")
_TEXTS = {"title", "titleSort", "originalTitle", "summary", "tagline", "studio", "contentRating", "editionTitle"}
_NUMBERS = {"rating", "audienceRating", "userRating"}
_OTHERS = {"originallyAvailableAt", "addedAt", "year"}
_FIELDS = _TEXTS | _NUMBERS | _OTHERS
_LOCKS = _FIELDS | KINDS.keys() | {"thumb", "art", "theme", "clearLogo", "squareArt"}


@dataclass(slots=True)
class Edit:
    """One request: values as written, locks, tag edits."""

    values: dict[str, str] = field(default_factory=dict)
    locks: dict[str, bool] = field(default_factory=dict)
    tags: dict[str, TagEdit] = field(default_factory=dict)


def put_all(call: Call) -> Answer:
    """Edit what the query selects in one section."""
    section = call.section()
    edit = parse_edit(call.world, call.query.pairs)
    type_ = call.query.find("type") or str(type_numbers.get(section.type, 1))
    ids = call.query.list_of("id")
    targets = _targets(call, section, type_)
    if ids and not targets and call.world.switches.edit_of_missing_status != 200:
        raise Refused(call.world.switches.edit_of_missing_status)
    _apply_to_all(call, edit, targets, is_single=(len(ids) or len(targets)) == 1)
    return DONE


def put_metadata(call: Call) -> Answer:
    """Edit the items named in the path."""
    edit = parse_edit(call.world, call.query.pairs)
    found = [call.world.find_item(key) for key in call.ids[0].split(",") if key]
    targets = [item for item in found if item is not None]
    if len(targets) != len(found) or not targets:
        raise Refused(404)
    _apply_to_all(call, edit, targets, is_single=len(targets) == 1)
    return DONE


def parse_edit(world: World, pairs: Iterable[tuple[str, str]]) -> Edit:
    """Return what a query asks to change. Raises: Refused 400 for a value that no field may hold."""
    edit = Edit()
    for key, value in pairs:
        found = _KEY.fullmatch(key)
        if found is None:
            continue
        name, index, what = found.groups()
        if what == "value" and index is None and name in _FIELDS:
            edit.values[name] = value
        elif what == "locked" and index is None and name in _LOCKS:
            edit.locks[name] = value not in {"0", "false", ""}
        elif index is not None and name in KINDS:
            _read_tag(world, edit.tags.setdefault(name, TagEdit()), index, what, value)
    _check(world, edit.values)
    return edit


def apply_edit(world: World, item: Item, edit: Edit, account: int, *, is_single: bool) -> bool:
    """Apply one edit to one item; tell whether anything changed."""
    former_title = item.title_sort
    changed = False
    for name, value in edit.values.items():
        changed |= _set_value(world, item, name, value, account)
        changed |= _set_lock(item, name, is_locked=edit.locks.get(name, True))
    replaces = is_single and world.switches.tag_mode is TagMode.REPLACE
    for name, tags in edit.tags.items():
        changed |= apply_tags(world, item, KINDS[name], tags, replaces=replaces)
        changed |= _set_lock(item, name, is_locked=edit.locks.get(name, True))
    for name, is_locked in edit.locks.items():
        changed |= _set_lock(item, name, is_locked=is_locked)
    world.sections[item.section_id].retitled(item, former_title)
    return changed


def _targets(call: Call, section: Section, type_: str) -> list[Item]:
    world = call.world
    if type_ == str(type_numbers["collection"]):
        wanted = call.query.list_of("id")
        found = [section.collections.get(int(key)) for key in wanted if key.isdecimal()]
        return [item for item in found if item is not None] if wanted else list(section.collections.values())
    if type_ != str(type_numbers.get(section.type, 1)):
        return []
    selection = parse_selection(world, call.query.pairs, call.account)
    return [item for item in select(section, selection) if item.deleted_at is None]


def _apply_to_all(call: Call, edit: Edit, targets: list[Item], *, is_single: bool) -> None:
    world = call.world
    _check_rename(world, edit, targets)
    for item in targets:
        changed = apply_edit(world, item, edit, call.account, is_single=is_single)
        if changed or world.switches.noop_edit_touches:
            world.touch(item)
            world.announce(item, 5)


def _read_tag(world: World, tags: TagEdit, index: str, what: str, value: str) -> None:
    match what:
        case "tag":
            tags.is_cleared |= not index and not value
        case "tag.tag-":
            pieces = [unquote(piece) for piece in value.split(",") if piece]
            tags.removed.extend(pieces[:1] if world.switches.remove_first_only else pieces)
        case "tag.tag":
            tags.entries.setdefault(int(index or 0), Entry()).text = value
        case "tag.thumb":
            tags.entries.setdefault(int(index or 0), Entry()).thumb = value
        case "tag.tagKey":
            tags.entries.setdefault(int(index or 0), Entry()).key = value
        case "tagging.text":
            tags.entries.setdefault(int(index or 0), Entry()).role = value
        case _:
            pass


def _check(world: World, values: Mapping[str, str]) -> None:
    if "editionTitle" in values and not world.switches.plex_pass:
        raise Refused(400)
    for name, value in values.items():
        try:
            _parsed(name, value)
        except ValueError as error:
            raise Refused(400) from error


def _parsed(name: str, value: str) -> Value | None:
    """Return a value as it is kept, None for an empty one. Raises: ValueError."""
    if not value:
        return None
    if name in _NUMBERS:
        number = float(value)
        if not math.isfinite(number) or not 0 <= number <= 10:
            raise ValueError(value)
        return number
    if name in {"addedAt", "year"}:
        return int(value)
    if name == "originallyAvailableAt":
        return date.fromisoformat(value[:10]).isoformat()
    return value


def _set_value(world: World, item: Item, name: str, text: str, account: int) -> bool:
    value = _parsed(name, text)
    match name:
        case "userRating":
            return _rate(item, account, None if value is None else float(value), world.now)
        case "addedAt":
            changed = value is not None and item.added_at != value
            item.added_at = item.added_at if value is None else int(value)
            return changed
        case "year" if not world.switches.accept_year:
            return False
        case "title" if isinstance(item, Collection) and value is not None:
            world.tags.rename(item.tag, str(value), section=item.section_id)
        case "originallyAvailableAt":
            _put(item.fields, "year", None if value is None else int(str(value)[:4]))
        case _:
            pass
    changed = _put(item.fields, name, value)
    if item.fields.get("titleSort") == item.fields.get("title"):
        item.fields.pop("titleSort", None)
    return changed


def _put(fields: dict[str, Value], name: str, value: Value | None) -> bool:
    """Set or remove a value; tell whether it changed."""
    if value is None:
        return fields.pop(name, None) is not None
    changed = fields.get(name) != value
    fields[name] = value
    return changed


def _rate(item: Item, account: int, rating: float | None, now: int) -> bool:
    if rating is None and account not in item.views:
        return False
    view = item.view(account)
    changed = view.rating != rating
    view.rating = rating
    view.last_rated_at = now if rating is not None else 0
    return changed


def _set_lock(item: Item, name: str, *, is_locked: bool) -> bool:
    if is_locked == (name in item.locks):
        return False
    if is_locked:
        item.locks.add(name)
    else:
        item.locks.discard(name)
    return True


def _check_rename(world: World, edit: Edit, targets: list[Item]) -> None:
    """Refuse a collection's title that another collection has. Raises: Refused 409."""
    title = edit.values.get("title")
    collections = [item for item in targets if isinstance(item, Collection)]
    if not title or not collections:
        return
    holder = world.tags.find(KINDS["collection"], title, section=collections[0].section_id)
    section = world.sections[collections[0].section_id]
    is_taken = holder is not None and holder.id in section.collections_by_tag
    if len(collections) > 1 or (is_taken and holder is not collections[0].tag):
        raise Refused(409)
