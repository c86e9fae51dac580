"""The ASGI application: from bytes to a handler and back, with rights, faults, latency and the request log.

Runs under asyncio and trio, in process and behind uvicorn. The order of the gates is the real server's as far
as it is known: line length, proxy, maintenance, token, path, right, then the handler. Handlers are synchronous,
so one request's effect is never half done; waiting happens before it (latency) or after it (a hang).
"""

import math
from collections import Counter, deque
from dataclasses import dataclass
from typing import NamedTuple

import anyio
from starlette.types import Message, Receive, Scope, Send

from stashplex.sim.plex.answer import Answer, Refused, error_page, maintenance_answer
from stashplex.sim.plex.call import Access, Call
from stashplex.sim.plex.query import Query
from stashplex.sim.plex.routes import RequestKind, Route, find_route
from stashplex.sim.plex.socket import serve_socket
from stashplex.sim.plex.world import OWNER, SHARED, World

_WRITES = frozenset(("PUT", "POST", "DELETE"))


class SeenRequest(NamedTuple):
    """One request as it came and how it ended. Shape: `query` is raw, as it stood in the request line."""

    method: str
    path: str
    query: str
    status: int
    kind: RequestKind


@dataclass(slots=True, eq=False)
class RequestLog:
    """The newest requests, and counts of all."""

    requests: deque[SeenRequest]
    counts: Counter[str]
    unscoped_edits: int = 0

    def note(self, seen: SeenRequest, *, names_ids: bool) -> None:
        """Note one request."""
        self.requests.append(seen)
        self.counts[seen.kind] += 1
        self.unscoped_edits += seen.kind is RequestKind.EDIT and not names_ids


class Application:
    """The server as an ASGI application. `maintenance` is its text while the server is in maintenance."""

    def __init__(self, world: World, log: RequestLog, *, token: str, shared_token: str) -> None:
        self.world = world
        self.log = log
        self.maintenance: str | None = None
        self._accounts = {token: OWNER, shared_token: SHARED}
        self._writers: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection event of the ASGI server."""
        if self.world.switches.drop_connections:
            raise ConnectionRefusedError
        match scope["type"]:
            case "http":
                await self._serve_http(scope, receive, send)
            case "websocket":
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
                is_known = self._account(Query.parse(scope["query_string"]), headers) is not None
                await serve_socket(self.world, scope, receive, send, may_listen=is_known)
            case _:
                await _serve_lifespan(receive, send)

    async def _serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        query = Query.parse(scope["query_string"])
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        call = Call(self.world, scope["method"], scope["path"], (), query, headers, 0, body)
        route, call.ids = find_route(call.method, call.path)
        try:
            answer = self._stopped(scope, call)
            if answer is None:
                call.account = self._admitted(call, route)
                answer = await self._handled(call, route)
        except Refused as refusal:
            answer = error_page(refusal.status, refusal.reason)
        kind = route.kind if route else RequestKind.OTHER
        names_ids = bool(query.list_of("id")) or not call.path.rstrip("/").endswith("/all")
        self.log.note(SeenRequest(call.method, call.path, query.raw, answer.status, kind), names_ids=names_ids)
        if answer.status == 200 and kind is RequestKind.EDIT and self.world.switches.hang_edits > 0:
            self.world.switches.hang_edits -= 1
            await anyio.sleep(self.world.switches.hang_s)
        await _write(send, answer)

    def _stopped(self, scope: Scope, call: Call) -> Answer | None:
        """Return the answer of whatever stands before the server proper, None when nothing does."""
        switches = self.world.switches
        target = scope.get("raw_path") or call.path.encode()
        length = len(call.method) + len(target) + len(scope["query_string"]) + len("  ?HTTP/1.1")
        if length > switches.request_line_limit:
            return error_page(400)
        if switches.proxy_status is not None:
            return error_page(switches.proxy_status)
        if self.maintenance is not None:
            return maintenance_answer(self.maintenance, wants_json=call.wants_json)
        return None

    def _account(self, query: Query, headers: dict[str, str]) -> int | None:
        if not self.world.switches.require_token:
            return OWNER
        return self._accounts.get(headers.get("x-plex-token") or query.find("X-Plex-Token") or "")

    def _admitted(self, call: Call, route: Route | None) -> int:
        """Return whose request it is. Raises: Refused 401, 403."""
        account = self._account(call.query, call.headers)
        if route is not None and route.access is Access.OPEN:
            return account or SHARED
        if account is None:
            raise Refused(401)
        if route is not None and route.access is Access.ADMIN and account != OWNER:
            raise Refused(self.world.switches.shared_write_status)
        return account

    async def _handled(self, call: Call, route: Route | None) -> Answer:
        if route is None:
            raise Refused(404)
        if call.method in _WRITES:
            return await self._written(call, route)
        switches = self.world.switches
        wait_s = switches.read_latency_s
        if route.kind is RequestKind.BATCH_GET and not call.query.is_on("skipRefresh"):
            wait_s += switches.plain_get_latency_s
        if wait_s > 0:
            await anyio.sleep(wait_s)
        self.world.advance()
        return route.handler(call)

    async def _written(self, call: Call, route: Route) -> Answer:
        """Run a write when it is its turn: the real server's database takes one at a time."""
        wait_s = self._write_wait_s(route)
        if wait_s == 0 and self._writers is None:
            self.world.advance()
            return route.handler(call)
        if self._writers is None:
            self._writers = anyio.CapacityLimiter(self.world.switches.parallel_writers)
        self._writers.total_tokens = self.world.switches.parallel_writers
        async with self._writers:
            if wait_s > 0:
                await anyio.sleep(wait_s)
            self.world.advance()
            return route.handler(call)

    def _write_wait_s(self, route: Route) -> float:
        switches = self.world.switches
        is_upload = route.kind is RequestKind.UPLOAD
        wait_s = (is_upload and switches.upload_latency_s) or switches.write_latency_s
        if switches.busy_chance and self.world.rng.random() < switches.busy_chance:
            wait_s += math.ceil(self.world.rng.random() * 5) * switches.busy_delay_s
        return wait_s


async def _read(receive: Receive) -> bytes:
    message = await receive()
    if not message.get("more_body", False):
        return bytes(message.get("body", b""))
    chunks = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        chunks.append(message.get("body", b""))
    return b"".join(chunks)


async def _write(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"x-plex-protocol", b"1.0"),
        (b"cache-control", b"no-cache"),
        *answer.headers,
    ]
    start: Message = {"type": "http.response.start", "status": answer.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": answer.body})


async def _serve_lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
