"""One run from its seed: a world, processes that live and die in it, people, weather, and then calm and the verdict.

The process under test is one coroutine given an `App`. Invariant: whatever happens is drawn from the seed, and once the
weather is over the world must come to rest by itself within `CALM_S`.
"""

import io
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import trio
from typing_extensions import override

from asgi import AsgiTransport
from simulation.account import Account, Violation
from simulation.asking import Asking
from simulation.books import Books
from simulation.memory import Memory, Touch
from simulation.network import Network
from simulation.oracle import Oracle
from simulation.people import People
from simulation.poison import Poison
from simulation.process import Seat, Stand
from simulation.scenery import Scenery, arrange
from simulation.swap import swapped
from simulation.virtual import VirtualClock, run_virtually
from simulation.weather import Weather, draw
from simulation.wire import Wire
from stashplex.base import log
from stashplex.base.errors import Server
from stashplex.engine import scheduler, service
from stashplex.sim.panel import digest_of
from stashplex.sim.plex.scan import plan_scan
from stashplex.store.database import Database

CALM_S = 65 * 60.0
"""So long may it take, at most, from the last fault until Plex shows what it should."""
LOOK_S = 20.0
_LOOKS = ((service, "SPOOL_LOOK_S", 1.0), (service, "RECOVERY_LOOK_S", 5.0), (scheduler, "NEWS_LOOK_S", 15.0))
"""What looks every second or so in production, and how often at most here; a look for the dead costs most of all."""


@dataclass(frozen=True)
class Verdict:
    """How a run ended. Shape: `violations` is empty for a good run."""

    seed: int
    violations: tuple[Violation, ...]
    reached: Counter[str]
    digest: str
    tail: tuple[str, ...]
    virtual_s: float
    everything: tuple[str, ...] = ()

    @property
    def replay(self) -> str:
        """The command that plays this very run again."""
        return f"make sim SEED={self.seed}"

    @override
    def __str__(self) -> str:
        found = "\n".join(map(str, self.violations))
        return "\n".join((*self.tail, "", found, f"replay: {self.replay}"))


@dataclass
class Run:
    """One run under way."""

    seed: int
    weather: Weather
    data_dir: Path
    clock: VirtualClock
    account: Account
    dice: random.Random
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    async def main(self) -> str:
        """Play the run; return the digest of everything in the end."""
        scenery = arrange(self.weather, self.clock, random.Random(f"scenery {self.seed}"), self.seed)
        books = Books(self.data_dir / "stashplex.sqlite", self.clock, self.account, self.weather.patience)
        wire = Wire(scenery, books, self.account)
        memory = Memory()
        memory.keep_all(scenery)
        for number in scenery.stash.library.scenes:
            wire.owners[number].add(number)
        memory.touches.extend(Touch(key, name, value, True, True, 0, True) for key, name, value in scenery.before)
        asking = Asking(books, self.account, self.clock, self.data_dir)
        people = People(scenery, memory, books, wire, self.account, asking)
        self.account.on_violation = self.scope.cancel
        try:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    await self._play(scenery, people, nursery)
                    nursery.cancel_scope.cancel()
        finally:
            books.close()
        return digest_of(scenery.plex)

    async def _play(self, scenery: Scenery, people: People, nursery: trio.Nursery) -> None:
        servers = {Server.PLEX: AsgiTransport(scenery.plex.app), Server.STASH: AsgiTransport(scenery.stash.app)}
        net_dice = random.Random(f"network {self.seed}")
        net = Network(self.weather, servers, people.wire, self.account, net_dice, nursery)
        stand = Stand(self.weather, self.data_dir, self.clock, self.account, people.books, net, self.seed)
        if self.weather.poison is not None:
            net.poison = f"film-{self.weather.poison:03d}"
            net.on_poisoned = Poison(people.books, people.asking, self.account, self.weather.patience.largest).killed
        people.mark_everything()
        for seat in range(self.weather.workers):
            nursery.start_soon(Seat(stand, seat).run)
        await self._live(people, stand)
        await self._calm(scenery, people, stand, net)

    async def _live(self, people: People, stand: Stand) -> None:
        """Let people act, clocks jump and processes be shot, in the order of time."""
        weather = self.weather
        plan: list[tuple[float, Callable[[], Any]]] = []
        plan += [(self.dice.uniform(0, weather.length_s), people.act) for _ in range(weather.actions)]
        plan += [(at_s, stand.shoot) for at_s in weather.shots]
        plan += [(at_s, stand.stop) for at_s in weather.stops]
        plan += [(at_s, partial(stand.pause, lasts_s)) for at_s, lasts_s in weather.pauses]
        plan += [(at_s, partial(self._jump, stand, by)) for at_s, by in weather.jumps]
        for at_s, happens in sorted(plan, key=lambda one: one[0]):
            await trio.sleep_until(at_s)
            result = happens()
            if result is not None:
                await result
            people.asking.check_spool()
        await trio.sleep_until(max([weather.length_s, *(spell.ends_s for spell in weather.spells)]))

    def _jump(self, stand: Stand, by: timedelta) -> None:
        self.account.note(f"the wall clock jumps by {by}")
        self.account.reach("a clock jump during a lease" if stand.is_leasing else "a clock jump")
        self.clock.jump(by)

    async def _calm(self, scenery: Scenery, people: People, stand: Stand, net: Network) -> None:
        """End all faults, bring back what was lost, and wait until Plex is as it should be."""
        self.account.note("calm")
        net.poison = None
        net.is_fair = stand.is_fair = people.wire.is_fair = True
        for path, size, duration_ms in people.lost[self.seed % 60 == 6 :]:  # now and then one never comes back
            people.put_back(path, size, duration_ms)
        plan_scan(scenery.plex.world, scenery.section, None)
        await trio.sleep(5.0)
        scenery.plex.advance()
        if people.needs_sweep:
            people.mark_everything()
        stand.pardon(people)
        began_s = trio.current_time()
        oracle = Oracle(scenery, people.memory, people.wire, people.books)
        faults = list(oracle.faults())
        while faults and trio.current_time() < began_s + CALM_S:
            await trio.sleep(LOOK_S)
            stand.pardon(people)
            faults = list(oracle.faults())
        people.asking.check_spool()
        for fault in faults[:5]:
            self.account.violate("I15", fault)
        if not faults:
            self.account.note(f"in step after {trio.current_time() - began_s:.0f} s")
            await self._once_more(people, oracle, stand)

    async def _once_more(self, people: People, oracle: Oracle, stand: Stand) -> None:
        """I15: another pass over everything writes nothing."""
        await trio.sleep(60.0)
        before = len(people.wire.written)
        dead = [row.scene for row in people.books.rows.values() if row.state == "dead"]
        people.mark_everything()
        await trio.sleep(240.0)
        while people.asking.is_unheard() or any(
            row.token or not (row.is_in_step or row.scene in dead or row.error_type)
            for row in people.books.rows.values()
        ):
            await trio.sleep(LOOK_S)
            if trio.current_time() > CALM_S * 100:
                break
        unclear = oracle.items_of_several()
        if again := [key for key in people.wire.written[before:] if key not in unclear]:
            self.account.violate("I15", f"one more pass wrote to items {again}")
        for fault in list(oracle.faults())[:3]:
            self.account.violate("I15", f"after one more pass: {fault}")
        await stand.check_idle()


def play(seed: int, *, weather: Weather | None = None, is_recorded: bool = False) -> Verdict:
    """Play the run of a seed."""
    drawn = weather or draw(seed)
    clock = VirtualClock(drawn.start)
    account = Account(clock.monotonic_s)
    account.everything = [] if is_recorded else None
    with _folder() as folder:
        run = Run(seed, drawn, folder, clock, account, random.Random(f"people {seed}"))
        account.note(f"seed {seed} {drawn}")
        told = io.StringIO()
        log.configure(is_verbose=True, stream=told)
        try:
            with ExitStack() as stack:
                for owner, name, least_s in _LOOKS:
                    stack.enter_context(swapped(owner, name, max(drawn.look_s, least_s)))
                end = run_virtually(clock, seed, run.main)
        except BaseExceptionGroup as group:  # a bug of the program or of ours: it belongs to the verdict
            account.violate("crash", "; ".join(_leaves(group)))
            end = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, the seed that shows it must be told
            account.violate("crash", f"{type(error).__name__}: {error}")
            end = ""
        if "Traceback (most recent call last)" in told.getvalue():
            account.violate("bug", told.getvalue().partition("Traceback")[2][-600:])
        for line in told.getvalue().splitlines():
            account.keep_secrets("the log", line)
        account.note(f"the end: {end}")
        return Verdict(
            seed,
            tuple(account.violations),
            account.reached,
            account.digest,
            tuple(account.tail),
            clock.monotonic_s(),
            tuple(account.everything or ()),
        )


@contextmanager
def _folder() -> Iterator[Path]:
    """Give a folder with an empty store in it, in memory where there is such a place."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="stashplex-sim-", dir=shared if shared.is_dir() else None) as name:
        folder = Path(name)
        template = _template()
        shutil.copyfile(template, folder / template.name)
        yield folder


def _template() -> Path:
    """Return an empty store with today's schema: migrating it anew would cost more than many a run."""
    if not _TEMPLATES:
        folder = Path(tempfile.mkdtemp(prefix="stashplex-empty-"))
        Database.open(folder / "stashplex.sqlite").close()
        _TEMPLATES.append(folder / "stashplex.sqlite")
    return _TEMPLATES[0]


_TEMPLATES: list[Path] = []


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[str]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield f"{type(error).__name__}: {error}"
