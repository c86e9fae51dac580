"""Every assumption and every fault of the simulated server that a test may turn.

A default is what the sources say or, where they are silent, what hurts a careless client most. `[A]` marks
what no source settles. Switches may be turned while the server runs; each request reads them afresh.
"""

from dataclasses import dataclass
from enum import StrEnum


class TagMode(StrEnum):
    """What an indexed tag list does to one item: become its tags, or join them. Many items always join."""

    REPLACE = "replace"
    ADD = "add"


class IdStyle(StrEnum):
    """How notifications spell ids: JSON numbers, JSON strings, or now this and now that."""

    INT = "int"
    STR = "str"
    RANDOM = "random"


@dataclass(slots=True, kw_only=True)
class Switches:
    """The turned and unturned assumptions of one simulated server. Units: `_s` seconds, chances 0 to 1."""

    # transport and rights
    require_token: bool = True
    """False is an unclaimed server: nobody needs a token."""
    shared_write_status: int = 403
    """[A] What a shared user's write gets: 401 or 403."""
    request_line_limit: int = 8000
    """[A] Longest request line in bytes; beyond it 400."""
    loose_types: bool = False
    """Numbers come as numbers or strings, booleans as true, 1 or "1", by chance."""
    proxy_status: int | None = None
    """502 or 503 of a reverse proxy for every request, without Plex's Maintenance mark."""
    drop_connections: bool = False
    """Refuse every connection. In process only: behind a real socket, stop the socket."""

    # time
    read_latency_s: float = 0.0
    write_latency_s: float = 0.0
    upload_latency_s: float = 0.0
    plain_get_latency_s: float = 0.0
    """What a GET of whole items without `skipRefresh=1` costs on top."""
    parallel_writers: int = 1
    """How many writes run at once; the rest wait."""
    busy_chance: float = 0.0
    """Chance that a write finds the database busy; then it waits 1 to 5 times `busy_delay_s`."""
    busy_delay_s: float = 0.2
    hang_edits: int = 0
    """So many next edits are applied and then not answered for `hang_s`."""
    hang_s: float = 3600.0

    # listings and reads
    page_cap: int | None = None
    """The server returns at most so many rows, whatever was asked."""
    total_counts_collections: bool = True
    """`totalSize` counts collections unless `includeCollections=0`."""
    unknown_filter_is_error: bool = False
    """[A] An unknown filter key is answered with 400; else it is ignored, also in an edit's selector."""
    date_after_includes_equal: bool = False
    """[A] `updatedAt>>=N` also finds N."""
    missing_id_fails_batch: bool = False
    """[A] One unknown id in a batch read makes it 404; else it is skipped."""
    shuffle_batch: bool = False
    """[A] A batch read answers in any order."""
    honour_excludes: bool = True
    """`excludeElements` and `excludeFields` are requests, not orders."""
    plain_get_touches: bool = False
    """[A] A GET of whole items without `skipRefresh=1` moves `updatedAt`."""

    # edits
    tag_mode: TagMode = TagMode.REPLACE
    """[A] See TagMode."""
    remove_first_only: bool = False
    """`genre[].tag.tag-=A,B` removes A only."""
    tags_fold_case: bool = False
    """[A] A tag that differs only in case is the existing tag."""
    accept_year: bool = False
    """[A] `year.value` works; else the year follows `originallyAvailableAt`."""
    noop_edit_touches: bool = False
    """[A] An edit that changes nothing moves `updatedAt` and is announced all the same."""
    edit_of_missing_status: int = 404
    """[A] What an edit gets whose ids are all unknown: 404, or 200 and nothing done."""
    empty_collection_vanishes: bool = True
    """[A] A collection goes with its last member."""
    plex_pass: bool = True
    """Without it `editionTitle` is refused with 400."""
    allow_media_deletion: bool = False

    # images
    upload_locks: bool = True
    """[A] An upload or a selection locks `thumb` or `art`."""
    stamp_follows_item: bool = True
    """[A] The number in `thumb` and `art` is the item's `updatedAt`; else the image's own."""
    selection_delay_s: float = 0.0
    """How long the candidate list still shows the former selection."""
    unknown_candidate_status: int = 404
    """[A] What the selection of an unknown candidate gets: 400 or 404."""
    upload_error_chance: float = 0.0
    """Chance that an upload fails with 500."""
    max_upload_bytes: int = 10 * 1024 * 1024
    refuse_private_urls_from: tuple[int, ...] = (1, 43, 5)
    """The version from which the server refuses to fetch images from private addresses."""
    failed_fetch_status: int = 500
    """[A] What an upload by URL gets that cannot be fetched or is refused."""
    keep_images: int | None = None
    """Keep the bytes of the newest so many images, of all others only hash and size. None keeps all."""

    # scans and notifications
    scan_s: float = 1.0
    """How long a scan takes, and an item refresh."""
    notification_ids: IdStyle = IdStyle.RANDOM
    mute_notifications: bool = False
    """Sockets stay open and hear nothing more."""
    singular_socket_path: bool = False
    """Also answer on `/:/websocket/notifications`."""
