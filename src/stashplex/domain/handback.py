"""What is written when an item is given back to Plex, put back to what it was, or marked because its scene is gone.

Pure: plans out of what the item shows, what is ours and what the journal remembers. The invariant: what somebody
changed since stays as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from stashplex.domain.document import Base, Document, Field, TagField, TextField
from stashplex.domain.item import Item
from stashplex.domain.journal import TAG_SEPARATOR, JournalEvent, JournalRow, is_clipped
from stashplex.domain.merge import is_same_text, tag_key
from stashplex.domain.plan import Change, Plan, TagChange, TextChange, observed_document

_FIELDS: Mapping[str, Field] = {one.value: one for one in (*TextField, *TagField)}
_THUMB = "thumb"


class Parting(StrEnum):
    """What a person asked for.

    `release` unlocks what is ours, `restore` also puts back what was there before the first write, `undo` puts back
    what was written over since a time, and what is ours stays ours.
    """

    RELEASE = "release"
    RESTORE = "restore"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class HandBack:
    """A wish about one scene. Shape: `since` is set for an undo only; `is_done` scenes are left alone from then on."""

    parting: Parting
    since: datetime | None = None
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class PutBack:
    """Changes that put old values back, and why others cannot be: a sentence for each field."""

    changes: tuple[Change, ...]
    refused: tuple[str, ...]


def put_back(item: Item, rows: Sequence[JournalRow]) -> PutBack:
    """Return the changes that undo what some rows of the journal, the newest first, tell of an item."""
    shown = observed_document(item)
    first: dict[str, JournalRow] = {}
    last: dict[str, JournalRow] = {}
    for row in rows:
        name = row.field or ""
        if row.event is JournalEvent.FIELD_WRITTEN and row.rating_key == item.rating_key and name in _FIELDS:
            first[name] = row
            last.setdefault(name, row)
    changes: list[Change] = []
    refused: list[str] = []
    for name, row in first.items():
        field, old, new = _FIELDS[name], row.old or "", last[name].new or ""
        if is_clipped(old) or is_clipped(new):
            refused.append(f"{name}: the value is too long to be in the history as a whole")
            continue
        change = _change(field, shown, old, new)
        if change is None:
            refused.append(f"{name}: it was changed since")
        elif not _is_nothing(change):
            changes.append(change)
    return PutBack(tuple(changes), tuple(refused))


def release_plan(item: Item, base: Base | None, back: PutBack | None = None) -> Plan:
    """Return the plan that unlocks what is ours, and puts old values back if they are given; nothing is ours then."""
    ours = Document() if base is None else base.document
    names = {name.value for name in (*ours.texts, *ours.tags)}
    if base is not None and base.poster is not None and base.poster.sha1:
        names.add(_THUMB)
    changes = () if back is None else back.changes
    names |= {change.field.value for change in changes}
    return Plan(
        item.rating_key, item.section, changes, (), Document(), unlocks=frozenset(names) & item.locked, locks=False
    )


def undo_plan(item: Item, base: Base | None, back: PutBack) -> Plan:
    """Return the plan that puts old values back. What is ours stays: the old values count as edits by a person."""
    return Plan(item.rating_key, item.section, back.changes, (), Document() if base is None else base.document)


def label_plan(item: Item, base: Base | None, label: str) -> Plan:
    """Return the plan that adds a label, which is ours then."""
    ours = Document() if base is None else base.document
    is_there = tag_key(label) in {tag_key(tag) for tag in item.labels}
    changes: tuple[Change, ...] = (
        () if is_there else (TagChange(TagField.LABEL, item.labels, (*item.labels, label), ()),)
    )
    before = ours.tags.get(TagField.LABEL, ())
    is_ours = is_there or tag_key(label) in {tag_key(tag) for tag in before}
    tags = ours.tags if is_ours else {**ours.tags, TagField.LABEL: (*before, label)}
    return Plan(item.rating_key, item.section, changes, (), replace(ours, tags=tags), locks=False)


def unlabelled(planned: Plan, item: Item, base: Base | None, label: str) -> Plan:
    """Return a plan that also takes the label away which is ours: the item has a scene again."""
    ours = () if base is None else base.document.tags.get(TagField.LABEL, ())
    gone = tag_key(label)
    is_ours = gone in {tag_key(tag) for tag in ours} and gone in {tag_key(tag) for tag in item.labels}
    if not is_ours or any(change.field is TagField.LABEL for change in planned.changes):
        return planned
    removed = tuple(tag for tag in item.labels if tag_key(tag) == gone)
    left = tuple(tag for tag in item.labels if tag_key(tag) != gone)
    return replace(planned, changes=(*planned.changes, TagChange(TagField.LABEL, item.labels, left, removed)))


def _change(field: Field, shown: Document, old: str, new: str) -> Change | None:
    """Return the change back, None when the item does not show what was written."""
    if isinstance(field, TextField):
        text = shown.texts[field]
        return TextChange(field, text, old) if is_same_text(field, text, new) else None
    names, before, after = shown.tags[field], _names(old), _names(new)
    known = {tag_key(tag) for tag in names}
    if not {tag_key(tag) for tag in after} <= known:
        return None
    came = {tag_key(tag) for tag in after} - {tag_key(tag) for tag in before}
    kept = [tag for tag in names if tag_key(tag) not in came]
    back = [tag for tag in before if tag_key(tag) not in known]
    return TagChange(field, names, (*kept, *back), tuple(tag for tag in names if tag_key(tag) in came))


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(TAG_SEPARATOR)) if text else ()


def _is_nothing(change: Change) -> bool:
    match change:
        case TextChange(field, old, new):
            return is_same_text(field, old, new)
        case TagChange(_, old, new, removed):
            return not removed and len(old) == len(new)
