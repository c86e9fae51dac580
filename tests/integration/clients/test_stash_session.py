"""Stash without an API key: the session of the plugin, its hour, its renewals, and the way to a key."""

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from stashplex.base import layers
from stashplex.base.clock import Clock
from stashplex.base.errors import ServerRefused, StoreError
from stashplex.base.layers import Loaded, Source
from stashplex.base.transport import Transport
from stashplex.base.typed import read_cookie
from stashplex.engine.preferences import Preferences
from stashplex.sim.stash.app import StashSim
from stashplex.sim.stash.session import Session as SimSession
from stashplex.stash.client import StashClient
from stashplex.stash.session import Session

pytestmark = pytest.mark.anyio
Reach = Callable[[Any], AbstractAsyncContextManager[tuple[Transport, str]]]


@pytest.fixture
def anyio_backend(way: tuple[str, bool]) -> str:
    return way[0]


class Hand(Clock):
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = datetime(2026, 7, 1, 10, tzinfo=UTC)

    @override
    def now(self) -> datetime:
        return self.at

    @override
    def monotonic_s(self) -> float:
        return self.at.timestamp()


@dataclass
class World:
    """A Stash with a login and without a key, and the folder that the plugin's hook writes to."""

    sim: StashSim
    clock: Hand
    transport: Transport
    url: str
    data: Path

    def hook(self) -> str:
        """Leave how to reach Stash, as a hook does; return its cookie."""
        cookie = self.sim.keeper.write_cookie(SimSession("admin"), self.clock.now())
        scheme, _, rest = self.url.partition("://")
        host, _, port = rest.partition(":")
        told = {"scheme": scheme, "host": host, "port": int(port), "cookie": cookie}
        (self.data / "connection.json").write_text(json.dumps(told))
        return cookie

    def client(self, key: str = "") -> StashClient:
        session = Session(lambda: read_cookie(self.data, self.url))
        return StashClient(self.transport, self.url, key, session=session)

    def preferences(self, key: str = "", *, keeps_key: bool = True) -> Preferences:
        return Preferences(self.data, self.url, [self.client(key), self.client()], keeps_key=keeps_key)

    def loaded(self) -> Loaded:
        return layers.load(self.data / "none.toml", variables={"STASHPLEX_DATA_DIR": str(self.data)})

    def sent(self) -> list[tuple[str, str]]:
        """The keys and cookies of the requests so far."""
        return [(asked.headers.get("apikey", ""), asked.headers.get("cookie", "")) for asked in self.sim.requests]


@pytest.fixture
async def world(reach: Reach, tmp_path: Path) -> AsyncIterator[World]:
    clock = Hand()
    sim = StashSim(api_key=None, clock=clock)
    async with reach(sim.app) as (transport, url):
        address = url if url.count(":") == 2 else f"{url}:9999"
        (tmp_path / "none.toml").write_text("")
        yield World(sim, clock, transport, address, tmp_path)


async def test_the_session_of_the_plugin_opens_stash(world: World) -> None:
    cookie = world.hook()
    assert (await world.client().check()).status == "OK"
    assert world.sent() == [("", f"session={cookie}")]


async def test_without_a_session_stash_is_asked_as_a_stranger(world: World) -> None:
    with pytest.raises(ServerRefused, match="we have none"):
        await world.client().check()
    world.sim.switches.login = False
    assert (await world.client().check()).status == "OK"


async def test_a_session_in_use_lasts(world: World) -> None:
    world.hook()
    client = world.client()
    for _ in range(6):
        await client.check()
        world.clock.at += timedelta(minutes=40)
    await client.count_scenes()


async def test_a_session_that_ended_is_explained_and_replaced_by_the_next_hook(world: World) -> None:
    cookie = world.hook()
    client = world.client()
    await client.check()
    world.clock.at += timedelta(minutes=61)
    for _ in range(2):
        with pytest.raises(ServerRefused) as caught:
            await client.check()
        assert "Generate an API key in Stash" in caught.value.hint
        assert cookie not in f"{caught.value} {caught.value.hint}"
    world.hook()
    assert (await client.check()).status == "OK"


async def test_a_key_is_sent_alone(world: World) -> None:
    world.hook()
    world.sim.settings.api_key = "the-key"
    await world.client("the-key").check()
    assert world.sent() == [("the-key", "")]


async def test_the_key_is_fetched_through_the_session_and_kept(world: World) -> None:
    world.hook()
    world.sim.settings.api_key = "the-key"
    world.sim.settings.plugin_values["stashplex"] = {"plex_token": "typed-token", "retry_limit": 7}
    found = await world.preferences().refresh()
    assert found.api_key == "the-key"
    settings = world.loaded().required()
    assert settings.stash_api_key.get_secret_value() == "the-key"
    assert (settings.plex_token.get_secret_value(), settings.retry_limit) == ("typed-token", 7)
    path = world.data / "stash-settings.json"
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600
    assert "the-key" not in repr(found)
    before = path.stat().st_mtime_ns
    await world.preferences("the-key").refresh()
    assert path.stat().st_mtime_ns == before


async def test_a_key_of_ones_own_is_not_written_down(world: World) -> None:
    world.sim.settings.api_key = "the-key"
    await world.preferences("the-key", keeps_key=False).refresh()
    assert "the-key" not in (world.data / "stash-settings.json").read_text()


async def test_a_key_that_was_exchanged_or_removed_is_fetched_anew(world: World) -> None:
    world.hook()
    for key in ("second-key", ""):
        world.sim.settings.api_key = key
        await world.preferences("first-key").refresh()
        assert world.loaded().settings.stash_api_key.get_secret_value() == key
    assert world.loaded().origins["stash_api_key"].source is Source.DEFAULT


async def test_a_refusal_leaves_the_copy_as_it_was(world: World) -> None:
    world.hook()
    world.sim.settings.plugin_values["stashplex"] = {"retry_limit": 7}
    await world.preferences().refresh()
    world.clock.at += timedelta(minutes=61)
    with pytest.raises(ServerRefused):
        await world.preferences("wrong").refresh()
    assert world.loaded().settings.retry_limit == 7


async def test_a_value_that_goes_wrong_keeps_the_last_good_one(world: World) -> None:
    world.hook()
    for typed in ({"retry_limit": 7}, {"retry_limit": -1}, {"retry_limit": "many"}):
        world.sim.settings.plugin_values["stashplex"] = dict(typed)
        await world.preferences().refresh()
    assert world.loaded().usable().retry_limit == 7


async def test_a_folder_that_cannot_be_written_is_told(world: World) -> None:
    world.hook()
    (world.data / "stash-settings.json").mkdir()
    with pytest.raises(StoreError, match="cannot be written") as caught:
        await world.preferences().refresh()
    assert caught.value.hint
    assert [path.name for path in world.data.iterdir() if path.name.startswith(".")] == []
