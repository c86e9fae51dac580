"""One life of the process under test, and how it ends: at a commit, at a request, or by a shot from outside.

A dead process does nothing more: its tasks are cancelled and every door to the outside (the store, the network) raises
`ProcessDied`, so no `finally` can tidy up after a SIGKILL. Locks fall, as the operating system drops them.
Invariant: what was committed before the death stays, what was not is gone.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import trio
from sqlalchemy import Connection
from typing_extensions import override

from stashplex.base.errors import Server
from stashplex.store.database import Database

HOT_PER_S = 1_500
"""Reads, commits and requests of one process in one second beyond which it spins."""


class ProcessDied(BaseException):
    """This process was killed."""


@dataclass(eq=False)
class Life:
    """One process from start to death. Shape: `name` is unique in a run; `worker` is the seat that it fills."""

    name: str
    worker: int
    roll: "Callable[[Life, str], bool]"
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    is_dead: bool = False
    is_stopped: bool = False
    paused_until_s: float = 0.0
    reads: int = 0
    commits: int = 0
    sent: Counter[Server] = field(default_factory=Counter)
    on_commit: "Callable[[Life], None]" = field(default=lambda _: None)
    on_spin: Callable[[str], None] = field(default=lambda _: None)
    _second: int = -1
    _steps: int = 0

    def door(self) -> None:
        """Let only the living pass, and see that it does not spin (I9). Raises: ProcessDied."""
        if self.is_dead:
            raise ProcessDied(self.name)
        second = int(trio.current_time())
        self._steps = self._steps + 1 if second == self._second else 0
        self._second = second
        if self._steps > HOT_PER_S:
            self.on_spin(f"{self.name} made {self._steps} steps within a second")
            self.kill()
            raise ProcessDied(self.name)

    def crash_point(self, where: str) -> None:
        """Die here if the dice say so. Raises: ProcessDied."""
        self.door()
        if self.roll(self, where):
            self.kill()
            self.door()

    async def thaw(self) -> None:
        """Wait while this process is stopped in its tracks."""
        if not self.is_dead and trio.current_time() < self.paused_until_s:
            await trio.sleep_until(self.paused_until_s)

    def kill(self) -> None:
        """End this process."""
        self.is_dead = True
        self.scope.cancel()


class WatchedDatabase(Database):
    """The real store of one process; it may die at each commit, and each commit is looked at."""

    life: Life

    @classmethod
    def of(cls, database: Database, life: Life) -> None:
        """Make an open database belong to a process."""
        database.__class__ = cls
        assert isinstance(database, cls)
        database.life = life

    @override
    @contextmanager
    def read(self) -> Iterator[Connection]:
        self.life.door()
        self.life.reads += 1
        with super().read() as connection:
            yield connection

    @override
    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.life.door()
        with super().write() as connection:
            yield connection
            self.life.crash_point("before a commit")
        self.life.commits += 1
        self.life.on_commit(self.life)
        self.life.crash_point("after a commit")
