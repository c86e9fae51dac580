"""One seeded run: programs are started, killed at chosen moments, started again while people edit; then all is checked.

The seed decides who runs, where each kill strikes and what people do. What depends on real time (a kill after so many
milliseconds) differs a little between replays; what a trap at request n decides does not.
"""

import json
import random
import signal
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from threading import Event

from crash.books import read_copy
from crash.oracle import check
from crash.program import Forked, Program
from crash.scenery import Scenery
from crash.trigger import COVER, STASH_QUERY, Trap
from stashplex.base.clock import SystemClock

KILLS = 5
"""Per run: one more could bury an innocent entry that was held at each of them, as the rules say."""

STOP_S = 10.0
QUIET_S = 45.0
NEXT_KILL_S = 5.0
"""So long a trap may wait for its request; then the kill strikes where it is."""

KINDS = ("edit", "edit", "upload", "batch_get", "list", STASH_QUERY, COVER)


class Crew(StrEnum):
    """Who works on the store."""

    ONE = "one service"
    TWO = "two services"
    SYNC = "a service and now and then a sync"


class Drama:
    """A run."""

    def __init__(self, scenery: Scenery, folder: Path, seed: int, kills: int = KILLS) -> None:
        self.scenery = scenery
        self.kills = 0
        self._wanted = kills
        self._dice = random.Random(f"drama {seed}")
        self._folder = folder
        self._clock = SystemClock()
        self._programs: list[Program] = []
        self._strikes: Counter[int] = Counter()
        self.crew = self._dice.choices(list(Crew), [6, 2, 2])[0]
        self.story: list[str] = [str(self.crew)]

    def run(self) -> None:
        """Play it. Raises: AssertionError with the story."""
        folder = self._folder
        folder.mkdir(exist_ok=True)
        try:
            while self.kills < self._wanted:
                self._start()
                self._strike()
                self._aftermath()
            self._finish()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.told()}") from error
        finally:
            self.scenery.do(self.scenery.trigger.disarm)
            for program in self._programs:
                program.kill()

    def told(self) -> str:
        """Return what happened, and what the programs said."""
        said = (f"--- {one.err.name}\n{one.err.read_text()[-3_000:]}" for one in self._programs if one.err.exists())
        return "\n".join([*self.story, *said])

    def launch(self, *arguments: str) -> Program:
        """Start a command."""
        program = Forked(self._folder, f"{len(self._programs)}-{arguments[0]}", self.scenery.environment(), arguments)
        self._programs.append(program)
        self.story.append(f"start {arguments[0]} as {program.pid}")
        return program

    # the parts of a run

    def _alive(self) -> list[Program]:
        return [program for program in self._programs if program.is_alive]

    def _start(self) -> None:
        """Start what does not run; leave some work for it."""
        for _ in range(self._dice.randint(1, 4)):
            self.scenery.edit()
        services = [program for program in self._alive() if program.is_service]
        for _ in range(len(services), 2 if self.crew is Crew.TWO else 1):
            self.launch("serve")
        if self.crew is Crew.SYNC and len(self._alive()) < 2:
            self.launch("sync", "--json", "--wait", "0")

    def _strike(self) -> None:
        """Let exactly one process die."""
        before = self.kills
        act = self._dice.choices([self._at_request, self._at_time, self._at_commit, self._at_fold], [12, 4, 3, 1])[0]
        is_time = act()
        until_s = self._clock.monotonic_s() + NEXT_KILL_S
        next_edit_s = 0.0
        while self.kills == before:
            now_s = self._clock.monotonic_s()
            if now_s > until_s or is_time():
                self._kill(0)
            if now_s > next_edit_s:
                self.scenery.edit()
                next_edit_s = now_s + self._dice.uniform(0.05, 0.4)
            _pause(0.001)
        self.scenery.do(self.scenery.trigger.disarm)

    def _at_request(self) -> Callable[[], bool]:
        kinds = frozenset() if self._dice.random() < 0.3 else frozenset({self._dice.choice(KINDS)})
        number = self._dice.randint(1, 4 if kinds else 16)
        trap = Trap(kinds, number, is_before=self._dice.random() < 0.4)
        self.story.append(f"trap: {'before' if trap.is_before else 'after'} {'/'.join(kinds) or 'any'} {number}")
        self.scenery.do(self.scenery.trigger.arm, trap, self._kill)
        return lambda: False

    def _at_time(self) -> Callable[[], bool]:
        wait_s = self._dice.uniform(0.0, 0.9)
        until_s = self._clock.monotonic_s() + wait_s
        self.story.append(f"trap: after {wait_s:.3f} s")
        return lambda: self._clock.monotonic_s() > until_s

    def _at_commit(self) -> Callable[[], bool]:
        """Strike as soon as the log of the store has changed so often."""
        left = self._dice.randint(1, 12)
        log = self.scenery.database.with_name(f"{self.scenery.database.name}-wal")
        last = _stamp(log)
        self.story.append(f"trap: after commit {left}")

        def is_time() -> bool:
            nonlocal left, last
            now = _stamp(log)
            if now != last:
                left, last = left - 1, now
            return left <= 0

        return is_time

    def _at_fold(self) -> Callable[[], bool]:
        """Strike as soon as the first event disappears from the spool."""
        last = self._events()
        self.story.append("trap: at a fold")

        def is_time() -> bool:
            nonlocal last
            before, last = last, self._events()
            return last < before

        return is_time

    def _events(self) -> int:
        return sum(1 for _ in self.scenery.spool.glob("*.json"))

    def _kill(self, port: int) -> None:
        """Kill the owner of a port, or anybody."""
        alive = self._alive()
        owners = [program for program in alive if port and program.owns(port)]
        for program in (owners or alive)[:1]:
            if program.kill():
                self.kills += 1
                self.story.append(f"killed {program.pid}")

    def _aftermath(self) -> None:
        """Look at what the dead left; let people do something when nobody is alive."""
        rows = self.scenery.rows() if self._alive() else read_copy(self.scenery.database)
        for row in rows:
            self._strikes[row.scene] += row.token is not None
            assert row.retry_count <= self._strikes[row.scene], f"attempts were spent by nobody's death: {row}"
            assert row.state != "dead", f"an innocent entry is dead: {row}"
        self.story.append(f"held: {[row.scene for row in rows if row.token]}")
        if not self._alive():
            until(lambda: not self.scenery.trigger.in_flight, "the servers are quiet")
            held = [row.scene for row in rows if row.token] or list(range(1, self.scenery.films + 1))
            if self._dice.random() < 0.5:
                self.scenery.add_own_genre(self._dice.choice(held))
            for _ in range(self._dice.randrange(3)):
                self.scenery.edit(self._dice.choice(held))

    def _finish(self) -> None:
        """Let the programs come to rest, stop them, and check everything."""
        self._start()
        until(lambda: is_quiet(self.scenery), "all entries are settled")
        how = self._dice.choice((signal.SIGTERM, signal.SIGINT))
        for program in self._alive():
            if program.is_service:
                program.send(how)
        for program in self._programs:
            code = program.exit_code(STOP_S)
            allowed = (0,) if program.is_service else (0, 1)  # 1: the service had hold of some scenes
            assert program.was_killed or code in allowed, f"{program.err.name} ended with {code}"
        check(self.scenery)
        again = self.launch("sync", "--json", "--wait", "0")
        assert again.exit_code(QUIET_S) == 0, "the sync afterwards failed"
        report = json.loads(again.out.read_text())
        told = (report["scenes"], report["unchanged"], report["writes"], report["uploads"])
        assert told == (self.scenery.films, self.scenery.films, 0, 0), f"the sync afterwards: {report}"
        check(self.scenery)


def is_quiet(scenery: Scenery) -> bool:
    """Tell whether no event waits and every entry is settled. Shape: a program has the store open."""
    rows = scenery.rows()
    return not any(scenery.spool.glob("*.json")) and bool(rows) and all(row.is_settled for row in rows)


def until(is_true: Callable[[], bool], what: str, patience_s: float = QUIET_S) -> None:
    """Wait until something is true. Raises: AssertionError when that takes too long."""
    clock = SystemClock()
    until_s = clock.monotonic_s() + patience_s
    while not is_true():
        assert clock.monotonic_s() < until_s, f"waited in vain until {what}"
        _pause(0.02)


def _pause(pause_s: float) -> None:
    Event().wait(pause_s)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (stat.st_size, stat.st_mtime_ns)
