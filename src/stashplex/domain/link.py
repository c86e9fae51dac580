"""Which Plex item belongs to a scene, and why. A scene in two libraries has two links.

The base (what we last wrote) belongs to the link: a rebuilt library has new rating keys, and what we wrote to
the old item says nothing about the new one. Why not on the entry: docs/adr/0004-base-on-the-link.md.
"""

from dataclasses import dataclass
from enum import StrEnum

from stashplex.domain.document import Base, Document
from stashplex.domain.item import RatingKey, SectionKey


class Evidence(StrEnum):
    """Why an item belongs to a scene, strongest first.

    Shape: exact is a path that no rule of the path map puts elsewhere; unmapped one that a rule does, but Plex shows it
    all the same. Why that is weaker: docs/adr/0008-evidence.md.
    """

    PINNED = "pinned"
    EXACT_PATH = "exact_path"
    MAPPED_PATH = "mapped_path"
    UNMAPPED_PATH = "unmapped_path"
    NAME_AND_SIZE = "name_and_size"
    SIZE_AND_DURATION = "size_and_duration"
    NAME = "name"

    @property
    def is_by_place(self) -> bool:
        """The file stands where it must; anything weaker needs a look at what else would fit."""
        return self in {Evidence.PINNED, Evidence.EXACT_PATH, Evidence.MAPPED_PATH}


@dataclass(frozen=True, slots=True)
class Link:
    """One item of one scene.

    `file` is the path, as Plex shows it, by which the item was matched. `intent` is what a write that was begun and
    not yet verified wanted to make ours: it may have been applied, or not.
    """

    rating_key: RatingKey
    section: SectionKey
    evidence: Evidence
    file: str
    base: Base | None
    intent: Document | None = None
