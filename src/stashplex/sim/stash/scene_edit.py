"""Mutations of scenes: create, update, bulk update, destroy, merge, assign a file.

Each returns a `Change`: the events that plugins get, and the answer. What moves `updated_at` and what fires is the
real server's matrix: an update always does both, even when nothing differs; a merge fires nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from stashplex.sim.stash.assignment import assign, combined
from stashplex.sim.stash.context import Context
from stashplex.sim.stash.event import Change, HookEvent, destroy_input
from stashplex.sim.stash.library import Library
from stashplex.sim.stash.model import Membership, Scene
from stashplex.sim.stash.refusal import RequestRefused

Input = Mapping[str, Any]

# All keys of the update input as the server's own struct has them: a hook sees them all, unset ones as null.
UPDATE_KEYS = (
    "clientMutationId", "id", "title", "code", "details", "director", "url", "urls", "date", "rating100",
    "o_counter", "organized", "studio_id", "gallery_ids", "performer_ids", "groups", "movies", "tag_ids",
    "cover_image", "stash_ids", "resume_time", "play_duration", "play_count", "primary_file_id",
)  # fmt: skip
_BULK_LISTS = {"performer_ids": "performers", "tag_ids": "tags", "gallery_ids": "galleries"}


def create(context: Context, given: Input) -> Change:
    """Make a scene, from known files or from none."""
    library = context.library
    files = library.files.get_linked(given.get("file_ids") or ())
    if not given.get("title") and not files:
        raise RequestRefused("title must be set if scene has no files")
    taken = next((f for f in files if library.scene_of(f) is not None), None)
    if taken is not None:
        message = f"file with id {taken.id} already assigned to a scene"
        raise RequestRefused(message)
    now = library.stamper.now()
    scene = Scene(library.scenes.take_id(), now, now, files=files)
    assign(library, "scene", scene, given)
    library.put_scene(scene)
    return Change(lambda: scene, [HookEvent("Scene.Create.Post", scene.id)])


def update(context: Context, given: Input) -> Change:
    """Edit one scene."""
    scene = _edited(context.library, given)
    return Change(
        lambda: context.library.scenes.get(scene.id),
        [HookEvent("Scene.Update.Post", scene.id, full_input(given), _shuffled(context, given))],
    )


def update_several(context: Context, given: list[Input]) -> Change:
    """Edit several scenes, each in its own way. All are checked before the first is written."""
    for each in given:
        _checked(context.library, each)
    scenes = [_edited(context.library, each) for each in given]
    whole = [full_input(each) for each in given]
    return Change(
        lambda: [context.library.scenes.get(scene.id) for scene in scenes],
        [
            HookEvent("Scene.Update.Post", scene.id, whole, _shuffled(context, each))
            for scene, each in zip(scenes, given, strict=True)
        ],
    )


def update_bulk(context: Context, given: Input) -> Change:
    """Give several scenes the same values. All rows are written before the first hook runs."""
    library = context.library
    scenes = [library.scenes.get_known(each) for each in given.get("ids") or ()]
    now = library.stamper.now()
    plain = {k: v for k, v in given.items() if k not in ("ids", "urls") and not k.endswith("_ids")}
    linked = _bulk_links(library, given)
    for scene in scenes[:1]:
        assign(library, "scene", _copy(scene), plain)
    for scene in scenes:
        assign(library, "scene", scene, plain)
        for attribute, (mode, things) in linked.items():
            setattr(scene, attribute, _changed(mode, getattr(scene, attribute), things))
        scene.updated_at = now
    library.revision += 1
    return Change(
        lambda: [library.scenes[scene.id] for scene in scenes if scene.id in library.scenes],
        [HookEvent("Scene.Update.Post", scene.id, dict(given), _shuffled(context, given)) for scene in scenes],
    )


def destroy(context: Context, given: Input) -> Change:
    """Take one scene out; its files stay known unless `delete_file` is given."""
    scene = context.library.scenes.get_known(given["id"])
    context.library.remove_scene(scene, delete_files=bool(given.get("delete_file")))
    return Change(lambda: True, [_destroyed(scene, {"id": str(given["id"])}, given)])


def destroy_several(context: Context, given: Input) -> Change:
    """Take several scenes out."""
    scenes = [context.library.scenes.get_known(each) for each in given["ids"]]
    for scene in scenes:
        context.library.remove_scene(scene, delete_files=bool(given.get("delete_file")))
    return Change(lambda: True, [_destroyed(s, {"ids": list(given["ids"])}, given) for s in scenes])


def merge(context: Context, given: Input) -> Change:
    """Move the sources' files and markers to the destination and drop the sources. Fires nothing."""
    library = context.library
    destination = library.scenes.get_known(given["destination"])
    sources = [library.scenes.get_known(each) for each in given["source"]]
    if destination in sources:
        raise RequestRefused("destination scene cannot be in source list")
    for source in sources:
        destination.files += source.files
        for marker in source.scene_markers:
            marker.scene = destination
        destination.scene_markers += source.scene_markers
        source.files, source.scene_markers = (), ()
        _merge_histories(library, source, destination, given)
        library.drop_scene(source)
    assign(library, "scene", destination, given.get("values") or {})
    library.touch(destination)
    return Change(lambda: destination)


def assign_file(context: Context, given: Input) -> Change:
    """Give a file to a scene as its primary one. Moves no time and fires nothing."""
    library = context.library
    scene, file = library.scenes.get_known(given["scene_id"]), library.files.get_known(given["file_id"])
    owner = library.scene_of(file)
    if owner is not None:
        if owner.files[0] is file and owner is not scene:
            raise RequestRefused("cannot reassign primary file")
        owner.files = tuple(each for each in owner.files if each is not file)
    scene.files += (file,)
    library.revision += 1
    return Change(lambda: True)


def full_input(given: Input) -> dict[str, Any]:
    """Return an update input as a hook sees it: every key, unset ones null."""
    return {key: given.get(key) for key in UPDATE_KEYS}


def _destroyed(scene: Scene, which: Input, given: Input) -> HookEvent:
    return HookEvent("Scene.Destroy.Post", scene.id, destroy_input(scene, which, given))


def _checked(library: Library, given: Input) -> Scene:
    scene = library.scenes.get_known(given["id"])
    if "title" in given and not given["title"] and not scene.files:
        raise RequestRefused("title must be set if scene has no files")
    # Written to a spare copy first: a refused value must leave nothing behind.
    assign(library, "scene", _copy(scene), given)
    return scene


def _edited(library: Library, given: Input) -> Scene:
    scene = _checked(library, given)
    assign(library, "scene", scene, given)
    library.touch(scene)
    return scene


def _copy(scene: Scene) -> Scene:
    return Scene(scene.id, scene.created_at, scene.updated_at, files=scene.files)


def _shuffled(context: Context, given: Input) -> tuple[str, ...]:
    """Return the given keys in no order, as the real server reports them."""
    names = list(given)
    context.parts.chance.shuffle(names)
    return tuple(names)


def _bulk_links(library: Library, given: Input) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """Return what a bulk update does to each list: attribute -> (mode, things)."""
    linked: dict[str, tuple[str, tuple[Any, ...]]] = {}
    for key, name in _BULK_LISTS.items():
        if given.get(key) is not None:
            linked[name] = (given[key]["mode"], getattr(library, name).get_linked(given[key].get("ids") or ()))
    if given.get("urls") is not None:
        linked["urls"] = (given["urls"]["mode"], tuple(given["urls"].get("values") or ()))
    groups = given.get("group_ids") or given.get("movie_ids")
    if groups is not None:
        things = tuple(Membership(g) for g in library.groups.get_linked(groups.get("ids") or ()))
        linked["groups"] = (groups["mode"], things)
    return linked


def _changed(mode: str, old: Iterable[Any], new: tuple[Any, ...]) -> tuple[Any, ...]:
    if not new or not isinstance(new[0], Membership):
        return combined(mode, old, new)
    wanted = {membership.group for membership in new}
    kept = tuple(m for m in old if (m.group not in wanted) or mode == "ADD")
    return kept if mode == "REMOVE" else new if mode == "SET" else combined("ADD", kept, _new_only(kept, new))


def _new_only(kept: tuple[Any, ...], new: tuple[Any, ...]) -> tuple[Any, ...]:
    known = {membership.group for membership in kept}
    return tuple(m for m in new if m.group not in known)


def _merge_histories(library: Library, source: Scene, destination: Scene, given: Input) -> None:
    for name in ("play_history", "o_history"):
        if given.get(name):
            activity = library.activity_of(destination)
            both = (*getattr(activity, name), *getattr(source, name))
            setattr(activity, name, tuple(sorted(both, reverse=True)))
