"""What Plex must show in the end, worked out from the documented rules and not from our code.

Stash's value in every field; genres that a person added stay; the collection is the studio; the poster is the cover.
"""

from collections.abc import Iterator
from hashlib import sha1

from crash.books import Row, read_copy
from crash.scenery import Scenery
from stashplex.sim.world import rating_key


def check(scenery: Scenery) -> None:
    """Raise when anything is wrong once all is quiet and no program runs. Raises: AssertionError that tells all."""
    found = [*faults(scenery), *double_writes(scenery)]
    if found:
        raise AssertionError("\n".join(found))


def faults(scenery: Scenery) -> Iterator[str]:
    """Yield everything that is wrong once all is quiet and no program runs."""
    rows = {row.scene: row for row in read_copy(scenery.database)}
    for scene in range(1, scenery.films + 1):
        row = rows.get(scene)
        if row is None:
            yield f"scene {scene} has no entry"
            continue
        yield from _entry_faults(row)
        yield from (f"scene {scene}: {fault}" for fault in item_faults(scenery, scene))
    if scenery.world.plex_sim.unscoped_edits:
        yield "an edit named no items"
    if left := sorted(path.name for path in scenery.spool.rglob("*") if path.is_file()):
        yield f"the spool is not empty: {left}"
    yield from _collection_faults(scenery)


def _entry_faults(row: Row) -> Iterator[str]:
    if row.state != "synced":
        yield f"an entry is not synced: {row}"
    if row.generation != row.settled:
        yield f"an entry is not settled: {row}"
    if row.token is not None or row.owner is not None:
        yield f"a stuck lease: {row}"
    if row.retry_count:
        yield f"a synced entry counts retries: {row}"


def item_faults(scenery: Scenery, scene: int) -> Iterator[str]:
    """Yield each field of the item of a scene that shows something else than it should."""
    should, shows = _wanted(scenery, scene), _shown(scenery, scene)
    for name, value in should.items():
        if shows[name] != value:
            yield f"{name} is {shows[name]!r} and should be {value!r}"


def _wanted(scenery: Scenery, scene: int) -> dict[str, object]:
    known = scenery.world.stash_sim.library.scenes[scene]
    cover = known.cover() if callable(known.cover) else known.cover
    studio = known.studio.name if known.studio else ""
    return {
        "title": known.title,
        "summary": known.details,
        "studio": studio,
        "originallyAvailableAt": known.date or "",
        "userRating": "" if known.rating100 is None else f"{known.rating100 / 10:g}",
        "genre": {tag.name for tag in known.tags} | scenery.own_genres.get(scene, set()),
        "actor": {performer.name for performer in known.performers},
        "director": {known.director} - {""},
        "collection": {studio} - {""},
        "poster": _named(cover),
    }


def _named(picture: bytes | None) -> str:
    """Return the SHA-1 of a picture, which is Plex's name for it."""
    return "" if picture is None else sha1(picture, usedforsecurity=False).hexdigest()


def _shown(scenery: Scenery, scene: int) -> dict[str, object]:
    plex = scenery.world.plex_sim
    key = rating_key(scene)
    item = plex.item(key)
    rating = item.view(1).rating
    return {
        "title": item.title,
        "summary": str(item.fields.get("summary", "")),
        "studio": str(item.fields.get("studio", "")),
        "originallyAvailableAt": str(item.fields.get("originallyAvailableAt", "")),
        "userRating": "" if rating is None else f"{rating:g}",
        **{kind: set(plex.tag_texts(key, kind)) for kind in ("genre", "actor", "director", "collection")},
        "poster": _named(plex.image_bytes(key)),
    }


def _collection_faults(scenery: Scenery) -> Iterator[str]:
    """Yield collections whose members are not the films of that studio."""
    should: dict[str, set[str]] = {}
    for scene, known in scenery.world.stash_sim.library.scenes.items():
        if known.studio:
            should.setdefault(known.studio.name, set()).add(rating_key(scene))
    shows = {
        title: {str(key) for key in one.members}
        for title, one in scenery.world.plex_sim.collections(scenery.world.section).items()
    }
    if shows != should:
        yield f"the collections are {shows} and should be {should}"


def double_writes(scenery: Scenery) -> Iterator[str]:
    """Yield each pair of edits of one item that were under way at the same time."""
    last: dict[tuple[str, str], float] = {}
    for one in sorted(scenery.trigger.written, key=lambda one: one.begun_s):
        before_s = last.get((one.kind, one.item), 0.0)
        if one.begun_s < before_s:
            yield f"item {one.item} was written twice at the same time ({one.kind})"
        last[one.kind, one.item] = max(before_s, one.ended_s)
