"""The resolvers of mutations: act at once, then let the hooks run, then answer.

The acting part is synchronous, so that it is atomic; only the hooks wait. An answer is read after the hooks, because
they may have changed the thing.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from stashplex.sim.stash import scene_edit
from stashplex.sim.stash.context import Change, Context
from stashplex.sim.stash.refusal import RequestRefused

Act = Callable[[Context, Any], Change]


def _with_input(act: Act) -> Callable[..., Any]:
    """Return the resolver of a mutation whose only argument is `input`."""
    return lambda _, info, input: _perform(info, lambda context: act(context, input))  # noqa: A006 - the argument's name on the wire


def _perform(info: Any, act: Callable[[Context], Change]) -> Any | Awaitable[Any]:
    context: Context = info.context
    context.need_database()
    _meet_lock(context)
    change = act(context)
    return change.answer()


def _meet_lock(context: Context) -> None:
    """Fail as a busy database does, when a switch says so."""
    switches = context.parts.switches
    if switches.locked > 0:
        switches.locked -= 1
    elif not (switches.locked_chance and context.parts.chance.random() < switches.locked_chance):
        return
    raise RequestRefused("database is locked")


ROOT: dict[str, Callable[..., Any]] = {
    "sceneCreate": _with_input(scene_edit.create),
    "sceneUpdate": _with_input(scene_edit.update),
    "scenesUpdate": _with_input(scene_edit.update_several),
    "bulkSceneUpdate": _with_input(scene_edit.update_bulk),
    "sceneDestroy": _with_input(scene_edit.destroy),
    "scenesDestroy": _with_input(scene_edit.destroy_several),
    "sceneMerge": _with_input(scene_edit.merge),
    "sceneAssignFile": _with_input(scene_edit.assign_file),
}
