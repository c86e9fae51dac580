"""Matching one item to its agent by hand: candidates, fix match, unmatch; and deletion of media.

The simulated agent knows exactly one candidate per item. Calls to custom providers are another module's.
"""

from stashplex.sim.plex.answer import DONE, Answer, Element, Refused
from stashplex.sim.plex.call import Call
from stashplex.sim.plex.scan import plan_refresh
from stashplex.sim.plex.tagging import retire


def get_matches(call: Call) -> Answer:
    """List what the agent could take the item for."""
    item = call.item()
    section = call.world.sections[item.section_id]
    result: Element = {
        "guid": call.world.new_guid(section, item.key, item.files),
        "name": call.query.find("title") or item.title,
        "score": 100,
        "lifespanEnded": False,
    }
    if "year" in item.fields:
        result["year"] = item.fields["year"]
    return call.rows([result] if section.has_agent else [], lambda row: row, name="SearchResult")


def put_match(call: Call) -> Answer:
    """Take the item for what `guid` names, then refresh it."""
    item = call.item()
    guid, name = call.query.find("guid"), call.query.find("name")
    if not guid:
        raise Refused(400)
    section = call.world.sections[item.section_id]
    former = item.title_sort
    item.guid = guid
    if name and "title" not in item.locks:
        item.fields["title"] = name
        section.retitled(item, former)
    call.world.touch(item)
    plan_refresh(call.world, item)
    return DONE


def put_unmatch(call: Call) -> Answer:
    """Forget what the item was taken for."""
    item = call.item()
    item.guid = f"local://{item.key}"
    call.world.touch(item)
    call.world.announce(item, 5)
    return DONE


def delete_media(call: Call) -> Answer:
    """Delete an item and its files, if the server allows that at all."""
    item = call.item()
    if not call.world.switches.allow_media_deletion:
        raise Refused(400)
    for file in item.files:
        for folder in call.world.disk.values():
            folder.pop(file.path, None)
    retire(call.world, item)
    return DONE


def put_analyze(call: Call) -> Answer:
    """Accept a request to analyse media; nothing comes of it."""
    call.item()
    return DONE
