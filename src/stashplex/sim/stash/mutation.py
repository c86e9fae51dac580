"""The resolvers of mutations: act at once, then let the hooks run, then answer.

The acting part is synchronous, so that it is atomic; only the hooks wait. An answer is read after the hooks, because
they may have changed the thing. Several mutations in one document run one after another, each with its hooks.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from stashplex.sim.stash import entity_edit, file_edit, marker_edit, scene_edit, server_edit, watching
from stashplex.sim.stash.context import Context
from stashplex.sim.stash.event import Change
from stashplex.sim.stash.refusal import RequestRefused
from stashplex.sim.stash.upkeep import make_cover

Act = Callable[[Context, Any], Change]
Resolver = Callable[..., Any]


def _with_input(act: Act) -> Resolver:
    """Return the resolver of a mutation whose only argument is `input`."""
    return lambda _, info, input: _perform(info, lambda context: act(context, input))  # noqa: A006 - the argument's name on the wire


def _with_ids(act: Act) -> Resolver:
    """Return the resolver of a mutation whose only argument is `ids`."""
    return lambda _, info, ids: _perform(info, lambda context: act(context, ids))


def _with_all(act: Act) -> Resolver:
    """Return the resolver of a mutation that takes all its arguments as one map."""
    return lambda _, info, **given: _perform(info, lambda context: act(context, given))


def _on_server(act: Act) -> Resolver:
    """Return the resolver of a mutation that needs no database."""

    def resolve(_: Any, info: Any, **given: Any) -> Any:
        return act(info.context, given.get("input", given)).answer()

    return resolve


def _perform(info: Any, act: Callable[[Context], Change]) -> Any | Awaitable[Any]:
    context: Context = info.context
    context.need_database()
    _meet_lock(context)
    change = act(context)
    if not context.parts.hooks.has_listener(change.events):
        return change.answer()
    return _answer_after_hooks(context, change)


async def _answer_after_hooks(context: Context, change: Change) -> Any:
    await context.parts.hooks.fire(change.events, context.session)
    return change.answer()


def _meet_lock(context: Context) -> None:
    """Fail as a busy database does, when a switch says so."""
    switches = context.parts.switches
    if switches.locked > 0:
        switches.locked -= 1
    elif not (switches.locked_chance and context.parts.chance.random() < switches.locked_chance):
        return
    raise RequestRefused("database is locked")


def _history(name: watching.History, act: Callable[..., Change]) -> Resolver:
    return _with_all(lambda context, given: act(context, given["id"], name, given.get("times")))


def _reset(name: watching.History) -> Resolver:
    return _with_all(lambda context, given: watching.reset(context, given["id"], name))


def _save_activity(context: Context, given: dict[str, Any]) -> Change:
    return watching.save(context, given["id"], given.get("resume_time"), given.get("playDuration"))


def _reset_activity(context: Context, given: dict[str, Any]) -> Change:
    resume, duration = bool(given.get("reset_resume")), bool(given.get("reset_duration"))
    return watching.forget(context, given["id"], resume=resume, duration=duration)


def _screenshot(context: Context, given: dict[str, Any]) -> Change:
    scene = context.library.scenes.get_known(given["id"])
    make_cover(scene)
    context.library.touch(scene)
    return Change(lambda: "todo")


async def _operate(_: Any, info: Any, plugin_id: str, args: dict[str, Any] | None = None) -> Any:
    context: Context = info.context
    return await context.parts.tasks.operate(plugin_id, args or {}, context.session)


def _entities() -> dict[str, Resolver]:
    resolvers: dict[str, Resolver] = {}
    for kind in (entity_edit.PERFORMER, entity_edit.STUDIO, entity_edit.TAG, entity_edit.GROUP):
        resolvers[f"{kind.name}Create"] = _with_input(entity_edit.create(kind))
        resolvers[f"{kind.name}Update"] = _with_input(entity_edit.update(kind))
        resolvers[f"{kind.name}Destroy"] = _with_input(entity_edit.destroy(kind))
        resolvers[f"{kind.name}sDestroy"] = _with_ids(entity_edit.destroy_several(kind))
    gallery, several = entity_edit.GALLERY, entity_edit.destroy_several(entity_edit.GALLERY)
    return {
        **resolvers,
        "bulkPerformerUpdate": _with_input(entity_edit.update_performers),
        "performerMerge": _with_input(entity_edit.merge_performers),
        "tagsMerge": _with_input(entity_edit.merge_tags),
        "galleryCreate": _with_input(entity_edit.create(gallery)),
        "galleryUpdate": _with_input(entity_edit.update(gallery)),
        "galleryDestroy": _with_input(lambda context, given: several(context, given["ids"])),
    }


ROOT: dict[str, Resolver] = {
    "sceneCreate": _with_input(scene_edit.create),
    "sceneUpdate": _with_input(scene_edit.update),
    "scenesUpdate": _with_input(scene_edit.update_several),
    "bulkSceneUpdate": _with_input(scene_edit.update_bulk),
    "sceneDestroy": _with_input(scene_edit.destroy),
    "scenesDestroy": _with_input(scene_edit.destroy_several),
    "sceneMerge": _with_input(scene_edit.merge),
    "sceneAssignFile": _with_input(scene_edit.assign_file),
    "sceneGenerateScreenshot": _with_all(_screenshot),
    "sceneAddPlay": _history("play_history", watching.add),
    "sceneDeletePlay": _history("play_history", watching.delete),
    "sceneResetPlayCount": _reset("play_history"),
    "sceneAddO": _history("o_history", watching.add),
    "sceneDeleteO": _history("o_history", watching.delete),
    "sceneResetO": _reset("o_history"),
    "sceneSaveActivity": _with_all(_save_activity),
    "sceneResetActivity": _with_all(_reset_activity),
    "sceneMarkerCreate": _with_input(marker_edit.create),
    "sceneMarkerUpdate": _with_input(marker_edit.update),
    "sceneMarkerDestroy": _with_all(lambda context, given: marker_edit.destroy(context, [given["id"]])),
    "sceneMarkersDestroy": _with_ids(marker_edit.destroy),
    "moveFiles": _with_input(file_edit.move),
    "deleteFiles": _with_ids(file_edit.delete),
    **_entities(),
    "metadataScan": _with_input(server_edit.scan),
    "metadataClean": _with_input(server_edit.clean),
    "metadataAutoTag": _with_input(server_edit.auto_tag),
    "metadataGenerate": _with_input(server_edit.generate),
    "configureGeneral": _on_server(server_edit.configure_general),
    "generateAPIKey": _on_server(server_edit.generate_key),
    "configurePlugin": lambda _, info, plugin_id, input: server_edit.configure_plugin(  # noqa: A006 - the argument's name on the wire
        info.context, plugin_id, input
    ).answer(),
    "setPluginsEnabled": _on_server(lambda context, given: server_edit.enable_plugins(context, given["enabledMap"])),
    "reloadPlugins": _on_server(lambda context, _: server_edit.reload_plugins(context)),
    "installPackages": _on_server(server_edit.install_packages),
    "updatePackages": _on_server(server_edit.update_packages),
    "uninstallPackages": _on_server(server_edit.uninstall_packages),
    "runPluginTask": _on_server(server_edit.run_task),
    "runPluginOperation": _operate,
    "stopJob": _on_server(lambda context, given: server_edit.stop_job(context, given["job_id"])),
    "stopAllJobs": _on_server(lambda context, _: server_edit.stop_all_jobs(context)),
}
