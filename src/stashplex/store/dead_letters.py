"""Dead letters: what needs a person, as lists and counts; what a person dismissed, until it is removed.

A dead letter is an entry, not a row of its own: a mark revives it, dismissed or not (`Ledger.mark`), and success makes
it disappear. Every question goes through `ix_entry_dead` or `ix_entry_dismissed`, so entries that live cost nothing.
Invariant: only dead entries are dismissed, and only dismissed ones are removed.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, literal_column, or_, select, update

from stashplex.domain.entry import Entry, PlexId
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.schema import entry, from_micros, to_micros
from stashplex.store.statements import ENTRY, entry_of

PAGE = 1_000

_IS_OF_PLEX = entry.c.plex_id == bindparam("of_plex")
_IS_DEAD = entry.c.state == literal_column("'dead'")
_IS_OF_SCENES = entry.c.scene_id.in_(bindparam("scene_ids", expanding=True))


def _is_unset(name: str) -> ColumnElement[bool]:
    return bindparam(name).is_(None)


_LETTERS = select(*ENTRY, entry.c.dismissed_at).where(_IS_OF_PLEX, _IS_DEAD).order_by(entry.c.id)
_PAGE = _LETTERS.where(
    entry.c.id > bindparam("after_id"),
    entry.c.dismissed_at.is_(None),
    or_(_is_unset("reason"), func.lower(entry.c.last_error_type) == bindparam("reason")),
    or_(_is_unset("since"), entry.c.last_failed_at >= bindparam("since")),
    or_(_is_unset("until"), entry.c.last_failed_at < bindparam("until")),
).limit(PAGE)
_OF_SCENES = _LETTERS.where(_IS_OF_SCENES)
_DISMISS = (
    update(entry)
    .where(_IS_OF_PLEX, _IS_DEAD, entry.c.dismissed_at.is_(None), _IS_OF_SCENES)
    .values(dismissed_at=bindparam("now"))
)
_COUNT_DISMISSED = select(func.count()).select_from(entry).where(_IS_OF_PLEX, entry.c.dismissed_at.is_not(None))
_REMOVE = delete(entry).where(
    entry.c.id.in_(select(entry.c.id).where(entry.c.dismissed_at < bindparam("before")).limit(PAGE))
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry that needs a person. Shape: `dismissed_at` is set once a person said that nothing is to be done."""

    entry: Entry
    dismissed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which dead letters. Shape: `reason` is an error type in any case; the times are those of the last failure."""

    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Filter()


class DeadLetters:
    """Lists, dismisses and removes. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def iter_open(self, plex_id: PlexId, wanted: Filter = EVERYTHING) -> Iterator[DeadLetter]:
        """Yield the dead letters that nobody dismissed, a page per read; no snapshot stays open between the reads."""
        question = {
            "of_plex": plex_id,
            "reason": wanted.reason.lower() if wanted.reason else None,
            "since": None if wanted.since is None else to_micros(wanted.since),
            "until": None if wanted.until is None else to_micros(wanted.until),
        }
        page: tuple[DeadLetter, ...] | None = None
        while page is None or len(page) == PAGE:
            after_id = page[-1].entry.id if page else 0
            with self._database.read() as connection:
                page = tuple(map(_letter_of, connection.execute(_PAGE, {**question, "after_id": after_id})))
            yield from page

    def list_for_scenes(self, plex_id: PlexId, scene_ids: Collection[SceneId]) -> tuple[DeadLetter, ...]:
        """Return those of the scenes that are dead letters, dismissed ones too. Shape: some thousands at a time."""
        question = {"of_plex": plex_id, "scene_ids": list(scene_ids)}
        with self._database.read() as connection:
            return tuple(map(_letter_of, connection.execute(_OF_SCENES, question)))

    def dismiss(self, plex_id: PlexId, scene_ids: Collection[SceneId], now: datetime) -> int:
        """Dismiss those of the scenes that are dead now; return how many. Shape: some thousands at a time."""
        question = {"of_plex": plex_id, "scene_ids": list(scene_ids), "now": to_micros(now)}
        with self._database.write() as connection:
            return connection.execute(_DISMISS, question).rowcount

    def count_dismissed(self, plex_id: PlexId) -> int:
        """Return how many dismissed dead letters are kept."""
        with self._database.read() as connection:
            return connection.execute(_COUNT_DISMISSED, {"of_plex": plex_id}).scalar_one()

    def remove_dismissed(self, before: datetime) -> int:
        """Remove what was dismissed before a time, with links and journal: one short step. Return how many that were.

        Shape: at most `PAGE` per call; fewer means that nothing is left.
        """
        with self._database.write() as connection:
            return connection.execute(_REMOVE, {"before": to_micros(before)}).rowcount


def _letter_of(row: Any) -> DeadLetter:
    *columns, dismissed_at = row
    return DeadLetter(entry_of(columns), None if dismissed_at is None else from_micros(dismissed_at))
