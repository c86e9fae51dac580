"""Which handler answers which path, who may call it, and what a request counts as.

A path is looked up with its numeric segments replaced by `{}`, with or without a final slash: one dictionary
look-up per request, no patterns to try. What is not in the table is 404.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from stashplex.sim.plex import collecting, edit, identity, images, listing, matching, scan, sections, watch
from stashplex.sim.plex.answer import Answer
from stashplex.sim.plex.call import Access, Call

Handler = Callable[[Call], Answer]

FACETS = (
    "genre",
    "actor",
    "director",
    "writer",
    "producer",
    "country",
    "label",
    "collection",
    "collections",
    "studio",
    "year",
    "contentRating",
    "resolution",
)
_DIGITS = frozenset("0123456789,")


class RequestKind(StrEnum):
    """What a request counts as."""

    LIST = "list"
    BATCH_GET = "batch_get"
    EDIT = "edit"
    UPLOAD = "upload"
    SELECT = "select"
    POSTERS_LIST = "posters_list"
    IMAGE = "image"
    SCAN = "scan"
    SECTION = "section"
    IDENTITY = "identity"
    SOCKET = "socket"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Route:
    """One handler with its terms."""

    handler: Handler
    access: Access
    kind: RequestKind


def find_route(method: str, path: str) -> tuple[Route | None, tuple[str, ...]]:
    """Return the route of a request, if there is one, and the numeric segments of its path."""
    segments, ids = [], []
    for segment in path.strip("/").split("/"):
        if segment and segment[0].isdecimal() and _DIGITS.issuperset(segment):
            ids.append(segment)
            segments.append("{}")
        else:
            segments.append(segment)
    if segments[0] == "activities" and len(segments) == 2:
        segments[1] = "*"
    return _ROUTES.get((method, "/".join(segments))), tuple(ids)


_ROUTES: dict[tuple[str, str], Route] = {}


def _add(methods: str, path: str, handler: Handler, access: Access, kind: RequestKind = RequestKind.OTHER) -> None:
    for method in methods.split():
        _ROUTES[method, path] = Route(handler, access, kind)


def _add_server() -> None:
    _add("GET", "identity", identity.get_identity, Access.OPEN, RequestKind.IDENTITY)
    _add("GET", "", identity.get_root, Access.USER, RequestKind.IDENTITY)
    _add("GET", ":/prefs", identity.get_prefs, Access.ADMIN)
    _add("GET", ":/prefs/get", identity.get_prefs, Access.ADMIN)
    _add("PUT", ":/prefs", identity.put_prefs, Access.ADMIN)
    _add("GET", "butler", identity.get_butler, Access.ADMIN)
    _add("GET", "activities", identity.get_activities, Access.USER)
    _add("DELETE", "activities/*", identity.delete_activity, Access.ADMIN)
    _add("GET", "accounts", identity.get_accounts, Access.ADMIN)
    _add("GET", "status/sessions", identity.get_sessions, Access.ADMIN)
    _add("GET", "status/sessions/history/all", watch.get_history, Access.USER)
    _add("GET PUT", ":/rate", watch.rate, Access.USER)
    _add("GET PUT", ":/scrobble", watch.scrobble, Access.USER)
    _add("GET PUT", ":/unscrobble", watch.unscrobble, Access.USER)
    _add("GET PUT", ":/progress", watch.progress, Access.USER)
    _add("GET", "photo/:/transcode", images.get_resized, Access.USER, RequestKind.IMAGE)


def _add_sections() -> None:
    section = "library/sections/{}"
    _add("GET", "library", sections.get_library, Access.ADMIN, RequestKind.SECTION)
    _add("GET", "library/sections", sections.get_sections, Access.USER, RequestKind.SECTION)
    _add("GET", "library/sections/all", sections.get_sections, Access.USER, RequestKind.SECTION)
    _add("GET POST", "library/sections/all/refresh", scan.request_all_scans, Access.ADMIN, RequestKind.SCAN)
    _add("GET", section, sections.get_section, Access.USER, RequestKind.SECTION)
    _add("GET", f"{section}/all", listing.get_all, Access.USER, RequestKind.LIST)
    _add("PUT", f"{section}/all", edit.put_all, Access.ADMIN, RequestKind.EDIT)
    _add("GET", f"{section}/prefs", sections.get_section_prefs, Access.USER, RequestKind.SECTION)
    _add("GET", f"{section}/timeline", sections.get_timeline, Access.USER, RequestKind.SECTION)
    _add("GET", f"{section}/location", sections.get_locations, Access.USER, RequestKind.SECTION)
    _add("GET POST", f"{section}/refresh", scan.request_scan, Access.ADMIN, RequestKind.SCAN)
    _add("DELETE", f"{section}/refresh", scan.cancel_scans, Access.ADMIN, RequestKind.SCAN)
    _add("GET PUT", f"{section}/emptyTrash", scan.empty_trash, Access.ADMIN)
    for name in FACETS:
        _add("GET", f"{section}/{name}", sections.get_facet, Access.USER, RequestKind.SECTION)
    _add("GET", "library/all", listing.get_library_all, Access.USER, RequestKind.LIST)
    _add("GET", "library/tags", sections.get_tags, Access.USER)


def _add_items() -> None:
    item = "library/metadata/{}"
    _add("GET", item, listing.get_metadata, Access.USER, RequestKind.BATCH_GET)
    _add("PUT", item, edit.put_metadata, Access.ADMIN, RequestKind.EDIT)
    _add("DELETE", item, matching.delete_media, Access.ADMIN)
    _add("PUT", f"{item}/refresh", scan.request_refresh, Access.ADMIN)
    _add("PUT", f"{item}/analyze", matching.put_analyze, Access.ADMIN)
    _add("GET PUT", f"{item}/matches", matching.get_matches, Access.ADMIN)
    _add("PUT", f"{item}/match", matching.put_match, Access.ADMIN)
    _add("PUT", f"{item}/unmatch", matching.put_unmatch, Access.ADMIN)
    _add("PUT", f"{item}/prefs", collecting.put_item_prefs, Access.ADMIN)
    _add("GET", f"{item}/file", images.get_image_file, Access.USER, RequestKind.IMAGE)
    _add("GET", f"{item}/children", collecting.get_children, Access.USER, RequestKind.LIST)
    for many, one in (("posters", "poster"), ("arts", "art"), ("clearLogos", "clearLogo"), ("squareArts", "squareArt")):
        _add("GET", f"{item}/{many}", images.get_candidates, Access.USER, RequestKind.POSTERS_LIST)
        _add("POST PUT", f"{item}/{many}", images.post_image, Access.ADMIN, RequestKind.UPLOAD)
        _add("POST", f"{item}/{one}", images.post_image, Access.ADMIN, RequestKind.UPLOAD)
        _add("PUT", f"{item}/{one}", images.put_selection, Access.ADMIN, RequestKind.SELECT)
        _add("DELETE", f"{item}/{one}", images.delete_image, Access.ADMIN)
    _add("POST", f"{item}/thumb", images.post_image, Access.ADMIN, RequestKind.UPLOAD)
    _add("PUT", f"{item}/thumb", images.put_selection, Access.ADMIN, RequestKind.SELECT)
    _add("DELETE", f"{item}/thumb", images.delete_image, Access.ADMIN)
    for name in ("thumb", "art"):
        _add("GET", f"{item}/{name}", images.get_image, Access.USER, RequestKind.IMAGE)
        _add("GET", f"{item}/{name}/{{}}", images.get_image, Access.USER, RequestKind.IMAGE)


def _add_collections() -> None:
    one = "library/collections/{}"
    _add("POST", "library/collections", collecting.post_collection, Access.ADMIN)
    _add("GET", one, collecting.get_collection, Access.USER, RequestKind.BATCH_GET)
    _add("DELETE", one, collecting.delete_collection, Access.ADMIN)
    _add("GET", f"{one}/children", collecting.get_children, Access.USER, RequestKind.LIST)
    _add("GET", f"{one}/items", collecting.get_children, Access.USER, RequestKind.LIST)
    _add("PUT", f"{one}/items", collecting.put_items, Access.ADMIN)
    _add("DELETE PUT", f"{one}/items/{{}}", collecting.remove_item, Access.ADMIN)
    _add("PUT", f"{one}/items/{{}}/move", collecting.move_item, Access.ADMIN)
    _add("PUT", f"{one}/prefs", collecting.put_item_prefs, Access.ADMIN)
    _add("GET", f"{one}/composite/{{}}", collecting.get_composite, Access.USER, RequestKind.IMAGE)


_add_server()
_add_sections()
_add_items()
_add_collections()
