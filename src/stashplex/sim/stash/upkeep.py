"""The other jobs over the library: clean, auto-tag, generate.

Clean fires a Destroy hook for each scene that it removes; auto-tag and generate change data and fire nothing.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stashplex.sim.stash.cover import plain_png
from stashplex.sim.stash.disk import Disk, is_within
from stashplex.sim.stash.event import HookEvent, destroy_input
from stashplex.sim.stash.hook import Hooks
from stashplex.sim.stash.job import Job
from stashplex.sim.stash.library import Library, Table
from stashplex.sim.stash.log import Feed
from stashplex.sim.stash.model import Scene
from stashplex.sim.stash.session import Session

Work = Callable[[Job], Awaitable[None]]


@dataclass(slots=True)
class Upkeep:
    """Runs these jobs over one library."""

    library: Library
    disk: Disk
    hooks: Hooks
    finished: Feed

    def clean(self, given: Mapping[str, Any], session: Session) -> Work:
        """Return the job that drops what is gone from the disk."""

        async def work(_: Job) -> None:
            roots = list(given.get("paths") or ())
            for scene in list(self.library.scenes.values()):
                gone = [f for f in scene.files if f.path in self.disk.removed and is_within(f.path, roots)]
                if gone and not given.get("dryRun"):
                    await self._clean_one(scene, gone, session)
            self.finished.publish(True)

        return work

    def auto_tag(self, given: Mapping[str, Any]) -> Work:
        """Return the job that links what is named in a path."""

        async def work(_: Job) -> None:
            library = self.library
            wanted = [
                ("performers", _wanted(library.performers, given.get("performers"))),
                ("tags", _wanted(library.tags, given.get("tags"))),
                ("studio", _wanted(library.studios, given.get("studios"))),
            ]
            for scene in library.scenes.values():
                path = scene.files[0].path if scene.files else ""
                if is_within(path, list(given.get("paths") or ())) and _link(scene, path, wanted):
                    library.touch(scene)

        return work

    def generate(self, given: Mapping[str, Any]) -> Work:
        """Return the job that makes covers (which stamps the scene) and perceptual hashes (which does not)."""

        async def work(_: Job) -> None:
            library = self.library
            ids = given.get("sceneIDs")
            for scene in library.scenes.get_linked(ids) if ids else tuple(library.scenes.values()):
                if given.get("phashes") and scene.files and scene.files[0].fingerprint_of("phash") is None:
                    scene.files[0].more_prints += (("phash", f"{scene.id:016x}"),)
                if given.get("covers") and scene.files and (scene.cover is None or given.get("overwrite")):
                    make_cover(scene)
                    library.touch(scene)

        return work

    async def _clean_one(self, scene: Scene, gone: list[Any], session: Session) -> None:
        library = self.library
        if len(gone) < len(scene.files):
            scene.files = tuple(f for f in scene.files if f not in gone)
            library.touch(scene)
            return
        told = destroy_input(scene, {"id": ""}, {"delete_file": False, "delete_generated": True})
        library.remove_scene(scene, delete_files=True)
        self.disk.removed.difference_update(f.path for f in gone)
        await self.hooks.fire([HookEvent("Scene.Destroy.Post", scene.id, told)], session)


def make_cover(scene: Scene) -> None:
    """Give a scene a generated cover."""
    scene.cover = plain_png(scene.id)


def _wanted(table: Table[Any], given: Iterable[str] | None) -> list[tuple[re.Pattern[str], Any]]:
    """Return (pattern, thing) of what is asked for by id or name; `*` is everything."""
    asked = set(given or ())
    things = [t for t in table.values() if "*" in asked or str(t.id) in asked or t.name in asked]
    return [(_pattern(t.name), t) for t in things if not t.ignore_auto_tag]


def _pattern(name: str) -> re.Pattern[str]:
    words = r"[ ._-]*".join(re.escape(word) for word in name.split())
    return re.compile(rf"(?:^|[^a-z0-9]){words}(?:[^a-z0-9]|$)", re.IGNORECASE)


def _link(scene: Scene, path: str, wanted: list[tuple[str, list[tuple[re.Pattern[str], Any]]]]) -> bool:
    is_changed = False
    for attribute, candidates in wanted:
        found = tuple(thing for pattern, thing in candidates if pattern.search(path))
        if attribute == "studio":
            if found and scene.studio is None:
                scene.studio, is_changed = found[0], True
            continue
        new = tuple(thing for thing in found if thing not in getattr(scene, attribute))
        if new:
            setattr(scene, attribute, getattr(scene, attribute) + new)
            is_changed = True
    return is_changed
