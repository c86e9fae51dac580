"""The smallest edit that brings one item in step: a value, made before anything is sent.

`plex/codec` turns it into a request, `not_taken` checks the read-back, the journal shows it to people. It says
nothing about posters.
The invariant: a plan names one item and only fields that the desired document knows; once applied, the next
plan is empty.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, replace

from stashplex.domain.document import Base, Document, Field, TagField, TextField
from stashplex.domain.item import Item, RatingKey, SectionKey
from stashplex.domain.merge import Merge, is_same_text, merge, tag_key, text_key
from stashplex.domain.policy import DEFAULT_MERGE, MergeRules


@dataclass(frozen=True, slots=True)
class TextChange:
    """One single value. `old` is what Plex showed; an empty `new` clears."""

    field: TextField
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class TagChange:
    """One list. Shape: `new` is the whole list to write, `removed` are the elements of `old` that must go."""

    field: TagField
    old: tuple[str, ...]
    new: tuple[str, ...]
    removed: tuple[str, ...]


Change = TextChange | TagChange


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write to one item, and what is ours afterwards.

    Shape: `changes` has a field at most once; `kept` names the fields where a value of Plex stands against Stash;
    `base` is stored once the changes are verified, or at once when there are none. A field in `changes` is locked by
    the write if `locks` says so, else its lock stays as it is; `unlocks` are the edit names that are handed back.
    `seen` is the mark by which an item without a lock of ours is known again, see `trusted`.
    A field that shows the right value but is not locked is no change: locking it would cost a request for every scene
    of an existing library, and the next pass repairs what a refresh of Plex overwrites.
    """

    rating_key: RatingKey
    section: SectionKey
    changes: tuple[Change, ...]
    kept: tuple[Field, ...]
    base: Document
    unlocks: frozenset[str] = frozenset()
    locks: bool = True
    seen: str = ""

    @property
    def is_empty(self) -> bool:
        """Nothing needs to be written."""
        return not self.changes and not self.unlocks


def observed_document(item: Item) -> Document:
    """Return what an item shows, all fields known."""
    return Document(
        texts={
            TextField.TITLE: item.title,
            TextField.TITLE_SORT: item.title_sort,
            TextField.SUMMARY: item.summary,
            TextField.STUDIO: item.studio,
            TextField.DATE: item.originally_available_at,
            TextField.USER_RATING: _number(item.user_rating),
            TextField.ORIGINAL_TITLE: item.original_title,
            TextField.TAGLINE: item.tagline,
            TextField.CONTENT_RATING: item.content_rating,
            TextField.CRITIC_RATING: _number(item.critic_rating),
        },
        tags={
            TagField.GENRE: item.genres,
            TagField.DIRECTOR: item.directors,
            TagField.ACTOR: item.actors,
            TagField.COLLECTION: item.collections,
            TagField.LABEL: item.labels,
            TagField.WRITER: item.writers,
        },
    )


def _number(rating: float | None) -> str:
    return "" if rating is None else f"{rating:g}"


def trusted(base: Base | None, item: Item) -> Base | None:
    """Return a base if it can be about this item, None if the item is another one under the same rating key.

    A rebuilt library may give a film its old key again. Whatever we or people wrote is locked; a fresh item has no
    locks, and its values are nobody's edits. Where we lock nothing, it is the same item if it shows what it did.
    """
    if base is None:
        return None
    ours = {name.value for name in (*base.document.texts, *base.document.tags)} | {"thumb"}
    is_known = bool(ours & item.locked) or (
        base.seen != "" and base.seen == mark_of(observed_document(item), base.document)
    )
    return base if is_known else None


def mark_of(shown: Document, ours: Document) -> str:
    """Return a short text that is the same as long as an item shows the same, to a person, in fields of ours."""
    texts = {name.value: text_key(name, text) for name, text in shown.texts.items() if name in ours.texts}
    tags = {name.value: sorted(_keys(names)) for name, names in shown.tags.items() if name in ours.tags}
    known = json.dumps([texts, tags], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def plan(
    item: Item,
    desired: Document,
    base: Base | None,
    rules: MergeRules = DEFAULT_MERGE,
    *,
    wanted: Collection[Field] | None = None,
    claimed: Document | None = None,
) -> Plan:
    """Return what must be written so that an item, as just read, shows what it should.

    `wanted` are the fields that are switched on (None: all): what is ours of another one is unlocked, and ours no
    longer. `claimed` is what an unfinished write may have made ours.
    Shape: changes in the order of the desired document, texts first.
    """
    observed = observed_document(item)
    ours = {name.value for document in _known(base, claimed) for name in (*document.texts, *document.tags)}
    merged = merge(desired, observed, base, rules, item.locked - ours)
    owned: set[Field] = {*merged.base.texts, *merged.base.tags}
    off = owned.difference(owned if wanted is None else wanted)
    planned = Plan(
        item.rating_key,
        item.section,
        _changes(merged, observed),
        merged.kept,
        without(merged.base, off),
        unlocks=frozenset(name.value for name in off) & item.locked,
        locks=rules.locks,
    )
    return planned if rules.leaves_marks else replace(planned, seen=mark_of(apply_to(observed, planned), planned.base))


def _known(base: Base | None, claimed: Document | None) -> list[Document]:
    before = None if base is None else base.document
    return [document for document in (before, claimed) if document is not None]


def without(document: Document, fields: Collection[Field]) -> Document:
    """Return a document that knows nothing of some fields."""
    return Document(
        {name: text for name, text in document.texts.items() if name not in fields},
        {name: names for name, names in document.tags.items() if name not in fields},
    )


def not_taken(planned: Plan, item: Item) -> tuple[str, ...]:
    """Return the names of the fields that an item, read after the write, shows otherwise than planned."""
    shown = observed_document(item)
    values = tuple(change.field.value for change in planned.changes if not _is_taken(change, shown))
    return (*values, *sorted((planned.unlocks & item.locked).difference(values)))


def partial_base(planned: Plan, missing: Collection[str], base: Base | None) -> Document:
    """Return what is ours after a write of which some fields (by edit name) were not taken: the others are."""
    old = Document() if base is None else base.document
    texts = {name: text for name, text in planned.base.texts.items() if name.value not in missing}
    tags = {name: names for name, names in planned.base.tags.items() if name.value not in missing}
    return Document(
        {**{name: text for name, text in old.texts.items() if name.value in missing}, **texts},
        {**{name: names for name, names in old.tags.items() if name.value in missing}, **tags},
    )


def apply_to(observed: Document, planned: Plan) -> Document:
    """Return what Plex shows once it has taken every change: the model that tests compare a server with."""
    texts, tags = dict(observed.texts), dict(observed.tags)
    for change in planned.changes:
        match change:
            case TextChange(field, _, new):
                texts[field] = new
            case TagChange(tag_field, _, names, _):
                tags[tag_field] = names
    return Document(texts, tags)


def _changes(merged: Merge, observed: Document) -> tuple[Change, ...]:
    changes: list[Change] = []
    for text_field, new in merged.wanted.texts.items():
        old = observed.texts[text_field]
        if old != new:
            changes.append(TextChange(text_field, old, new))
    for tag_field, names in merged.wanted.tags.items():
        shown = observed.tags[tag_field]
        wanted = _keys(names)
        if _keys(shown) != wanted:
            removed = tuple(tag for tag in shown if tag_key(tag) not in wanted)
            changes.append(TagChange(tag_field, shown, names, removed))
    return tuple(changes)


def _is_taken(change: Change, shown: Document) -> bool:
    match change:
        case TextChange(field, _, new):
            return is_same_text(field, shown.texts[field], new)
        case TagChange(tag_field, _, names, removed):
            keys = _keys(shown.tags[tag_field])
            return _keys(names) <= keys and not _keys(removed) & keys


def _keys(tags: tuple[str, ...]) -> frozenset[str]:
    return frozenset(tag_key(tag) for tag in tags)
