"""What both clients need of HTTP: one exchange with a named server, and every foreign failure translated.

Not a client: it knows no endpoint of Stash or Plex. The clients build requests and decode bodies.
Invariant: no secret of the peer is ever part of a message, a hint, a repr or an address.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from html import escape
from typing import Protocol
from urllib.parse import quote

from typing_extensions import override

from stashplex.base.errors import (
    ConfigError,
    ProtocolError,
    Server,
    ServerBusy,
    ServerError,
    ServerRefused,
    ServerUnreachable,
    StashplexError,
)
from stashplex.base.transport import Fault, Request, Response, Transport, TransportFailed

EXCERPT_CHARS = 256
_SCRUBBED_BYTES = 65_536
_TOKEN_ARGUMENT = re.compile(
    r"(?i)\b([\w-]{0,40}(?:token|apikey|api_key|service_key|session))([\"']?[=:]\s*[\"']?)[^&\s\"'<>;,]+"
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)((?:\\\\)*)(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_CONTROL_TO_BLANK = bytes(max(code, 32) for code in range(256))


class Watch(Protocol):
    """Who is told how a server does, and may forbid to send: the engine's gate."""

    def check(self) -> None:
        """Return if a request may be sent. Raises: ServerHeld."""

    def succeeded(self) -> None:
        """Take note of an answer, whatever it says of an item."""

    def failed(self, error: ServerError) -> None:
        """Take note of a failure of the server."""


class Unwatched(Watch):
    """Lets everything pass: for probes, which are sent while nothing else may be."""

    @override
    def check(self) -> None:
        pass

    @override
    def succeeded(self) -> None:
        pass

    @override
    def failed(self, error: ServerError) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Peer:
    """One server as its client knows it.

    Shape: `base_url` has no trailing slash, may end in a path prefix and holds no secret; the settings are
    the names that hints tell a person to look at; `refused_hint` takes the place of the one for a wrong secret.
    Every failure of the server is told to `watch` before it is raised.
    """

    server: Server
    base_url: str
    secret: str = field(repr=False)
    url_setting: str
    secret_setting: str
    watch: Watch = field(default_factory=Unwatched)
    refused_hint: str = ""

    @property
    def name(self) -> str:
        """The server's name for messages."""
        return self.server.value.capitalize()

    async def send(self, transport: Transport, request: Request, *, is_write: bool = False) -> Response:
        """Return the answer, whatever its status.

        Raises: ServerHeld (nothing was sent), ServerUnreachable, ConfigError (unusable address).
        """
        self.watch.check()
        try:
            return await transport.send(request)
        except TransportFailed as failure:
            raise self.told(self._translated(failure, is_write=is_write)) from failure

    def told(self, error: StashplexError) -> StashplexError:
        """Return an error that is about to be raised, after the watch was told if it is a failure of the server."""
        if isinstance(error, ServerError):
            self.watch.failed(error)
        return error

    def _translated(self, failure: TransportFailed, *, is_write: bool) -> StashplexError:
        if failure.fault is Fault.INVALID_URL:
            return ConfigError(f"{self.name}: {failure}.", hint=f"Correct {self.url_setting}.")
        hint = f"Start {self.name}, or correct {self.url_setting}."
        if failure.fault is Fault.CERTIFICATE:
            setting = f"STASHPLEX_{self.server.name}_VERIFY_TLS"
            hint = f"Use the name that the certificate is for, or set {setting} to false if it signed its own."
        return ServerUnreachable(
            self.server,
            f"{self.name} cannot be reached at {self.base_url}: {failure}.",
            hint=hint,
            may_have_applied=is_write and failure.may_have_applied,
            is_slow=failure.fault in {Fault.TIMEOUT_BEFORE_SEND, Fault.TIMEOUT_AFTER_SEND},
        )

    def require_served(self, response: Response, *, is_write: bool = False) -> None:
        """Raise if the status concerns the whole server: refused, busy, down, or moved elsewhere.

        Raises: ServerRefused (401, 403), ServerBusy (429, 503 with Retry-After), ServerUnreachable (408, other 5xx,
        redirects). Every other status is the caller's to judge.
        """
        error = self._failure(response, is_write=is_write)
        if error is not None:
            raise self.told(error)
        self.watch.succeeded()

    def _failure(self, response: Response, *, is_write: bool) -> ServerError | None:
        status = response.status
        wait_s = retry_after_s(response.headers)
        if status in {401, 403}:
            return self.refused(status)
        if status == 429 or (status == 503 and wait_s is not None):
            hint = f"Wait for {self.name} to finish its work."
            return ServerBusy(self.server, f"{self.name} asks us to wait ({status}).", hint=hint, retry_after_s=wait_s)
        if status == 408 or status >= 500:
            maintenance = _maintenance(response)
            return ServerUnreachable(
                self.server,
                f"{self.name} cannot answer now ({status}{maintenance}).",
                hint=f"Wait for {self.name}; if this lasts, look at its log.",
                retry_after_s=wait_s,
                may_have_applied=is_write and status in {408, 500, 502, 504},
                has_answered=True,
                is_maintenance=bool(maintenance),
            )
        if 300 <= status < 400 and status != 304:
            return ServerUnreachable(
                self.server,
                f"{self.name} sends us to another address ({status}).",
                hint=f"Set {self.url_setting} to the address that finally answers.",
            )
        return None

    def refused(self, status: int) -> ServerRefused:
        """Return the error for a missing, wrong or insufficient secret."""
        reason = "does not accept our key or token" if self.secret else "asks for a key or token and we have none"
        hint = f"Correct {self.secret_setting}." if self.secret else f"Set {self.secret_setting}."
        return ServerRefused(self.server, f"{self.name} {reason} ({status}).", hint=self.refused_hint or hint)

    def not_there(self, status: int) -> ServerUnreachable:
        """Return the error for a path that every such server has and this one does not."""
        return ServerUnreachable(
            self.server,
            f"{self.base_url} answers {status}, as if it were not {self.name}.",
            hint=f"Correct {self.url_setting}.",
        )

    def not_understood(self, what: str, response: Response) -> StashplexError:
        """Return the error for an answer that we do not understand, with its first 256 characters.

        A page for people in place of an answer is no fault of an entry: a proxy or a login stands in the way.
        """
        if response.status < 300 and is_page(response):
            return self.told(
                ServerUnreachable(
                    self.server,
                    f"{self.base_url} answers with a web page ({response.status}), as if it were not {self.name}.",
                    hint=f"Set {self.url_setting} to {self.name} itself, not to a proxy's or a login's page.",
                )
            )
        return ProtocolError(
            f"{self.name} answered {what} with {response.status} and: {self.excerpt(response.body)}",
            hint=f"Check that {self.url_setting} leads to {self.name} itself, then report this answer.",
        )

    def excerpt(self, body: bytes) -> str:
        """Return the first 256 characters of a body on one line, without secrets."""
        text = self.scrubbed(body[:_SCRUBBED_BYTES].decode("utf-8", "replace"))
        return text[:EXCERPT_CHARS]

    def scrubbed(self, text: str) -> str:
        """Return a foreign text on one line, without our secret in any spelling, and without anybody's token."""
        if self.secret:
            for spelling in _spellings(self.secret):
                text = text.replace(spelling, "***")
        return _UNPRINTABLE.sub(" ", _TOKEN_ARGUMENT.sub(r"\1\2***", text)).strip()


def _spellings(secret: str) -> tuple[str, ...]:
    """Return a secret as addresses, pages and JSON write it."""
    return (secret, quote(secret, safe=""), escape(secret), escape(secret, quote=False), json.dumps(secret)[1:-1])


def is_page(response: Response) -> bool:
    """Tell whether an answer is a page for people (a login form) instead of data or an image."""
    declared = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    start = response.body[:256].lstrip().lower()
    return declared in {"text/html", "application/xhtml+xml"} or start.startswith((b"<!doctype html", b"<html"))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait that the server asks for, in seconds, or None. A date counts from the answer's own `Date`."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())


def repaired_json(body: bytes) -> bytes:
    """Return the body with what real servers get wrong made right: raw control characters, broken UTF-8 or surrogates.

    Shape: control characters become blanks, undecodable bytes and lone surrogates U+FFFD. Only for a body that does
    not decode as it is: this reads it several times.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").translate(_CONTROL_TO_BLANK)
    text = text.decode("utf-8", "replace").encode()
    return _LONE_SURROGATE.sub(lambda found: found[1] + (found[2] or b"\\ufffd"), text)


def image_type(body: bytes) -> str | None:
    """Return the media type of an image that Plex takes, by its first bytes, or None (SVG, HTML and the rest)."""
    if body.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if body.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return None


def _maintenance(response: Response) -> str:
    """Plex says why it cannot answer: in XML or in JSON (plex-wire 1.3)."""
    start = response.body[:2048].lower()
    return ", maintenance" if b"maintenance" in start or b"migration" in start else ""
