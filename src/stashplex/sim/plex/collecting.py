"""Collections over HTTP: read, make, fill, sort, delete.

Membership itself is a matter of tags (`tagging.py`); smart collections hold a search instead of members.
"""

import re
from urllib.parse import urlsplit

from stashplex.sim.plex.answer import DONE, Answer, Refused
from stashplex.sim.plex.call import Call
from stashplex.sim.plex.imagestore import PLACEHOLDER
from stashplex.sim.plex.item import Collection, Item
from stashplex.sim.plex.listing import get_tag_children
from stashplex.sim.plex.render import full, shape_of
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.tagging import join, leave, obtain_collection, retire


def get_collection(call: Call) -> Answer:
    """Return one collection."""
    collection = _collection(call)
    shape = shape_of(call)
    return call.rows([collection], lambda item: full(call.world, item, shape))


def get_children(call: Call) -> Answer:
    """List the members of a collection."""
    return get_tag_children(call, _collection(call))


def post_collection(call: Call) -> Answer:
    """Make a collection, from items, from a search, or empty."""
    query = call.query
    section_id, title, uri = (query.find(name) or "" for name in ("sectionId", "title", "uri"))
    section = call.world.sections.get(int(section_id)) if section_id.isdecimal() else None
    if section is None or not title:
        raise Refused(400)
    collection = obtain_collection(call.world, section, title)
    if query.is_on("smart"):
        collection.smart_uri = uri
    else:
        for item in _items_in(call, section, uri):
            join(call.world, collection, item)
    shape = shape_of(call)
    return call.rows([collection], lambda item: full(call.world, item, shape))


def put_items(call: Call) -> Answer:
    """Add items to a collection, or change the search of a smart one."""
    collection = _collection(call)
    world = call.world
    uri = call.query.find("uri") or ""
    if collection.smart_uri:
        collection.smart_uri = uri
    else:
        for item in _items_in(call, world.sections[collection.section_id], uri):
            if join(world, collection, item):
                world.touch(item)
                world.announce(item, 5)
    world.touch(collection)
    world.announce(collection, 5)
    return DONE


def remove_item(call: Call) -> Answer:
    """Take one item out of a collection."""
    collection, item = _collection(call), call.item(place=1)
    if collection.smart_uri or item.key not in collection.members:
        raise Refused(400)
    leave(call.world, collection, item)
    call.world.touch(item)
    call.world.announce(item, 5)
    return DONE


def move_item(call: Call) -> Answer:
    """Move a member behind another one, or to the front; only a custom order shows it."""
    collection, item = _collection(call), call.item(place=1)
    if item.key not in collection.members:
        raise Refused(400)
    after = call.query.find("after")
    order = [key for key in collection.members if key != item.key]
    place = order.index(int(after)) + 1 if after and int(after) in order else 0
    order.insert(place, item.key)
    collection.members = {key: collection.members[key] for key in order}
    call.world.touch(collection)
    return DONE


def delete_collection(call: Call) -> Answer:
    """Delete a collection; its members lose the tag and stay."""
    retire(call.world, _collection(call))
    return DONE


def get_composite(call: Call) -> Answer:
    """Return the picture composed of the members' posters. Honesty: it is a placeholder."""
    call.item()
    return Answer(200, PLACEHOLDER, "image/png")


def put_item_prefs(call: Call) -> Answer:
    """Change the advanced settings of an item or a collection."""
    item = call.item()
    for name, value in call.query.pairs:
        if not name.startswith("X-Plex-"):
            item.prefs[name] = value
    call.world.touch(item)
    return DONE


def _collection(call: Call) -> Collection:
    item = call.item()
    if not isinstance(item, Collection):
        raise Refused(404)
    return item


def _items_in(call: Call, section: Section, uri: str) -> list[Item]:
    """Return the items that a `server://.../library/metadata/1,2,3` names. Raises: Refused."""
    path = urlsplit(uri).path
    found = re.fullmatch(r"/com\.plexapp\.plugins\.library/library/metadata(?:/([\d,]+))?/?", path)
    if found is None:
        raise Refused(400)
    items = [call.world.find_item(key) for key in (found[1] or "").split(",") if key]
    kept = [item for item in items if item is not None and item.section_id == section.id]
    if len(kept) != len(items):
        raise Refused(404)
    return kept
