"""The scan job: takes the differences of the disk into the library, file by file.

At most `parallel_tasks` files at a time; the hook of a file runs inside its worker. A new scene's Create hook runs
before its cover exists, and the cover then moves `updated_at` without a hook. A folder's new path changes silently.
A cancelled scan leaves what it made, and no later scan fires for that again.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from stashplex.sim.stash.cover import plain_png
from stashplex.sim.stash.disk import Disk, DiskFile, is_within
from stashplex.sim.stash.event import HookEvent
from stashplex.sim.stash.hook import Hooks
from stashplex.sim.stash.job import Job
from stashplex.sim.stash.library import Library
from stashplex.sim.stash.log import Feed
from stashplex.sim.stash.model import Scene, VideoFile
from stashplex.sim.stash.session import Session
from stashplex.sim.stash.settings import Settings

Step = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Scanner:
    """Runs scans over one disk."""

    library: Library
    settings: Settings
    disk: Disk
    hooks: Hooks
    finished: Feed = field(default_factory=Feed)

    async def scan(self, given: Mapping[str, Any], session: Session) -> None:
        """Do one whole scan."""
        run = _Scan(self, given, session)
        self._move_folders(run.roots)
        await run.work_off(run.steps())
        self.finished.publish(True)

    def job(self, given: Mapping[str, Any], session: Session) -> Callable[[Job], Awaitable[None]]:
        """Return a scan as the work of a job."""

        async def work(_: Job) -> None:
            await self.scan(given, session)

        return work

    def _move_folders(self, roots: list[str]) -> None:
        waiting = []
        for old, new in self.disk.folder_moves:
            if is_within(new, roots):
                self.library.rename_folder(old, new)
            else:
                waiting.append((old, new))
        self.disk.folder_moves[:] = waiting


class _Scan:
    """One scan: what it looks at and what it does with each file."""

    def __init__(self, scanner: Scanner, given: Mapping[str, Any], session: Session) -> None:
        self.library = scanner.library
        self.disk = scanner.disk
        self.hooks = scanner.hooks
        self.session = session
        self.workers = max(scanner.settings.parallel_tasks, 1)
        self.roots = list(given.get("paths") or ())
        self.is_rescan = bool(given.get("rescan"))
        self.makes_covers = bool(given.get("scanGenerateCovers"))
        self.makes_prints = bool(given.get("scanGeneratePhashes"))

    def steps(self) -> list[Step]:
        """Return what is to be done, in the order of paths."""
        known = {file.path: (scene, file) for scene in self.library.scenes.values() for file in scene.files}
        steps: dict[str, Step] = {}
        for path, found in self.disk.added.items():
            steps[path] = self._step(self._take_in, found, known)
        for path in self.disk.touched:
            if path in known:
                steps[path] = self._step(self._refresh, *known[path], self.disk.touched[path])
        if self.is_rescan:
            for path, (scene, file) in known.items():
                if path not in self.disk.removed:
                    steps.setdefault(path, self._step(self._refresh, scene, file, file.mod_time))
        return [steps[path] for path in sorted(steps) if is_within(path, self.roots)]

    async def work_off(self, steps: list[Step]) -> None:
        """Do all steps, so many at a time."""
        waiting = iter(steps)

        async def work() -> None:
            for step in waiting:
                await step()

        async with anyio.create_task_group() as group:
            for _ in range(min(self.workers, len(steps))):
                group.start_soon(work)

    def _step(self, act: Callable[..., Awaitable[None]], *args: Any) -> Step:
        return lambda: act(*args)

    async def _take_in(self, found: DiskFile, known: Mapping[str, tuple[Scene, VideoFile]]) -> None:
        del self.disk.added[found.path]
        same = [(scene, file) for scene, file in known.values() if file.oshash == found.oshash]
        moved = next(((scene, file) for scene, file in same if file.path in self.disk.removed), None)
        if moved is not None:
            await self._rename(*moved, found)
        elif same:
            await self._join(same[0][0], found)
        else:
            await self._create(found)

    async def _rename(self, scene: Scene, file: VideoFile, found: DiskFile) -> None:
        """Give a known file its new path: the file is stamped, the scene is not."""
        self.disk.removed.discard(file.path)
        above, _, file.basename = found.path.rpartition("/")
        file.parent_folder = self.library.folder_at(above)
        file.updated_at = self.library.stamper.now()
        self.library.revision += 1
        await self._fire("Scene.Update.Post", scene)

    async def _join(self, scene: Scene, found: DiskFile) -> None:
        """Add a second file with the same content to its scene."""
        scene.files += (self._file_of(found),)
        self.library.touch(scene)
        await self._fire("Scene.Update.Post", scene)

    async def _create(self, found: DiskFile) -> None:
        now = self.library.stamper.now()
        scene = Scene(self.library.scenes.take_id(), now, now, files=(self._file_of(found),))
        self.library.put_scene(scene)
        await self._fire("Scene.Create.Post", scene)
        if self.makes_prints:
            scene.files[0].more_prints = (("phash", found.oshash[::-1]),)
        if self.makes_covers:
            scene.cover = found.cover or plain_png(scene.id)
            self.library.touch(scene)

    async def _refresh(self, scene: Scene, file: VideoFile, mod_time: str) -> None:
        """Read a file again: the file is stamped, the scene is not."""
        self.disk.touched.pop(file.path, None)
        file.mod_time = mod_time
        file.updated_at = self.library.stamper.now()
        self.library.revision += 1
        await self._fire("Scene.Update.Post", scene)

    def _file_of(self, found: DiskFile) -> VideoFile:
        return self.library.add_file(found.path, found.size, found.duration, found.oshash, mod_time=found.mod_time)

    async def _fire(self, trigger: str, scene: Scene) -> None:
        await self.hooks.fire([HookEvent(trigger, scene.id)], self.session)
