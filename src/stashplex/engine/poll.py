"""Asks Stash every minute what it stamped since: closes the gaps that hooks leave (stash-wire.md 3.7).

Not the truth: what Stash does not stamp is for a sweep. Stash compares times as text in its own zone and has whole
seconds (5.5), so each look overlaps the one before by more than an hour, now and then by more than a day, and what was
seen there is told apart by its stamp. Invariants: a stamp that is new to us is a change, whatever any clock says; what
was seen is remembered only after its mark was durable; nothing is written while nothing changed.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone

import structlog

from stashplex.base.clock import Clock
from stashplex.base.errors import ServerError, ServerHeld
from stashplex.domain.entry import PlexId
from stashplex.domain.scene import SceneId
from stashplex.engine.intake import Intake
from stashplex.engine.recheck import Recheck
from stashplex.stash.changes import KIND_OF, Change, Subject
from stashplex.stash.client import StashClient
from stashplex.store.cursors import Cursors

logger = structlog.get_logger()

PAGE = 1_000
OVERLAP = timedelta(minutes=2)
"""What was stamped so short before the end of an earlier run is looked at again after a start."""

STAMPED_IN = timedelta(seconds=1)
"""A stamp has whole seconds: so much later, at most, the change was made."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

NARROW = timedelta(minutes=65)
"""A zone that puts its clock back by an hour writes stamps that sort an hour too early."""

WIDE = timedelta(hours=26)
WIDE_LOOK_S = 3_600.0
"""Another zone altogether: looked for at the start and once an hour."""


class Poll:
    """Polls one Stash for one Plex server. `is_waiting` tells which scenes will be marked anyway."""

    def __init__(
        self,
        *,
        stash: StashClient,
        intake: Intake,
        recheck: Recheck,
        cursors: Cursors,
        plex_id: PlexId,
        clock: Clock,
        is_waiting: Callable[[SceneId], bool],
    ) -> None:
        self._stash = stash
        self._intake = intake
        self._recheck = recheck
        self._cursors = cursors
        self._name = f"polled.{plex_id}"
        self._clock = clock
        self._is_waiting = is_waiting
        self._seen: dict[Subject, dict[int, str]] | None = None
        self._wide_at_s = 0.0
        self._newest: datetime | None = None
        self._newest_at_s = 0.0
        self._until: datetime | None = None
        self._is_new = False

    async def run_once(self) -> int:
        """Mark what Stash stamped since the last look; return how many scenes. A server's failure is for the next."""
        try:
            return await self._look()
        except ServerHeld:
            return 0
        except ServerError as error:
            logger.info("poll_failed", error=str(error))
            return 0

    async def _look(self) -> int:
        now_s = self._clock.monotonic_s()
        until = self._polled_until()
        is_first = self._seen is None
        is_wide = is_first or self._newest is None or now_s - self._wide_at_s >= WIDE_LOOK_S
        seen: dict[Subject, dict[int, str]] = self._seen or {}
        listed: dict[Subject, dict[int, str]] = {}
        after = dict.fromkeys(await self._stash.subjects(), 0)
        is_counting = True
        marked = 0
        while after:
            since = self._since(until, now_s, is_wide=is_wide)
            page = await self._stash.changes(after, since, page_size=PAGE, is_counting=is_counting)
            if is_counting:
                marked += await self._recheck.notice(page.counts)
                is_counting = False
            for subject, rows in page.rows.items():
                known = seen.setdefault(subject, {})
                changed = [row for row in rows if known.get(row.id) != row.stamp]
                if not is_first:
                    marked += await self._mark(subject, changed)
                else:
                    marked += await self._mark_again(subject, [row for row in changed if row.at > until - OVERLAP])
                known.update((row.id, row.stamp) for row in rows)
                listed.setdefault(subject, {}).update((row.id, row.stamp) for row in rows)
                self._note_newest(rows, now_s)
                after = _advanced(after, subject, rows)
        if is_wide:
            self._wide_at_s = now_s
            seen = listed
        self._seen = seen
        self._remember(until)
        return marked

    async def _mark_again(self, subject: Subject, changed: Sequence[Change]) -> int:
        """Mark what an earlier run may have marked already: no dead letter revives that is younger than its change.

        A stamp that lies in the future does not tell when the change was made, and revives none.
        """
        now = self._clock.now()
        past = [row for row in changed if row.at <= now]
        future = [row for row in changed if row.at > now]
        newest = max((row.at for row in past), default=LONG_AGO) + STAMPED_IN
        return await self._mark(subject, past, newest) + await self._mark(subject, future, LONG_AGO)

    async def _mark(self, subject: Subject, changed: Sequence[Change], changed_by: datetime | None = None) -> int:
        if not changed:
            return 0
        kind = KIND_OF.get(subject)
        if kind is not None:
            return await self._intake.mark_of(kind, [row.id for row in changed], changed_by=changed_by)
        scenes = [SceneId(row.id) for row in changed if not self._is_waiting(SceneId(row.id))]
        return self._intake.mark_changed(scenes, changed_by=changed_by) if scenes else 0

    def _since(self, until: datetime, now_s: float, *, is_wide: bool) -> str:
        """Return the time to ask for as Stash's text.

        The newest stamp and the time since it was seen tell what Stash's clock shows at least, wherever it stands.
        """
        if is_wide or self._newest is None:
            return (until - WIDE).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        at_least = self._newest + timedelta(seconds=now_s - self._newest_at_s)
        return (at_least - NARROW).strftime("%Y-%m-%dT%H:%M:%S")

    def _note_newest(self, rows: Sequence[Change], now_s: float) -> None:
        """Remember the newest stamp, but never one that lies in the future: it would hide what comes before it."""
        latest = self._clock.now()
        for row in rows:
            if row.at <= latest and (self._newest is None or row.at > self._newest):
                self._newest, self._newest_at_s = row.at, now_s

    def _polled_until(self) -> datetime:
        """Return up to which stamp an earlier run has looked. The first run begins now: a first sync did the rest."""
        if self._until is None:
            known = _parsed(self._cursors.find(self._name))
            self._is_new = known is None
            self._until = min(known or self._clock.now(), self._clock.now())
        return self._until

    def _remember(self, until: datetime) -> None:
        """Remember how far was looked, by Stash's clock: ours may show another time."""
        newest = self._newest or until
        if newest > until or self._is_new:
            self._cursors.put(self._name, newest.astimezone(UTC).isoformat())
            self._until, self._is_new = newest, False


def _advanced(after: dict[Subject, int], subject: Subject, rows: Sequence[Change]) -> dict[Subject, int]:
    """Return what is still to be asked for after a page of one subject."""
    rest = dict(after)
    if len(rows) < PAGE:
        del rest[subject]
    else:
        rest[subject] = rest[subject] + 1 if subject in KIND_OF else rows[-1].id
    return rest


def _parsed(raw: str | None) -> datetime | None:
    """Return a stored time; one that nobody understands is none."""
    try:
        moment = datetime.fromisoformat(raw or "")
    except ValueError:
        return None
    return moment if isinstance(moment.tzinfo, timezone) else None
