"""What one seed will meet: how large its world is, which faults it knows, how often, and when the big ones come.

Swarm style: each seed draws few kinds of faults and none of the others, so that rare combinations are not drowned by
the same mixture in every run. A weather is a value; the network, the people and the supervisor obey it.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from stashplex.base.errors import Server

MINUTE_S = 60.0
HOUR_S = 3_600.0
DAY_S = 86_400.0


class Trouble(StrEnum):
    """What may happen to one request."""

    REFUSED = "refused"
    NO_CONNECTION = "no connection in time"
    RESET_BEFORE = "reset before the effect"
    RESET_AFTER = "reset after the effect"
    LOST_REPLY = "reply lost after the effect"
    SWALLOWED = "never answered, no effect"
    SLOW = "slow, still in time"
    ERROR = "500"
    ERROR_AFTER = "500 after the effect"
    GATEWAY = "502 of a proxy"
    MAINTENANCE_JSON = "maintenance, JSON"
    MAINTENANCE_XML = "maintenance, XML"
    UNAUTHORISED = "401"
    BUSY = "429"
    BUSY_LONG = "503 with Retry-After"
    TRUNCATED = "truncated answer"
    PAGE = "a web page"
    WRONG = "valid JSON of another kind"
    IGNORED = "edit accepted and ignored"
    HALF_TAKEN = "edit taken without its lists"


OF_PLEX_ALONE = frozenset({Trouble.MAINTENANCE_JSON, Trouble.MAINTENANCE_XML, Trouble.IGNORED, Trouble.HALF_TAKEN})
OF_EDITS_ALONE = frozenset({Trouble.IGNORED, Trouble.HALF_TAKEN})
NOT_UNDERSTOOD = frozenset({Trouble.TRUNCATED, Trouble.PAGE, Trouble.WRONG})
LASTING = (
    Trouble.REFUSED,
    Trouble.NO_CONNECTION,
    Trouble.SWALLOWED,
    Trouble.LOST_REPLY,
    Trouble.GATEWAY,
    Trouble.ERROR,
    Trouble.MAINTENANCE_JSON,
    Trouble.MAINTENANCE_XML,
    Trouble.UNAUTHORISED,
    Trouble.BUSY,
    Trouble.BUSY_LONG,
)
"""What an outage may consist of."""


@dataclass(frozen=True, slots=True)
class Spell:
    """An outage. Units: seconds from the start."""

    server: Server
    trouble: Trouble
    begins_s: float
    ends_s: float


@dataclass(frozen=True, slots=True)
class Freeze:
    """A process that is stopped in its tracks by an answer about an item: the n-th one to a read or a write.

    Units: seconds; a lease lasts 600.
    """

    is_write: bool
    nth: int
    lasts_s: float


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long an entry is tried again, as people may set it. Units: seconds."""

    not_found: tuple[float, float, int] = (30.0, 600.0, 12)
    ordinary: tuple[float, float, int] = (5.0, 80.0, 5)

    def limit(self, error_type: str | None) -> int:
        """Return how many retries an error allows."""
        return self.not_found[2] if error_type == "PlexNotFound" else self.ordinary[2]

    @property
    def largest(self) -> int:
        """The larger of the limits."""
        return max(self.not_found[2], self.ordinary[2])


IMPATIENT = (Patience(), Patience((2.0, 10.0, 2)), Patience((2.0, 10.0, 2), (1.0, 5.0, 2)), Patience((5.0, 60.0, 12)))


@dataclass(frozen=True, slots=True)
class Weather:
    """Everything that a seed decides beforehand. Units: seconds; chances are per request, commit or step; `pauses` are
    when and how long.

    Shape: `look_s` is how often parts of the service look that look every second or so in production; a run is
    mostly such looks.
    """

    start: datetime
    scenes: int
    unscanned: int
    workers: int
    batch_size: int
    writes_in_flight: int
    length_s: float
    actions: int
    latency_s: float
    chances: dict[Trouble, float]
    spells: tuple[Spell, ...]
    crash_chance: float
    crashes: int
    look_s: float
    shots: tuple[float, ...]
    stops: tuple[float, ...]
    pauses: tuple[tuple[float, float], ...]
    jumps: tuple[tuple[float, timedelta], ...]
    tags_join: bool
    missing_fails_batch: bool
    noop_touches: bool
    has_posters: bool
    poison: int | None
    freezes: tuple[Freeze, ...] = ()
    patience: Patience = IMPATIENT[0]
    poll_interval_s: float = 0.0


def draw(seed: int) -> Weather:
    """Return the weather of a seed."""
    dice = random.Random(f"weather {seed}")
    length_s = dice.choice((3 * MINUTE_S, 8 * MINUTE_S, 20 * MINUTE_S, HOUR_S))
    scenes = dice.choice((3, 3, 4, 6, 9, 14))
    has_crashes = dice.random() < 0.5
    more = random.Random(f"more weather {seed}")
    freezes = _freezes(more)
    poison = random.Random(f"poison {seed}").randint(1, scenes) if more.random() < 0.1 else None
    return Weather(
        start=_start(dice),
        scenes=scenes,
        unscanned=dice.choice((0, 0, 1, 2)),
        workers=max(dice.choice((1, 1, 2)), 2 if freezes and more.random() < 0.8 else 1),
        batch_size=dice.choice((1, 2, 5, 100, 100)),
        writes_in_flight=dice.choice((1, 1, 2, 4)),
        length_s=length_s,
        actions=dice.choice((4, 8, 12, 20)),
        latency_s=dice.choice((0.0, 0.02, 0.3, 2.0)),
        chances=_chances(dice),
        spells=_spells(dice, length_s),
        crash_chance=dice.choice((0.002, 0.01, 0.04)) if has_crashes else 0.0,
        crashes=dice.choice((1, 4, 12)),
        look_s=dice.choice((2.0, 10.0, 20.0)) if length_s < HOUR_S else 20.0,
        shots=tuple(sorted(dice.uniform(0, length_s) for _ in range(dice.choice((0, 0, 1, 3))))),
        stops=tuple(sorted(dice.uniform(0, length_s) for _ in range(dice.choice((0, 0, 0, 1, 4))))),
        pauses=tuple(sorted(_pause(dice, length_s) for _ in range(dice.choice((0, 0, 0, 1, 3))))),
        jumps=_jumps(dice, length_s),
        tags_join=dice.random() < 0.4,
        missing_fails_batch=dice.random() < 0.2,
        noop_touches=dice.random() < 0.2,
        has_posters=dice.random() < 0.6,
        poison=poison,
        freezes=freezes,
        patience=more.choice((IMPATIENT[0], *IMPATIENT)),
        poll_interval_s=more.choice((0.0, 0.0, 0.0, 120.0, 900.0)),
    )


def _freezes(dice: random.Random) -> tuple[Freeze, ...]:
    """Return when processes freeze while they hold leases: most often for longer than these last."""
    count = dice.choice((0, 0, 0, 1, 2))
    lengths = (100.0, 590.0, 620.0, 700.0, 900.0)
    return tuple(Freeze(dice.random() < 0.6, dice.choice((1, 2, 3, 6, 12)), dice.choice(lengths)) for _ in range(count))


def _pause(dice: random.Random, length_s: float) -> tuple[float, float]:
    """Return when a process is stopped in its tracks, and for how long; half come during the first writes."""
    return dice.uniform(0, dice.choice((30.0, length_s))), dice.choice((20.0, 200.0, 700.0, 1_500.0))


def _start(dice: random.Random) -> datetime:
    """Return a day, now and then the last hours before the clocks change in Central Europe."""
    return dice.choice(
        (
            datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC),
            datetime(2025, 3, 30, 0, 20, tzinfo=UTC),
            datetime(2025, 10, 26, 0, 20, tzinfo=UTC),
        )
    ) + timedelta(microseconds=dice.randrange(1_000_000))


def _chances(dice: random.Random) -> dict[Trouble, float]:
    kinds = dice.sample(list(Trouble), dice.choice((0, 1, 1, 2, 2, 3, 5)))
    return {kind: dice.choice((0.01, 0.05, 0.15)) for kind in kinds}


def _spells(dice: random.Random, length_s: float) -> tuple[Spell, ...]:
    spells = []
    for _ in range(dice.choice((0, 0, 1, 1, 2, 3))):
        begins_s = dice.uniform(0, length_s)
        lasts_s = DAY_S if dice.random() < 0.01 else dice.choice((20.0, 2 * MINUTE_S, 8 * MINUTE_S, 20 * MINUTE_S))
        server = dice.choice((Server.PLEX, Server.PLEX, Server.STASH))
        kinds = [kind for kind in LASTING if server is Server.PLEX or kind not in OF_PLEX_ALONE]
        spells.append(Spell(server, dice.choice(kinds), begins_s, begins_s + lasts_s))
    return tuple(spells)


def _jumps(dice: random.Random, length_s: float) -> tuple[tuple[float, timedelta], ...]:
    if dice.random() < 0.7:
        return ()
    sizes = (timedelta(days=1), timedelta(days=-1), timedelta(hours=1), timedelta(hours=-1), timedelta(minutes=-7))
    return tuple(sorted((dice.uniform(0, length_s), dice.choice(sizes)) for _ in range(dice.choice((1, 2)))))
