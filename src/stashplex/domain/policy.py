"""Who wins where Stash and Plex differ: what a person decided, field by field.

Values for `merge` and `plan`; nothing here compares anything. The invariant: the defaults keep what people do in Plex
and follow Stash when Stash changes later.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stashplex.domain.document import Field


class EditsByPeople(StrEnum):
    """What becomes of a value that a person changed in Plex.

    `follow` keeps it until Stash changes the value, `stash` restores what Stash says, `plex` keeps it for ever.
    """

    FOLLOW = "follow"
    STASH = "stash"
    PLEX = "plex"


class FirstContact(StrEnum):
    """What becomes of the values of an item that was never written.

    `overwrite` writes all, `fill` only what is empty in Plex, `adopt` nothing: what Stash says now counts as written.
    """

    OVERWRITE = "overwrite"
    FILL = "fill"
    ADOPT = "adopt"


class Destroyed(StrEnum):
    """What becomes of an item whose scene Stash has no more.

    `leave` changes nothing, `release` unlocks what is ours, `label` adds a label to the item.
    """

    LEAVE = "leave"
    RELEASE = "release"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class MergeRules:
    """How Stash and Plex are merged.

    Shape: `of_field` holds the fields with a policy of their own. `locks` lets each written field be locked,
    `respects_locks` leaves those alone that somebody else locked.
    """

    edits_by_people: EditsByPeople = EditsByPeople.FOLLOW
    of_field: Mapping[Field, EditsByPeople] = field(default_factory=dict)
    first_contact: FirstContact = FirstContact.OVERWRITE
    locks: bool = True
    respects_locks: bool = False

    def policy(self, name: Field) -> EditsByPeople:
        """Return the policy of a field."""
        return self.of_field.get(name, self.edits_by_people)

    @property
    def contradicts(self) -> bool:
        """Tell whether the second contact would write over what the first one is to leave."""
        restores = EditsByPeople.STASH in {self.edits_by_people, *self.of_field.values()}
        return restores and self.first_contact is not FirstContact.OVERWRITE

    @property
    def leaves_marks(self) -> bool:
        """Tell whether a lock is left on every item that was brought in step, by which it is known again."""
        return self.locks and self.first_contact is FirstContact.OVERWRITE


DEFAULT_MERGE = MergeRules()
