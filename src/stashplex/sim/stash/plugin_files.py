"""What plugins add to the pages of Stash: their scripts and styles over HTTP.

Each kind is one answer, all files of the plugin one after another. A plugin that is switched off is refused.
"""

import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from stashplex.sim.stash.plugin import Shelf


class PluginFiles:
    """Answers requests for scripts and styles."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    async def javascript(self, request: Request) -> Response:
        """Answer with a plugin's scripts."""
        return self._answer(request, "javascript", "text/javascript")

    async def css(self, request: Request) -> Response:
        """Answer with a plugin's styles."""
        return self._answer(request, "css", "text/css")

    def _answer(self, request: Request, kind: str, media_type: str) -> Response:
        plugin = self.shelf.find(request.path_params["plugin"])
        if plugin is None:
            return PlainTextResponse("Not Found\n", 404)
        if not self.shelf.is_enabled(plugin):
            return PlainTextResponse("plugin disabled\n", 400)
        names: list[Any] = [name for name in plugin.ui.get(kind) or () if "://" not in name]
        body = b"".join((plugin.directory / name).read_bytes() + b"\n" for name in names)
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        headers = {"etag": etag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=media_type)
