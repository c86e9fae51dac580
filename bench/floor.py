"""The floor: a bare aiohttp loop that sends exactly the requests of one of our runs, at the same concurrency.

`recorded` stands between the servers and `stashplex sync` and notes them; this module, run as a program, sends them to
a fresh pair of servers in the order of the run. It decodes, plans and stores nothing, and waits for nothing but the
limits, not even for the answer that a request of ours depends on.
"""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import anyio
import anyio.to_thread
import msgspec
from aiohttp import ClientResponse, web
from yarl import URL

from bench.process import Ended, run_python
from bench.servers import Servers
from bench.sync import run_sync
from stashplex.base.clock import SystemClock
from stashplex.base.config import Settings

STASH, READS, WRITES = "stash", "reads", "writes"
"""The limits under which requests travel: all to Stash, reads from Plex, writes to Plex."""

_OF_THE_CONNECTION = frozenset(
    {"Host", "Connection", "Keep-Alive", "Content-Length", "Transfer-Encoding", "Date", "Server"}
)
"""Headers that each connection has of its own."""


class Sent(msgspec.Struct, frozen=True):
    """One request of a run. Shape: `pool` names the limit it runs under, `path` includes the query."""

    pool: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Replayed(msgspec.Struct, frozen=True):
    """How a replay went. Units: seconds from the first request to the last answer."""

    requests: int
    refused: int
    duration_s: float


async def recorded(servers: Servers, folder: Path) -> list[Sent]:
    """Return every request of a first sync, in the order in which they came. Raises: RuntimeError when it fails."""
    sent: list[Sent] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector, auto_decompress=False) as session,
        _listening(session, servers.stash.url, lambda _method: STASH, sent) as stash_url,
        _listening(session, servers.plex.url, lambda method: READS if method == "GET" else WRITES, sent) as plex_url,
    ):
        between = replace(
            servers, stash=replace(servers.stash, url=stash_url), plex=replace(servers.plex, url=plex_url)
        )
        await anyio.to_thread.run_sync(partial(run_sync, between, folder, writes_in_flight=16))
    return sent


@asynccontextmanager
async def _listening(
    session: aiohttp.ClientSession, base_url: str, pool_of: Callable[[str], str], sent: list[Sent]
) -> AsyncIterator[str]:
    """Stand before one server, note what comes and pass it on; yield the address."""

    async def pass_on(request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name not in _OF_THE_CONNECTION}
        one = Sent(pool_of(request.method), request.method, request.raw_path, headers, await request.read())
        sent.append(one)
        async with _asked(session, base_url, one) as answer:
            kept = {name: value for name, value in answer.headers.items() if name not in _OF_THE_CONNECTION}
            return web.Response(status=answer.status, headers=kept, body=await answer.read())

    application = web.Application(client_max_size=2**30)
    application.router.add_route("*", "/{path:.*}", pass_on)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    try:
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def replay(sent: Path, servers: Servers, *, writes_in_flight: int) -> tuple[Replayed, Ended]:
    """Send recorded requests to fresh servers from a process of its own. Raises: RuntimeError when one is refused."""
    arguments = ["-m", "bench.floor", str(sent), str(writes_in_flight), servers.stash.url, servers.plex.url]
    ended = run_python(arguments, {})
    replayed = msgspec.json.decode(ended.output, type=Replayed)
    if replayed.refused:
        raise RuntimeError(f"{replayed.refused} requests of the floor were refused")
    return replayed, ended


async def _replay(sent: list[Sent], writes_in_flight: int, stash_url: str, plex_url: str) -> Replayed:
    limits = {
        STASH: int(Settings.model_fields["stash_requests_in_flight"].default),
        READS: int(Settings.model_fields["plex_reads_in_flight"].default),
        WRITES: writes_in_flight,
    }
    clock = SystemClock()
    refused: list[int] = []
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        started_s = clock.monotonic_s()
        async with anyio.create_task_group() as group:
            for pool, limit in limits.items():
                queue = iter([one for one in sent if one.pool == pool])
                for _ in range(limit):
                    group.start_soon(_send_all, session, stash_url if pool == STASH else plex_url, queue, refused)
        return Replayed(len(sent), len(refused), clock.monotonic_s() - started_s)


async def _send_all(session: aiohttp.ClientSession, base_url: str, queue: Iterator[Sent], refused: list[int]) -> None:
    for one in queue:
        async with _asked(session, base_url, one) as answer:
            await answer.read()
            if answer.status >= 300:
                refused.append(answer.status)


def _asked(session: aiohttp.ClientSession, base_url: str, one: Sent) -> AbstractAsyncContextManager[ClientResponse]:
    url = URL(base_url + one.path, encoded=True)
    return session.request(one.method, url, headers=one.headers, data=one.body or None, allow_redirects=False)


def _main(file: str, writes_in_flight: str, stash_url: str, plex_url: str) -> None:
    sent = msgspec.msgpack.decode(Path(file).read_bytes(), type=list[Sent])
    replayed = anyio.run(_replay, sent, int(writes_in_flight), stash_url, plex_url)
    print(msgspec.json.encode(replayed).decode())


if __name__ == "__main__":
    _main(*sys.argv[1:])
