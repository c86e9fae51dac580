"""The processes under test: each seat is filled by one life after another on the same file.

`drive` is the whole of what the simulation asks of the program: one coroutine that gets an `App`. A life that dies is
followed by another one after a while, as a supervisor or the next hook would start it.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from simulation.account import Account
from simulation.books import Books
from simulation.life import Life, ProcessDied, WatchedDatabase
from simulation.network import Network
from simulation.people import People
from simulation.scenery import PATH_MAP, PLEX_URL, STASH_URL
from simulation.virtual import VirtualClock
from simulation.weather import Patience, Trouble, Weather
from stashplex.app import App, build_app, open_store
from stashplex.base.config import Settings
from stashplex.base.errors import Server, StashplexError
from stashplex.seams import Seams

PLEX_TOKEN = "plex-token"
STASH_KEY = "stash-key"
QUIET_S = 600.0
FORGIVEN = frozenset({"ProtocolError", "LeaseExpired", "PlexTemporaryError", "WriteNotTaken"})
"""What a person may have to retry by hand once the faults are over: reasons that the injected faults explain."""


@dataclass(eq=False)
class Stand:
    """What all processes of a run share."""

    weather: Weather
    data_dir: Path
    clock: VirtualClock
    account: Account
    books: Books
    net: Network
    seed: int
    is_fair: bool = False
    lives: list[Life] = field(default_factory=list)
    born: int = 0
    crashes: int = 0

    def __post_init__(self) -> None:
        self._dice = random.Random(f"crashes {self.seed}")

    def roll(self, life: Life, where: str) -> bool:
        """Tell whether a process dies here."""
        weather = self.weather
        if self.is_fair or self.crashes >= weather.crashes or self._dice.random() >= weather.crash_chance:
            return False
        self.crashes += 1
        self.account.note(f"{life.name} dies {where}")
        self.account.reach(f"killed {where}")
        self._note_death(life)
        return True

    def shoot(self) -> None:
        """Kill one living process from outside."""
        if self.lives:
            life = self._dice.choice(self.lives)
            self.account.note(f"{life.name} is shot")
            self.account.reach("killed at a random time")
            self._note_death(life)
            life.kill()

    def stop(self) -> None:
        """Ask one process to end, as SIGTERM does."""
        if self.lives:
            life = self._dice.choice(self.lives)
            self.account.note(f"{life.name} is asked to end")
            self.account.reach("stopped while it held leases" if self._leases_of(life) else "stopped")
            life.is_stopped = True
            life.scope.cancel()

    def pause(self, lasts_s: float) -> None:
        """Stop one process in its tracks for a while: its requests are answered, and it does not hear."""
        if self.lives:
            life = self._dice.choice(self.lives)
            self.account.note(f"{life.name} is paused for {lasts_s} s")
            self.account.reach("paused while it held leases" if self._leases_of(life) else "paused")
            life.paused_until_s = max(life.paused_until_s, trio.current_time() + lasts_s)

    def _leases_of(self, life: Life) -> list[int]:
        return [
            row.scene for row in self.books.rows.values() if (lease := self.books.lease(row)) and lease.life is life
        ]

    def _note_death(self, life: Life) -> None:
        if any(one.is_write and one.life is life for one in self.net.wire.under_way):
            self.account.reach("killed while a write was under way")
        if any(shut.life is life and shut.state == "half_open" for shut in self.books.shut.values()):
            self.account.reach("killed while it held the probe")
        for shut in self.books.shut.values():
            self.account.reach(f"killed while a breaker was {shut.state}")

    @property
    def is_leasing(self) -> bool:
        """Somebody works on an entry now."""
        return any(row.token is not None for row in self.books.rows.values())

    def pardon(self, people: People) -> None:
        """Do what only a person can: retry the dead letters that injected faults explain."""
        for row in self.books.rows.values():
            if row.state == "dead" and row.error_type in FORGIVEN and self._is_explained(row.error_type):
                self.account.reach(f"dead, retried by a person: {row.error_type}")
                people.mark(row.scene)

    def _is_explained(self, error_type: str) -> bool:
        wire = self.net.wire
        if error_type == "LeaseExpired":
            return self.born > self.weather.workers
        return bool(wire.strikes)

    async def check_idle(self) -> None:
        """I9: when nothing is to be done, next to nothing is done."""
        # so long may a process that starts rest between two tries, and a poll not have seen what a hook told
        await trio.sleep(max(20 * self.weather.look_s, 1.5 * self.weather.poll_interval_s))
        rows = self.books.rows.values()
        missing = [row for row in rows if row.error_type == "PlexNotFound"]
        if self.books.shut or any(row.due_at is not None and row not in missing for row in rows):
            return
        awake = [life for life in self.lives if trio.current_time() >= life.paused_until_s]
        before = [(life, life.reads, life.commits, life.sent.copy()) for life in awake]
        await trio.sleep(QUIET_S)
        for life, reads, commits, sent in before:
            if life in self.lives:
                self._check_quiet(life, life.reads - reads, life.commits - commits, life.sent - sent, len(missing))

    def _check_quiet(self, life: Life, reads: int, commits: int, sent: Counter[Server], missing: int) -> None:
        """Let a quiet process read twice a minute, and ask Stash once whether anything changed there.

        Who looks for files asks Plex a little too, and works when a try is due.
        """
        minutes = QUIET_S / 60
        self.account.note(f"{life.name}, {minutes:.0f} quiet minutes: {reads} reads, {commits} commits, {dict(sent)}")
        self.account.reach("quiet, waiting for files" if missing else "quiet, nothing to do")
        tries = 6 * missing * minutes if missing else 0
        looks = minutes + 4 * commits if missing else 0
        if self.weather.poll_interval_s:  # what a poll sees for the first time is looked at once more, all of it
            tries, looks = 60 * minutes, 6 * minutes
        is_told = self.weather.workers > 1 and (missing or self.weather.poll_interval_s)  # what the other one commits
        most = (6 if is_told else 2) * minutes + 6 + 2 * sent[Server.STASH] + 6 * commits + 4 * sent[Server.PLEX]
        if reads > most or commits > 8 + tries:
            self.account.violate("I9", f"{life.name} is idle: {reads} reads and {commits} commits in {minutes} minutes")
        if sent[Server.PLEX] > looks or sent[Server.STASH] > minutes + 4 + looks:
            self.account.violate("I9", f"{life.name} is idle, and sent {dict(sent)} in {minutes} minutes")


@dataclass(eq=False)
class Seat:
    """One worker's place."""

    stand: Stand
    number: int

    async def run(self) -> None:
        """Start one process after another."""
        stand = self.stand
        dice = random.Random(f"seat {self.number} {stand.seed}")
        await trio.sleep(dice.uniform(0, 5) * self.number)
        while True:
            stand.born += 1
            life = Life(f"p{stand.born}", self.number, stand.roll, on_commit=stand.books.look)
            life.on_spin = lambda what: stand.account.violate("I9", what)
            stand.account.note(f"{life.name} starts in seat {self.number}")
            stand.lives.append(life)
            try:
                with life.scope:
                    await self._live(life, random.Random(f"life {stand.born} {stand.seed}"))
            except* ProcessDied:
                pass
            stand.lives.remove(life)
            if life.is_stopped and not life.is_dead and (kept := stand._leases_of(life)):
                stand.account.violate("I1", f"{life.name} ended and did not hand back scenes {kept}")
            stand.account.note(f"{life.name} is gone")
            await trio.sleep(dice.choice((0.1, 2.0, 60.0)))

    async def _live(self, life: Life, chance: random.Random) -> None:
        try:
            with opened(self.stand, life, chance) as app:
                await drive(app)
        except StashplexError as error:
            self.stand.account.note(f"{life.name} ended: {type(error).__name__}: {error}")
            self.stand.account.keep_secrets("the end of a process", f"{error} {error.hint}")
            self.stand.account.reach(f"the process ended itself: {type(error).__name__}")


def _patience(patience: Patience) -> dict[str, float]:
    ordinary = zip(("retry_base_s", "retry_cap_s", "retry_limit"), patience.ordinary, strict=True)
    missing = zip(("not_found_base_s", "not_found_cap_s", "not_found_limit"), patience.not_found, strict=True)
    return {**dict(ordinary), **dict(missing)}


async def drive(app: App) -> None:
    """Run the program under test until it is killed."""
    await app.service().run()


@contextmanager
def opened(stand: Stand, life: Life, chance: random.Random) -> Iterator[App]:
    """Give a process its app, as the composition root would build it, over the simulated network and clock."""
    weather = stand.weather
    settings = Settings.model_validate(
        {
            "data_dir": stand.data_dir,
            "path_map": PATH_MAP,
            "stash_url": STASH_URL,
            "plex_url": PLEX_URL,
            "stash_api_key": STASH_KEY,
            "plex_token": PLEX_TOKEN,
            "batch_size": weather.batch_size,
            "plex_writes_in_flight": weather.writes_in_flight,
            "poll_interval_s": weather.poll_interval_s,
            **_patience(weather.patience),
        }
    )

    async def can_connect(url: str) -> bool:
        life.door()
        spell = stand.net.spell(Server.PLEX if url == PLEX_URL else Server.STASH)
        return spell is None or spell.trouble not in {Trouble.REFUSED, Trouble.NO_CONNECTION}

    seams = Seams(
        stash=stand.net.line(life, Server.STASH),
        plex=stand.net.line(life, Server.PLEX),
        can_connect=can_connect,
        clock=stand.clock,
        chance=chance,
    )
    with open_store(stand.data_dir) as store:
        WatchedDatabase.of(store.database, life)
        yield build_app(settings, store, seams)
