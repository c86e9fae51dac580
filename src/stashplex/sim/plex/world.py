"""Everything the simulated server knows, and the few moves that keep it consistent.

One `World` per server. Handlers read and change it; all of them go through `add`, `discard`, `touch` and
`announce`, so counters, stamps, cached fragments and notifications cannot fall out of step.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1

from stashplex.base.clock import Clock
from stashplex.sim.plex.agenda import Agenda
from stashplex.sim.plex.feed import Feed
from stashplex.sim.plex.imagestore import ImageStore
from stashplex.sim.plex.item import Collection, DiskFile, Item, Media, Part, Value, type_numbers
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.switches import Switches
from stashplex.sim.plex.tag import TagBook

OWNER = 1
SHARED = 2


@dataclass(slots=True, eq=False)
class AgentSays:
    """What the agent would tell about one file: values by field, texts by tag kind."""

    fields: dict[str, Value] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Activity:
    """One running activity."""

    uuid: str
    type: str
    title: str
    subtitle: str
    section_id: int
    progress: int = 0
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Play:
    """One row of the play history."""

    id: int
    item: Item
    account: int
    viewed_at: int


@dataclass(slots=True, eq=False)
class World:
    """The state of one server. Units: `elapsed_s` in monotonic seconds, `now` in whole ones of the epoch that never
    go back.
    """

    clock: Clock
    rng: random.Random
    switches: Switches
    version: str
    name: str
    machine_id: str
    sections: dict[int, Section] = field(default_factory=dict)
    items: dict[int, Item] = field(default_factory=dict)
    tags: TagBook = field(init=False)
    feed: Feed = field(init=False)
    agenda: Agenda = field(default_factory=Agenda)
    images: ImageStore = field(init=False)
    disk: dict[str, dict[str, DiskFile]] = field(default_factory=dict)
    web: dict[str, bytes] = field(default_factory=dict)
    agent_says: dict[str, AgentSays] = field(default_factory=dict)
    activities: dict[str, Activity] = field(default_factory=dict)
    history: list[Play] = field(default_factory=list)
    prefs: dict[str, str | int | bool] = field(default_factory=dict)
    listings: dict[tuple[object, ...], tuple[int, list[Item]]] = field(default_factory=dict)
    _last_now: int = 0
    _last_key: int = 0
    _last_media: int = 0
    _last_part: int = 0

    def __post_init__(self) -> None:
        self.tags = TagBook(self.switches)
        self.feed = Feed(self.switches, self.rng)
        self.images = ImageStore(self.switches)

    @property
    def elapsed_s(self) -> float:
        """What plans and waits go by: a wall clock that is set back holds no scan up."""
        return self.clock.monotonic_s()

    @property
    def now(self) -> int:
        """The time in whole seconds, never less than before."""
        self._last_now = max(self._last_now, int(self.clock.now().timestamp()))
        return self._last_now

    def new_key(self) -> int:
        """Return a rating key that no item ever had."""
        self._last_key += 1
        return self._last_key

    def new_uuid(self) -> str:
        """Return an id in the form of a UUID."""
        digits = f"{self.rng.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def new_media(self, files: Sequence[DiskFile], *, proxy_type: int = 0) -> Media:
        """Return a version made of these files, stacked when there are several."""
        self._last_media += 1
        parts = []
        for file in files:
            self._last_part += 1
            parts.append(Part(self._last_part, file))
        return Media(self._last_media, parts, proxy_type)

    def new_guid(self, section: Section, key: int, files: Sequence[DiskFile]) -> str:
        """Return the guid that the section's agent would give."""
        name = files[0].path if files else str(key)
        digest = sha1(name.encode(), usedforsecurity=False).hexdigest()
        if not section.has_agent:
            return f"com.plexapp.agents.none://{digest}?lang=xn"
        return f"plex://movie/{digest[:24]}"

    def add(self, item: Item) -> None:
        """Take an item into its section."""
        section = self.sections[item.section_id]
        self.items[item.key] = item
        if isinstance(item, Collection):
            section.collections[item.key] = section.collections_by_tag[item.tag.id] = item
            section.mark_changed()
        else:
            section.add(item)
            section.mark_touched(item)

    def discard(self, item: Item) -> None:
        """Let an item go for good."""
        section = self.sections[item.section_id]
        self.items.pop(item.key, None)
        if isinstance(item, Collection):
            section.collections.pop(item.key, None)
            section.collections_by_tag.pop(item.tag.id, None)
            self.tags.forget(item.tag, section=section.id)
        elif item.key in section.items:
            section.remove(item)
        section.mark_changed()
        self.announce(item, 9, metadata_state="deleted")

    def touch(self, item: Item, *, at: int | None = None) -> None:
        """Note that an item changed now: stamps, counters, cached fragment."""
        item.updated_at = self.now if at is None else at
        item.fragment = None
        section = self.sections[item.section_id]
        section.mark_touched(item)

    def announce(self, item: Item, state: int, *, metadata_state: str = "") -> None:
        """Tell listeners about an item."""
        entry = {
            "itemID": item.key,
            "sectionID": item.section_id,
            "type": type_numbers[item.type],
            "title": item.title,
        }
        self.feed.publish_timeline(entry, state, metadata_state=metadata_state, updated_at=item.updated_at)

    def find_item(self, key: str) -> Item | None:
        """Return a living item by its rating key as written, None when unknown or in the trash."""
        item = self.items.get(int(key)) if key.isdecimal() else None
        return None if item is None or item.deleted_at is not None else item

    def advance(self) -> None:
        """Run what has become due. Everyone who looks at the world calls this first."""
        due = self.agenda.next_due
        if due is not None and due <= self.elapsed_s:
            self.agenda.run_due(self.elapsed_s)

    @property
    def version_numbers(self) -> tuple[int, ...]:
        """The numbers of the version, for comparisons."""
        numbers = self.version.partition("-")[0].split(".")
        return tuple(int(number) for number in numbers if number.isdecimal())
