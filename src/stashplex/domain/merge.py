"""The three-way comparison: what Stash wants, what Plex shows, what we last wrote.

It decides what each field should show and what we own afterwards; `plan` turns that into changes. It is also
the one place that says when two values are the same (`is_same_text`, `tag_key`).
The invariant: a field that the desired document does not know is not touched, and an element of a list that a
person added stays.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from stashplex.domain.document import RATINGS, Base, Document, Field, TagField, TextField
from stashplex.domain.policy import DEFAULT_MERGE, EditsByPeople, FirstContact, MergeRules

_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Merge:
    """What an item should show, and what is ours once it does.

    Shape: `wanted` has exactly the fields of the desired document, and a value that Plex already shows stays in
    Plex's spelling; `kept` names the fields where a value of Plex stands against Stash; `base` also keeps what the
    old base says of fields that are not desired now.
    """

    wanted: Document
    kept: tuple[Field, ...]
    base: Document


def merge(
    desired: Document,
    observed: Document,
    base: Base | None,
    rules: MergeRules = DEFAULT_MERGE,
    foreign_locks: frozenset[str] = frozenset(),
) -> Merge:
    """Return what an item should show.

    Stash wins where it changed since the base or where there is no base; a person wins where only Plex changed, unless
    `rules` say otherwise. A field that is missing from `observed` counts as empty there. A forced base lets Stash win
    where only Plex changed, too; what Stash knows nothing of stays. `foreign_locks` are the edit names that somebody
    else locked: where the rules respect locks, such a field stays and does not become ours.
    """
    owned = Document() if base is None else base.document
    is_forced = base is not None and base.is_forced
    is_first = base is None
    texts: dict[TextField, str] = {}
    tags: dict[TagField, tuple[str, ...]] = {}
    kept: list[Field] = []
    base_texts, base_tags = dict(owned.texts), dict(owned.tags)
    for text_field, text in desired.texts.items():
        shown, mine = observed.texts.get(text_field, ""), owned.texts.get(text_field)
        if _is_foreign(text_field, mine, rules, foreign_locks):
            texts[text_field], is_kept = shown, not is_same_text(text_field, text, shown)
        else:
            way = _way(text_field, rules, is_forced=is_forced, is_first=is_first)
            texts[text_field], is_kept = _merged_text(text_field, text, shown, mine, way)
            base_texts[text_field] = text
        kept += [text_field] if is_kept else []
    for tag_field, names in desired.tags.items():
        elements, ours = observed.tags.get(tag_field, ()), owned.tags.get(tag_field)
        if _is_foreign(tag_field, ours, rules, foreign_locks):
            tags[tag_field], is_kept = elements, bool(_keys(names) - _keys(elements))
        else:
            way = _way(tag_field, rules, is_forced=is_forced, is_first=is_first)
            tags[tag_field], is_kept = _merged_tags(names, elements, ours, way)
            base_tags[tag_field] = _owned_tags(names, elements, ours or (), way)
        kept += [tag_field] if is_kept else []
    return Merge(wanted=Document(texts, tags), kept=tuple(kept), base=Document(base_texts, base_tags))


def united(intent: Document, earlier: Document | None, base: Base | None = None) -> Document:
    """Return an intent that also claims the list elements of an earlier one whose write may still be under way.

    What the base owns needs no claim, and would look as if the newer intent still meant it.
    """
    if earlier is None:
        return intent
    tags = dict(intent.tags)
    for tag_field, names in earlier.tags.items():
        owned = () if base is None else base.document.tags.get(tag_field, ())
        known = {tag_key(tag) for tag in (*tags.get(tag_field, ()), *owned)}
        tags[tag_field] = (*tags.get(tag_field, ()), *(tag for tag in names if tag_key(tag) not in known))
    return Document(intent.texts, tags)


def believed(base: Base | None, intent: Document | None, observed: Document) -> Base | None:
    """Return the base as it is if a write that was begun and never verified reached Plex as far as Plex shows it.

    Without this, what we wrote just before a crash would look like an edit by a person and stay for ever.
    """
    if intent is None:
        return base
    owned = Document() if base is None else base.document
    reached_texts = {
        text_field: text
        for text_field, text in intent.texts.items()
        if is_same_text(text_field, text, observed.texts.get(text_field, ""))
    }
    texts = {**owned.texts, **reached_texts}
    tags = dict(owned.tags)
    for tag_field, names in intent.tags.items():
        shown = {tag_key(tag) for tag in observed.tags.get(tag_field, ())}
        meant = {tag_key(tag) for tag in names}
        known = {tag_key(tag) for tag in tags.get(tag_field, ())}
        still = tuple(tag for tag in tags.get(tag_field, ()) if tag_key(tag) in shown | meant)  # the rest we removed
        reached = tuple(tag for tag in names if tag_key(tag) in shown - known)
        if reached or tag_field in tags:
            tags[tag_field] = (*still, *reached)
    reached_anything = (texts, tags) != (dict(owned.texts), dict(owned.tags))
    if not reached_anything:
        return base
    document = Document(texts, tags)
    return Base(document) if base is None else replace(base, document=document)


def is_same_text(field: TextField, one: str, other: str) -> bool:
    """Tell whether two values of a field are the same to a person.

    Whatever Plex may do to a value that it stores must not count, or we would write it for ever: Unicode form,
    line ends, blanks at the end of a line and around the whole, and a rating's spelling (`7`, `7.0`, `6.9999998`).
    """
    return one == other or text_key(field, one) == text_key(field, other)


@lru_cache(maxsize=8_192)
def tag_key(tag: str) -> str:
    """Return the spelling by which two elements of a list are compared.

    Case, Unicode form and width of blanks do not count. Source: plex-wire.md 4.4, Plex may reuse a tag in another case.
    """
    folded = unicodedata.normalize("NFD", " ".join(tag.split())).casefold()
    return unicodedata.normalize("NFC", folded)


def text_key(field: TextField, text: str) -> str:
    """Return the spelling by which two values of a field are compared."""
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    bare = "\n".join(line.rstrip() for line in lines).strip()
    if field in RATINGS and _DECIMAL.fullmatch(bare):
        return f"{float(bare):.1f}"
    return bare


class _Way(StrEnum):
    """How one field is merged: a policy of `EditsByPeople`, or what holds only once."""

    FOLLOW = "follow"
    STASH = "stash"
    PLEX = "plex"
    FILL = "fill"
    ADOPT = "adopt"


_POLICIES = {
    EditsByPeople.FOLLOW: _Way.FOLLOW,
    EditsByPeople.STASH: _Way.STASH,
    EditsByPeople.PLEX: _Way.PLEX,
}
_FIRST = {FirstContact.FILL: _Way.FILL, FirstContact.ADOPT: _Way.ADOPT}


def _way(field: Field, rules: MergeRules, *, is_forced: bool, is_first: bool) -> _Way:
    if is_forced:
        return _Way.STASH
    policy = _POLICIES[rules.policy(field)]
    return _FIRST.get(rules.first_contact, policy) if is_first else policy


def _is_foreign(field: Field, owned: object, rules: MergeRules, foreign_locks: frozenset[str]) -> bool:
    """Tell whether somebody else locked a field that is not ours, and that counts."""
    return rules.respects_locks and owned is None and field.value in foreign_locks


def _merged_text(field: TextField, desired: str, observed: str, base: str | None, way: _Way) -> tuple[str, bool]:
    """Return what the field should show, and whether that is a value of Plex that stands against Stash."""
    if is_same_text(field, desired, observed):
        return observed, False
    if base is None:
        is_kept = not desired or way is _Way.ADOPT or (way is _Way.FILL and bool(observed.strip()))
        return (observed if is_kept else desired), is_kept
    if way is _Way.PLEX:
        is_kept = not is_same_text(field, observed, base)
    else:
        is_kept = is_same_text(field, desired, base) and not (way is _Way.STASH and desired)
    return (observed if is_kept else desired), is_kept


def _merged_tags(
    desired: tuple[str, ...], observed: tuple[str, ...], base: tuple[str, ...] | None, way: _Way
) -> tuple[tuple[str, ...], bool]:
    """Return the list that the field should show, and whether it lacks an element that Stash has.

    Order: Stash's, then the foreign elements in Plex's. An element that Plex has keeps Plex's spelling.
    """
    spelt = {tag_key(tag): tag for tag in reversed(observed)}
    wanted_keys = _keys(desired)
    if base is None and (way is _Way.ADOPT or (way is _Way.FILL and observed)):
        return observed, bool(wanted_keys - spelt.keys())
    base_keys = _keys(base or ())
    removed_by_person = frozenset() if way is _Way.STASH else (wanted_keys & base_keys) - spelt.keys()
    ours = [spelt.get(tag_key(tag), tag) for tag in desired if tag_key(tag) not in removed_by_person]
    foreign = [tag for tag in observed if tag_key(tag) not in wanted_keys | base_keys]
    return (*ours, *foreign), bool(removed_by_person)


def _owned_tags(
    desired: tuple[str, ...], observed: tuple[str, ...], base: tuple[str, ...], way: _Way
) -> tuple[str, ...]:
    """Return the elements that are ours afterwards.

    Where people's edits stay for ever, an element that a person removed is remembered although Stash dropped it, too.
    """
    if way is not _Way.PLEX:
        return desired
    known = _keys(desired) | _keys(observed)
    return (*desired, *(tag for tag in base if tag_key(tag) not in known))


def _keys(tags: tuple[str, ...]) -> frozenset[str]:
    return frozenset(tag_key(tag) for tag in tags)
