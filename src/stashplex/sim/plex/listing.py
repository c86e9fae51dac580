"""Listings of items: `/library/sections/{id}/all`, `/library/all`, and batch reads of whole items.

A page in the default order costs what it holds. A filtered or sorted listing is computed once and kept while
its section stays as it is, so walking it page by page costs one computation.
"""

from collections.abc import Sequence

from stashplex.sim.plex.answer import Answer, Element, Refused
from stashplex.sim.plex.call import Call
from stashplex.sim.plex.catalog import section_meta
from stashplex.sim.plex.filtering import Selection, parse_selection, select, sort_value
from stashplex.sim.plex.item import Collection, Item, type_numbers
from stashplex.sim.plex.render import Lines, full, shape_of
from stashplex.sim.plex.section import Section

_KEPT_LISTINGS = 8
WHOLE = Selection(None, None, None)


def get_all(call: Call) -> Answer:
    """List the items of one section that a query selects."""
    section = call.section()
    type_ = call.query.find("type") or str(type_numbers.get(section.type, 1))
    if type_ == str(type_numbers["collection"]):
        return _answer(call, section, list(section.collections.values()))
    if type_ != str(type_numbers.get(section.type, 1)):
        return _answer(call, section, [])
    selection = parse_selection(call.world, call.query.pairs, call.account)
    is_whole = selection == WHOLE
    sort = call.query.find("sort") or "titleSort"
    limit = call.query.find("limit")
    if is_whole and sort.endswith("titleSort") and limit is None:
        return _whole(call, section)
    rows = _selected(call, section, selection, sort)
    if limit is not None and limit.isdecimal():
        rows = rows[: int(limit)]
    return _answer(call, section, rows, counts_collections=is_whole and limit is None)


def get_library_all(call: Call) -> Answer:
    """List items across all sections that the account may see."""
    world = call.world
    selection = parse_selection(world, call.query.pairs, call.account)
    type_ = call.query.find("type")
    rows: list[Item] = []
    for section in world.sections.values():
        if call.may_see(section) and type_ in {None, str(type_numbers.get(section.type, 1))}:
            rows.extend(select(section, selection))
    rows = _sorted(call, rows, call.query.find("sort") or "titleSort")
    lines = Lines(call)
    return call.rows(rows, lines.render, identifier="com.plexapp.plugins.library", allowSync=True)


def get_metadata(call: Call) -> Answer:
    """Return whole items by rating key. Unknown ones are skipped unless all, or a switch, say otherwise."""
    world, switches = call.world, call.world.switches
    keys = list(dict.fromkeys(key for key in call.ids[0].split(",") if key))
    found = [world.find_item(key) for key in keys]
    items = [item for item in found if item is not None and call.may_see(world.sections[item.section_id])]
    if not items or (switches.missing_id_fails_batch and len(items) < len(keys)):
        raise Refused(404)
    if switches.plain_get_touches and not call.query.is_on("skipRefresh"):
        for item in items:
            world.touch(item)
    if switches.shuffle_batch:
        world.rng.shuffle(items)
    shape = shape_of(call)
    section = world.sections[items[0].section_id]
    return call.rows(
        items,
        lambda item: full(world, item, shape),
        allowSync=True,
        identifier="com.plexapp.plugins.library",
        librarySectionID=section.id,
        librarySectionTitle=section.title,
        librarySectionUUID=section.uuid,
    )


def get_tag_children(call: Call, collection: Collection) -> Answer:
    """List the members of a collection."""
    section = call.world.sections[collection.section_id]
    return _answer(call, section, members_of(call, collection))


def members_of(call: Call, collection: Collection) -> list[Item]:
    """Return the members of a collection, in its own order."""
    section = call.world.sections[collection.section_id]
    if collection.smart_uri:
        _, _, raw = collection.smart_uri.partition("?")
        query = type(call.query).parse(raw.encode())
        rows = select(section, parse_selection(call.world, query.pairs, call.account))
        return _sorted(call, rows, query.find("sort") or "titleSort")
    members = list(collection.members.values())
    match collection.prefs.get("collectionSort", "0"):
        case "0":
            members.sort(key=lambda item: (str(item.fields.get("originallyAvailableAt", "")), item.title_sort))
        case "1":
            members.sort(key=lambda item: item.title_sort)
        case _:
            pass
    return members


def _whole(call: Call, section: Section) -> Answer:
    """List a section in the default order, rendering only the page."""
    items = section.items
    lines = Lines(call)
    collections = _collection_rows(call, section)
    is_descending = (call.query.find("sort") or "").endswith(":desc")
    order: Sequence[tuple[str, int]] = section.order[::-1] if is_descending else section.order
    if collections:
        rows: list[Item] = [items[key] for _, key in order]
        return _answer(call, section, rows, counts_collections=True)
    return call.rows(
        order,
        lambda row: lines.render(items[row[1]]),
        total=len(order) + _uncounted(call, section),
        **_attributes(call, section),
    )


def _answer(call: Call, section: Section, rows: Sequence[Item], *, counts_collections: bool = False) -> Answer:
    lines = Lines(call)
    extra: list[Collection] = _collection_rows(call, section) if counts_collections else []
    uncounted = _uncounted(call, section) if counts_collections and not extra else 0
    rows = [*rows, *extra] if extra else rows
    return call.rows(rows, lines.render, total=len(rows) + uncounted, **_attributes(call, section))


def _collection_rows(call: Call, section: Section) -> list[Collection]:
    """Return the collections that are rows of the listing: only when they are asked for."""
    return list(section.collections.values()) if call.query.is_on("includeCollections") else []


def _uncounted(call: Call, section: Section) -> int:
    """Return how many collections the total counts although no row shows them."""
    is_asked = call.query.find("includeCollections")
    if is_asked is not None or not call.world.switches.total_counts_collections:
        return 0
    return len(section.collections)


def _attributes(call: Call, section: Section) -> Element:
    attributes: Element = {
        "allowSync": True,
        "identifier": "com.plexapp.plugins.library",
        "librarySectionID": section.id,
        "librarySectionTitle": section.title,
        "librarySectionUUID": section.uuid,
        "title1": section.title,
        "viewGroup": section.type,
    }
    if call.query.is_on("includeMeta"):
        attributes["Meta"] = section_meta(section)
    return attributes


def _selected(call: Call, section: Section, selection: Selection, sort: str) -> list[Item]:
    """Return all selected items, sorted, from the kept listings where the section has not changed."""
    world = call.world
    paging = ("X-Plex-", "limit", "include", "exclude")
    key = (section.id, call.account, *(pair for pair in call.query.pairs if not pair[0].startswith(paging)))
    kept = world.listings.get(key)
    if kept is not None and kept[0] == section.revision:
        return kept[1]
    rows = _in_kept_order(section, selection, sort) or _sorted(call, select(section, selection), sort)
    moves_with_time = any(value.startswith("-") for _, value in call.query.pairs)
    if not (sort.startswith("random") or moves_with_time):
        while len(world.listings) >= _KEPT_LISTINGS:
            del world.listings[next(iter(world.listings))]
        world.listings[key] = (section.revision, rows)
    return rows


def _in_kept_order(section: Section, selection: Selection, sort: str) -> list[Item] | None:
    """Return a whole section in an order that it keeps anyway, None for any other order."""
    if selection != WHOLE:
        return None
    match sort.rpartition(".")[2]:
        case "id":
            return list(section.items.values())
        case "id:desc":
            return list(reversed(section.items.values()))
        case "updatedAt":
            return list(section.touched.values())
        case "updatedAt:desc":
            return list(reversed(section.touched.values()))
        case _:
            return None


def _sorted(call: Call, rows: list[Item], sort: str) -> list[Item]:
    """Return the rows in the order of a sort argument such as `addedAt:desc,titleSort`."""
    for part in reversed(sort.split(",")):
        name, _, direction = part.partition(":")
        name = name.rpartition(".")[2]
        if name == "random":
            call.world.rng.shuffle(rows)
            continue
        valued = [(sort_value(item, name, call.account), item) for item in rows]
        with_value = [(value, item) for value, item in valued if value is not None]
        without = [item for value, item in valued if value is None]
        is_descending = direction.startswith("desc")
        with_value.sort(key=lambda pair: _comparable(pair[0]), reverse=is_descending)
        in_order = [item for _, item in with_value]
        rows = in_order + without if is_descending or direction == "nullsLast" else without + in_order
    return rows


def _comparable(value: str | float) -> tuple[float, str]:
    return (0.0, value) if isinstance(value, str) else (float(value), "")
