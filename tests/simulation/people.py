"""People and their files: edits in Stash and in Plex, renames, merges, new and lost files, scans and rebuilds.

Each action that changes a scene leaves an event in the spool, as the hook does; what no hook tells (a rebuilt
library, files that moved in Plex alone) makes a sweep necessary, which the end of the run asks for. All of it is
drawn from the seed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from simulation.account import Account
from simulation.asking import Asking
from simulation.books import Books
from simulation.memory import Memory, Touch, shown
from simulation.scenery import FOREIGN, PEOPLE, PLEX_ROOT, PLEX_URL, STASH_ROOT, STUDIOS, TAGS, Scenery
from simulation.wire import Wire
from stashplex.base.transport import Request
from stashplex.sim.plex.item import Item
from stashplex.sim.plex.scan import new_item, plan_scan, stem_of
from stashplex.sim.plex.tagging import retire

KEYS_MAY_RETURN = False
"""Whether a Plex that numbers its library anew may give a film the very key that it had before."""


@dataclass
class People:
    """Everybody but the process under test."""

    scenery: Scenery
    memory: Memory
    books: Books
    wire: Wire
    account: Account
    asking: Asking
    needs_sweep: bool = False
    numbered: set[tuple[int, str]] = field(default_factory=set)
    lost: list[tuple[str, int, int]] = field(default_factory=list)

    async def act(self) -> None:
        """Do one thing."""
        actions: list[tuple[int, Callable[[], Any]]] = [
            (12, self.edit),
            (3, self.edit_many),
            (3, self.edit_often),
            (2, self.picture),
            (4, self.retitle_in_plex),
            (4, self.tag_in_plex),
            (3, self.untag_in_plex),
            (2, self.new_scene),
            (1, self.move_on_both_sides),
            (1, self.move_in_stash),
            (1, self.merge),
            (1, self.destroy),
            (1, self.rebuild),
            (2, self.restart_keys),
            (2, self.lose_file),
            (1, self.bring_back),
            (3, self.scan_plex),
            (2, self.sync_by_hand),
        ]
        act = self._dice.choices([one for _, one in actions], [weight for weight, _ in actions])[0]
        self.account.note(f"people: {act.__name__}")
        result = act()
        if result is not None:
            await result

    # in Stash

    def edit(self) -> None:
        """Change some fields of one scene."""
        if (number := self._any_scene()) is not None:
            self._edit(number)
            self.mark(number)

    def edit_many(self) -> None:
        """Give many scenes another tag at once."""
        numbers = self._scenes()
        for number in self._dice.sample(numbers, min(len(numbers), 8)):
            self._update(number, tags=self._dice.sample(TAGS, self._dice.randrange(4)))
            self.mark(number)

    def edit_often(self) -> None:
        """Change one scene again and again."""
        if (number := self._any_scene()) is not None:
            for _ in range(5):
                self._edit(number)
                self.mark(number)

    def picture(self) -> None:
        """Give a scene another cover."""
        if (number := self._any_scene()) is not None:
            self._update(number, cover=self.scenery.cover())
            self.mark(number)

    def new_scene(self) -> None:
        """Find a new file; Plex learns of it later."""
        number = self.scenery.add_scene(is_scanned=False)
        self.wire.owners[number].add(number)
        self.memory.keep(self.scenery.stash.library.scenes[number])
        self.mark(number)

    def merge(self) -> None:
        """Make one scene out of two: the second one's files go to the first."""
        numbers = self._scenes()
        if len(numbers) < 3:
            return
        kept, gone = self._dice.sample(numbers, 2)
        library = self.scenery.stash.library
        files = library.scenes[gone].files
        self.memory.destroyed[gone] = None
        library.remove_scene(library.scenes[gone])
        library.scenes[kept].files += files
        for file in files:
            self.wire.owners[int(file.basename[5:8])].add(kept)
        self._touched(kept)
        self.wire.reasons.disturb((kept, gone))
        self.mark(kept)
        self.mark(gone)

    def destroy(self) -> None:
        """Take a scene out of Stash; its file stays."""
        numbers = self._scenes()
        if len(numbers) > 2:
            number = self._dice.choice(numbers)
            self._forget(number)
            self.scenery.stash.destroy_scene(number)
            self.mark(number)

    # in Plex

    async def retitle_in_plex(self) -> None:
        """Give an item another title or summary by hand."""
        item = self._any_item()
        if item is not None:
            name = self._dice.choice(("title", "summary"))
            self.scenery.versions += 1
            value = f"Mine {self.scenery.versions}"
            is_quiet = self._is_quiet(item, name)
            if await self._edit_in_plex(item, f"{name}.value={quote(value)}&{name}.locked=1"):
                self._note_touch(item, name, value, is_added=True, is_quiet=is_quiet)

    async def tag_in_plex(self) -> None:
        """Add a tag to an item by hand."""
        item = self._any_item()
        if item is None:
            return
        name, tag = self._dice.choice(("genre", "actor", "collection")), self._dice.choice(FOREIGN)
        texts = [tagging.tag.text for tagging in item.tags.get(name, ())]
        if tag in texts:
            return
        query = "&".join(
            f"{quote(f'{name}[{index}].tag.tag', safe='')}={quote(text, safe='')}"
            for index, text in enumerate([*texts, tag])
        )
        is_quiet = self._is_quiet(item, name)
        if await self._edit_in_plex(item, query):
            self._note_touch(item, name, tag, is_added=True, is_quiet=is_quiet)

    async def untag_in_plex(self) -> None:
        """Take a tag of Stash from an item by hand."""
        item = self._any_item()
        if item is None:
            return
        ours = [
            (name, tagging.tag.text)
            for name in ("genre", "actor")
            for tagging in item.tags.get(name, ())
            if tagging.tag.text in (*TAGS, *PEOPLE) and not {",", "%"} & set(tagging.tag.text)
        ]
        if not ours:
            return
        name, tag = self._dice.choice(ours)
        is_quiet = self._is_quiet(item, name)
        if await self._edit_in_plex(item, f"{quote(f'{name}[].tag.tag-', safe='')}={quote(tag, safe='')}"):
            self._note_touch(item, name, tag, is_added=False, is_quiet=is_quiet)

    def scan_plex(self) -> None:
        """Let Plex look at its folders."""
        plan_scan(self.scenery.plex.world, self.scenery.section, None)

    def rebuild(self) -> None:
        """Let Plex forget its library and scan it anew: other rating keys, no edits."""
        self.scenery.plex.rebuild(self.scenery.section)
        self.memory.destroyed = dict.fromkeys(self.memory.destroyed)
        self.wire.reasons.disturb_all()
        self.needs_sweep = True
        self.account.reach("rating keys changed")

    def restart_keys(self) -> None:
        """Let Plex forget its library and number it from the start: each key stands for another film now."""
        section, plex = self.scenery.section, self.scenery.plex
        old = [item for item in section.items.values() if len(item.files) == 1 and item.deleted_at is None]
        if len(old) < 2:
            return
        keys = [item.key for item in old]
        files = [item.files[0] for item in old]
        files = files[1:] + files[:1]
        if not KEYS_MAY_RETURN and any(
            (key, file.path) in self.numbered for key, file in zip(keys, files, strict=True)
        ):
            return
        self.numbered.update((item.key, item.files[0].path) for item in old)
        last = plex.world._last_key
        for item in old:
            retire(plex.world, item)
            self.wire.renumbered_at[str(item.key)] = self.account.lines + 1
        self.memory.destroyed = dict.fromkeys(self.memory.destroyed)
        self.memory.touches = [touch for touch in self.memory.touches if int(touch.key) not in keys]
        for key, file in zip(keys, files, strict=True):
            plex.world._last_key = key - 1
            new_item(plex.world, section, [(file,)], title=stem_of(file.path))
        plex.world._last_key = last
        self.wire.reasons.disturb_all()
        self.needs_sweep = True
        self.account.reach("rating keys stand for other files")

    def lose_file(self) -> None:
        """Take a file from Plex's disk for a while; a scan puts its item into the trash."""
        item = self._any_item()
        if item is not None and len(item.files) == 1:
            file = item.files[0]
            self.scenery.plex.remove_file(file.path)
            self.lost.append((file.path, file.size_bytes, file.duration_ms))
            self.scan_plex()
            for number in sorted(self.wire.scenes_with(item) & set(self._scenes())):
                self._edit(number)  # or nobody would miss it
                self.mark(number)

    def bring_back(self) -> None:
        """Put a lost file back where it was; who waits for it is not told."""
        if self.lost:
            path, size, duration_ms = self.lost.pop(self._dice.randrange(len(self.lost)))
            self.put_back(path, size, duration_ms)
            self.scan_plex()

    def put_back(self, path: str, size: int, duration_ms: int) -> None:
        """Put one lost file back, unless a file of its name is somewhere else now."""
        name = path.rpartition("/")[2]
        if not any(file.rpartition("/")[2] == name for folder in self._folders() for file in folder):
            self.scenery.plex.put_file(path, size, duration_ms)
        self.account.reach("a lost file came back")

    # on the disk

    def move_on_both_sides(self) -> None:
        """Move a file to another folder; Stash knows at once, Plex after its next scan."""
        moved = self._move_in_stash()
        if moved is None:
            return
        number, old, new = moved
        plex = self.scenery.plex
        known = plex.world.disk.get(old.rpartition("/")[0], {}).get(old)
        if known is not None:
            plex.remove_file(old)
            plex.put_file(new, known.size_bytes, known.duration_ms)
        self.needs_sweep = True
        self.mark(number)

    def move_in_stash(self) -> None:
        """Let Stash see a file under another folder than Plex does; the name stays."""
        moved = self._move_in_stash()
        if moved is not None:
            self.mark(moved[0])

    def mark_everything(self) -> None:
        """Ask for all scenes by events, ahead of everything that a `sync` asks for."""
        for number in self._scenes():
            self.mark(number)

    def sync_by_hand(self) -> None:
        """Ask for all scenes as a person's `sync` does, and then go on with edits: these go first."""
        self.asking.sync(self._scenes())
        self.edit_many()

    def mark(self, number: int) -> None:
        """Leave an event in the spool, as the hook does."""
        self.asking.mark(number)

    # small print

    @property
    def _dice(self) -> Any:
        return self.scenery.dice

    def _folders(self) -> Iterable[Iterable[str]]:
        return self.scenery.plex.world.disk.values()

    def _scenes(self) -> list[int]:
        return list(self.scenery.stash.library.scenes)

    def _any_scene(self) -> int | None:
        numbers = self._scenes()
        return self._dice.choice(numbers) if numbers else None

    def _any_item(self) -> Item | None:
        items = [item for item in self.scenery.section.items.values() if item.deleted_at is None]
        return self._dice.choice(items) if items else None

    def _edit(self, number: int) -> None:
        values = self.scenery.values(number) | {
            "title": self.scenery.title(number),
            "studio": self._dice.choice(STUDIOS),
        }
        names = self._dice.sample(list(values), self._dice.randint(1, len(values)))
        self._update(number, **{name: values[name] for name in sorted(names)})

    def _update(self, number: int, **fields: Any) -> None:
        self.scenery.stash.update_scene(number, **fields)
        self._touched(number)

    def _touched(self, number: int) -> None:
        scene = self.scenery.stash.library.scenes[number]
        self.scenery.stash.library.touch(scene)
        self.memory.keep(scene)
        self.wire.reasons.disturb((number,))

    def _forget(self, number: int) -> None:
        row = self.books.rows.get(number)
        files = self.scenery.stash.library.scenes[number].files
        item = self.scenery.item_at(files[0].path.replace(STASH_ROOT, PLEX_ROOT, 1)) if files else None
        is_quiet = row is not None and row.is_in_step and item is not None
        self.memory.destroyed[number] = shown(item) if is_quiet else None

    def _move_in_stash(self) -> tuple[int, str, str] | None:
        number = self._any_scene()
        library = self.scenery.stash.library
        if number is None or not library.scenes[number].files:
            return None
        file = library.scenes[number].files[0]
        old = file.path
        file.parent_folder = library.folder_at(f"{STASH_ROOT}/{self._dice.choice(('a', 'b', 'c'))}")
        self._touched(number)
        if file.path == old:
            return None
        return number, old.replace(STASH_ROOT, PLEX_ROOT, 1), file.path.replace(STASH_ROOT, PLEX_ROOT, 1)

    async def _edit_in_plex(self, item: Item, query: str) -> bool:
        url = f"{PLEX_URL}/library/sections/{self.scenery.section.id}/all?type=1&id={item.key}&{query}"
        headers = {"X-Plex-Token": self.scenery.plex.token}
        answer = await self.scenery.plex_as_person.send(Request("PUT", url, headers))
        return answer.status == 200

    def _is_quiet(self, item: Item, name: str) -> bool:
        """Tell whether the scene of an item is in step, so that an edit by hand now meets no write of ours."""
        scenes = self.wire.scenes_with(item)
        if len(scenes) != 1:
            return False
        (scene,) = scenes
        row = self.books.rows.get(scene)
        history = self.memory.versions[scene]
        if row is None or not row.is_in_step or not history or self.asking.is_asked_for(scene):
            return False
        touches = [touch for touch in self.memory.touches if touch.key == str(item.key) and touch.field == name]
        now, wanted = shown(item)[name], history[-1][name]
        if now == wanted or (isinstance(now, frozenset) and frozenset(wanted) <= now):
            return True
        return bool(touches) and touches[-1].is_quiet and touches[-1].version == len(history) - 1

    def _note_touch(self, item: Item, name: str, value: str, *, is_added: bool, is_quiet: bool) -> None:
        scenes = self.wire.scenes_with(item)
        self.wire.reasons.disturb(scenes)
        version = min((len(self.memory.versions[scene]) - 1 for scene in scenes), default=0)
        self.memory.touches.append(Touch(str(item.key), name, value, is_added, is_quiet, version))
        self.wire.person_at[str(item.key)] = self.account.lines + 1
        self.account.note(f"people: item {item.key} {name} {'+' if is_added else '-'}{value} quiet={is_quiet}")
