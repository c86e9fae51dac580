"""The job queue: one job at a time for the whole server, in the order they came.

Jobs outlive the request that started them and end with the server. A job's work may fail in two ways: `JobFailed`
makes it FAILED, anything a plugin did wrong leaves it FINISHED. The last ten ended jobs can still be found.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import anyio

from stashplex.sim.stash.log import Feed
from stashplex.sim.stash.refusal import RequestRefused
from stashplex.sim.stash.timetext import Stamper


class JobFailed(Exception):  # noqa: N818 - errors name the condition
    """The job could not do its work; the text is the job's `error`."""


@dataclass(slots=True, eq=False)
class Job:
    """One job. Attribute names are the GraphQL field names."""

    id: int
    description: str
    work: Callable[["Job"], Awaitable[None]]
    addTime: str  # noqa: N815 - the field's name on the wire
    status: str = "READY"
    progress: float | None = None
    startTime: str | None = None  # noqa: N815 - the field's name on the wire
    endTime: str | None = None  # noqa: N815 - the field's name on the wire
    error: str | None = None
    subTasks: list[str] | None = None  # noqa: N815 - the field's name on the wire
    scope: anyio.CancelScope | None = field(default=None, repr=False)


class Jobs:
    """The queue. Nothing runs unless `run` runs."""

    def __init__(self, stamper: Stamper) -> None:
        self.queue: list[Job] = []
        self.ended: deque[Job] = deque(maxlen=10)
        self.feed = Feed()
        self.is_running = False
        self._stamper = stamper
        self._next_id = 1
        self._added: anyio.Event | None = None

    def add(self, description: str, work: Callable[[Job], Awaitable[None]]) -> Job:
        """Put a job at the end of the queue. Raises: RequestRefused when nothing would ever run it."""
        if not self.is_running:
            raise RequestRefused("the simulated server runs no jobs: enter StashSim.running() first")
        job = Job(self._next_id, description, work, self._now())
        self._next_id += 1
        self.queue.append(job)
        self._tell("ADD", job)
        if self._added is not None:
            self._added.set()
        return job

    def find(self, job_id: int) -> Job | None:
        """Return a job that waits, runs or ended lately."""
        return next((job for job in (*self.queue, *self.ended) if job.id == job_id), None)

    def stop(self, job: Job) -> None:
        """End a job: at once, whatever it does."""
        if job.scope is not None:
            job.status = "STOPPING"
            job.scope.cancel()
        elif job in self.queue:
            self._end(job, "CANCELLED")

    def report(self, job: Job, progress: float) -> None:
        """Note how far a job is."""
        job.progress = progress
        self._tell("UPDATE", job)

    async def run(self) -> None:
        """Work through the queue until cancelled."""
        self.is_running = True
        try:
            while True:
                if not self.queue:
                    self._added = anyio.Event()
                    await self._added.wait()
                else:
                    await self._run_one(self.queue[0])
        finally:
            self.is_running = False

    async def _run_one(self, job: Job) -> None:
        job.status, job.startTime = "RUNNING", self._now()
        self._tell("UPDATE", job)
        with anyio.CancelScope() as job.scope:
            try:
                await job.work(job)
            except (JobFailed, RequestRefused) as error:
                job.error = str(error)
        is_cancelled, job.scope = job.scope.cancelled_caught, None
        self._end(job, "CANCELLED" if is_cancelled else "FINISHED" if job.error is None else "FAILED")

    def _end(self, job: Job, status: str) -> None:
        job.status, job.endTime = status, self._now()
        with suppress(ValueError):
            self.queue.remove(job)
        self.ended.append(job)
        self._tell("REMOVE", job)

    def _tell(self, kind: str, job: Job) -> None:
        self.feed.publish({"type": kind, "job": job})

    def _now(self) -> str:
        return self._stamper.precise(self._stamper.clock.now())
