"""What is about to be written, made durable before the first request of a pass.

A process that dies between a write and its settlement would otherwise forget what is its own in Plex, and take it for
the work of a person. The worker records intents, `settle` replaces them; `domain.merge.believed` reads them.
Invariant: an intent is recorded only by the holder of the lease.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert as upsert

from stashplex.domain.entry import EntryId
from stashplex.domain.link import Link
from stashplex.store.database import Database
from stashplex.store.schema import entry, link, render_base, render_intent

_HELD = select(entry.c.id).where(entry.c.lease_token == bindparam("token"))
_NEW = upsert(link).values(
    {name: bindparam(name) for name in ("entry_id", "rating_key", "section", "evidence", "file", "base", "intent")}
)
_RECORD = _NEW.on_conflict_do_update(
    index_elements=[link.c.entry_id, link.c.rating_key],
    # the base too: the planner has just learnt from the old intent what is ours, and nobody can learn it again
    set_={"base": _NEW.excluded.base, "intent": _NEW.excluded.intent},
)


@dataclass(frozen=True, slots=True)
class Intended:
    """A link of one entry with its intent set."""

    entry_id: EntryId
    link: Link


class Intents:
    """Records intents. Raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, token: str, intended: Sequence[Intended]) -> frozenset[EntryId]:
        """Record what is about to be written; return the entries that may be: their lease still has this token."""
        with self._database.write() as connection:
            held = frozenset(EntryId(found) for found in connection.execute(_HELD, {"token": token}).scalars())
            rows = [
                {
                    "entry_id": one.entry_id,
                    "rating_key": one.link.rating_key,
                    "section": one.link.section,
                    "evidence": one.link.evidence.value,
                    "file": one.link.file,
                    "base": render_base(one.link.base),
                    "intent": render_intent(one.link.intent),
                }
                for one in intended
                if one.entry_id in held
            ]
            if rows:
                connection.execute(_RECORD, rows)
        return held
