"""A scene's cover: where it is for us, which state it is in, and what an answer to its request means.

Pure: `client` sends the request. Invariant: only the path and the stamp of Stash's address are used; host and prefix
are those by which we reach Stash, because Stash builds its addresses for whoever asks (stash-wire.md 6).
"""

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from stashplex.base.transport import Response
from stashplex.base.wire import image_type

_SCREENSHOT = re.compile(r"/scene/[0-9]+/screenshot$")


@dataclass(frozen=True, slots=True)
class Cover:
    """The bytes of a cover. Shape: a JPEG, PNG, WebP or GIF; `etag` as Stash sent it, quotes included, or `""`."""

    body: bytes
    etag: str
    content_type: str

    @property
    def sha1(self) -> str:
        """The SHA-1 of the bytes in lower-case hex."""
        return hashlib.sha1(self.body, usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class NotModified:
    """The cover is the one whose ETag was named."""


def cover_stamp(url: str) -> str:
    """Return the `t` of a cover's address, `""` if it has none: it changes with every change of the scene."""
    return next((value for key, value in parse_qsl(urlsplit(url).query) if key == "t"), "")


def rebased(url: str, base_url: str) -> str:
    """Return the address of a cover as we reach it, with its stamp and without any key.

    Shape: `base_url` has no final slash and may end in a proxy's prefix, which Stash's address has or lacks.
    """
    parts = urlsplit(url)
    path = parts.path
    found = _SCREENSHOT.search(path)
    prefix = urlsplit(base_url).path
    if found:
        path = found[0]
    elif prefix and path.startswith(f"{prefix}/"):
        path = path.removeprefix(prefix)
    stamp = cover_stamp(url)
    path = quote("/" + path.lstrip("/"), safe="/%")
    return f"{base_url}{path}{'?' + urlencode({'t': stamp}) if stamp else ''}"


def is_picture(response: Response) -> bool:
    """Tell whether an answer says that it is some picture, a drawing or a type that Plex cannot show included."""
    declared = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return declared.startswith("image/")


def cover_of(response: Response) -> Cover | None:
    """Return the cover in an answer of 200, None for Stash's placeholder and for images that Plex cannot show."""
    content_type = image_type(response.body)
    return None if content_type is None else Cover(response.body, response.headers.get("etag", ""), content_type)
