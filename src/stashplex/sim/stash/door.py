"""The outermost layer of the simulated server: counts, faults, login.

A plain ASGI application around another. It decides who may come in and with which status a stranger is sent away;
what a request means is decided inside. Nothing that was refused here reaches the inside.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote

import anyio

from stashplex.base.clock import Clock
from stashplex.sim.stash.journal import Asked, Journal
from stashplex.sim.stash.session import COOKIE, Doorkeeper, Refused, Session
from stashplex.sim.stash.switches import Switches

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_OPEN = ("/login", "/logout", "/healthz")
_ASK_FOR_LOGIN = ((b"www-authenticate", b"FormBased"),)
_PICTURES = ("/screenshot", "/image", "/frontimage", "/backimage")


class Door:
    """Counts every request, plays the faults, and lets in whoever may come in."""

    def __init__(self, inside: App, keeper: Doorkeeper, switches: Switches, journal: Journal, clock: Clock) -> None:
        self.inside = inside
        self.keeper = keeper
        self.switches = switches
        self.journal = journal
        self.clock = clock

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI wants it."""
        if scope["type"] == "lifespan":
            await self.inside(scope, receive, send)
            return
        headers = plain_headers(scope["headers"])
        asked = Asked(scope.get("method", "WS"), scope["path"], scope["query_string"].decode("latin-1"), headers)
        kind = "graphql" if asked.path == "/graphql" else "image" if asked.path.endswith(_PICTURES) else "other"
        self.journal.record(asked, kind)
        outbox = _Outbox(send, asked, scope)
        if await self._is_spoiled(kind, outbox):
            return
        try:
            query = {name: values[0] for name, values in parse_qs(asked.query_string).items()}
            session = self.keeper.identify(headers, query, self.clock.now())
        except Refused:
            await outbox.refuse(401, _ASK_FOR_LOGIN)
            return
        if self.switches.login and not session.user and asked.path not in _OPEN:
            await self._send_away(asked, outbox)
            return
        if session.by_cookie and session.user:
            outbox.cookie = self.cookie_header(session)
        scope["state"] = {**scope.get("state", {}), "session": session, "asked": asked}
        await self.inside(scope, receive, outbox)

    def cookie_header(self, session: Session) -> str:
        """Return a Set-Cookie value for a session that starts anew."""
        fresh = Session(session.user)
        value = self.keeper.write_cookie(fresh, self.clock.now())
        age = self.keeper.settings.max_session_age_s
        return f"{COOKIE}={value}; Path=/; Max-Age={age}; SameSite=Lax"

    async def _is_spoiled(self, kind: str, outbox: "_Outbox") -> bool:
        """Play latency and faults; tell whether one of them was the answer."""
        switches = self.switches
        delay_s = switches.latency_s + (switches.image_latency_s if kind == "image" else 0.0)
        if delay_s > 0:
            await anyio.sleep(delay_s)
        while switches.hang:  # noqa: ASYNC110 - a test in another thread may clear it
            await anyio.sleep(0.05)
        if switches.failing > 0:
            switches.failing -= 1
            await outbox.refuse(switches.failing_status, body=b"<html>no answer from upstream</html>")
            return True
        return False

    async def _send_away(self, asked: Asked, outbox: "_Outbox") -> None:
        self.journal.counts.refused += 1
        last = asked.path.rpartition("/")[2]
        if asked.path == "/graphql" or "." in last:
            await outbox.refuse(401, _ASK_FOR_LOGIN)
            return
        prefix = asked.headers.get("x-forwarded-prefix", "").rstrip("/")
        target = prefix + asked.path + (f"?{asked.query_string}" if asked.query_string else "")
        location = f"{prefix}/login?returnURL={quote(target, safe='')}"
        await outbox.refuse(302, [(b"location", location.encode("latin-1"))])


def plain_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return ASGI headers as a dictionary; of repeated ones the first stands, cookies are joined."""
    plain: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "cookie" and name in plain:
            plain[name] += "; " + value
        else:
            plain.setdefault(name, value)
    return plain


class _Outbox:
    """Sends an answer on, adds the refreshed cookie, notes the status."""

    def __init__(self, send: Send, asked: Asked, scope: Message) -> None:
        self._send = send
        self._asked = asked
        self._is_websocket = scope["type"] == "websocket"
        self._may_answer = "websocket.http.response" in (scope.get("extensions") or {})
        self.cookie = ""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._asked.status = message["status"]
            if self.cookie:
                message["headers"] = [*message["headers"], (b"set-cookie", self.cookie.encode("latin-1"))]
        await self._send(message)

    async def refuse(self, status: int, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b"") -> None:
        """Answer with nothing but a status. A websocket is refused before it opens."""
        if self._is_websocket and not self._may_answer:
            await self._send({"type": "websocket.close", "code": 1008})
            return
        prefix = "websocket.http.response" if self._is_websocket else "http.response"
        lines = [*headers, (b"content-length", str(len(body)).encode())]
        await self({"type": f"{prefix}.start", "status": status, "headers": lines})
        await self({"type": f"{prefix}.body", "body": body})
