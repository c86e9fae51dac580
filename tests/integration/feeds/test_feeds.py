"""News of both simulated servers over real sockets: what rings, what is passed over, and what happens without."""

import io
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import anyio
import pytest

from integration.sim_stash.caller import Caller
from stashplex.base.clock import SystemClock
from stashplex.base.errors import Server, ServerRefused
from stashplex.base.feed import Call, FeedFailed, HttpFeed
from stashplex.base.transport import HttpTransport, Request, Timeouts
from stashplex.domain.breaker import BreakerRules
from stashplex.engine.ear import Ear
from stashplex.engine.gate import Gate
from stashplex.engine.wakeup import Wakeup
from stashplex.plex.client import PlexClient
from stashplex.plex.news import _tells_of_arrival
from stashplex.sim.plex.app import PlexSim
from stashplex.sim.serve import serving
from stashplex.sim.stash.app import StashSim
from stashplex.stash.client import StashClient
from stashplex.stash.news import _is_ending, _read
from stashplex.store.breakers import Breakers
from stashplex.store.database import Database

pytestmark = pytest.mark.anyio

KEY = "stash-key"


@asynccontextmanager
async def a_session() -> AsyncIterator[tuple[HttpFeed, HttpTransport]]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield HttpFeed(session, connect_s=2.0), HttpTransport(session, Timeouts())


async def heard(bell: Wakeup) -> None:
    with anyio.fail_after(10):
        while not await bell.wait(10):
            pass


def a_gate(folder: Path, server: Server) -> Gate:
    breakers = Breakers(Database.open(folder / "store.sqlite"))
    return Gate(server, "it", breakers, rules=BreakerRules(), clock=SystemClock(), chance=random.Random(1))


async def test_the_end_of_a_job_of_stash_rings(tmp_path: Path) -> None:
    sim = StashSim()
    async with (
        serving(sim.app) as url,
        sim.running(),
        a_session() as (feed, transport),
        anyio.create_task_group() as group,
    ):
        client = StashClient(transport, url, KEY)
        bell = Wakeup()
        ear = Ear(lambda: client.endings(feed), a_gate(tmp_path, Server.STASH), random.Random(1))
        group.start_soon(ear.run, bell)
        await heard(bell)  # the line stands
        await until_listened(sim)
        await Caller(sim).ask("mutation { metadataScan(input: {}) }")
        await heard(bell)
        group.cancel_scope.cancel()


async def until_listened(sim: StashSim) -> None:
    """Wait until both subscriptions are known to the server."""
    feeds = (sim.parts.jobs.feed, sim.parts.scanner.finished)
    with anyio.fail_after(10):
        while not all(feed._listeners for feed in feeds):  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.01)


async def test_an_arrival_in_plex_rings_and_an_edit_does_not(tmp_path: Path) -> None:
    sim = PlexSim()
    section = sim.add_section("Films", locations=["/films"])
    key = sim.add_item(section, [("/films/a.mkv", 1, 1000)])
    async with serving(sim.app) as url, a_session() as (feed, transport), anyio.create_task_group() as group:
        client = PlexClient(transport, url, sim.token)
        bell = Wakeup()
        ear = Ear(lambda: client.arrivals(feed), a_gate(tmp_path, Server.PLEX), random.Random(1))
        group.start_soon(ear.run, bell)
        await heard(bell)
        item = sim.world.items[int(key)]
        sim.world.announce(item, 5)
        assert not await bell.wait(0.3)
        sim.put_file("/films/new.mkv", 7, 60_000)
        token = {"X-Plex-Token": sim.token}
        await transport.send(Request("GET", f"{url}/library/sections/{section.id}/refresh", token))
        await heard(bell)
        group.cancel_scope.cancel()


async def test_a_line_that_is_cut_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stashplex.engine.ear.FIRST_BACKOFF_S", 0.01)
    sim = PlexSim()
    async with serving(sim.app) as url, a_session() as (feed, transport), anyio.create_task_group() as group:
        client = PlexClient(transport, url, sim.token)
        bell = Wakeup()
        ear = Ear(lambda: client.arrivals(feed), a_gate(tmp_path, Server.PLEX), random.Random(1))
        group.start_soon(ear.run, bell)
        for _ in range(3):
            await heard(bell)
            sim.world.feed.drop_all()
        group.cancel_scope.cancel()


async def test_a_server_that_is_held_is_not_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stashplex.engine.ear.FIRST_BACKOFF_S", 0.01)
    calls: list[None] = []

    async def never() -> AsyncIterator[None]:
        calls.append(None)
        raise FeedFailed("nobody there")
        yield

    gate = a_gate(tmp_path, Server.PLEX)
    gate.failed(ServerRefused(Server.PLEX, "no"))
    with anyio.move_on_after(0.3):
        await Ear(never, gate, random.Random(1)).run(Wakeup())  # type: ignore[arg-type]
    assert calls == []


async def test_a_failing_line_is_no_failure_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stashplex.engine.ear.FIRST_BACKOFF_S", 0.01)
    gate = a_gate(tmp_path, Server.STASH)
    async with a_session() as (feed, transport):
        client = StashClient(transport, "http://127.0.0.1:1", KEY, watch=gate)
        with anyio.move_on_after(0.5):
            await Ear(lambda: client.endings(feed), gate, random.Random(1)).run(Wakeup())
    assert gate.breaker().is_closed
    assert gate.breaker().failures == 0


@pytest.mark.parametrize("key", ["", "wrong-secret-key"])
async def test_a_refusal_is_told_without_secrets(key: str, logged: io.StringIO) -> None:
    sim = StashSim()
    async with serving(sim.app) as url, a_session() as (feed, transport):
        client = StashClient(transport, url, key)
        with pytest.raises(FeedFailed) as failed:
            async for _ in client.endings(feed):
                pass
    assert "401" in str(failed.value)
    assert "wrong-secret-key" not in f"{failed.value!r} {failed.value.__context__!r} {logged.getvalue()}"


async def test_no_secret_is_part_of_an_address() -> None:
    seen: list[str] = []

    class Noting(HttpFeed):
        def open(self, call: Call):  # type: ignore[no-untyped-def] # noqa: ANN202
            seen.append(f"{call.url} {call!r}")
            return super().open(call)

    stash, plex = StashSim(), PlexSim()
    async with serving(stash.app) as stash_url, serving(plex.app) as plex_url, aiohttp.ClientSession() as session:
        feed = Noting(session, connect_s=2.0)
        transport = HttpTransport(session, Timeouts())
        for news in (
            StashClient(transport, stash_url, KEY).endings(feed),
            PlexClient(transport, plex_url, plex.token).arrivals(feed),
        ):
            async for _ in news:
                break
            await news.aclose()
    assert len(seen) == 2
    assert not any(secret in text for text in seen for secret in (KEY, plex.token))


async def test_what_is_no_news_is_passed_over() -> None:
    for text in ("", "{", "[]", "null", '"x"', '{"NotificationContainer": 3}', "[" * 5_000):
        assert not _tells_of_arrival(text)
        assert not _is_ending(_read(text).payload)
    created = {"state": "0", "type": "1", "itemID": 5}
    assert _tells_of_arrival(json.dumps({"NotificationContainer": {"type": "timeline", "TimelineEntry": [created]}}))
    other = {"NotificationContainer": {"type": "timeline", "TimelineEntry": [{"state": 5, "type": 1}]}}
    assert not _tells_of_arrival(json.dumps(other))
