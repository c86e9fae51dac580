"""Posters: from the bytes of a cover to what Plex shows, with as few requests as the knowledge at hand allows.

Not a fetcher: the bytes come from the caller. Invariants: the same bytes are never uploaded twice to an item that
shows them, since Plex names an upload by the SHA-1 of its bytes; nothing above Plex's limit, and nothing that is no
raster image, is ever sent (plex-wire.md 5).
"""

import hashlib
import io
from collections.abc import Callable
from enum import StrEnum

import anyio.to_thread
from PIL import Image, ImageOps, UnidentifiedImageError

from stashplex.base.errors import SceneInvalid
from stashplex.base.wire import image_type
from stashplex.domain.item import Item
from stashplex.plex.client import PlexClient

UPLOAD_LIMIT_BYTES = 10_000_000
"""Plex answers 500 above 10 MB."""

_UPLOADED = "upload://"
_LONGEST_EDGES_PX = (3840, 2160, 1440, 1080)
_QUALITY = 88


class PosterAction(StrEnum):
    """What it took to make Plex show a poster."""

    UPLOADED = "uploaded"
    SELECTED = "selected"
    PRESENT = "present"


async def put_poster(
    client: PlexClient,
    item: Item,
    body: bytes,
    *,
    may_be_there: bool = False,
    admit: Callable[[], None] | None = None,
) -> PosterAction:
    """Make Plex show an image for an item; return what that took. `admit` is asked directly before it is sent.

    `may_be_there` tells that Plex may hold these very bytes; then the item's posters are listed first, unless it
    has none at all. Raises: SceneInvalid (no usable image), PlexNotFound, PlexTemporaryError, ServerError.
    """
    image = await sendable(body)
    if may_be_there and item.thumb:
        digest = sha1_of(image)
        for candidate in await client.poster_candidates(item.rating_key):
            if candidate.key.startswith(_UPLOADED) and candidate.key.lower().endswith(digest):
                if candidate.is_selected:
                    return PosterAction.PRESENT
                await client.select_poster(item.rating_key, candidate.key, admit)
                return PosterAction.SELECTED
    await client.upload_poster(item.rating_key, image, admit)
    return PosterAction.UPLOADED


def sha1_of(body: bytes) -> str:
    """Return the name that Plex gives to uploaded bytes: their SHA-1 in lower-case hex."""
    return hashlib.sha1(body, usedforsecurity=False).hexdigest()


def is_usable_image(body: bytes, content_type: str = "") -> bool:
    """Tell whether Plex can show this: a JPEG, PNG, WebP or GIF by its first bytes, and not declared as text or SVG."""
    declared = content_type.partition(";")[0].strip().lower()
    return image_type(body) is not None and not declared.startswith("text/") and declared != "image/svg+xml"


async def sendable(body: bytes) -> bytes:
    """Return the image as it may be uploaded: unchanged, or as a smaller JPEG if it is too large for Plex.

    The same bytes always give the same result. Raises: SceneInvalid.
    """
    if not is_usable_image(body):
        raise SceneInvalid("The cover is no image that Plex can show.", hint="Replace the scene's cover in Stash.")
    if len(body) <= UPLOAD_LIMIT_BYTES:
        return body
    return await anyio.to_thread.run_sync(_smaller, body)


def _smaller(body: bytes) -> bytes:
    """Re-encode as JPEG; reduce the edges step by step until the limit holds."""
    try:
        with Image.open(io.BytesIO(body)) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SceneInvalid(
            "The cover is too large for Plex and cannot be decoded.", hint="Replace the scene's cover in Stash."
        ) from error
    for edge_px in _LONGEST_EDGES_PX:
        upright.thumbnail((edge_px, edge_px))
        encoded = io.BytesIO()
        upright.save(encoded, "JPEG", quality=_QUALITY, optimize=True)
        if encoded.tell() <= UPLOAD_LIMIT_BYTES:
            return encoded.getvalue()
    raise SceneInvalid("The cover cannot be made small enough for Plex.", hint="Replace the scene's cover in Stash.")
