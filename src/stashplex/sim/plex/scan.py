"""Scans, item refreshes and the trash: what changes the library without an edit.

A request only plans; the steps run when their time has come (see `agenda.py`). A scan sees the disk as it is
when it runs. Locked fields survive a refresh; an agent's tags are added to what is there.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from stashplex.sim.plex.answer import DONE, Answer, Refused
from stashplex.sim.plex.call import Call
from stashplex.sim.plex.identity import activity_element
from stashplex.sim.plex.item import DiskFile, Item
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.tag import KINDS
from stashplex.sim.plex.tagging import Entry, TagEdit, apply_tags, retire
from stashplex.sim.plex.world import Activity, AgentSays, World

_STATES_WITH_AGENT = (1, 2, 3, 4, 5)
_STATES_WITHOUT = (1,)
_STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """One planned scan. `folder` is None for all locations."""

    activity: Activity
    section: Section
    folder: str | None
    is_forced: bool


def request_scan(call: Call) -> Answer:
    """Plan a scan of a section or of one folder; scans of one section run one after another."""
    section = call.section()
    plan_scan(call.world, section, call.query.find("path"), is_forced=call.query.is_on("force"))
    return DONE


def request_all_scans(call: Call) -> Answer:
    """Plan a scan of every section."""
    for section in call.world.sections.values():
        plan_scan(call.world, section, None, is_forced=call.query.is_on("force"))
    return DONE


def cancel_scans(call: Call) -> Answer:
    """Cancel all planned scans of a section."""
    section = call.section()
    for activity in call.world.activities.values():
        if activity.section_id == section.id:
            activity.is_cancelled = True
    return DONE


def request_refresh(call: Call) -> Answer:
    """Plan a refresh of items from their agent."""
    world = call.world
    items = [world.find_item(key) for key in call.ids[0].split(",")]
    if any(item is None for item in items):
        raise Refused(404)
    for item in items:
        if item is not None:
            plan_refresh(world, item)
    return DONE


def empty_trash(call: Call) -> Answer:
    """Let everything go whose files are gone."""
    clear_trash(call.world, call.section())
    return DONE


def plan_scan(world: World, section: Section, folder: str | None, *, is_forced: bool = False) -> None:
    """Plan a scan; it starts at once or after the scans before it."""
    activity = Activity(
        uuid=world.new_uuid(),
        type="library.update.section",
        title=f"Scanning {section.title}",
        subtitle=folder or "",
        section_id=section.id,
    )
    world.activities[activity.uuid] = activity
    section.scans += 1
    world.feed.publish("activity", "ActivityNotification", _activity_frame("started", activity))
    section.busy_until = max(world.elapsed_s, section.busy_until) + world.switches.scan_s
    plan = ScanPlan(activity, section, folder, is_forced)
    world.agenda.plan(section.busy_until, lambda due: _run_scan(world, plan, due))
    world.feed.wake()


def plan_refresh(world: World, item: Item) -> None:
    """Plan a refresh of one item."""
    world.agenda.plan(world.elapsed_s + world.switches.scan_s, lambda due: _process(world, item, due))
    world.feed.wake()


def clear_trash(world: World, section: Section) -> None:
    """Let all trashed items go, and the versions whose files are gone."""
    for item in list(section.items.values()):
        if item.deleted_at is not None:
            retire(world, item)
        elif any(part.is_missing for media in item.media for part in media.parts):
            item.media = [media for media in item.media if not any(part.is_missing for part in media.parts)]
            section.paths = {path: owner for path, owner in section.paths.items() if owner is not item}
            section.paths |= {file.path: item for file in item.files}
            world.touch(item)


def new_item(
    world: World, section: Section, versions: Iterable[tuple[DiskFile, ...]], *, title: str, guid: str | None = None
) -> Item:
    """Return a new item made of these versions, in its section, as a scan makes it."""
    kept = [version for version in versions if version]
    key, now = world.new_key(), world.now
    files = [file for version in kept for file in version]
    item = Item(
        key=key,
        section_id=section.id,
        guid=guid or world.new_guid(section, key, files),
        added_at=now,
        updated_at=now,
        fields={"title": title},
        media=[world.new_media(version) for version in kept],
        thumb_at=now if files else None,
        art_at=now if section.has_agent else None,
    )
    world.add(item)
    world.announce(item, 0, metadata_state="created")
    return item


def stem_of(path: str) -> str:
    """Return a file's name without folders and extension, in either style of path."""
    name = path.replace("\\", "/").rpartition("/")[2]
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def is_below(path: str, folder: str) -> bool:
    """Tell whether a file lies in a folder or below it."""
    root = folder.rstrip("/\\")
    return path.startswith((root + "/", root + "\\"))


def _run_scan(world: World, plan: ScanPlan, due: float) -> None:
    section = plan.section
    if not plan.activity.is_cancelled:
        for folder in _visited(section, plan.folder):
            _find_new(world, section, folder, due)
            _find_missing(world, section, folder)
        if world.prefs.get("autoEmptyTrash"):
            clear_trash(world, section)
        if plan.is_forced:
            for item in list(section.items.values()):
                _process(world, item, due)
        section.scanned_at = world.now
    plan.activity.progress = 100
    section.scans -= 1
    del world.activities[plan.activity.uuid]
    world.feed.publish("activity", "ActivityNotification", _activity_frame("ended", plan.activity))
    status = {"title": "Library scan complete", "description": section.title, "notificationName": "LIBRARY_UPDATE"}
    world.feed.publish("status", "StatusNotification", status)


def _visited(section: Section, folder: str | None) -> list[str]:
    """Return the folders that a scan walks. A folder outside the section is silently ignored."""
    if folder is None:
        return section.locations
    is_inside = any(folder.rstrip("/\\") == root.rstrip("/\\") or is_below(folder, root) for root in section.locations)
    return [folder] if is_inside else []


def _files_below(world: World, folder: str) -> list[DiskFile]:
    root = folder.rstrip("/\\")
    folders = [name for name in world.disk if name == root or is_below(name, root)]
    return sorted(file for name in folders for file in world.disk[name].values())


def _find_new(world: World, section: Section, folder: str, due: float) -> None:
    for file in _files_below(world, folder):
        known = section.paths.get(file.path)
        if known is None:
            item = new_item(world, section, [(file,)], title=stem_of(file.path))
            _process(world, item, due)
        else:
            _revive(world, known, file)


def _revive(world: World, item: Item, file: DiskFile) -> None:
    """Take note that a file is there (again), and of what it is now."""
    changed = False
    for media in item.media:
        for part in media.parts:
            if part.file.path == file.path and (part.is_missing or part.file != file):
                part.is_missing, part.file, changed = False, file, True
    if changed:
        item.deleted_at = None
        world.touch(item)


def _find_missing(world: World, section: Section, folder: str) -> None:
    on_disk = {file.path for file in _files_below(world, folder)}
    gone = [path for path in section.paths if is_below(path, folder) and path not in on_disk]
    for path in gone:
        item = section.paths[path]
        parts = [part for media in item.media for part in media.parts]
        for part in parts:
            part.is_missing |= part.file.path == path
        if item.deleted_at is None and all(part.is_missing for part in parts):
            trash(world, item)


def trash(world: World, item: Item) -> None:
    """Put an item into the trash: still listed, no longer readable."""
    world.touch(item)
    item.deleted_at = world.now
    world.announce(item, 9, metadata_state="deleted")


def _process(world: World, item: Item, due: float) -> None:
    """Take an item through the agent's states, one step after another; without an agent it ends at 1."""
    has_agent = world.sections[item.section_id].has_agent
    states = _STATES_WITH_AGENT if has_agent else _STATES_WITHOUT
    for number, state in enumerate(states):
        world.agenda.plan(due + number * _STEP_S, lambda _, state=state: _enter(world, item, state))  # type: ignore[misc]


def _enter(world: World, item: Item, state: int) -> None:
    if world.items.get(item.key) is not item:
        return
    if state == 5:
        _apply_agent(world, item)
    world.announce(item, state)


def _apply_agent(world: World, item: Item) -> None:
    says = _agent_says(world, item)
    former_title = item.title_sort
    for name, value in says.fields.items():
        if name not in item.locks:
            item.fields[name] = value
    for name, texts in says.tags.items():
        if name not in item.locks:
            edit = TagEdit(entries={index: Entry(text) for index, text in enumerate(texts)})
            apply_tags(world, item, KINDS[name], edit, replaces=False)
    world.sections[item.section_id].retitled(item, former_title)
    world.touch(item)


def _agent_says(world: World, item: Item) -> AgentSays:
    for file in item.files:
        if file.path in world.agent_says:
            return world.agent_says[file.path]
    return AgentSays()


def _activity_frame(event: str, activity: Activity) -> dict[str, object]:
    return {"event": event, "uuid": activity.uuid, "Activity": activity_element(activity)}
