"""Mutations of markers.

They fire `SceneMarker.*` and leave the scene's `updated_at` alone. What a hook gets differs per mutation: the whole
input, only the given keys, or nothing but a list of marker ids.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from stashplex.sim.stash.assignment import assign
from stashplex.sim.stash.context import Context
from stashplex.sim.stash.entity_edit import drop_marker
from stashplex.sim.stash.event import Change, HookEvent
from stashplex.sim.stash.model import Marker
from stashplex.sim.stash.refusal import RequestRefused

Input = Mapping[str, Any]


def create(context: Context, given: Input) -> Change:
    """Mark a moment or span."""
    library = context.library
    scene = library.scenes.get_known(given["scene_id"])
    tag = library.tags.get_linked([given["primary_tag_id"]])[0]
    _need_order(given["seconds"], given.get("end_seconds"))
    now = library.stamper.now()
    marker = Marker(library.markers.take_id(), scene, given["title"], given["seconds"], tag, now, now)
    assign(library, "marker", marker, given)
    scene.scene_markers += (marker,)
    library.markers[marker.id] = marker
    library.revision += 1
    return Change(lambda: marker, [HookEvent("SceneMarker.Create.Post", marker.id, dict(given))])


def update(context: Context, given: Input) -> Change:
    """Edit a marker; it may move to another scene."""
    library = context.library
    marker = library.markers.get_known(given["id"])
    _need_order(given.get("seconds", marker.seconds), given.get("end_seconds", marker.end_seconds))
    if given.get("scene_id") is not None:
        scene = library.scenes.get_known(given["scene_id"])
        drop_marker(library, marker.scene, marker)
        marker.scene = scene
        scene.scene_markers += (marker,)
        library.markers[marker.id] = marker
    assign(library, "marker", marker, given)
    marker.updated_at = library.stamper.now()
    library.revision += 1
    return Change(
        lambda: library.markers.get(marker.id),
        [HookEvent("SceneMarker.Update.Post", marker.id, dict(given), tuple(given))],
    )


def destroy(context: Context, ids: Iterable[Any]) -> Change:
    """Take markers out. The hooks get marker ids, no scene."""
    library, wanted = context.library, [str(each) for each in ids]
    markers = [library.markers.get_known(each) for each in wanted]
    for marker in markers:
        drop_marker(library, marker.scene, marker)
    return Change(lambda: True, [HookEvent("SceneMarker.Destroy.Post", m.id, wanted) for m in markers])


def _need_order(start: float, end: float | None) -> None:
    if end is not None and end < start:
        raise RequestRefused("end_seconds must be greater than or equal to seconds")
