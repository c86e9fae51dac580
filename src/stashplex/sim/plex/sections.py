"""Sections over HTTP: the list, one section, its settings, timeline, folders and tag lists.

Reading only; scans and the trash are in `scan.py`.
"""

from stashplex.sim.plex.answer import Answer, Element, Refused
from stashplex.sim.plex.call import Call
from stashplex.sim.plex.catalog import section_meta, tag_rows
from stashplex.sim.plex.item import Collection
from stashplex.sim.plex.render import Lines
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.tag import KINDS


def get_sections(call: Call) -> Answer:
    """List the sections that the account may see."""
    sections = [section for section in call.world.sections.values() if call.may_see(section)]
    return call.rows(
        sections,
        lambda section: section_element(section, may_write=call.is_owner),
        name="Directory",
        allowSync=call.is_owner,
        title1="Plex Library",
    )


def get_library(call: Call) -> Answer:
    """Return the root of the library."""
    container: Element = {"size": 3, "allowSync": False, "identifier": "com.plexapp.plugins.library"}
    container |= {"title1": "Plex Library"}
    names = (("sections", "Library Sections"), ("recentlyAdded", "Recently Added Content"), ("onDeck", "On Deck"))
    container["Directory"] = [{"key": key, "title": title} for key, title in names]
    return call.container(container)


def get_section(call: Call) -> Answer:
    """Return one section with what can be listed in it."""
    section = call.section()
    container: Element = {"size": 3, "allowSync": call.is_owner, "content": "secondary", "title1": section.title}
    container |= {"librarySectionID": section.id, "viewGroup": "secondary"}
    container["Directory"] = [
        {"key": "all", "title": "All"},
        {"key": "collection", "title": "By Collection", "secondary": True},
        {"key": "genre", "title": "By Genre", "secondary": True},
    ]
    if call.query.is_on("includeDetails"):
        container["Directory"] = [section_element(section, may_write=call.is_owner), *container["Directory"]]
    return call.container(container)


def get_section_prefs(call: Call) -> Answer:
    """Return the settings of one section."""
    call.section()
    setting = {
        "id": "includeAdultContent",
        "label": "Include adult content",
        "summary": "",
        "type": "bool",
        "default": "false",
        "value": "false",
        "hidden": False,
        "advanced": False,
        "group": "",
    }
    return call.rows([setting], lambda row: row, name="Setting")


def get_timeline(call: Call) -> Answer:
    """Return how far a section has come."""
    section = call.section()
    latest = max((item.added_at for item in section.items.values()), default=0)
    container: Element = {"size": len(section.items), "allowSync": True, "content": "secondary"}
    container |= {"identifier": "com.plexapp.plugins.library", "latestEntryTime": latest}
    container |= {"title1": section.title, "updateQueueSize": section.scans, "viewGroup": "secondary"}
    return call.container(container)


def get_locations(call: Call) -> Answer:
    """List the folders that hold the media of a section."""
    section = call.section()
    folders = sorted({folder_of(path) for path in section.paths})
    base = f"/library/sections/{section.id}/folder"
    return call.rows(
        folders,
        lambda folder: {"key": folder, "title": folder, "fastKey": f"{base}?parent={folder}"},
        name="Directory",
    )


def get_facet(call: Call) -> Answer:
    """List the values of one filter of a section, or its collections under `collections`."""
    section = call.section()
    name = call.path.rstrip("/").rpartition("/")[2]
    if name == "collections":
        return _collections(call, section)
    rows = tag_rows(section, name)
    if rows is None:
        raise Refused(404)
    return call.rows(rows, lambda row: row, name="Directory", content="secondary", title1=section.title)


def get_tags(call: Call) -> Answer:
    """List the tags of one kind across all sections."""
    number = call.query.find("type")
    kinds = [kind for kind in KINDS.values() if str(kind.number) == number]
    if not kinds:
        raise Refused(400)
    tags = [tag for tag in call.world.tags.by_id.values() if tag.kind is kinds[0]]
    return call.rows(
        tags,
        lambda tag: {"id": tag.id, "tag": tag.text, "tagType": tag.kind.number, "filter": f"{tag.kind.name}={tag.id}"},
        name="Directory",
    )


def section_element(section: Section, *, may_write: bool) -> Element:
    """Return a section as the list shows it."""
    return {
        "allowSync": may_write,
        "art": "/:/resources/movie-fanart.jpg",
        "composite": f"/library/sections/{section.id}/composite/{section.content_changed_at}",
        "filters": True,
        "refreshing": section.scans > 0,
        "thumb": "/:/resources/movie.png",
        "key": str(section.id),
        "type": section.type,
        "title": section.title,
        "agent": section.agent,
        "scanner": section.scanner,
        "language": section.language,
        "uuid": section.uuid,
        "updatedAt": section.scanned_at or section.created_at,
        "createdAt": section.created_at,
        "scannedAt": section.scanned_at or section.created_at,
        "content": True,
        "directory": True,
        "contentChangedAt": section.content_changed_at,
        "hidden": 0,
        "Location": [{"id": section.id * 100 + number, "path": path} for number, path in enumerate(section.locations)],
    }


def folder_of(path: str) -> str:
    """Return the folder of a file, in the path's own style."""
    return path[: max(path.rfind("/"), path.rfind("\\"), 0)]


def _collections(call: Call, section: Section) -> Answer:
    collections: list[Collection] = sorted(section.collections.values(), key=lambda item: item.title_sort)
    attributes: Element = {"librarySectionID": section.id, "title1": section.title}
    if call.query.is_on("includeMeta"):
        attributes["Meta"] = section_meta(section)
    return call.rows(collections, Lines(call).render, **attributes)
