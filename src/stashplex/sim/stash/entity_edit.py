"""Mutations of performers, studios, tags, groups and galleries.

An edit stamps the entity and fires the entity's own hook; scenes that refer to it keep their `updated_at`. A
destroyed entity just disappears from its scenes. Groups fire under their new and their old name; a merge of
performers fires nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stashplex.sim.stash.assignment import assign, combined
from stashplex.sim.stash.context import Context
from stashplex.sim.stash.event import Change, HookEvent
from stashplex.sim.stash.library import Library, Table
from stashplex.sim.stash.model import Gallery, Group, Performer, Scene, Studio, Tag
from stashplex.sim.stash.refusal import RequestRefused

Input = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of entity: its table, its maker, the names its hooks have, how it leaves the things that refer to it."""

    name: str
    table: str
    make: Callable[..., Any]
    hooks: tuple[str, ...]
    detach: Callable[[Library, Any], None]

    def rows(self, library: Library) -> Table[Any]:
        """Return the table."""
        table: Table[Any] = getattr(library, self.table)
        return table

    def events(self, event: str, thing_id: int, given: Any, fields: tuple[str, ...] | None) -> list[HookEvent]:
        """Return the events of one change, in firing order."""
        return [HookEvent(f"{hook}.{event}.Post", thing_id, given, fields) for hook in self.hooks]


def create(kind: Kind) -> Callable[[Context, Input], Change]:
    """Return the mutation that makes one."""

    def act(context: Context, given: Input) -> Change:
        library, rows = context.library, kind.rows(context.library)
        _need_free_name(kind, rows, given, None)
        now = library.stamper.now()
        thing = kind.make(rows.take_id(), "", now, now)
        assign(library, kind.name, thing, given)
        _link_scenes(library, kind, thing, given)
        rows[thing.id] = thing
        _changed(library, rows)
        return Change(lambda: thing, kind.events("Create", thing.id, dict(given), None))

    return act


def update(kind: Kind) -> Callable[[Context, Input], Change]:
    """Return the mutation that edits one."""

    def act(context: Context, given: Input) -> Change:
        library, rows = context.library, kind.rows(context.library)
        thing = rows.get_known(given["id"])
        _need_free_name(kind, rows, given, thing)
        _need_no_loop(kind, library, thing, given)
        assign(library, kind.name, thing, given)
        _link_scenes(library, kind, thing, given)
        thing.updated_at = library.stamper.now()
        _changed(library, rows)
        return Change(lambda: rows.get(thing.id), kind.events("Update", thing.id, dict(given), tuple(given)))

    return act


def destroy(kind: Kind) -> Callable[[Context, Input], Change]:
    """Return the mutation that takes one out."""

    def act(context: Context, given: Input) -> Change:
        thing = kind.rows(context.library).get_known(given["id"])
        _remove(context.library, kind, thing)
        return Change(lambda: True, kind.events("Destroy", thing.id, {"id": str(given["id"])}, None))

    return act


def destroy_several(kind: Kind) -> Callable[[Context, Iterable[Any]], Change]:
    """Return the mutation that takes several out."""

    def act(context: Context, ids: Iterable[Any]) -> Change:
        wanted = [str(each) for each in ids]
        things = [kind.rows(context.library).get_known(each) for each in wanted]
        for thing in things:
            _remove(context.library, kind, thing)
        return Change(lambda: True, [e for thing in things for e in kind.events("Destroy", thing.id, wanted, None)])

    return act


def update_performers(context: Context, given: Input) -> Change:
    """Give several performers the same values."""
    library = context.library
    things = [library.performers.get_known(each) for each in given.get("ids") or ()]
    plain = {name: value for name, value in given.items() if not name.endswith("ids")}
    bulk = given.get("tag_ids")
    tags = library.tags.get_linked(bulk.get("ids") or ()) if bulk else ()
    for thing in things:
        assign(library, "performer", thing, plain)
        if bulk:
            thing.tags = combined(bulk["mode"], thing.tags, tags)
        thing.updated_at = library.stamper.now()
    library.revision += 1
    events = [HookEvent("Performer.Update.Post", thing.id, dict(given), tuple(given)) for thing in things]
    return Change(lambda: things, events)


def merge_tags(context: Context, given: Input) -> Change:
    """Put the destination in place of the sources everywhere. Only `Tag.Merge.Post` fires; no scene is stamped."""
    library = context.library
    destination, sources = _merge_ends(library.tags, given)
    for scene in library.scenes.values():
        scene.tags = _replaced(scene.tags, sources, destination)
    for marker in library.markers.values():
        marker.tags = _replaced(marker.tags, sources, destination)
        if marker.primary_tag in sources:
            marker.primary_tag = destination
    for performer in library.performers.values():
        performer.tags = _replaced(performer.tags, sources, destination)
    aliases = [*destination.aliases, *(name for s in sources for name in (s.name, *s.aliases))]
    destination.aliases = tuple(dict.fromkeys(aliases))
    for source in sources:
        _remove(library, TAG, source)
    given = {"source": [str(each) for each in given["source"]], "destination": str(given["destination"])}
    return Change(lambda: destination, [HookEvent("Tag.Merge.Post", destination.id, given)])


def merge_performers(context: Context, given: Input) -> Change:
    """Put the destination in place of the sources in all scenes. Fires nothing, stamps no scene."""
    library = context.library
    destination, sources = _merge_ends(library.performers, given)
    for scene in library.scenes.values():
        scene.performers = _replaced(scene.performers, sources, destination)
    assign(library, "performer", destination, given.get("values") or {})
    destination.updated_at = library.stamper.now()
    for source in sources:
        _remove(library, PERFORMER, source)
    return Change(lambda: destination)


def _merge_ends(rows: Table[Any], given: Input) -> tuple[Any, list[Any]]:
    destination = rows.get_known(given["destination"])
    sources = [rows.get_known(each) for each in given["source"]]
    if destination in sources:
        raise RequestRefused("cannot merge where source == destination")
    return destination, sources


def _replaced(links: tuple[Any, ...], sources: list[Any], destination: Any) -> tuple[Any, ...]:
    if not any(each in sources for each in links):
        return links
    return tuple(dict.fromkeys(destination if each in sources else each for each in links))


def _remove(library: Library, kind: Kind, thing: Any) -> None:
    kind.detach(library, thing)
    rows = kind.rows(library)
    del rows[thing.id]
    _changed(library, rows)


def _changed(library: Library, rows: Table[Any]) -> None:
    rows.forget_names()
    library.revision += 1


def _need_free_name(kind: Kind, rows: Table[Any], given: Input, own: Any) -> None:
    """Raises: RequestRefused when the name is empty or taken."""
    if "name" not in given or kind.name == "group":
        return
    name = given["name"]
    if not (name or "").strip():
        raise RequestRefused("name must not be blank")
    rival = next((each for each in rows.values() if each is not own and each.name.lower() == name.lower()), None)
    if rival is None:
        return
    if kind.name == "performer":
        mine = given.get("disambiguation", "" if own is None else own.disambiguation) or ""
        if rival.disambiguation != mine:
            return
    message = f"{kind.name} with name '{name}' already exists"
    raise RequestRefused(message)


def _need_no_loop(kind: Kind, library: Library, thing: Any, given: Input) -> None:
    """Raises: RequestRefused when a studio would become its own ancestor."""
    if kind.name != "studio" or given.get("parent_id") is None:
        return
    above: Studio | None = library.studios.get_known(given["parent_id"])
    while above is not None:
        if above is thing:
            raise RequestRefused("studio cannot be an ancestor of itself")
        above = above.parent_studio


def _link_scenes(library: Library, kind: Kind, thing: Any, given: Input) -> None:
    """Write a gallery's scenes; they are kept on the side of the scene."""
    if kind.name != "gallery" or "scene_ids" not in given:
        return
    wanted = library.scenes.get_linked(given["scene_ids"] or ())
    for scene in library.scenes.values():
        if (thing in scene.galleries) is not (scene in wanted):
            others = tuple(each for each in scene.galleries if each is not thing)
            scene.galleries = (*others, thing) if scene in wanted else others


def _drop_from(names: tuple[str, ...], owners: Iterable[Any], thing: Any) -> None:
    for owner in owners:
        for name in names:
            links = getattr(owner, name)
            if thing in links:
                setattr(owner, name, tuple(each for each in links if each is not thing))


def _detach_tag(library: Library, tag: Tag) -> None:
    for owners in (library.scenes, library.performers, library.studios, library.groups, library.galleries):
        _drop_from(("tags",), owners.values(), tag)
    _drop_from(("tags",), library.markers.values(), tag)
    _drop_from(("parents", "children"), library.tags.values(), tag)
    for marker in [m for m in library.markers.values() if m.primary_tag is tag]:
        drop_marker(library, marker.scene, marker)


def _detach_studio(library: Library, studio: Studio) -> None:
    for owners in (library.scenes, library.groups, library.galleries):
        owner: Scene | Group | Gallery
        for owner in owners.values():
            if owner.studio is studio:
                owner.studio = None
    for child in studio.child_studios:
        child.parent_studio = None
    if studio.parent_studio is not None:
        _drop_from(("child_studios",), (studio.parent_studio,), studio)


def _detach_group(library: Library, group: Group) -> None:
    for scene in library.scenes.values():
        scene.groups = tuple(m for m in scene.groups if m.group is not group)


def _detach_performer(library: Library, performer: Performer) -> None:
    _drop_from(("performers",), library.scenes.values(), performer)
    _drop_from(("performers",), library.galleries.values(), performer)


def _detach_gallery(library: Library, gallery: Gallery) -> None:
    _drop_from(("galleries",), library.scenes.values(), gallery)


def drop_marker(library: Library, scene: Scene, marker: Any) -> None:
    """Take a marker out."""
    scene.scene_markers = tuple(each for each in scene.scene_markers if each is not marker)
    library.markers.pop(marker.id, None)
    library.revision += 1


PERFORMER = Kind("performer", "performers", Performer, ("Performer",), _detach_performer)
STUDIO = Kind("studio", "studios", Studio, ("Studio",), _detach_studio)
TAG = Kind("tag", "tags", Tag, ("Tag",), _detach_tag)
GROUP = Kind("group", "groups", Group, ("Group", "Movie"), _detach_group)
GALLERY = Kind("gallery", "galleries", Gallery, ("Gallery",), _detach_gallery)
