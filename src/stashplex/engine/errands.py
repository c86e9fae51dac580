"""Does what the spool says and Stash must be asked about: scenes of a performer, re-checks, wishes of people.

`Spooling` keeps the errands and their files; this part runs beside it, so that no question to Stash holds up the event
of a single scene. The invariants: many events of one thing are one question; while Stash cannot be asked, errands wait
on disk and are asked about later.
"""

from collections.abc import Sequence

import structlog

from stashplex.base.clock import Clock
from stashplex.base.errors import ConfigError, EntryError, ProtocolError, ServerError, SideEmpty
from stashplex.domain.event import Asked, Errand, Kind, OfAnybody, OfEntity
from stashplex.engine.intake import ASKED_AT_ONCE, Intake
from stashplex.engine.recheck import Recheck
from stashplex.engine.spooling import Spooling, Waiting
from stashplex.engine.wakeup import Wakeup
from stashplex.engine.wishes import Wishes

logger = structlog.get_logger()

QUIET_S = 2.0
LONGEST_QUIET_S = 30.0
"""A re-check waits until nothing more goes away for a moment: deleting five hundred tags is one re-check."""

REST_S = 5.0
LONGEST_REST_S = 60.0
"""How long nothing is asked after a server could not answer."""

Job = tuple[Errand, Waiting]


class Errands:
    """Does the errands of one spool. `wakeup` rings when scenes were marked."""

    def __init__(
        self,
        *,
        spooling: Spooling,
        intake: Intake,
        recheck: Recheck,
        wishes: Wishes,
        clock: Clock,
        wakeup: Wakeup,
    ) -> None:
        self._spooling = spooling
        self._intake = intake
        self._recheck = recheck
        self._wishes = wishes
        self._clock = clock
        self._wakeup = wakeup
        self._rest_until_s = 0.0

    async def run_once(self) -> None:
        """Do what waits and may go. Raises: StoreError, OSError."""
        if not self._spooling.has_errands or self._clock.monotonic_s() < self._rest_until_s:
            return
        for step in (self._grant_all, self._look_up_all, self._recheck_all):
            try:
                await step()
            except ServerError as error:
                self._rest(error)  # the others may need another server

    async def _grant_all(self) -> None:
        for job in self._ready(Asked):
            await self._grant(job)

    async def _look_up_all(self) -> None:
        for kind in Kind:
            await self._look_up(kind, [job for job in self._ready(OfEntity) if _is_of(kind, job[0])])

    async def _recheck_all(self) -> None:
        for job in self._ready(OfAnybody):
            if self._is_quiet(job[1]):
                self._note(await self._recheck.run(), [job])

    def _ready(self, shape: type[Asked | OfEntity | OfAnybody]) -> list[Job]:
        """Return the errands of one shape that may go now."""
        now_s = self._clock.monotonic_s()
        return [
            (errand, waiting)
            for errand, waiting in self._spooling.errands.items()
            if isinstance(errand, shape)
            and (
                isinstance(errand, Asked)
                or self._spooling.calm.may_go(errand, first_s=waiting.first_s, last_s=waiting.last_s, now_s=now_s)
            )
        ]

    def _is_quiet(self, waiting: Waiting) -> bool:
        now_s = self._clock.monotonic_s()
        return now_s - waiting.last_s >= QUIET_S or now_s - waiting.first_s >= LONGEST_QUIET_S

    async def _grant(self, job: Job) -> None:
        asked, waiting = job
        if not isinstance(asked, Asked):
            return
        try:
            marked = await self._wishes.grant(asked)
        except (SideEmpty, ConfigError, EntryError) as error:
            logger.warning("wish_refused", wish=asked.wish.value, error=str(error), hint=error.hint)
            self._spooling.refuse(asked, waiting, str(error))
        else:
            logger.info("wish_granted", wish=asked.wish.value, scenes=marked)
            self._note(marked, [job])

    async def _look_up(self, kind: Kind, jobs: Sequence[Job]) -> None:
        """Mark the scenes of things of one kind; what Stash cannot answer together is asked about one by one."""
        for start in range(0, len(jobs), ASKED_AT_ONCE):
            together = jobs[start : start + ASKED_AT_ONCE]
            try:
                self._note(await self._intake.mark_of(kind, _numbers(together)), together)
            except ProtocolError:
                await self._look_up_apart(kind, together)

    async def _look_up_apart(self, kind: Kind, jobs: Sequence[Job]) -> None:
        for job in jobs:
            try:
                self._note(await self._intake.mark_of(kind, _numbers([job])), [job])
            except ProtocolError as error:
                self._spooling.refuse(*job, str(error))

    def _note(self, marked: int, jobs: Sequence[Job]) -> None:
        for errand, waiting in jobs:
            self._spooling.done(errand, waiting)
        if marked:
            self._wakeup.ring()

    def _rest(self, error: ServerError) -> None:
        rest_s = REST_S if error.retry_after_s is None else min(max(error.retry_after_s, 1.0), LONGEST_REST_S)
        self._rest_until_s = self._clock.monotonic_s() + rest_s
        logger.info("errands_held", error=str(error))


def _is_of(kind: Kind, errand: Errand) -> bool:
    return isinstance(errand, OfEntity) and errand.kind is kind


def _numbers(jobs: Sequence[Job]) -> list[int]:
    return [errand.id for errand, _ in jobs if isinstance(errand, OfEntity)]
