"""The state of a simulated Stash: numbered tables of scenes and everything they refer to.

Answers look-ups and keeps both sides of a relation in step; it decides nothing and fires nothing. Ids only grow and
are never used twice. `scene_ids` is sorted, so that a page by id costs no walk over the whole library.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from stashplex.sim.stash.model import (
    Activity,
    Entity,
    Folder,
    Gallery,
    Group,
    Marker,
    Performer,
    Scene,
    Studio,
    Tag,
    VideoFile,
)
from stashplex.sim.stash.refusal import RequestRefused
from stashplex.sim.stash.timetext import Stamper

T = TypeVar("T")
_ATOI_LIMIT = 1 << 63


class Table(dict[int, T]):
    """Objects of one kind by id, and the next id."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.next_id = 1
        self._names: dict[str, T] | None = None

    def put(self, thing: Any) -> None:
        """Take a new thing in."""
        self[thing.id] = thing
        if self._names is not None:
            self._names.setdefault(thing.name, thing)

    def forget_names(self) -> None:
        """Say that names changed or things went away."""
        self._names = None

    def named(self, name: str) -> T | None:
        """Return the first thing with exactly this name, or None."""
        if self._names is None:
            self._names = {}
            for thing in self.values():
                self._names.setdefault(getattr(thing, "name", ""), thing)
        return self._names.get(name)

    def take_id(self, wanted: int | None = None) -> int:
        """Return a number that was never used before, or `wanted`. Raises: ValueError when `wanted` is taken."""
        if wanted is None:
            wanted = self.next_id
        elif wanted in self:
            message = f"{self.kind} {wanted} exists"
            raise ValueError(message)
        self.next_id = max(self.next_id, wanted + 1)
        return wanted

    def get_known(self, wanted: Any) -> T:
        """Return the object. Raises: RequestRefused."""
        found = self.get(parse_id(wanted))
        if found is None:
            message = f"{self.kind} with id {wanted} not found"
            raise RequestRefused(message)
        return found

    def get_linked(self, wanted: Iterable[Any]) -> tuple[T, ...]:
        """Return objects to refer to, each once. Raises: RequestRefused, as the database does."""
        found = []
        for each in dict.fromkeys(parse_id(w) for w in wanted):
            if each not in self:
                raise RequestRefused("FOREIGN KEY constraint failed")
            found.append(self[each])
        return tuple(found)


def parse_id(text: Any, told: str = "") -> int:
    """Return an id argument as a number. Shape: `told` begins the message. Raises: RequestRefused."""
    try:
        number = int(text)
    except (TypeError, ValueError) as error:
        message = f'{told}strconv.Atoi: parsing "{text}": invalid syntax'
        raise RequestRefused(message) from error
    if not -_ATOI_LIMIT <= number < _ATOI_LIMIT:
        message = f'{told}strconv.Atoi: parsing "{text}": value out of range'
        raise RequestRefused(message)
    return number


class Library:
    """All tables of one server."""

    def __init__(self, stamper: Stamper) -> None:
        self.stamper = stamper
        self.scenes: Table[Scene] = Table("scene")
        self.performers: Table[Performer] = Table("performer")
        self.studios: Table[Studio] = Table("studio")
        self.tags: Table[Tag] = Table("tag")
        self.groups: Table[Group] = Table("group")
        self.galleries: Table[Gallery] = Table("gallery")
        self.markers: Table[Marker] = Table("scene marker")
        self.files: Table[VideoFile] = Table("file")
        self.folders: Table[Folder] = Table("folder")
        self.scene_ids: list[int] = []
        self.revision = 0
        self._folder_by_path: dict[str, Folder] = {}
        self._usage: tuple[int, Counter[Any]] = (-1, Counter())

    def put_scene(self, scene: Scene) -> None:
        """Take a new scene in."""
        self.scenes[scene.id] = scene
        if not self.scene_ids or scene.id > self.scene_ids[-1]:
            self.scene_ids.append(scene.id)
        else:
            insort(self.scene_ids, scene.id)
        self.revision += 1

    def drop_scene(self, scene: Scene) -> None:
        """Take a scene out, with its markers; its files stay known."""
        del self.scenes[scene.id]
        del self.scene_ids[bisect_left(self.scene_ids, scene.id)]
        for marker in scene.scene_markers:
            self.markers.pop(marker.id, None)
        self.revision += 1

    def remove_scene(self, scene: Scene, *, delete_files: bool = False) -> None:
        """Take a scene out, and its files too when asked to."""
        self.drop_scene(scene)
        if delete_files:
            for file in scene.files:
                self.files.pop(file.id, None)

    def touch(self, scene: Scene) -> None:
        """Stamp a scene as edited now."""
        scene.updated_at = self.stamper.now()
        self.revision += 1

    def folder_at(self, path: str) -> Folder:
        """Return the folder with this path, made with its parents when it is new."""
        known = self._folder_by_path.get(path)
        if known is not None:
            return known
        above, _, name = path.rpartition("/")
        parent = self.folder_at(above) if name and above else None
        now = self.stamper.now()
        folder = Folder(self.folders.take_id(), path, now, now, now, parent)
        self.folders[folder.id] = folder
        self._folder_by_path[path] = folder
        return folder

    def rename_folder(self, old: str, new: str) -> None:
        """Give a folder and all below it a new path. Nothing else of them changes."""
        for folder in list(self.folders.values()):
            if folder.path == old or folder.path.startswith(old + "/"):
                del self._folder_by_path[folder.path]
                folder.path = new + folder.path[len(old) :]
                self._folder_by_path[folder.path] = folder
        moved = self._folder_by_path.get(new)
        above, _, _ = new.rpartition("/")
        if moved is not None and above:
            moved.parent_folder = self.folder_at(above)
        self.revision += 1

    def add_file(
        self, path: str, size: int, duration: float, oshash: str, *, mod_time: str = "", **more: Any
    ) -> VideoFile:
        """Take a new file in. Shape: `more` are further attributes of `VideoFile`."""
        now = self.stamper.now()
        above, _, name = path.rpartition("/")
        file = VideoFile(
            self.files.take_id(), self.folder_at(above), name, size, duration, oshash, mod_time or now, now, now, **more
        )
        self.files[file.id] = file
        return file

    def scene_of(self, file: VideoFile) -> Scene | None:
        """Return the scene that holds this file. Costs a walk over all scenes."""
        return next((s for s in self.scenes.values() if file in s.files), None)

    def activity_of(self, scene: Scene) -> Activity:
        """Return what was watched, ready to be written to."""
        if scene.activity is None:
            scene.activity = Activity()
        return scene.activity

    def usage(self) -> Mapping[Any, int]:
        """Return how many scenes and markers refer to each entity; counted once per revision."""
        revision, counted = self._usage
        if revision != self.revision:
            counted = Counter()
            for scene in self.scenes.values():
                counted.update(("scene", each) for each in _neighbours(scene))
            for marker in self.markers.values():
                counted.update(("marker", tag) for tag in {marker.primary_tag, *marker.tags})
            self._usage = (self.revision, counted)
        return counted


def _neighbours(scene: Scene) -> Iterable[Entity]:
    yield from scene.performers
    yield from scene.tags
    yield from (membership.group for membership in scene.groups)
    if scene.studio is not None:
        yield scene.studio
