"""Both simulated servers behind the trigger, over sockets, and the people who edit in Stash and in Plex.

All of it runs in one event loop in a thread; whoever changes a server does so in that loop. Every edit in Stash is
followed by the spool file that the hook would write. Values come from small pools, so that a field often returns to
what it was before: that is where a forgotten write would show.
"""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from crash.books import Row, read_live
from crash.trigger import Trigger, watched
from stashplex.app import SPOOL_NAME
from stashplex.base.clock import SystemClock
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.content.poster import poster_cheap
from stashplex.sim.plex.switches import Switches
from stashplex.sim.plex.tag import KINDS
from stashplex.sim.plex.tagging import Entry, TagEdit, apply_tags
from stashplex.sim.serve import serving
from stashplex.sim.world import PATH_MAP, Posters, World, build_world, rating_key
from stashplex.store import spool

T = TypeVar("T")

STUDIOS = ("Northlight", "Harbour & Sons", "Studio Ⅲ", None)
TAGS = ("Noir", "Sci-Fi, hard", "Été", "Short", "Colour")
CAST = ("Ada Byron", "Zoë O'Neil", "Ng Ba", "Kim Lee")
DIRECTORS = ("Mia Stone", "Jean-Luc Petit", "")
RATINGS = (None, 20, 75, 100)
DATES = ("2001-02-03", "1987-12-31", None)
DETAILS = ("A stranger comes to town.", "Nothing happens,\ntwice.", "")

# Fast timing: a run is over in seconds.
FAST = {
    "batch_size": "4",
    "recovery_timeout_s": "0.5",
    "retry_base_s": "0.1",
    "retry_cap_s": "0.5",
    "not_found_base_s": "0.1",
    "not_found_cap_s": "0.5",
    "connect_timeout_s": "3",
    "read_timeout_s": "20",
}


@dataclass
class Scenery:
    """Two filled servers, what people did to them, and where the program keeps its data."""

    world: World
    trigger: Trigger
    portal: BlockingPortal
    dice: random.Random
    data_dir: Path
    films: int
    stash_url: str = ""
    plex_url: str = ""
    own_genres: dict[int, set[str]] = field(default_factory=dict)
    edits: int = 0

    @property
    def database(self) -> Path:
        """The file of the store."""
        return self.data_dir / "stashplex.sqlite"

    @property
    def spool(self) -> Path:
        """The folder of the events."""
        return self.data_dir / SPOOL_NAME

    def rows(self) -> list[Row]:
        """Return the entries of a store that is in use, none when it cannot be read just now."""
        return read_live(self.database) or []

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the settings of a program, as variables."""
        settings = {
            "stash_url": self.stash_url,
            "stash_api_key": self.world.stash_sim.settings.api_key,
            "plex_url": self.plex_url,
            "plex_token": self.world.plex_sim.token,
            "path_map": PATH_MAP,
            "data_dir": str(self.data_dir),
        }
        return {f"STASHPLEX_{name.upper()}": value for name, value in (settings | FAST | changes).items()}

    def do(self, what: Callable[..., T], *arguments: Any) -> T:
        """Run something where the servers run."""
        return self.portal.call(what, *arguments)

    # in Stash

    def edit(self, scene: int | None = None) -> int:
        """Change some fields of a scene; return it. The event follows, as the hook writes it after the save."""
        scene = scene or self.dice.randint(1, self.films)
        fields = _drawn(self.dice, scene)
        chosen = self.dice.sample(sorted(fields), self.dice.randint(1, 3))
        self.do(lambda: self.world.stash_sim.update_scene(scene, **{name: fields[name] for name in chosen}))
        self.mark(scene)
        return scene

    def retitle(self, scene: int, title: str) -> None:
        """Change one title without an event; called where the servers run."""
        self.world.stash_sim.update_scene(scene, title=title)

    def mark(self, scene: int) -> None:
        """Leave the event of a change."""
        self.edits += 1
        event = {"type": "Scene.Update.Post", "id": scene, "at": "2025-01-01T00:00:00Z", "fields": ["title"]}
        spool.append(self.spool, json.dumps(event).encode(), now=SystemClock().now())

    def mark_all(self) -> None:
        """Leave an event for each scene."""
        for scene in range(1, self.films + 1):
            self.mark(scene)

    # in Plex

    def add_own_genre(self, scene: int) -> None:
        """Let a person add a genre by hand. Only while no program runs: Plex takes whole lists, the last one wins."""
        name = f"Mine {len(self.own_genres.get(scene, ())) + 1}"
        plex = self.world.plex_sim

        def add() -> None:
            item = plex.item(rating_key(scene))
            apply_tags(plex.world, item, KINDS["genre"], TagEdit(entries={0: Entry(name)}), replaces=False)
            plex.world.touch(item)

        self.do(add)
        self.own_genres.setdefault(scene, set()).add(name)


def _drawn(dice: random.Random, scene: int) -> dict[str, Any]:
    film = Catalogue(3_000).film(1_000 + scene * 3 + dice.randrange(3))
    return {
        "title": f"Film {scene}{dice.choice(('', ', the cut', ' — Été'))}",
        "details": dice.choice(DETAILS),
        "studio": dice.choice(STUDIOS),
        "date": dice.choice(DATES),
        "director": dice.choice(DIRECTORS),
        "rating100": dice.choice(RATINGS),
        "tags": dice.sample(TAGS, dice.randrange(4)),
        "performers": dice.sample(CAST, dice.randrange(4)),
        "cover": poster_cheap(film),
    }


@contextmanager
def a_scenery(
    data_dir: Path, seed: int, *, films: int = 12, switches: Switches | None = None, posters: Posters = Posters.CHEAP
) -> Iterator[Scenery]:
    """Serve a small world, drawn from a seed; each scene has an event waiting."""
    dice = random.Random(seed)
    world = build_world(Catalogue(films), posters=posters, plex=switches, seed=seed)
    for scene in range(1, films + 1):
        fields = _drawn(dice, scene)
        if posters is Posters.NONE:
            del fields["cover"]
        world.stash_sim.update_scene(scene, **fields)
    trigger = Trigger()
    with start_blocking_portal() as portal:
        scenery = Scenery(world, trigger, portal, dice, data_dir, films)
        plex = serving(watched(world.plex_sim.app, trigger, is_plex=True))
        stash = serving(watched(world.stash_sim.app, trigger, is_plex=False))
        with (
            portal.wrap_async_context_manager(plex) as scenery.plex_url,
            portal.wrap_async_context_manager(stash) as scenery.stash_url,
        ):
            scenery.mark_all()
            failure = None
            try:
                yield scenery
            except AssertionError as error:
                failure = error
    if failure is not None:
        raise failure  # from here it comes out alone, not in the groups of the servers' tasks
