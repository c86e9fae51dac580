"""The three-way comparison: what Stash wants, what Plex shows, what we last wrote.

It decides what each field should show and what we own afterwards; `plan` turns that into changes. It is also
the one place that says when two values are the same (`is_same_text`, `tag_key`).
The invariant: a field that the desired document does not know is not touched, and an element of a list that a
person added stays.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

from stashplex.domain.document import Base, Document, Field, TagField, TextField

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


def merge(desired: Document, observed: Document, base: Base | None) -> Merge:
    """Return what an item should show.

    Stash wins where it changed since the base or where there is no base; a person wins where only Plex changed.
    A field that is missing from `observed` counts as empty there. A forced base lets Stash win where only Plex changed,
    too; what Stash knows nothing of stays.
    """
    owned = Document() if base is None else base.document
    is_forced = base is not None and base.is_forced
    texts: dict[TextField, str] = {}
    tags: dict[TagField, tuple[str, ...]] = {}
    kept: list[Field] = []
    for text_field, text in desired.texts.items():
        texts[text_field], is_kept = _merged_text(
            text_field, text, observed.texts.get(text_field, ""), owned.texts.get(text_field), is_forced=is_forced
        )
        kept += [text_field] if is_kept else []
    for tag_field, names in desired.tags.items():
        tags[tag_field], is_kept = _merged_tags(
            names, observed.tags.get(tag_field, ()), owned.tags.get(tag_field), is_forced=is_forced
        )
        kept += [tag_field] if is_kept else []
    return Merge(
        wanted=Document(texts, tags),
        kept=tuple(kept),
        base=Document({**owned.texts, **desired.texts}, {**owned.tags, **desired.tags}),
    )


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
    return one == other or _text_key(field, one) == _text_key(field, other)


@lru_cache(maxsize=8_192)
def tag_key(tag: str) -> str:
    """Return the spelling by which two elements of a list are compared.

    Case, Unicode form and width of blanks do not count. Source: plex-wire.md 4.4, Plex may reuse a tag in another case.
    """
    folded = unicodedata.normalize("NFD", " ".join(tag.split())).casefold()
    return unicodedata.normalize("NFC", folded)


def _text_key(field: TextField, text: str) -> str:
    lines = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    bare = "\n".join(line.rstrip() for line in lines).strip()
    if field is TextField.USER_RATING and _DECIMAL.fullmatch(bare):
        return f"{float(bare):.1f}"
    return bare


def _merged_text(
    field: TextField, desired: str, observed: str, base: str | None, *, is_forced: bool
) -> tuple[str, bool]:
    """Return what the field should show, and whether that is a value of Plex that stands against Stash."""
    if is_same_text(field, desired, observed):
        return observed, False
    if base is None:
        is_foreign_kept = not desired
        return (observed if is_foreign_kept else desired), is_foreign_kept
    is_kept = is_same_text(field, desired, base) and not (is_forced and desired)
    return (observed if is_kept else desired), is_kept


def _merged_tags(
    desired: tuple[str, ...], observed: tuple[str, ...], base: tuple[str, ...] | None, *, is_forced: bool
) -> tuple[tuple[str, ...], bool]:
    """Return the list that the field should show, and whether it lacks an element that a person removed.

    Order: Stash's, then the foreign elements in Plex's. An element that Plex has keeps Plex's spelling.
    """
    spelt = {tag_key(tag): tag for tag in reversed(observed)}
    wanted_keys = {tag_key(tag) for tag in desired}
    base_keys = {tag_key(tag) for tag in base or ()}
    removed_by_person = frozenset() if is_forced else (wanted_keys & base_keys) - spelt.keys()
    ours = [spelt.get(tag_key(tag), tag) for tag in desired if tag_key(tag) not in removed_by_person]
    foreign = [tag for tag in observed if tag_key(tag) not in wanted_keys | base_keys]
    return (*ours, *foreign), bool(removed_by_person)
