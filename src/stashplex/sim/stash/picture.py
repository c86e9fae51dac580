"""Pictures over HTTP: covers, portraits, group fronts and backs.

The ETag is the quoted MD5 of the bytes; `t` in the address makes the answer cacheable for ever, whatever `t` says.
Without a picture the answer is still 200, with a drawn placeholder. HEAD is not known. Without a database it is 500.
"""

import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from stashplex.sim.stash.context import Parts
from stashplex.sim.stash.library import Table
from stashplex.sim.stash.model import Picture

PLACEHOLDER = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 90">'
    b'<rect width="160" height="90" fill="#30404d"/><path d="M65 30l30 15-30 15z" fill="#8a9ba8"/></svg>'
)
_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


class Pictures:
    """Answers picture requests."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    async def scene(self, request: Request) -> Response:
        """Answer with a scene's cover."""
        return self._answer(request, self.parts.library.scenes, "cover")

    async def marker(self, request: Request) -> Response:
        """Answer with a marker's screenshot: always the placeholder, as before generation."""
        return self._answer(request, self.parts.library.markers, "", number="marker")

    async def performer(self, request: Request) -> Response:
        """Answer with a performer's portrait."""
        return self._answer(request, self.parts.library.performers, "image")

    async def studio(self, request: Request) -> Response:
        """Answer with a studio's logo."""
        return self._answer(request, self.parts.library.studios, "image")

    async def tag(self, request: Request) -> Response:
        """Answer with a tag's picture."""
        return self._answer(request, self.parts.library.tags, "image")

    async def group_front(self, request: Request) -> Response:
        """Answer with a group's front."""
        return self._answer(request, self.parts.library.groups, "front_image")

    async def group_back(self, request: Request) -> Response:
        """Answer with a group's back."""
        return self._answer(request, self.parts.library.groups, "back_image")

    def _answer(self, request: Request, table: Table[Any], attribute: str, number: str = "id") -> Response:
        if self.parts.switches.status != "OK":
            return Response(status_code=500)
        owner = table.get(request.path_params[number])
        if owner is None:
            return Response("Not Found", 404)
        body = bytes_of(getattr(owner, attribute) if attribute else None) or PLACEHOLDER
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        cached = "private, max-age=31536000, immutable" if "t" in request.query_params else "no-cache"
        headers = {"ETag": etag, "Cache-Control": cached}
        if {etag, "*"} & {
            each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")
        }:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=media_type_of(body))


def bytes_of(picture: Picture) -> bytes | None:
    """Return a picture's bytes, made on demand when it is a callable."""
    return picture() if callable(picture) else picture


def media_type_of(body: bytes) -> str:
    """Return the type that the first bytes tell."""
    known = next((kind for magic, kind in _MAGIC if body.startswith(magic)), None)
    return known or ("image/svg+xml" if body.lstrip().startswith((b"<svg", b"<?xml")) else "application/octet-stream")
