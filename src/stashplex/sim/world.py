"""Both simulated servers filled from one catalogue: the world before anything was synced.

Stash knows everything about each film; Plex has scanned the same files into an "Other Videos" library and knows
their names only. Invariants: scene n is film n, its Plex item has the rating key `rating_key(n)`, and the two numbers
differ, so that a mistaken one is noticed; pictures are drawn when they are asked for.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from stashplex.base.clock import Clock
from stashplex.sim.content.catalogue import PLEX_ROOT, STASH_ROOT, Catalogue, Film
from stashplex.sim.content.poster import poster_cheap, poster_jpeg
from stashplex.sim.plex.app import NO_AGENT, PlexSim
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.switches import Switches as PlexSwitches
from stashplex.sim.stash.app import StashSim
from stashplex.sim.stash.switches import Switches as StashSwitches

LIBRARY: Final = "Films"
PATH_MAP: Final = f"{STASH_ROOT}={PLEX_ROOT}"
"""The same files on both sides, as the setting is written."""
KEYS_BEFORE: Final = 10_000
"""So many rating keys were used by other libraries."""
FIRST_CHANGE: Final = datetime(2024, 1, 1, tzinfo=UTC)
"""When film 0 was last changed in Stash; each film is half a minute younger than the one before."""
_STEP: Final = timedelta(seconds=30)


class Posters(StrEnum):
    """What covers are: drawn (5 ms and 30 kB each), cheap (tiny and unique), or none."""

    DRAWN = "drawn"
    CHEAP = "cheap"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Cover:
    """A film's cover, drawn anew at each call: a large library keeps no pictures."""

    catalogue: Catalogue
    number: int
    is_cheap: bool

    def __call__(self) -> bytes:
        """Return a JPEG."""
        film = self.catalogue.film(self.number)
        return poster_cheap(film) if self.is_cheap else poster_jpeg(film)


@dataclass(frozen=True, slots=True)
class World:
    """Two filled servers."""

    stash_sim: StashSim
    plex_sim: PlexSim

    @property
    def section(self) -> Section:
        """The Plex library that holds the films."""
        return next(section for section in self.plex_sim.world.sections.values() if section.title == LIBRARY)


def build_world(
    catalogue: Catalogue,
    *,
    posters: Posters = Posters.DRAWN,
    plex: PlexSwitches | None = None,
    stash: StashSwitches | None = None,
    clock: Clock | None = None,
    seed: int = 0,
) -> World:
    """Return both servers, filled. Units: 3,201 films take half a second, 100,000 some eight."""
    stash_sim = build_stash(catalogue, posters=posters, switches=stash, clock=clock, seed=seed)
    return World(stash_sim, build_plex(catalogue, switches=plex, clock=clock, seed=seed))


def build_stash(
    catalogue: Catalogue,
    *,
    posters: Posters = Posters.DRAWN,
    switches: StashSwitches | None = None,
    clock: Clock | None = None,
    seed: int = 0,
) -> StashSim:
    """Return a Stash that knows all about each film."""
    sim = StashSim(switches=switches, clock=clock, seed=seed)
    sim.settings.stashes = [STASH_ROOT]
    local = sim.library.stamper.local
    with _uncollected():
        for film in catalogue:
            cover = _cover(catalogue, film.number, posters)
            _add_scene(sim, film, cover, local(FIRST_CHANGE + film.number * _STEP))
    return sim


def build_plex(
    catalogue: Catalogue,
    *,
    switches: PlexSwitches | None = None,
    clock: Clock | None = None,
    seed: int = 0,
) -> PlexSim:
    """Return a Plex that has scanned the films' files and knows nothing but their names."""
    sim = PlexSim(switches=switches, clock=clock, seed=seed)
    for _ in range(KEYS_BEFORE):
        sim.world.new_key()
    section = sim.add_section(
        LIBRARY, agent=NO_AGENT, scanner="Plex Video Files Scanner", language="xn", locations=[PLEX_ROOT]
    )
    with _uncollected():
        for film in catalogue:
            sim.add_item(section, [(film.plex_path, film.size, round(film.duration_s * 1000))])
    sim.world.feed.frames.clear()
    return sim


def rating_key(number: int) -> str:
    """Return the rating key of a film in a freshly built world."""
    return str(KEYS_BEFORE + number)


def _add_scene(sim: StashSim, film: Film, cover: Cover | None, changed_at: str) -> None:
    sim.add_scene(
        id=film.number,
        title=film.title,
        files=[(film.stash_path, film.size, film.duration_s, film.oshash)],
        cover=cover,
        details=film.details,
        code=film.code,
        director=film.director,
        date=film.date,
        studio=film.studio,
        performers=film.performers,
        tags=film.tags,
        rating100=film.rating100,
        organized=film.organized,
        created_at=changed_at,
        updated_at=changed_at,
    )
    file = sim.library.scenes[film.number].files[0]
    file.width, file.height = film.width, film.height


def _cover(catalogue: Catalogue, number: int, posters: Posters) -> Cover | None:
    match posters:
        case Posters.DRAWN:
            return Cover(catalogue, number, is_cheap=False)
        case Posters.CHEAP:
            return Cover(catalogue, number, is_cheap=True)
        case Posters.NONE:
            return None


@contextmanager
def _uncollected() -> Iterator[None]:
    """Put the garbage collector off: it would walk a growing world again and again, for half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
