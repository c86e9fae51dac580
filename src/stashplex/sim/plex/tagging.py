"""Tags on items, and the collections that follow from them.

A collection is a tag: whoever carries the tag is a member, the first member makes the collection and the last
one may take it along. Both sides change here together and nowhere else.
"""

from dataclasses import dataclass, field

from stashplex.sim.plex.item import Collection, Item
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.tag import KINDS, Kind, Tag, Tagging
from stashplex.sim.plex.world import World

_COLLECTION = KINDS["collection"]


@dataclass(slots=True)
class Entry:
    """One wanted tag. None leaves role, thumb and key as they are."""

    text: str = ""
    role: str | None = None
    thumb: str | None = None
    key: str | None = None


@dataclass(slots=True)
class TagEdit:
    """What one request wants of one kind of tag: first clear, then remove, then add."""

    is_cleared: bool = False
    removed: list[str] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)


def apply_tags(world: World, item: Item, kind: Kind, edit: TagEdit, *, replaces: bool) -> bool:
    """Change the tags of one kind on one item; tell whether anything changed."""
    current = item.tags.get(kind.name, [])
    kept = [] if edit.is_cleared else [t for t in current if not _is_named(world, t, edit.removed)]
    entries = [edit.entries[index] for index in sorted(edit.entries) if edit.entries[index].text]
    if replaces and entries:
        kept = []
    roles = {tagging.tag.id: tagging.role for tagging in current}
    before = [(tagging.tag.id, tagging.role) for tagging in current]
    wanted = {tagging.tag.id: tagging for tagging in kept}
    changed_tag = False
    for entry in entries:
        tag = world.tags.obtain(kind, entry.text, section=_scope(kind, item))
        changed_tag |= _improve(tag, entry)
        role = roles.get(tag.id, "") if entry.role is None else entry.role
        wanted[tag.id] = Tagging(tag, role)
    after = list(wanted.values())
    if [(tagging.tag.id, tagging.role) for tagging in after] == before:
        return changed_tag
    if after:
        item.tags[kind.name] = after
    else:
        item.tags.pop(kind.name, None)
    if kind is _COLLECTION:
        _follow(world, item, {number for number, _ in before}, wanted)
    return True


def obtain_collection(world: World, section: Section, title: str) -> Collection:
    """Return the collection with this title, made when missing."""
    tag = world.tags.obtain(_COLLECTION, title, section=section.id)
    found = section.collections_by_tag.get(tag.id)
    if found is not None:
        return found
    now = world.now
    collection = Collection(
        key=world.new_key(),
        section_id=section.id,
        guid=f"collection://{world.new_uuid()}",
        added_at=now,
        updated_at=now,
        fields={"title": title},
        tag=tag,
    )
    world.add(collection)
    world.announce(collection, 5, metadata_state="created")
    return collection


def join(world: World, collection: Collection, item: Item) -> bool:
    """Make an item a member; tell whether it was none."""
    edit = TagEdit(entries={0: Entry(collection.tag.text)})
    return apply_tags(world, item, _COLLECTION, edit, replaces=False)


def leave(world: World, collection: Collection, item: Item) -> bool:
    """End a membership; tell whether there was one."""
    return apply_tags(world, item, _COLLECTION, TagEdit(removed=[collection.tag.text]), replaces=False)


def retire(world: World, item: Item) -> None:
    """Let an item go for good, out of its collections too; a collection leaves its members' tags."""
    if isinstance(item, Collection):
        for member in list(item.members.values()):
            member.tags["collection"] = [t for t in member.tags["collection"] if t.tag is not item.tag]
            if not member.tags["collection"]:
                del member.tags["collection"]
            member.fragment = None
    else:
        apply_tags(world, item, _COLLECTION, TagEdit(is_cleared=True), replaces=False)
    world.discard(item)


def _follow(world: World, item: Item, before: set[int], wanted: dict[int, Tagging]) -> None:
    section = world.sections[item.section_id]
    for number in before - wanted.keys():
        collection = section.collections_by_tag[number]
        collection.members.pop(item.key, None)
        if collection.members or not world.switches.empty_collection_vanishes:
            world.touch(collection)
        else:
            world.discard(collection)
    for number, tagging in wanted.items():
        if number not in before:
            collection = obtain_collection(world, section, tagging.tag.text)
            collection.members[item.key] = item
            world.touch(collection)


def _improve(tag: Tag, entry: Entry) -> bool:
    """Set what belongs to the tag itself, for every item that carries it."""
    changed = False
    if entry.thumb is not None and entry.thumb != tag.thumb:
        tag.thumb, changed = entry.thumb, True
    if entry.key is not None and entry.key != tag.key:
        tag.key, changed = entry.key, True
    return changed


def _is_named(world: World, tagging: Tagging, texts: list[str]) -> bool:
    return any(world.tags.same(tagging.tag.text, text) for text in texts)


def _scope(kind: Kind, item: Item) -> int:
    return item.section_id if kind is _COLLECTION else 0
