"""Both simulated servers with a few scenes whose values are easy to recognise, and the names of everything in them.

Each title and text names its scene and its version, so a value on the wrong item, or an old one, is seen at a glance.
What people add in Plex never has a name that Stash knows.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from asgi import AsgiTransport
from simulation.weather import Weather
from stashplex.base.clock import Clock
from stashplex.sim.plex.app import NO_AGENT, PlexSim
from stashplex.sim.plex.item import Item
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.switches import Switches, TagMode
from stashplex.sim.plex.tag import KINDS
from stashplex.sim.plex.tagging import Entry, TagEdit, apply_tags
from stashplex.sim.stash.app import StashSim

STASH_ROOT = "/data/films"
PLEX_ROOT = "/mnt/media/films"
PATH_MAP = f"{STASH_ROOT}={PLEX_ROOT}"
STASH_URL = "http://stash.test:9999"
PLEX_URL = "http://plex.test:32400"
TAGS = ("Drama", "Outdoor", "4K", "Comedy, dark", "Ünïcode", "Slow%Burn", "Noir", "Road trip")
PEOPLE = ("Ann Lee", "Béla Tóth", "Chi Nguyen", "Dora O'Neil", "Eve")
STUDIOS = ("Acme", "Blue Door", "Château", None)
FOREIGN = ("seen with Kim", "party", "to burn", "4K-ish")


@dataclass
class Scenery:
    """The two servers."""

    stash: StashSim
    plex: PlexSim
    section: Section
    dice: random.Random
    before: list[tuple[str, str, str]] = field(default_factory=list)
    next_number: int = 1
    versions: int = 0

    def item_at(self, path: str) -> Item | None:
        """Return the living item that has a file."""
        found = self.section.paths.get(path)
        return None if found is None or found.deleted_at is not None else found

    def add_scene(self, *, is_scanned: bool, is_marked_missing: bool = False) -> int:
        """Make a scene and its file on both disks; return its number."""
        number = self.next_number
        self.next_number += 1
        path = f"{self.dice.choice(('a', 'b'))}/film-{number:03d}.mp4"
        size = 1_000_000 + number
        self.stash.add_scene(
            id=number,
            title=self.title(number),
            files=[(f"{STASH_ROOT}/{path}", size, 60.0, f"{number:016x}")],
            **self.values(number),
        )
        if is_scanned:
            key = self.plex.add_item(self.section, files=[(f"{PLEX_ROOT}/{path}", size, 60_000)])
            self._fill(key)
        else:
            self.plex.put_file(f"{PLEX_ROOT}/{path}", size, 60_000)
        return number

    def _fill(self, key: str) -> None:
        """Let an item have values that people gave it before anything was synced."""
        item = self.plex.item(key)
        if self.dice.random() < 0.4:
            self.versions += 1
            item.fields["summary"] = f"Mine {self.versions}"
            self.before.append((key, "summary", f"Mine {self.versions}"))
        if self.dice.random() < 0.4:
            tag = self.dice.choice(FOREIGN)
            edit = TagEdit(entries={0: Entry(tag)})
            apply_tags(self.plex.world, item, KINDS["genre"], edit, replaces=True)
            self.before.append((key, "genre", tag))

    def title(self, number: int) -> str:
        """Return a new title for a scene."""
        self.versions += 1
        return f"{self.dice.choice(('The ', 'A ', ''))}Film {number} v{self.versions}"

    def values(self, number: int) -> dict[str, Any]:
        """Return new values of every other field of a scene."""
        dice = self.dice
        self.versions += 1
        return {
            "details": dice.choice(("", f"About {number} v{self.versions}", f"Film {number}\n\n'v{self.versions}' 🎬")),
            "date": dice.choice((None, "2021-03-04", f"20{number % 20 + 10}-01-02")),
            "rating100": dice.choice((None, 75, 60, number % 100)),
            "studio": dice.choice(STUDIOS),
            "director": dice.choice(("", "Jane Roe")),
            "tags": dice.sample(TAGS, dice.randrange(4)),
            "performers": dice.sample(PEOPLE, dice.randrange(3)),
        }

    def cover(self) -> bytes:
        """Return a picture that nobody else has."""
        self.versions += 1
        return b"\x89PNG\r\n\x1a\n" + f"picture {self.versions}".encode()

    @property
    def plex_as_person(self) -> AsgiTransport:
        """The way of people into Plex."""
        return AsgiTransport(self.plex.app)


def arrange(weather: Weather, clock: Clock, dice: random.Random, seed: int) -> Scenery:
    """Return both servers as the run finds them."""
    switches = Switches(
        tag_mode=TagMode.ADD if weather.tags_join else TagMode.REPLACE,
        missing_id_fails_batch=weather.missing_fails_batch,
        noop_edit_touches=weather.noop_touches,
    )
    plex = PlexSim(clock=clock, seed=seed, switches=switches, log_length=10)
    stash = StashSim(clock=clock, seed=seed)
    stash.settings.stashes = [STASH_ROOT]
    for _ in range(500):
        plex.world.new_key()
    section = plex.add_section("Films", agent=NO_AGENT, scanner="Plex Video Files Scanner", locations=[PLEX_ROOT])
    scenery = Scenery(stash, plex, section, dice)
    for number in range(weather.scenes):
        scenery.add_scene(is_scanned=number >= weather.unscanned)
    if weather.has_posters:
        for number in range(1, weather.scenes + 1):
            if dice.random() < 0.5:
                stash.update_scene(number, cover=scenery.cover())
    return scenery
