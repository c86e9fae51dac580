"""One installation for the matrix: both simulated servers, the real hook as a plugin of Stash, and what gathers."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stashplex.plugin
from integration.sim_stash.caller import Caller, HandClock
from stashplex.app import SPOOL_NAME, App
from stashplex.domain.entry import PlexId
from stashplex.domain.scene import SceneId
from stashplex.engine.gathering import Gathering
from stashplex.engine.planner import Planner, ScenePlan
from stashplex.engine.scheduler import Scheduler
from stashplex.engine.wakeup import Wakeup
from worlds import World, a_world

SOURCES = Path(next(iter(stashplex.plugin.__path__)))
KINDS = ("Scene", "SceneMarker", "Performer", "Studio", "Tag", "Group", "Movie", "Gallery")
TRIGGERS = ", ".join([f"{kind}.{what}.Post" for kind in KINDS for what in ("Create", "Update", "Destroy")])
MANIFEST = f"""name: stashplex
exec: [python, -I, -S, -E, "{{pluginDir}}/hook.py"]
hooks:
  - name: events
    triggeredBy: [{TRIGGERS}, Tag.Merge.Post]
"""
FILMS = 6


@dataclass
class Matrix:
    """Shape: scene 1 has a performer Ann, a tag red, a studio Below (of Above) and a group Saga."""

    world: World
    app: App
    client: Caller
    gathering: Gathering
    scheduler: Scheduler
    planner: Planner
    plex_id: PlexId
    clock: HandClock

    @property
    def sim(self) -> Any:
        return self.world.stash

    def generations(self) -> dict[int, int]:
        return {entry.scene_id: entry.generation for entry in self.app.store.ledger.iter_entries(self.plex_id)}

    async def job(self, document: str) -> None:
        """Run a job of Stash to its end."""
        await self.client.wait_for_job((await self.client.ask(document))["job"])

    async def heard(self) -> set[int]:
        """Fold what hooks left; return the scenes that were marked."""
        before = self.generations()
        await self.gathering.spooling.fold()
        while self.gathering.spooling.has_errands:
            self.clock.move(seconds=3)
            await self.gathering.errands.run_once()
        return self._marked_since(before)

    async def polled(self) -> set[int]:
        before = self.generations()
        await self.gathering.poll.run_once()
        return self._marked_since(before)

    async def is_in_step(self) -> bool:
        """Work on what is due; tell whether Plex then shows what Stash says."""
        await self.scheduler.run_until_idle(0.0)
        ids = [SceneId(number) for number in self.sim.library.scene_ids]
        planned = await self.planner.plan(ids, self.app.store.overview.links_for(self.plex_id, ids))
        plans = [item.plan for one in planned.values() if isinstance(one, ScenePlan) for item in one.items]
        return bool(plans) and all(plan.is_empty for plan in plans)

    def _marked_since(self, before: dict[int, int]) -> set[int]:
        return {scene for scene, generation in self.generations().items() if generation != before.get(scene)}


@asynccontextmanager
async def a_matrix(folder: Path) -> AsyncIterator[Matrix]:
    """Arrange everything; the library has been synced and polled once."""
    data_dir = folder / "data"
    plugin = folder / "plugins" / "stashplex"
    plugin.mkdir(parents=True)
    for name in ("hook.py", "follow_up.py"):
        shutil.copy(SOURCES / name, plugin)
    (plugin / "stashplex.yml").write_text(MANIFEST, "utf-8")
    clock = HandClock()
    world = a_world(data_dir, FILMS, posters=False, clock=clock)
    sim = world.stash
    sim.studio("Below", parent="Above")
    sim.update_scene(1, performers=["Ann", "Bob"], tags=["red", "blue"], studio="Below", groups=["Saga"])
    sim.starter.environment = {"PATH": str(Path(sys.executable).parent), "STASHPLEX_DATA_DIR": str(data_dir)}
    sim.settings.python_path = sys.executable
    sim.settings.plugins_path = folder / "plugins"
    sim.reload_plugins()
    assert sim.parts.shelf.plugins, sim.log
    await world.sync()
    with world.app() as app:
        target = await app.connect()
        crawler = app.crawler(target)
        scheduler = app.scheduler(target, crawler, lambda _: None)
        gathering = app.gathering(target, crawler, Wakeup())
        async with sim.running():
            planner = app.planner(target, crawler)
            matrix = Matrix(world, app, Caller(sim), gathering, scheduler, planner, target.plex_id, clock)
            await matrix.polled()
            assert await matrix.is_in_step()
            clock.move(minutes=10)
            yield matrix
    assert not list((data_dir / SPOOL_NAME).glob("*.json"))
