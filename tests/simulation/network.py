"""The way from one process to the two servers: in process, with the seed's latency, troubles and outages.

The servers belong to the world and not to a process: what was sent is answered even when its sender dies, one
write after the other as the real Plex does. Invariant: a request's effect happens within the sender's timeout or
never, and each trouble is written down before it strikes, so that the checkers can tell what it explains.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import trio
from typing_extensions import override

from asgi import AsgiTransport
from simulation.account import Account
from simulation.life import Life
from simulation.weather import NOT_UNDERSTOOD, OF_EDITS_ALONE, OF_PLEX_ALONE, Spell, Trouble, Weather
from simulation.wire import Exchange, Wire
from stashplex.base.errors import Server
from stashplex.base.transport import Fault, Request, Response, Transport, TransportFailed

CONNECT_S = 5.0
READ_S = 30.0
LISTS = ("genre", "director", "actor", "collection")
_PAGE = b"<!doctype html><html><body>Please sign in. You sent: %s</body></html>"
_XML = b'<?xml version="1.0"?>\n<Response code="503" title="Maintenance" status="Plex is optimizing"/>\n'
_JSON = b'{"code":503,"title":"Maintenance","status":"Plex is optimizing"}'

_ANSWERS = {
    Trouble.ERROR: Response(500, {"content-type": "text/html"}, b"<h1>500 Internal Server Error</h1>"),
    Trouble.ERROR_AFTER: Response(500, {"content-type": "text/html"}, b"<h1>500 Internal Server Error</h1>"),
    Trouble.GATEWAY: Response(502, {"content-type": "text/html"}, b"<h1>502 Bad Gateway</h1>"),
    Trouble.MAINTENANCE_XML: Response(503, {"content-type": "text/xml"}, _XML),
    Trouble.MAINTENANCE_JSON: Response(503, {"content-type": "application/json"}, _JSON),
    Trouble.UNAUTHORISED: Response(401, {"content-type": "text/html"}, b"<h1>401 Unauthorized</h1>"),
    Trouble.BUSY: Response(429, {"retry-after": "20"}, b""),
    Trouble.BUSY_LONG: Response(503, {"retry-after": "90"}, b""),
    Trouble.PAGE: Response(200, {"content-type": "text/html"}, _PAGE),
    Trouble.WRONG: Response(
        200, {"content-type": "application/json"}, b'{"you sent":"%s","MediaContainer":[],"data":7}'
    ),
}
_SENT = {Server.PLEX: b"plex-token", Server.STASH: b"stash-key"}
_BEFORE = frozenset(_ANSWERS) - {Trouble.ERROR_AFTER} - NOT_UNDERSTOOD


@dataclass(eq=False)
class _Reply:
    """What the server will answer."""

    is_there: trio.Event = field(default_factory=trio.Event)
    response: Response | None = None


@dataclass(eq=False)
class Network:
    """Both servers and the ways to them."""

    weather: Weather
    servers: dict[Server, AsgiTransport]
    wire: Wire
    account: Account
    dice: random.Random
    nursery: trio.Nursery
    is_fair: bool = False
    poison: str | None = None
    on_poisoned: Callable[[Life, set[int]], None] = field(default=lambda *_: None)
    item_answers: Counter[bool] = field(default_factory=Counter)
    queue: dict[Server, trio.Lock] = field(default_factory=lambda: {server: trio.Lock() for server in Server})

    def line(self, life: Life, server: Server) -> Transport:
        """Return one process's way to one server."""
        return Line(self, life, server)

    def spell(self, server: Server) -> Spell | None:
        """Return the outage that a server is in."""
        now_s = trio.current_time()
        found = (one for one in self.weather.spells if one.server is server and one.begins_s <= now_s < one.ends_s)
        return None if self.is_fair else next(found, None)

    def freeze(self, exchange: Exchange) -> None:
        """Stop a process in its tracks if that is due with this answer about an item."""
        if not exchange.keys or self.is_fair:
            return
        self.item_answers[exchange.is_write] += 1
        for freeze in self.weather.freezes:
            if (freeze.is_write, freeze.nth) == (exchange.is_write, self.item_answers[exchange.is_write]):
                self.account.note(f"{exchange.life.name} freezes for {freeze.lasts_s} s")
                self.account.reach(f"frozen by an answer to a {'write' if freeze.is_write else 'read'}")
                until_s = trio.current_time() + freeze.lasts_s
                exchange.life.paused_until_s = max(exchange.life.paused_until_s, until_s)

    def trouble(self, server: Server, request: Request) -> Trouble | None:
        """Return what happens to a request."""
        spell = self.spell(server)
        if spell is not None:
            return spell.trouble
        if self.is_fair:
            return None
        for kind, chance in self.weather.chances.items():
            if self.dice.random() < chance and _concerns(kind, server, request):
                return kind
        return None


@dataclass(eq=False)
class Line(Transport):
    """One process's way to one server."""

    net: Network
    life: Life
    server: Server

    @override
    async def send(self, request: Request) -> Response:
        self.life.crash_point("before a request")
        net = self.net
        exchange = net.wire.sent(self.life, self.server, request)
        if exchange.is_write and net.poison is not None and net.wire.concerns(exchange, net.poison):
            self.account_poison(exchange)
        trouble = net.trouble(self.server, request)
        if trouble is not None:
            net.wire.struck(exchange, trouble)
        outcome = "no answer"
        try:
            response = await self._outcome(request, trouble)
            outcome = str(response.status)
            if not self.life.is_dead:
                net.wire.answered(exchange, response)
        except TransportFailed as failure:
            outcome = str(failure)
            net.wire.failed(exchange)
            raise
        finally:
            net.wire.ended(exchange, outcome)
        self.life.crash_point("after an answer")
        net.freeze(exchange)
        await self.life.thaw()
        return response

    def account_poison(self, exchange: Exchange) -> None:
        """Die of what no process survives. Raises: ProcessDied."""
        self.net.account.note(f"{self.life.name} dies of {self.net.poison}")
        self.net.account.reach("killed by a poison entry")
        self.net.on_poisoned(self.life, self.net.wire.scenes_of(exchange))
        self.net.wire.ended(exchange, "died")
        self.life.kill()
        self.life.door()

    async def _outcome(self, request: Request, trouble: Trouble | None) -> Response:
        match trouble:
            case Trouble.REFUSED:
                await trio.sleep(0.001)
                raise TransportFailed(Fault.CONNECT, "connection refused")
            case Trouble.NO_CONNECTION:
                await trio.sleep(CONNECT_S)
                raise TransportFailed(Fault.TIMEOUT_BEFORE_SEND, "no connection in time")
            case Trouble.SWALLOWED:
                await trio.sleep(READ_S)
                raise TransportFailed(Fault.TIMEOUT_AFTER_SEND, "no answer in time")
            case Trouble.RESET_BEFORE:
                await trio.sleep(0.01)
                raise TransportFailed(Fault.BROKEN, "the connection broke")
            case _:
                pass
        if trouble in _BEFORE:
            await trio.sleep(0.01)
            return _ANSWERS[trouble]
        response = await self._served(_bent(request, trouble), extra_s=12.0 if trouble is Trouble.SLOW else 0.0)
        match trouble:
            case Trouble.RESET_AFTER:
                raise TransportFailed(Fault.BROKEN, "the connection broke")
            case Trouble.LOST_REPLY:
                await trio.sleep(READ_S)
                raise TransportFailed(Fault.TIMEOUT_AFTER_SEND, "no answer in time")
            case Trouble.ERROR_AFTER | Trouble.WRONG | Trouble.PAGE:
                answer = _ANSWERS[trouble]
                return replace(answer, body=answer.body.replace(b"%s", _SENT[self.server]))
            case Trouble.TRUNCATED if not response.body.startswith((b"{", b"<")):
                raise TransportFailed(Fault.BROKEN, "the connection broke")  # its length tells
            case Trouble.TRUNCATED:
                return replace(response, body=response.body[: len(response.body) // 2])
            case _:
                return response

    async def _served(self, request: Request, *, extra_s: float) -> Response:
        """Let the server work on a request, whatever becomes of its sender."""
        reply = _Reply()
        if request.method == "GET" or self.server is Server.STASH:
            await trio.sleep(self.net.weather.latency_s + extra_s)
            self.life.door()
            return await self.net.servers[self.server].send(request)
        self.net.nursery.start_soon(self._write, request, reply, extra_s)
        with trio.move_on_after(READ_S):
            await reply.is_there.wait()
        if reply.response is None:
            raise TransportFailed(Fault.TIMEOUT_AFTER_SEND, "no answer in time")
        return reply.response

    async def _write(self, request: Request, reply: _Reply, extra_s: float) -> None:
        net = self.net
        async with net.queue[self.server]:
            await trio.sleep(min(net.weather.latency_s + extra_s, READ_S / 4))
            before = net.wire.before_effect(self.life, request)
            response = await net.servers[self.server].send(request)
            net.wire.after_effect(self.life, before)
        reply.response = response
        reply.is_there.set()


def _concerns(kind: Trouble, server: Server, request: Request) -> bool:
    if server is not Server.PLEX and kind in OF_PLEX_ALONE:
        return False
    return kind not in OF_EDITS_ALONE or (request.method == "PUT" and "/all?" in request.url)


def _bent(request: Request, trouble: Trouble | None) -> Request:
    """Return a request as a server understands it that ignores it, or its lists."""
    if trouble not in OF_EDITS_ALONE:
        return request
    parts = urlsplit(request.url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    kept = [
        (name, value)
        for name, value in pairs
        if name in {"id", "type"} or (trouble is Trouble.HALF_TAKEN and not name.startswith(LISTS))
    ]
    return replace(request, url=parts._replace(query=urlencode(kept)).geturl())
