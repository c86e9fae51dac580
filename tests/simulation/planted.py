"""Faults to plant: each replaces one function or number of the program by a wrong one, as a bad change would.

A simulation that does not notice them proves nothing. Each is the smallest wrong version of the real thing, and each
name says what a person would have forgotten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import anyio.lowlevel
from sqlalchemy import bindparam, select, update

from simulation.planting import planted
from simulation.swap import swapped
from stashplex.base.errors import PlexNotFound
from stashplex.domain import merge, plan
from stashplex.domain.entry import State, Transition, expired, settled
from stashplex.domain.outcome import Hold, Outcome
from stashplex.engine import crawl, planner, work, worker
from stashplex.engine.planner import SceneGone
from stashplex.plex import client as plex_client
from stashplex.plex.edit import edit_queries
from stashplex.stash.client import StashClient
from stashplex.store import intents, ledger, owner, statements
from stashplex.store.batch import Batch
from stashplex.store.schema import entry

# the ledger


@planted
def generation_check_forgotten() -> Sequence[tuple[object, str, object]]:
    real = ledger._settle

    def settle(one: ledger.Settlement, held: Any, token: str, now: datetime) -> Mapping[str, object]:
        return real(replace(one, generation=held.generation), held, token, now)

    return [(ledger, "_settle", settle)]


@planted
def token_ignored() -> Sequence[tuple[object, str, object]]:
    held = select(entry.c.id, entry.c.generation, entry.c.retry_count).where(bindparam("token") != "")
    return [
        (statements, "HELD", held),
        (statements, "SETTLE", Batch(update(entry).where(statements._IS_ENTRY).values(**statements._LEFT))),
    ]


@planted
def mark_steals_a_lease() -> Sequence[tuple[object, str, object]]:
    def mark(self: ledger.Ledger, plex_id: Any, scene_ids: Any, *, now: datetime, **how: Any) -> int:
        numbers = list(scene_ids)
        count = real(self, plex_id, numbers, now=now, **how)
        with self._database.write() as connection:
            connection.execute(
                update(entry)
                .where(entry.c.scene_id.in_(numbers))
                .values(state="pending", lease_token=None, lease_owner=None, due_at=statements_micros(now))
            )
        return count

    real = ledger.Ledger.mark
    return [(ledger.Ledger, "mark", mark)]


@planted
def newest_mark_dropped() -> Sequence[tuple[object, str, object]]:
    """An event for an entry that is open already counts as a duplicate."""
    real = ledger.Ledger.mark

    def mark(self: ledger.Ledger, plex_id: Any, scene_ids: Any, **how: Any) -> int:
        numbers = list(scene_ids)
        found = {number: self.find(plex_id, number) for number in numbers}
        new = [number for number, one in found.items() if one is None or one.due_at is None]
        return real(self, plex_id, new, **how)

    return [(ledger.Ledger, "mark", mark)]


@planted
def release_spends_an_attempt() -> Sequence[tuple[object, str, object]]:
    wrong = statements.RELEASE.values(retry_count=entry.c.retry_count + 1)
    return [(statements, "RELEASE", wrong)]


@planted
def run_out_lease_is_free() -> Sequence[tuple[object, str, object]]:
    """Whoever kills the process may do so for ever."""

    def free(one: Any, now: datetime, *rest: Any, **how: Any) -> Transition:
        return replace(expired(replace(one, retry_count=0), now, *rest, **how), retry_count=one.retry_count)

    return [(ledger, "expired", free)]


@planted
def head_of_line() -> Sequence[tuple[object, str, object]]:
    """The oldest entry is handed out or nobody."""
    real = ledger.Ledger.lease

    def lease(self: ledger.Ledger, plex_id: Any, *, limit: int, now: datetime, **how: Any) -> Any:
        first = next((one for one in self.iter_entries(plex_id) if one.state is State.PENDING), None)
        if first is None or first.due_at is None or first.due_at > now:
            return ()
        return real(self, plex_id, limit=1, now=now, **how)

    return [(ledger.Ledger, "lease", lease)]


@planted
def latest_first() -> Sequence[tuple[object, str, object]]:
    return [(statements, "DUE", _due(entry.c.priority, entry.c.due_at.desc()))]


@planted
def priority_ignored() -> Sequence[tuple[object, str, object]]:
    return [(statements, "DUE", _due(entry.c.due_at))]


@planted
def waiting_ones_handed_out() -> Sequence[tuple[object, str, object]]:
    """Whoever is asked for is handed out, due or not."""
    latest = 2**62
    real = ledger.Ledger.lease

    def lease(self: ledger.Ledger, plex_id: Any, *, limit: int, now: datetime, **how: Any) -> Any:
        with swapped(ledger, "to_micros", lambda moment: latest if moment == now else statements_micros(moment)):
            return real(self, plex_id, limit=limit, now=now, **how)

    return [(ledger.Ledger, "lease", lease)]


@planted
def lease_of_the_living_taken() -> Sequence[tuple[object, str, object]]:
    """Another process's lease counts as an orphan's although its holder lives."""
    real = owner.Owners.expire_orphans

    def expire_orphans(self: owner.Owners, now: datetime) -> int:
        with self._database.read() as connection:
            names = [str(name) for name in connection.execute(owner._OWNERS).scalars()]
        return real(self, now) + sum(self._expire(name, now) for name in names if name != self._own)

    return [(owner.Owners, "expire_orphans", expire_orphans)]


@planted
def leases_kept_at_the_end() -> Sequence[tuple[object, str, object]]:
    return [(ledger.Ledger, "release", lambda *_, **__: 0)]


def _due(*order: Any) -> Any:
    """Return what is due in another order than that of priority and time."""
    is_due = (entry.c.plex_id == bindparam("plex_id"), entry.c.due_at <= bindparam("now"), entry.c.state != "leased")
    return select(*statements.ENTRY).where(*is_due).order_by(*order).limit(bindparam("limit"))


# attempts


@planted
def holds_counted() -> Sequence[tuple[object, str, object]]:
    def count(one: Any, outcome: Outcome, *rest: Any) -> Transition:
        made = settled(one, outcome, *rest)
        return replace(made, retry_count=made.retry_count + 1) if isinstance(outcome, Hold) else made

    return [(worker, "settled", count)]


@planted
def retries_without_limit() -> Sequence[tuple[object, str, object]]:
    def endless(one: Any, outcome: Outcome, rule: Any, *rest: Any) -> Transition:
        return settled(one, outcome, replace(rule, limit=1_000_000), *rest)

    return [(worker, "settled", endless)]


# the pass


@planted
def settled_before_the_write() -> Sequence[tuple[object, str, object]]:
    real = worker.Worker._write_all

    async def write_all(self: worker.Worker, works: Any, stop: Any) -> None:
        self._settle(works, stop.token)
        await real(self, works, stop)

    return [(worker.Worker, "_write_all", write_all)]


@planted
def no_read_back() -> Sequence[tuple[object, str, object]]:
    async def verify(self: worker.Worker, works: Sequence[work.Work]) -> None:
        await anyio.lowlevel.checkpoint()
        for write in (write for one in works for write in one.writes):
            write.is_verified = write.is_written

    return [(worker.Worker, "_verify", verify)]


@planted
def doubt_taken_for_success() -> Sequence[tuple[object, str, object]]:
    """A write without an answer counts as done."""
    real = work.judge

    def judge(one: work.Work, read: Any) -> Exception | None:
        return None if any(write.doubt for write in one.writes) else real(one, read)

    return [(worker, "judge", judge)]


@planted
def read_back_ignores_lists() -> Sequence[tuple[object, str, object]]:
    real = plan._is_taken
    return [
        (plan, "_is_taken", lambda change, shown: isinstance(change, plan.TagChange) or real(change, shown)),
    ]


@planted
def lease_end_ignored() -> Sequence[tuple[object, str, object]]:
    def check(self: Any, *_: object) -> None:
        if self.error is not None:
            raise self.error

    return [(worker._Stop, "check", check)]


@planted
def intent_not_written_down() -> Sequence[tuple[object, str, object]]:
    def record(self: intents.Intents, token: str, intended: Any) -> Any:
        with self._database.write() as connection:
            return frozenset(connection.execute(intents._HELD, {"token": token}).scalars())

    return [(intents.Intents, "record", record)]


@planted
def base_before_it_is_verified() -> Sequence[tuple[object, str, object]]:
    real = work._link_after
    return [(work, "_link_after", lambda write, **_: real(write, is_in_step=True))]


@planted
def match_not_verified() -> Sequence[tuple[object, str, object]]:
    return [(planner, "is_still_matched", lambda *_: True)]


@planted
def index_not_refreshed() -> Sequence[tuple[object, str, object]]:
    async def refresh_once(self: crawl.Crawler) -> bool:
        await anyio.lowlevel.checkpoint()
        if not self._crawls:
            await self.refresh(crawl._ignore)
            return True
        return False

    return [(crawl.Crawler, "refresh_once", refresh_once)]


@planted
def stale_values() -> Sequence[tuple[object, str, object]]:
    """What Stash said once is good enough."""
    real = StashClient.scenes

    async def scenes(self: StashClient, ids: Any) -> Any:
        known = _MEMORY.setdefault(id(self), {})
        numbers = list(ids)
        if missing := [number for number in numbers if number not in known]:
            known.update(await real(self, missing))
        return {number: known[number] for number in numbers if number in known}

    return [(StashClient, "scenes", scenes)]


_MEMORY: dict[int, dict[Any, Any]] = {}


@planted
def missing_scene_clears() -> Sequence[tuple[object, str, object]]:
    """A scene that Stash does not have looks like one without any values."""
    real = StashClient.scenes

    async def scenes(self: StashClient, ids: Any) -> Any:
        known = _MEMORY.setdefault(id(self), {})
        numbers = list(ids)
        found = await real(self, numbers)
        known.update(found)
        gone = {number: known[number] for number in numbers if number not in found and number in known}
        return found | {n: replace(s, details="", tags=(), performers=(), studio=None) for n, s in gone.items()}

    return [(StashClient, "scenes", scenes)]


@planted
def scene_gone_stays_open() -> Sequence[tuple[object, str, object]]:
    """A scene that left Stash is an error for ever."""
    real = work.work_of

    def work_of(leased: Any, planned_one: Any) -> work.Work:
        if isinstance(planned_one, SceneGone):
            return work.Work(leased, error=PlexNotFound("gone"))
        return real(leased, planned_one)

    return [(worker, "work_of", work_of)]


# whose values


@planted
def first_contact_clears() -> Sequence[tuple[object, str, object]]:
    real = merge._merged_text

    def merged(field: Any, desired: str, observed: str, base: str | None, way: Any) -> tuple[str, bool]:
        return (desired, False) if base is None else real(field, desired, observed, base, way)

    return [(merge, "_merged_text", merged)]


@planted
def foreign_tags_removed() -> Sequence[tuple[object, str, object]]:
    return [(merge, "_merged_tags", lambda desired, *_: (desired, False))]


@planted
def removed_tags_stay() -> Sequence[tuple[object, str, object]]:
    real = merge._merged_tags
    return [(merge, "_merged_tags", lambda desired, observed, _base, way: real(desired, observed, None, way))]


@planted
def people_overwritten() -> Sequence[tuple[object, str, object]]:
    """Stash wins even where only Plex changed."""
    real = merge._merged_text
    return [
        (
            merge,
            "_merged_text",
            lambda field, desired, observed, base, way: real(field, desired, observed, base and f"{base}?", way),
        ),
    ]


@planted
def edit_names_no_item() -> Sequence[tuple[object, str, object]]:
    def queries(*args: Any, **kwargs: Any) -> tuple[str, ...]:
        return tuple(
            "&".join(p for p in one.split("&") if not p.startswith("id=")) for one in edit_queries(*args, **kwargs)
        )

    return [(plex_client, "edit_queries", queries)]


def statements_micros(moment: datetime) -> int:
    """Return a time as the store keeps it."""
    return round(moment.timestamp() * 1_000_000)
