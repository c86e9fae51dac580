"""The ledger: one row per scene and Plex server, and the moves between its states.

`domain.entry` decides where an entry goes, this module makes it durable; each public method is one short transaction
(`mark` is one per chunk). It knows no clock, no server and no retry rule.
Invariant: an entry has at most one valid lease, and only the holder of its token settles it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row

from stashplex.domain.entry import Entry, EntryId, PlexId, Priority, State, Transition, expired
from stashplex.domain.journal import JournalEvent, JournalRow
from stashplex.domain.link import Link
from stashplex.domain.outcome import HELD
from stashplex.domain.retry import DEFAULT_RULES, RetryRules
from stashplex.domain.scene import SceneId
from stashplex.store import journal, statements
from stashplex.store.database import Database
from stashplex.store.schema import from_micros, render_base, render_intent, to_micros

MARK_CHUNK = 5_000
"""Scenes marked in one transaction: some 50 ms, so that nobody else waits long."""

KNOWN_CHUNK = 5_000

SHARED = "shared-"
"""Begins the token of a lease whose holder works on other entries too: its death buries none of them."""


@dataclass(frozen=True, slots=True)
class Leased:
    """An entry handed out, with the items it was linked to when it was last settled."""

    entry: Entry
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a pass over one leased entry ended.

    Shape: `generation` is that of the entry as it was leased; `links` replaces all of them, None leaves them.
    """

    entry_id: EntryId
    generation: int
    transition: Transition
    links: tuple[Link, ...] | None = None
    journal: tuple[JournalRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Adoption:
    """An entry as another program left it. Shape: `transition` is PENDING or DEAD; `story` goes into the journal."""

    scene_id: SceneId
    transition: Transition
    story: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries of one Plex server stand where.

    Shape: `due` and `waiting` are the two parts of `pending`; `dismissed` ones are not among the `dead`.
    """

    pending: int
    leased: int
    synced: int
    dead: int
    due: int
    waiting: int
    dismissed: int


class Ledger:
    """The durable entries of all Plex servers. Every method raises StoreError when the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plex_id(self, machine_identifier: str, name: str) -> PlexId:
        """Return the id of a Plex server, which is new or known by its machine identifier; its name follows."""
        with self._database.read() as connection:
            known = connection.execute(statements.FIND_PLEX, {"machine_identifier": machine_identifier}).one_or_none()
        if known is not None and known.name == name:
            return PlexId(known.id)
        with self._database.write() as connection:
            identity = {"machine_identifier": machine_identifier, "name": name}
            return PlexId(connection.execute(statements.ADD_PLEX, identity).scalar_one())

    def mark(
        self,
        plex_id: PlexId,
        scene_ids: Iterable[SceneId],
        *,
        now: datetime,
        priority: Priority = Priority.BULK,
        due_at: datetime | None = None,
        spares_dismissed: bool = False,
        changed_by: datetime | None = None,
    ) -> int:
        """Say that scenes may differ, and return how many that were. Idempotent; all are durable on return.

        An entry that waits becomes due at `due_at` (or now) unless it is due earlier, and keeps its retry count; a
        settled or dead one starts afresh; a leased one is worked on again after its lease, afresh (after
        its holder's death only for an urgent mark). A dismissed one
        starts afresh, too, or stays as it is for a mark that concerns every scene (`spares_dismissed`). A mark that
        may be known already tells by when the scenes had changed (`changed_by`): what died after that stays dead.
        Shape: any number of ids, read as needed; chunks are separate transactions.
        """
        statement = statements.MARK_SPARING if spares_dismissed else statements.MARK
        shared = {"plex_id": plex_id, "priority": priority.value, "due_at": to_micros(due_at or now)}
        if changed_by is not None:
            statement = statements.MARK_AGAIN
            shared["changed_by"] = to_micros(changed_by)
        ids = iter(scene_ids)
        marked = 0
        while chunk := [{"scene_id": scene_id, **shared} for scene_id in islice(ids, MARK_CHUNK)]:
            with self._database.write() as connection:
                statement.execute(connection, chunk)
            marked += len(chunk)
        return marked

    def adopt(self, plex_id: PlexId, adoptions: Iterable[Adoption], *, now: datetime) -> int:
        """Take entries over with their story, and return how many. A scene that has an entry keeps it as it is.

        Shape: at most one per scene, any number, read as needed; chunks are separate transactions.
        """
        rest = iter(adoptions)
        adopted = 0
        while chunk := {one.scene_id: one for one in islice(rest, MARK_CHUNK)}:
            question = {"plex_id": plex_id, "scene_ids": list(chunk)}
            with self._database.write() as connection:
                known = {scene_id for scene_id, _ in connection.execute(statements.IDS, question)}
                statements.ADOPT.execute(connection, (_adopt(plex_id, one) for one in chunk.values()))
                new = [row for row in connection.execute(statements.IDS, question) if row.scene_id not in known]
                stories = ((EntryId(row.id), chunk[row.scene_id].story) for row in new)
                journal.append(
                    connection,
                    (
                        (entry_id, JournalRow(now, JournalEvent.ENTRY_ADOPTED, detail=story))
                        for entry_id, story in stories
                        if story
                    ),
                )
            adopted += len(new)
        return adopted

    def lease(
        self, plex_id: PlexId, *, owner: str, token: str, limit: int, now: datetime, until: datetime
    ) -> tuple[Leased, ...]:
        """Hand out up to `limit` due entries until a time, those of higher priority first, then those due first.

        An entry whose lease ran out is not among them: `rescue` hands these out. `token` is unique to this call; it
        begins with `SHARED` when its holder works on more than one entry.
        """
        question = {"plex_id": plex_id, "now": to_micros(now), "limit": limit}
        with self._database.write() as connection:
            rows = connection.execute(statements.DUE, question).all()
            handed = [statements.entry_of(row, until) for row in rows]
            statements.LEASE.execute(connection, (_lease(entry, owner, token) for entry in handed))
            links = _by_entry(connection.execute(statements.LINKS_LEASED, {"token": token}))
        return tuple(Leased(entry, links.get(entry.id, ())) for entry in handed)

    def rescue(
        self,
        plex_id: PlexId,
        *,
        owner: str,
        token: str,
        now: datetime,
        until: datetime,
        rules: RetryRules = DEFAULT_RULES,
    ) -> Leased | None:
        """Hand out one entry whose lease ran out, alone: it may be what killed its last holder.

        The run-out lease costs an attempt; beyond its limit an entry that was alone in it is buried instead
        (`domain.entry.expired`), and the next one is looked at. Handed out alone, an entry cannot spend the attempts of
        its neighbours. `token` does not begin with `SHARED`.
        """
        question = {"plex_id": plex_id, "now": to_micros(now)}
        with self._database.write() as connection:
            while (row := connection.execute(statements.EXPIRED, question).one_or_none()) is not None:
                *columns, held = row
                was_alone = not held.startswith(SHARED)
                entry = _rescued(statements.entry_of(columns), now, until, rules, was_alone=was_alone)
                if entry.state is State.LEASED:
                    statements.LEASE.execute(connection, [_lease(entry, owner, token)])
                    links = _by_entry(connection.execute(statements.LINKS_LEASED, {"token": token}))
                    return Leased(entry, links.get(entry.id, ()))
                _bury(connection, [entry], now)
        return None

    def settle(self, token: str, settlements: Sequence[Settlement], now: datetime) -> int:
        """Move leased entries on, with their links and their journal, all together; return how many were moved.

        An entry that no longer carries `token` is left alone, with its links and without a journal row. One that
        was marked during its lease becomes pending and due at once with all its tries, whatever its transition says;
        with those that it has when it only waits for a server, as nothing was tried.
        Shape: at most one settlement per entry.
        """
        with self._database.write() as connection:
            held = {row.id: row for row in connection.execute(statements.HELD, {"token": token})}
            ours = [one for one in settlements if one.entry_id in held]
            moves = (_settle(one, held[one.entry_id], token, now) for one in ours)
            statements.SETTLE.execute(connection, moves)
            _replace_links(connection, ours)
            journal.append(connection, ((one.entry_id, row) for one in ours for row in one.journal))
        return len(ours)

    def release(self, token: str, now: datetime) -> int:
        """Hand back what is still leased under `token`, due at once, no attempt spent; return how many."""
        with self._database.write() as connection:
            return connection.execute(statements.RELEASE, {"token": token, "now": to_micros(now)}).rowcount

    def next_due_at(self, plex_id: PlexId) -> datetime | None:
        """Return when there is something to lease next (maybe in the past), None when nothing is open."""
        with self._database.read() as connection:
            found: Sequence[int | None] = (
                connection.execute(statements.NEXT_DUE_AT, {"plex_id": plex_id}).scalars().all()
            )
        earliest = min((due for due in found if due is not None), default=None)
        return None if earliest is None else from_micros(earliest)

    def counts(self, plex_id: PlexId, *, now: datetime) -> Counts:
        """Return how many entries stand where, counted in indexes alone."""
        with self._database.read() as connection:
            row = connection.execute(statements.COUNTS, {"plex_id": plex_id, "now": to_micros(now)}).one()
        pending = row.open_entries - row.leased
        due = row.due - row.expired
        return Counts(
            pending=pending,
            leased=row.leased,
            synced=row.all_entries - row.open_entries - row.dead,
            dead=row.dead - row.dismissed,
            due=due,
            waiting=pending - due,
            dismissed=row.dismissed,
        )

    def find(self, plex_id: PlexId, scene_id: SceneId) -> Entry | None:
        """Return the entry of a scene."""
        with self._database.read() as connection:
            row = connection.execute(statements.FIND, {"plex_id": plex_id, "scene_id": scene_id}).one_or_none()
        return None if row is None else statements.entry_of(row)

    def links_of(self, entry_id: EntryId) -> tuple[Link, ...]:
        """Return the links of an entry, in the order in which they were settled."""
        with self._database.read() as connection:
            return _by_entry(connection.execute(statements.LINKS_OF, {"entry_id": entry_id})).get(entry_id, ())

    def scenes_known(self, plex_id: PlexId, scene_ids: Collection[SceneId]) -> frozenset[SceneId]:
        """Return those of the scenes that have an entry. Shape: some thousands at a time."""
        known: set[SceneId] = set()
        ids = iter(scene_ids)
        with self._database.read() as connection:
            while chunk := list(islice(ids, KNOWN_CHUNK)):
                question = {"plex_id": plex_id, "scene_ids": chunk}
                known.update(SceneId(scene_id) for (scene_id,) in connection.execute(statements.KNOWN, question))
        return frozenset(known)

    def list_entries(
        self, plex_id: PlexId, *, state: State | None = None, after_id: int = 0, limit: int = 100
    ) -> tuple[Entry, ...]:
        """Return one page of entries by id; the next page starts after the last id of this one."""
        question = {"plex_id": plex_id, "after_id": after_id, "limit": limit}
        with self._database.read() as connection:
            return tuple(map(statements.entry_of, connection.execute(statements.PAGES[state], question)))

    def iter_entries(
        self, plex_id: PlexId, *, state: State | None = None, after_id: int = 0, limit: int = 1_000
    ) -> Iterator[Entry]:
        """Yield all entries by id, `limit` per read; no snapshot stays open between the reads."""
        while page := self.list_entries(plex_id, state=state, after_id=after_id, limit=limit):
            yield from page
            after_id = page[-1].id

    def count_links(self, plex_id: PlexId) -> int:
        """Return how many items are linked."""
        with self._database.read() as connection:
            return connection.execute(statements.COUNT_LINKS, {"plex_id": plex_id}).scalar_one()


def _rescued(entry: Entry, now: datetime, until: datetime, rules: RetryRules, *, was_alone: bool) -> Entry:
    """Return an entry whose lease ran out as it is handed out again, or DEAD when that was one too many."""
    transition = expired(entry, now, rules, was_alone=was_alone)
    is_dead = transition.state is State.DEAD
    return replace(
        entry,
        state=State.DEAD if is_dead else State.LEASED,
        due_at=None if is_dead else until,
        retry_count=transition.retry_count,
        last_error_type=transition.last_error_type,
        last_error=transition.last_error,
        first_failed_at=transition.first_failed_at,
        last_failed_at=transition.last_failed_at,
    )


def _bury(connection: Connection, entries: Sequence[Entry], now: datetime) -> None:
    """Bury entries whose lease ran out too often; those marked during the last of these leases are not among them."""
    buried = ({**_columns(entry), "new_settled": entry.generation, "entry_id": entry.id} for entry in entries)
    statements.BURY.execute(connection, buried)
    rows = ((entry.id, JournalRow(now, JournalEvent.ENTRY_BURIED, detail=entry.last_error)) for entry in entries)
    journal.append(connection, rows)


def _lease(entry: Entry, owner: str, token: str) -> Mapping[str, object]:
    return {**_columns(entry), "entry_id": entry.id, "new_owner": owner, "new_token": token}


def _settle(one: Settlement, held: Row[*tuple[Any, ...]], token: str, now: datetime) -> Mapping[str, object]:
    """Return the row after a settlement. `held` is the row now: its generation and its retry count."""
    transition = one.transition
    is_done = transition.state is not State.PENDING
    if held.generation != one.generation:
        afresh = Transition(State.PENDING, now, 0, None, None, None)
        spent = min(transition.retry_count, held.retry_count) if transition.last_error_type in HELD else 0
        transition = afresh if is_done else replace(transition, due_at=now, retry_count=spent)
    return {
        **_columns(transition),
        "new_settled": one.generation if is_done else None,
        "entry_id": one.entry_id,
        "token": token,
    }


def _adopt(plex_id: PlexId, one: Adoption) -> Mapping[str, object]:
    return {
        **_columns(one.transition),
        "plex_id": plex_id,
        "scene_id": one.scene_id,
        "priority": Priority.BULK.value,
        "new_settled": 0 if one.transition.state is State.PENDING else 1,
    }


def _columns(row: Entry | Transition) -> dict[str, object]:
    return {
        "new_state": row.state.value,
        "new_due_at": None if row.due_at is None else to_micros(row.due_at),
        "new_retry_count": row.retry_count,
        "new_error_type": row.last_error_type,
        "new_error": row.last_error,
        "new_first_failed_at": None if row.first_failed_at is None else to_micros(row.first_failed_at),
        "new_last_failed_at": None if row.last_failed_at is None else to_micros(row.last_failed_at),
    }


def _by_entry(rows: Iterable[Row[*tuple[Any, ...]]]) -> Mapping[EntryId, tuple[Link, ...]]:
    links: dict[EntryId, tuple[Link, ...]] = {}
    for row in rows:
        entry_id = EntryId(row.entry_id)
        links[entry_id] = (*links.get(entry_id, ()), statements.link_of(row))
    return links


def _replace_links(connection: Connection, settlements: Sequence[Settlement]) -> None:
    replaced = [(one.entry_id, one.links) for one in settlements if one.links is not None]
    statements.FORGET_LINKS.execute(connection, ({"of_entry": entry_id} for entry_id, _ in replaced))
    added = (
        {
            "entry_id": entry_id,
            "rating_key": link.rating_key,
            "section": link.section,
            "evidence": link.evidence.value,
            "file": link.file,
            "base": render_base(link.base),
            "intent": render_intent(link.intent),
        }
        for entry_id, links in replaced
        for link in links
    )
    statements.ADD_LINK.execute(connection, added)
