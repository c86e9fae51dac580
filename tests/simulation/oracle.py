"""What Plex should show in the end, worked out from the documented rules alone.

Not our domain code: a mistake there must not be repeated here. Where a race between a person and a write leaves two
right answers, both are allowed; everywhere else there is one.
"""

from collections.abc import Iterator

from simulation.books import Books
from simulation.memory import LISTS, TEXTS, Memory, Touch, Value, shown
from simulation.scenery import PLEX_ROOT, STASH_ROOT, Scenery
from simulation.wire import Wire, numbers_of
from stashplex.sim.plex.item import Item
from stashplex.sim.stash.model import Scene

DEAD_FOR_A_REASON = frozenset({"MatchAmbiguous", "SceneInvalid"})


class Oracle:
    """Knows both servers from inside and what people did."""

    def __init__(self, scenery: Scenery, memory: Memory, wire: Wire, books: Books) -> None:
        self._scenery = scenery
        self._memory = memory
        self._wire = wire
        self._books = books

    def faults(self) -> Iterator[str]:
        """Yield everything in Plex and in the ledger that is not as it should be once all is quiet."""
        for scene in self._scenery.stash.library.scenes.values():
            row = self._books.rows.get(scene.id)
            if row is None:
                yield f"scene {scene.id} has no entry"
                continue
            items = self.items_of(scene)
            if len(items) == 1 and scene.files:
                if not row.is_in_step:
                    yield f"scene {scene.id} is not in step: {row}"
                if str(items[0].key) not in self._wire.renumbered_under_us:
                    yield from (f"scene {scene.id}: {fault}" for fault in self._faults_of(scene, items[0]))
            elif len(items) > 1 or not scene.files:
                is_dead = row.state == "dead" and row.error_type in DEAD_FOR_A_REASON
                if not row.is_in_step and not is_dead:
                    yield f"scene {scene.id} needs a person, but is {row}"
            elif row.error_type != "PlexNotFound":
                yield f"scene {scene.id} has no item, but is {row}"
        for row in self._books.rows.values():
            if row.token is not None:
                yield f"a stuck lease: {row}"
            if row.scene not in self._scenery.stash.library.scenes and not row.is_in_step:
                yield f"scene {row.scene} left Stash, but its entry is {row}"
        yield from self._destroyed()

    def items_of(self, scene: Scene) -> list[Item]:
        """Return the items that belong to a scene: by path, else by name and size."""
        living = [item for item in self._scenery.section.items.values() if item.deleted_at is None]
        paths = {file.path.replace(STASH_ROOT, PLEX_ROOT, 1) for file in scene.files}
        found = [item for item in living if any(file.path in paths for file in item.files)]
        names = {(file.basename, file.size) for file in scene.files}
        return found or [
            item
            for item in living
            if any((file.path.rpartition("/")[2], file.size_bytes) in names for file in item.files)
        ]

    def items_of_several(self) -> set[str]:
        """Return the items of which one scene has more than one: until a person decides, either may be written to."""
        found = map(self.items_of, self._scenery.stash.library.scenes.values())
        return {str(item.key) for items in found if len(items) > 1 for item in items}

    def _faults_of(self, scene: Scene, item: Item) -> Iterator[str]:
        key, now = str(item.key), shown(item)
        history = self._memory.versions[scene.id]
        for name in TEXTS:
            value = now[name]
            allowed = _allowed_texts(name, history, [touch for touch in self._memory.touches if touch.key == key])
            if value not in allowed:
                yield f"item {key} shows {name} {value!r} instead of {sorted(map(str, allowed))}"
        for name in LISTS:
            touches = [touch for touch in self._memory.touches if touch.key == key and touch.field == name]
            yield from self._list_faults(key, name, now[name], history, touches)
        cover = scene.cover() if callable(scene.cover) else scene.cover
        if cover is not None and self._scenery.plex.image_bytes(key) != cover:
            yield f"item {key} shows {self._scenery.plex.image_bytes(key)!r} instead of the cover {cover!r}"

    def _list_faults(
        self, key: str, name: str, value: Value, history: list[dict[str, Value]], touches: list[Touch]
    ) -> Iterator[str]:
        wanted = frozenset(history[-1][name])
        added = {touch.value for touch in touches if touch.is_added}
        removed = {touch.value: touch for touch in touches if not touch.is_added}
        for tag in frozenset(value) - wanted - added - self._of_others(key, name):
            yield f"item {key} still shows {name} {tag!r}, which Stash does not have"
        for tag in added - frozenset(value):
            if (key, f"{name}:{tag}") not in self._wire.raced and tag not in removed:
                yield f"item {key} lost {name} {tag!r}, which a person had added"
        for tag in wanted:
            touch = removed.get(tag)
            if touch is None:
                if tag not in value:
                    yield f"item {key} lacks {name} {tag!r}"
            elif touch.is_quiet and tag in value and all(tag in version[name] for version in history[touch.version :]):
                yield f"item {key} shows {name} {tag!r}, which a person had removed"

    def _of_others(self, key: str, name: str) -> frozenset[str]:
        """Return what scenes that once held this item's file may have left there: nobody knows any more whose it is."""
        numbers = numbers_of(self._scenery.plex.world.items[int(key)])
        scenes = set().union(*(self._wire.owners[number] for number in numbers))
        if len(scenes) < 2:
            return frozenset()
        versions = [version for scene in scenes for version in self._memory.versions[scene]]
        return frozenset().union(*(frozenset(version[name]) for version in versions))

    def _destroyed(self) -> Iterator[str]:
        for number, before in self._memory.destroyed.items():
            found = [
                item
                for item in self._scenery.section.items.values()
                if any(f"film-{number:03d}" in file.path for file in item.files)
            ]
            if before is None or len(found) != 1:
                continue
            now = shown(found[0])
            changed = {name: (before[name], now[name]) for name in before if before[name] != now[name]}
            if changed and not any(touch.key == str(found[0].key) for touch in self._memory.touches):
                yield f"scene {number} left Stash, and its item changed: {changed}"


def _allowed_texts(name: str, history: list[dict[str, Value]], touches: list[Touch]) -> set[Value]:
    """Return the values that a field may show: Stash's, a person's, or in a race either."""
    wanted = history[-1][name]
    own = [touch for touch in touches if touch.field == name]
    if name == "titleSort":  # follows the title in Plex until it is set by itself
        titles = {touch.value for touch in touches if touch.field == "title"}
        return {wanted, *titles} if titles else {wanted}
    if not own:
        return {wanted}
    last = own[-1]
    if last.is_first:
        return {wanted, last.value} if any(version[name] for version in history) else {last.value}
    since = [version[name] for version in history[last.version :]]
    if all(value == since[0] for value in since):
        return {last.value} if last.is_quiet else {last.value, wanted}
    if wanted == since[0] or not last.is_quiet:
        return {last.value, wanted}
    return {wanted}
