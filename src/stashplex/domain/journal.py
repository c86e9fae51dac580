"""What was tried, what changed, how it ended: one row of an entry's history.

The worker writes rows with a settlement, the store keeps them, a person reads them. A row is never changed.
A pass that changed nothing leaves no row: an idle library must not grow the file.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from stashplex.domain.item import RatingKey

TAG_SEPARATOR = "\n"
"""Stands between the elements of a list in a row: no element has line breaks."""

DETAIL_CHARS = 500
VALUE_CHARS = 10_000
"""The longest reason and the longest value of a row; a longer one ends with an ellipsis at this length."""


def is_clipped(value: str) -> bool:
    """Tell whether a value of a row is perhaps not the whole one."""
    return len(value) >= VALUE_CHARS and value.endswith("…")


class JournalEvent(StrEnum):
    """What happened, in the past tense. A closed list."""

    ENTRY_ADOPTED = "entry_adopted"
    ENTRY_SYNCED = "entry_synced"
    ENTRY_PARTLY_SYNCED = "entry_partly_synced"
    ENTRY_HELD = "entry_held"
    ENTRY_RETRIED = "entry_retried"
    ENTRY_BURIED = "entry_buried"
    FIELD_WRITTEN = "field_written"
    POSTER_UPLOADED = "poster_uploaded"
    ENTRY_RELEASED = "entry_released"
    ENTRY_UNDONE = "entry_undone"


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One thing that happened to one entry; the entry is told by where the row stands.

    Shape: `field` is Plex's edit name; `old` and `new` are whole values, lists with an element per line; `detail` is an
    error or a reason. Texts hold no secrets; long ones are clipped when stored.
    """

    at: datetime
    event: JournalEvent
    rating_key: RatingKey | None = None
    field: str | None = None
    old: str | None = None
    new: str | None = None
    detail: str | None = None
