"""Tags: genres, people, labels, collections' names. Shared between items, each with a numeric id.

A `Tag` exists once on the server (a collection's once per section); a `Tagging` ties it to one item, with the
role of a person in that item. Nothing here edits items; `tagging.py` does.
"""

from dataclasses import dataclass, field

from stashplex.sim.plex.switches import Switches


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of tag: its edit name, its name in answers, its number, and how many a listing shows (0: none)."""

    name: str
    array: str
    number: int
    listed: int


KINDS = {
    kind.name: kind
    for kind in (
        Kind("genre", "Genre", 1, 2),
        Kind("country", "Country", 8, 2),
        Kind("director", "Director", 4, 2),
        Kind("writer", "Writer", 5, 2),
        Kind("actor", "Role", 6, 3),
        Kind("producer", "Producer", 7, 0),
        Kind("similar", "Similar", 9, 0),
        Kind("collection", "Collection", 2, 0),
        Kind("label", "Label", 11, 0),
    )
}


@dataclass(slots=True, eq=False)
class Tag:
    """One tag. `thumb` and `key` belong to the tag, so they show on every item that has it."""

    id: int
    kind: Kind
    text: str
    thumb: str = ""
    key: str = ""


@dataclass(slots=True, eq=False)
class Tagging:
    """One tag on one item. `role` is what the person plays there."""

    tag: Tag
    role: str = ""


@dataclass(slots=True)
class TagBook:
    """All tags, by text and by id. Shape: a collection's tag belongs to one section, all others to section 0."""

    switches: Switches
    by_id: dict[int, Tag] = field(default_factory=dict)
    _by_text: dict[tuple[str, int, str], Tag] = field(default_factory=dict)
    _last_id: int = 0

    def find(self, kind: Kind, text: str, *, section: int = 0) -> Tag | None:
        """Return the tag with this text, or None."""
        return self._by_text.get((kind.name, section, self._fold(text)))

    def obtain(self, kind: Kind, text: str, *, section: int = 0) -> Tag:
        """Return the tag with this text, made when missing."""
        place = (kind.name, section, self._fold(text))
        tag = self._by_text.get(place)
        if tag is None:
            self._last_id += 1
            tag = self._by_text[place] = self.by_id[self._last_id] = Tag(self._last_id, kind, text)
        return tag

    def rename(self, tag: Tag, text: str, *, section: int = 0) -> None:
        """Give a tag another text."""
        self._by_text.pop((tag.kind.name, section, self._fold(tag.text)), None)
        tag.text = text
        self._by_text[tag.kind.name, section, self._fold(text)] = tag

    def forget(self, tag: Tag, *, section: int = 0) -> None:
        """Take a tag away (a deleted collection's)."""
        self._by_text.pop((tag.kind.name, section, self._fold(tag.text)), None)
        self.by_id.pop(tag.id, None)

    def same(self, one: str, other: str) -> bool:
        """Tell whether two texts name the same tag."""
        return self._fold(one) == self._fold(other)

    def _fold(self, text: str) -> str:
        return text.casefold() if self.switches.tags_fold_case else text
