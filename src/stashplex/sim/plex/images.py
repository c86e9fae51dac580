"""Posters and backgrounds: candidates, uploads, selection, bytes.

An uploaded image is known by the SHA-1 of its bytes, so the same bytes are the same candidate; what an agent
or the file itself offers is made up from the item's guid and never stored.
"""

import re
from hashlib import sha1
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from stashplex.sim.plex.answer import DONE, Answer, Element, Refused
from stashplex.sim.plex.call import Call
from stashplex.sim.plex.imagestore import PLACEHOLDER
from stashplex.sim.plex.item import Collection, Gallery, Item
from stashplex.sim.plex.world import World

_KINDS = {
    "posters": "posters",
    "poster": "posters",
    "thumb": "posters",
    "thumbs": "posters",
    "arts": "arts",
    "art": "arts",
    "clearLogos": "clearLogos",
    "clearLogo": "clearLogos",
    "squareArts": "squareArts",
    "squareArt": "squareArts",
}
_LOCKS = {"posters": "thumb", "arts": "art", "clearLogos": "clearLogo", "squareArts": "squareArt"}


def get_candidates(call: Call) -> Answer:
    """List the images that an item could show."""
    item = call.item()
    kind = _kind(call)
    keys = _candidates(call.world, item, kind)
    shown = _shown(call.world, item, kind)
    return call.rows(
        keys,
        lambda key: _candidate(item, key, is_selected=key == shown),
        identifier="com.plexapp.plugins.library",
    )


def post_image(call: Call) -> Answer:
    """Upload an image, by bytes or by URL, and select it."""
    world, switches = call.world, call.world.switches
    items = [world.find_item(key) for key in call.ids[0].split(",")]
    if switches.upload_error_chance and world.rng.random() < switches.upload_error_chance:
        raise Refused(500)
    image = call.body or _fetched(world, call.query.find("url"))
    if len(image) > switches.max_upload_bytes:
        raise Refused(500)
    kind = _kind(call)
    if any(item is None for item in items):
        raise Refused(404)
    key = f"upload://{kind}/{world.images.put(image)}"
    for item in items:
        if item is not None:
            _select(world, item, kind, key)
    return DONE


def put_selection(call: Call) -> Answer:
    """Select one of the candidates."""
    world = call.world
    item = call.item()
    kind = _kind(call)
    key = call.query.find("url")
    if not key or key not in _candidates(world, item, kind):
        raise Refused(world.switches.unknown_candidate_status)
    if key.startswith("http"):
        key = f"upload://{kind}/{world.images.put(_fetched(world, key))}"
    _select(world, item, kind, key)
    return DONE


def delete_image(call: Call) -> Answer:
    """Take the selected image away; the candidates stay."""
    world = call.world
    item = call.item()
    kind = _kind(call)
    _gallery(item, kind).selected = ""
    if kind == "posters":
        item.thumb_at = None
    elif kind == "arts":
        item.art_at = None
    world.touch(item)
    world.announce(item, 5)
    return DONE


def get_image(call: Call) -> Answer:
    """Return the bytes of the image that an item shows now, whatever stamp was asked for."""
    item = call.item()
    name = next(segment for segment in call.path.split("/") if segment in _KINDS)
    kind = _KINDS[name]
    gallery = item.galleries.get(kind)
    has_none = item.thumb_at is None if kind == "posters" else item.art_at is None
    if (gallery is not None and gallery.selected == "") or (gallery is None and has_none):
        raise Refused(404)
    return _image(call.world, (gallery.selected if gallery else None) or "")


def get_image_file(call: Call) -> Answer:
    """Return the bytes of one candidate."""
    call.item()
    return _image(call.world, call.query.find("url") or "")


def get_resized(call: Call) -> Answer:
    """Return an image of the library. Honesty: it is not resized."""
    found = re.fullmatch(r"/library/metadata/(\d+)/(thumb|art)/\d+", call.query.find("url") or "")
    if found is None:
        raise Refused(400)
    call.ids, call.path = (found[1],), found[0]
    return get_image(call)


def _kind(call: Call) -> str:
    return _KINDS[call.path.rstrip("/").rpartition("/")[2]]


def _gallery(item: Item, kind: str) -> Gallery:
    found = item.galleries.get(kind)
    if found is None:
        found = item.galleries[kind] = Gallery()
    return found


def _select(world: World, item: Item, kind: str, key: str) -> None:
    shown = _shown(world, item, kind)
    gallery = _gallery(item, kind)
    if key.startswith("upload://") and key not in gallery.uploads:
        gallery.uploads.append(key)
    gallery.selected = key
    if world.switches.selection_delay_s:
        gallery.former = shown
        gallery.former_until = world.elapsed_s + world.switches.selection_delay_s
    if kind == "posters":
        item.thumb_at = world.now
    elif kind == "arts":
        item.art_at = world.now
    if world.switches.upload_locks:
        item.locks.add(_LOCKS[kind])
    world.touch(item)
    world.announce(item, 5)


def _shown(world: World, item: Item, kind: str) -> str:
    """Return the candidate that the list shows as selected, "" for none."""
    gallery = item.galleries.get(kind)
    if gallery is None:
        return next(iter(_own(world, item, kind)), "")
    if world.elapsed_s < gallery.former_until:
        return gallery.former or ""
    if gallery.selected is None:
        return next(iter(_own(world, item, kind)), "")
    return gallery.selected


def _candidates(world: World, item: Item, kind: str) -> list[str]:
    gallery = item.galleries.get(kind)
    return [*_own(world, item, kind), *(gallery.uploads if gallery else ())]


def _own(world: World, item: Item, kind: str) -> list[str]:
    """Return what the agent or the file itself offers; the first is what shows until something is selected."""
    if isinstance(item, Collection) or kind not in {"posters", "arts"}:
        return []
    digest = sha1(f"{kind} {item.guid}".encode(), usedforsecurity=False).hexdigest()
    if not world.sections[item.section_id].has_agent:
        return [f"media://{digest[0]}/{digest[1:]}.bundle/Contents/Thumbnails/thumb1.jpg"] if kind == "posters" else []
    agent = "tv.plex.agents.movie"
    return [
        f"metadata://{kind}/{agent}_{digest}",
        f"metadata://{kind}/{agent}_{digest[::-1]}",
        f"https://images.example/{kind}/{digest}.jpg",
    ]


def _candidate(item: Item, key: str, *, is_selected: bool) -> Element:
    path = key
    if not key.startswith("http"):
        path = f"/library/metadata/{item.key}/file?url={quote(key, safe='')}"
    element: Element = {"key": path, "ratingKey": key, "thumb": path, "selected": is_selected}
    if key.startswith(("metadata://", "http")):
        element["provider"] = "tv.plex.agents.movie"
    elif key.startswith("media://"):
        element["provider"] = "local"
    return element


def _image(world: World, key: str) -> Answer:
    if not key.startswith("upload://"):
        return Answer(200, PLACEHOLDER, "image/png")
    image = world.images.find(key.rpartition("/")[2])
    if image is None:
        raise Refused(404)
    return Answer(200, image, _content_type(image))


def _content_type(image: bytes) -> str:
    if image.startswith(b"\x89PNG"):
        return "image/png"
    return "image/webp" if image[8:12] == b"WEBP" else "image/jpeg"


def _fetched(world: World, url: str | None) -> bytes:
    """Return what the internet holds at an address. Raises: Refused when it may not or cannot be fetched."""
    if not url:
        raise Refused(400)
    refuses = world.version_numbers >= world.switches.refuse_private_urls_from
    image = world.web.get(url)
    if image is None or (refuses and _is_private(urlsplit(url).hostname or "")):
        raise Refused(world.switches.failed_fetch_status)
    return image


def _is_private(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".local", ".lan", ".internal")) or "." not in host
