"""The guard of the API: whose name a request calls us by, which key it shows, how large its body is.

It knows nothing of what is behind it. A page in a browser cannot get past it: no CORS, a key that pages do not have,
and a Host header that must be ours, so that a foreign name which resolves to this machine (DNS rebinding) is refused.
"""

import hmac
import ipaddress
from collections.abc import Collection
from contextlib import aclosing

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LARGEST_BODY_BYTES = 1024 * 1024


class Door:
    """Lets requests pass that may. Shape: `open_paths` need no key, but a right name all the same."""

    def __init__(
        self, app: ASGIApp, *, key: str, names: Collection[str] = (), open_paths: Collection[str] = ()
    ) -> None:
        if not key:
            raise AssertionError("an API without a key would be open to everybody")
        self._app = app
        self._key = key.encode()
        self._names = {name.casefold() for name in names}
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what may not pass, hand on what may."""
        if scope["type"] == "http":
            refusal = self._refusal(scope["path"], Headers(scope=scope))
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, path: str, headers: Headers) -> JSONResponse | None:
        if not self._is_ours(headers.get("host", "")):
            return problem(421, "This is not the name of this service.", "Call it by the address that it was given.")
        if path in self._open_paths:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._key):
            refused = problem(401, "The key is missing or wrong.", "Send it as Authorization: Bearer KEY.")
            refused.headers["www-authenticate"] = "Bearer"
            return refused
        return None

    def _is_ours(self, host: str) -> bool:
        """Tell whether a Host header may be ours: an address, a name without a dot, or a name that was configured.

        Rebinding needs a name that somebody else owns, and such a name has a dot.
        """
        name = host_name(host)
        if not name:
            return False
        if "." not in name and ":" not in name:
            return True
        return name in self._names or _is_address(name)


def host_name(host: str) -> str:
    """Return the name in a Host header, without port and brackets, in lower case."""
    text = host.strip().casefold()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def problem(status: int, message: str, hint: str = "") -> JSONResponse:
    """Return an error as every error of the API looks."""
    return JSONResponse({"error": message, "hint": hint}, status)


class BodyTooLarge(Exception):  # noqa: N818 - errors name the condition
    """A body is larger than anything that is meant for us."""


async def read_body(request: Request) -> bytes:
    """Return the body of a request. Raises: BodyTooLarge, before more than the limit is kept."""
    body = bytearray()
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > LARGEST_BODY_BYTES:
                raise BodyTooLarge
    return bytes(body)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
