"""Views, ratings and the play history, per account.

Marking as played makes no history row; only real plays do (`PlexSim.add_play`). Every account sees its own
views; the history shows all accounts to the owner.
"""

from stashplex.sim.plex.answer import DONE, Answer, Element, Refused
from stashplex.sim.plex.call import Call
from stashplex.sim.plex.item import Item
from stashplex.sim.plex.world import OWNER, Play


def rate(call: Call) -> Answer:
    """Set the account's rating of an item; -1 clears it."""
    item = _named_item(call)
    try:
        rating = float(call.query.find("rating") or "")
    except ValueError as error:
        raise Refused(400) from error
    rated_at = call.query.find("ratedAt")
    if not (rating == -1 or 0 <= rating <= 10) or (rated_at and int(rated_at) > call.world.now):
        raise Refused(400)
    view = item.view(call.account)
    view.rating = None if rating == -1 else rating
    view.last_rated_at = 0 if rating == -1 else int(rated_at or call.world.now)
    call.world.touch(item)
    call.world.announce(item, 5)
    return DONE


def scrobble(call: Call) -> Answer:
    """Mark an item as played once more."""
    item = _named_item(call)
    view = item.view(call.account)
    view.count += 1
    view.offset_ms = 0
    view.last_viewed_at = call.world.now
    return _viewed(call, item)


def unscrobble(call: Call) -> Answer:
    """Mark an item as never played."""
    item = _named_item(call)
    view = item.view(call.account)
    view.count = view.offset_ms = view.last_viewed_at = 0
    return _viewed(call, item)


def progress(call: Call) -> Answer:
    """Note how far the account got; a time of 0 has no effect."""
    item = _named_item(call)
    time_ms = call.query.find("time") or ""
    if not time_ms.isdecimal():
        raise Refused(400)
    if int(time_ms):
        item.view(call.account).offset_ms = int(time_ms)
    return _viewed(call, item)


def get_history(call: Call) -> Answer:
    """List plays, newest first if so sorted, by item, section, account or time."""
    plays = [play for play in call.world.history if _is_wanted(call, play)]
    if (call.query.find("sort") or "").endswith(":desc"):
        plays.reverse()
    return call.rows(plays, _history_row)


def _named_item(call: Call) -> Item:
    key = call.query.find("key") or call.query.find("ratingKey") or (call.query.find("uri") or "").rpartition("/")[2]
    if not key:
        raise Refused(400)
    item = call.world.find_item(key.rpartition("/")[2])
    if item is None or not call.may_see(call.world.sections[item.section_id]):
        raise Refused(404)
    return item


def _viewed(call: Call, item: Item) -> Answer:
    item.fragment = None
    call.world.sections[item.section_id].revision += 1
    return DONE


def _is_wanted(call: Call, play: Play) -> bool:
    query = call.query
    item_key, section, account = (query.find(n) for n in ("metadataItemID", "librarySectionID", "accountID"))
    after = query.find("viewedAt>>") or query.find("viewedAt>") or "0"
    return (
        call.account in {OWNER, play.account}
        and item_key in {None, str(play.item.key)}
        and section in {None, str(play.item.section_id)}
        and account in {None, str(play.account)}
        and (not after.isdecimal() or play.viewed_at > int(after))
    )


def _history_row(play: Play) -> Element:
    item = play.item
    row: Element = {
        "historyKey": f"/status/sessions/history/{play.id}",
        "key": f"/library/metadata/{item.key}",
        "ratingKey": str(item.key),
        "librarySectionID": str(item.section_id),
        "title": item.title,
        "type": item.type,
        "viewedAt": play.viewed_at,
        "accountID": play.account,
        "deviceID": 1,
    }
    if item.thumb_at is not None:
        row["thumb"] = f"/library/metadata/{item.key}/thumb/{item.updated_at}"
    if "originallyAvailableAt" in item.fields:
        row["originallyAvailableAt"] = item.fields["originallyAvailableAt"]
    return row
