"""The floor: a bare aiohttp loop that sends exactly the requests of one of our runs, at the same concurrency.

`recorded` notes them during a real run; `python -m bench.floor FILE WRITES_IN_FLIGHT STASH_URL PLEX_URL` sends them to
a fresh pair of servers in the order of the run. It decodes, plans and stores nothing, and waits for nothing but the
limits, not even for the answer that a request of ours depends on.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import anyio
import msgspec
from pydantic import SecretStr
from rich.console import Console
from typing_extensions import override
from yarl import URL

from bench.process import Ended, run_python
from bench.servers import Servers
from stashplex.app import open_app
from stashplex.base.clock import SystemClock
from stashplex.base.config import Settings
from stashplex.base.transport import Request, Response, Transport
from stashplex.cli.progress import steps
from stashplex.cli.scope import Scope
from stashplex.cli.sync import sync_app
from stashplex.plex.client import PlexClient
from stashplex.stash.client import StashClient

STASH, READS, WRITES = "stash", "reads", "writes"
"""The limits under which requests travel: all to Stash, reads from Plex, writes to Plex."""


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


class _Recorder(Transport):
    """Notes what is sent to one server."""

    def __init__(self, inner: Transport, base_url: str, sent: list[Sent], *, is_plex: bool) -> None:
        self._inner = inner
        self._base_url = base_url
        self._sent = sent
        self._is_plex = is_plex

    @override
    async def send(self, request: Request) -> Response:
        pool = STASH if not self._is_plex else READS if request.method == "GET" else WRITES
        path = request.url.removeprefix(self._base_url)
        self._sent.append(Sent(pool, request.method, path, dict(request.headers), request.body))
        return await self._inner.send(request)


async def recorded(servers: Servers, folder: Path) -> list[Sent]:
    """Return every request of a first sync, in the order of the run. Raises: RuntimeError when it does not succeed."""
    stash, plex = servers.stash, servers.plex
    settings = Settings(
        stash_url=stash.url,
        stash_api_key=SecretStr(stash.secret),
        plex_url=plex.url,
        plex_token=SecretStr(plex.secret),
        path_map=servers.path_map,
        data_dir=folder,
    )
    sent: list[Sent] = []
    async with open_app(settings) as app:
        stash_side = _Recorder(app.transport, stash.url, sent, is_plex=False)
        plex_side = _Recorder(app.transport, plex.url, sent, is_plex=True)
        recording = replace(
            app,
            stash=StashClient(stash_side, stash.url, stash.secret),
            plex=PlexClient(plex_side, plex.url, plex.secret),
        )
        with steps(Console(quiet=True), is_shown=False) as shown:
            result = await sync_app(recording, Scope(), 0.0, shown)
    if result.server_error or result.report.waiting or result.report.dead:
        raise RuntimeError(f"the run to be recorded did not succeed: {result}")
    return sent


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
        async with session.request(
            one.method,
            URL(base_url + one.path, encoded=True),
            headers=one.headers,
            data=one.body or None,
            allow_redirects=False,
        ) as answer:
            await answer.read()
            if answer.status >= 300:
                refused.append(answer.status)


def _main(file: str, writes_in_flight: str, stash_url: str, plex_url: str) -> None:
    sent = msgspec.msgpack.decode(Path(file).read_bytes(), type=list[Sent])
    replayed = anyio.run(_replay, sent, int(writes_in_flight), stash_url, plex_url)
    print(msgspec.json.encode(replayed).decode())


if __name__ == "__main__":
    _main(*sys.argv[1:])
