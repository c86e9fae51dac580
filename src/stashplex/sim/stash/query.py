"""The resolvers of queries, and of the few fields of types that are not plain attributes.

All are synchronous, so that a query runs without an event loop. `ROOT` and `FIELDS` are what `schema` binds.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from graphql import GraphQLResolveInfo

from stashplex.sim.stash import address, package
from stashplex.sim.stash.context import Context
from stashplex.sim.stash.finding import (
    Found,
    Page,
    entity_texts,
    find_ids,
    find_rows,
    find_scenes,
)
from stashplex.sim.stash.library import Table, parse_id
from stashplex.sim.stash.model import Scene, VideoFile
from stashplex.sim.stash.plugin import describe
from stashplex.sim.stash.scene_filter import least_id
from stashplex.sim.stash.settings import rest_of_configuration

Info = GraphQLResolveInfo
Given = dict[str, Any] | None


def _context(info: Info) -> Context:
    context: Context = info.context
    return context


def _scenes(_: Any, info: Info, scene_filter: Given = None, filter: Given = None, **given: Any) -> Found:  # noqa: A002 - the argument's name on the wire
    context = _context(info)
    parts = context.parts
    if parts.switches.empty:
        return Found(list, [])
    ids = given.get("ids") or given.get("scene_ids")
    if ids:
        found = find_ids(parts.library.scenes, ids)
    else:
        matches = parts.filters.predicate(scene_filter)
        found = find_scenes(parts.library, Page.of(filter), matches, least_id(scene_filter))
    if parts.between_rows is not None:
        found.rows = _disturbed(found.rows, parts.between_rows)
    return found


def _disturbed(rows: Iterable[Scene], disturb: Callable[[int], None]) -> Iterator[Scene]:
    for scene in rows:
        yield scene
        disturb(scene.id)


def _scenes_by_path(_: Any, info: Info, filter: Given = None) -> Found:  # noqa: A002 - the argument's name on the wire
    context = _context(info)
    given = dict(filter or {})
    wanted = {"path": {"value": f"(?i){given.pop('q', None) or ''}", "modifier": "MATCHES_REGEX"}}
    return find_scenes(context.library, Page.of(given), context.parts.filters.predicate(wanted))


def _scene(_: Any, info: Info, id: Any = None, checksum: str | None = None) -> Scene | None:  # noqa: A002 - the argument's name on the wire
    context = _context(info)
    if id is not None:
        return context.library.scenes.get(parse_id(id))
    return _by_print(context, "md5", checksum)


def _scene_by_hash(_: Any, info: Info, input: dict[str, str | None]) -> Scene | None:  # noqa: A002 - the argument's name on the wire
    context = _context(info)
    return _by_print(context, "md5", input.get("checksum")) or _by_print(context, "oshash", input.get("oshash"))


def _by_print(context: Context, kind: str, value: str | None) -> Scene | None:
    if not value:
        return None
    scenes = context.library.scenes.values()
    return next((s for s in scenes if any(f.fingerprint_of(kind) == value for f in s.files)), None)


def _find(table: str, kind: str, texts: Callable[[Any], Any] = entity_texts) -> Callable[..., Found]:
    """Return the resolver of a find over everything but scenes."""

    def resolve(_: Any, info: Info, filter: Given = None, ids: list[str] | None = None, **given: Any) -> Found:  # noqa: A002 - the argument's name on the wire
        context = _context(info)
        rows: Table[Any] = getattr(context.library, table)
        if context.parts.switches.empty:
            return Found(list, [])
        ids = ids or given.get(f"{kind}_ids")
        if ids:
            return find_ids(rows, ids)
        wanted = given.get("scene_marker_filter" if kind == "marker" else f"{kind}_filter")
        predicate = context.parts.filters.entities.predicate(kind, wanted)
        return find_rows(rows.values(), Page.of(filter), predicate, texts)

    return resolve


def _get(table: str) -> Callable[..., Any]:
    return lambda _, info, id: getattr(_context(info).library, table).get(parse_id(id))  # noqa: A006 - the argument's name on the wire


def _all(table: str) -> Callable[..., Any]:
    return lambda _, info: list(getattr(_context(info).library, table).values())


def _file(_: Any, info: Info, id: Any = None, path: str | None = None) -> VideoFile | None:  # noqa: A002 - the argument's name on the wire
    files = _context(info).library.files
    if id is not None:
        return files.get(parse_id(id))
    return next((f for f in files.values() if f.path == path), None)


def _marker_tags(_: Any, info: Info, scene_id: Any) -> list[dict[str, Any]]:
    by_tag: dict[Any, list[Any]] = {}
    for marker in _context(info).library.scenes.get_known(scene_id).scene_markers:
        by_tag.setdefault(marker.primary_tag, []).append(marker)
    return [{"tag": tag, "scene_markers": markers} for tag, markers in by_tag.items()]


def _stats(_: Any, info: Info) -> dict[str, Any]:
    library = _context(info).library
    scenes = library.scenes.values()
    return {
        "scene_count": len(scenes),
        "scenes_size": float(sum(f.size for s in scenes for f in s.files)),
        "scenes_duration": float(sum(f.duration for s in scenes for f in s.files)),
        "image_count": 0,
        "images_size": 0.0,
        "gallery_count": len(library.galleries),
        "performer_count": len(library.performers),
        "studio_count": len(library.studios),
        "group_count": len(library.groups),
        "tag_count": len(library.tags),
        "total_o_count": sum(s.o_counter for s in scenes),
        "total_play_duration": sum(s.play_duration for s in scenes),
        "total_play_count": sum(s.play_count for s in scenes),
        "scenes_played": sum(1 for s in scenes if s.play_count),
    }


def _configuration(_: Any, info: Info) -> dict[str, Any]:
    return {"general": _context(info).parts.settings.general(), **rest_of_configuration()}


def _version(_: Any, info: Info) -> dict[str, Any]:
    switches = _context(info).parts.switches
    return {"version": switches.version, "hash": switches.version_hash, "build_time": "2026-01-11 00:00:00"}


def _system_status(_: Any, info: Info) -> dict[str, Any]:
    parts = _context(info).parts
    general = parts.settings.general()
    is_setup = parts.switches.status == "SETUP"
    return {
        "databaseSchema": 0 if is_setup else parts.switches.database_schema,
        "databasePath": "" if is_setup else general["databasePath"],
        "configPath": "" if is_setup else general["configFilePath"],
        "appSchema": parts.switches.app_schema,
        "status": parts.switches.status,
        "os": "linux",
        "workingDir": "/",
        "homeDir": "/root",
        "ffmpegPath": "/usr/bin/ffmpeg",
        "ffprobePath": "/usr/bin/ffprobe",
    }


def _job_queue(_: Any, info: Info) -> list[Any] | None:
    return list(_context(info).parts.jobs.queue) or None


def _find_job(_: Any, info: Info, input: dict[str, Any]) -> Any:  # noqa: A002 - the argument's name on the wire
    return _context(info).parts.jobs.find(parse_id(input["id"]))


def _logs(_: Any, info: Info) -> list[Any]:
    return list(_context(info).parts.log.entries)


def _plugins(_: Any, info: Info) -> list[dict[str, Any]]:
    shelf, base = _context(info).parts.shelf, _context(info).base
    return [describe(plugin, base, is_enabled=shelf.is_enabled(plugin)) for plugin in shelf.plugins]


def _plugin_tasks(_: Any, info: Info) -> list[dict[str, Any]]:
    shelf, base = _context(info).parts.shelf, _context(info).base
    return [task for plugin in shelf.enabled() for task in describe(plugin, base, is_enabled=True)["tasks"]]


def _installed_packages(_: Any, info: Info, type: str) -> list[dict[str, Any]]:  # noqa: A002 - the argument's name on the wire
    packages = _context(info).parts.packages
    return [
        {**package.describe(each), "source_package": _source_package(packages, each)}
        for each in packages.installed()
        if type == "Plugin"
    ]


def _source_package(packages: package.Packages, installed: package.Package) -> dict[str, Any] | None:
    """Return what the source of an installed package offers now; None when it cannot be read."""
    try:
        offered = packages.available(installed.source)
    except package.PackageRefused:
        return None
    return next((package.describe(each, offered) for each in offered if each.id == installed.id), None)


def _available_packages(_: Any, info: Info, type: str, source: str) -> list[dict[str, Any]]:  # noqa: A002, ARG001 - the arguments' names on the wire
    offered = _context(info).parts.packages.available(source)
    return [package.describe(each, offered) for each in offered]


def _streams(scene: Scene | None, info: Info, id: Any = None) -> list[dict[str, Any]]:  # noqa: A002 - the argument's name on the wire
    context = _context(info)
    scene = scene or context.library.scenes.get_known(id)
    url = address.scene_paths(scene, context.base, context.parts.settings.api_key)["stream"]
    return [{"url": url, "mime_type": "video/mp4", "label": "Direct stream"}] if scene.files else []


def _used(kind: str) -> Callable[..., int]:
    return lambda thing, info, depth=None: _context(info).library.usage().get((kind, thing), 0)  # noqa: ARG005 - asked for by the schema


def _scenes_with(attribute: str) -> Callable[..., list[Scene]]:
    return lambda thing, info: [s for s in _context(info).library.scenes.values() if thing in getattr(s, attribute)]


def _zero(_: Any, info: Info, depth: int | None = None) -> int:  # noqa: ARG001 - asked for by the schema
    return 0


def _nothing(_: Any, info: Info) -> list[Any]:  # noqa: ARG001 - asked for by the schema
    return []


def _first_url(thing: Any, _: Info) -> str | None:
    return thing.urls[0] if thing.urls else None


def _scene_paths(scene: Scene, info: Info) -> dict[str, str | None]:
    context = _context(info)
    return address.scene_paths(scene, context.base, context.parts.settings.api_key)


def _image_path(thing: Any, info: Info) -> str:
    return address.image_path(thing, _context(info).base)


def _gallery_paths(gallery: Any, info: Info) -> dict[str, str]:
    root = f"{_context(info).base}/gallery/{gallery.id}"
    return {"cover": f"{root}/cover", "preview": f"{root}/preview"}


def _marker_address(what: str) -> Callable[..., str]:
    return lambda marker, info: address.marker_path(marker, _context(info).base, what)


def _group_address(side: str) -> Callable[..., str | None]:
    return lambda group, info: address.group_path(group, _context(info).base, side)


ROOT: dict[str, Callable[..., Any]] = {
    "findScenes": _scenes,
    "findScenesByPathRegex": _scenes_by_path,
    "findScene": _scene,
    "findSceneByHash": _scene_by_hash,
    "findSceneMarkers": _find("markers", "marker", lambda m: [m.title, m.scene.title]),
    "findPerformers": _find("performers", "performer"),
    "findPerformer": _get("performers"),
    "findStudios": _find("studios", "studio"),
    "findStudio": _get("studios"),
    "findTags": _find("tags", "tag"),
    "findTag": _get("tags"),
    "findGroups": _find("groups", "group"),
    "findGroup": _get("groups"),
    "findGalleries": _find("galleries", "gallery", lambda g: [g.title]),
    "findGallery": _get("galleries"),
    "findFiles": _find("files", "file", lambda f: [f.path]),
    "findFile": _file,
    "allPerformers": _all("performers"),
    "allStudios": _all("studios"),
    "allTags": _all("tags"),
    "allSceneMarkers": _all("markers"),
    "sceneMarkerTags": _marker_tags,
    "sceneStreams": _streams,
    "stats": _stats,
}
# Answered whatever state the database is in.
ALWAYS: dict[str, Callable[..., Any]] = {
    "configuration": _configuration,
    "version": _version,
    "systemStatus": _system_status,
    "jobQueue": _job_queue,
    "findJob": _find_job,
    "logs": _logs,
    "plugins": _plugins,
    "pluginTasks": _plugin_tasks,
    "installedPackages": _installed_packages,
    "availablePackages": _available_packages,
}
FIELDS: dict[str, Callable[..., Any]] = {
    "Scene.paths": _scene_paths,
    "Scene.url": _first_url,
    "Scene.sceneStreams": _streams,
    "VideoFile.fingerprint": lambda file, _, type: file.fingerprint_of(type),  # noqa: A006 - the argument's name on the wire
    "ConfigResult.plugins": lambda _, info, include=None: _context(info).parts.settings.plugins(include),
    "SceneMarker.stream": _marker_address("stream"),
    "SceneMarker.preview": _marker_address("preview"),
    "SceneMarker.screenshot": _marker_address("screenshot"),
    "Group.front_image_path": _group_address("front"),
    "Group.back_image_path": _group_address("back"),
    "Group.scenes": lambda group, info: [
        s for s in _context(info).library.scenes.values() if any(m.group is group for m in s.groups)
    ],
    "Gallery.paths": _gallery_paths,
    "Gallery.scenes": _scenes_with("galleries"),
    "Performer.scenes": _scenes_with("performers"),
    "Tag.scene_marker_count": _used("marker"),
    "Tag.parent_count": lambda tag, _: len(tag.parents),
    "Tag.child_count": lambda tag, _: len(tag.children),
    **{f"{kind}.url": _first_url for kind in ("Performer", "Studio")},
    **{f"{kind}.image_path": _image_path for kind in ("Performer", "Studio", "Tag")},
    **{f"{kind}.scene_count": _used("scene") for kind in ("Performer", "Studio", "Tag", "Group")},
    **{f"{kind}.groups": _nothing for kind in ("Performer", "Studio")},
    **{
        f"{kind}.{what}": _zero
        for kind in ("Performer", "Studio", "Tag", "Group")
        for what in (
            "image_count",
            "gallery_count",
            "performer_count",
            "studio_count",
            "group_count",
            "sub_group_count",
            "o_counter",
        )
    },
}
