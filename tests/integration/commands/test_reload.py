"""Settings that change while the service runs, on virtual time: used when good, told once when wrong."""

import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from structlog import get_logger

from simulation.virtual import VirtualClock, run_virtually
from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError, Server, ServerRefused, ServerUnreachable
from stashplex.base.layers import Loaded
from stashplex.cli.reload import LOOK_S, WAIT_S, Reloader
from stashplex.plugin import hook

TOKEN = "S3cretToken-0123"


@dataclass
class Stand:
    """A data folder, what Stash holds, and the services that ran."""

    data: Path
    file: Path
    typed: dict[str, object] = field(default_factory=dict)
    is_stash_up: bool = True
    is_refusing: bool = False
    served: list[Settings] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        self.reloader = Reloader(self.file, self.refresh)

    async def refresh(self, _loaded: Loaded) -> None:
        """Do as a Stash would: the real way there has tests of its own."""
        self.asked += 1
        if not self.is_stash_up:
            raise ServerUnreachable(Server.STASH, "Stash cannot be reached.", hint="Start Stash.")
        if self.is_refusing:
            raise ServerRefused(Server.STASH, "Stash does not accept our key or token (401).")
        told = {"settings": self.typed, "last_good": {"retry_limit": 7}, "api_key": ""}
        (self.data / "stash-settings.json").write_text(json.dumps(told))

    async def serve(self, settings: Settings) -> None:
        self.served.append(settings)
        if not settings.plex_token:
            raise ConfigError("There is no Plex token.", hint="Set plex_token.")
        if settings.plex_library:
            async with anyio.create_task_group(), anyio.create_task_group():
                raise ConfigError("Plex has no library named 'Nope'.", hint="Name another.")
        try:
            await anyio.sleep_forever()
        finally:
            self.ended.append(settings.plex_url)

    def belongs_to_a_plugin(self) -> None:
        told = {"scheme": "http", "host": "127.0.0.1", "port": 9999, "cookie": ""}
        (self.data / "connection.json").write_text(json.dumps(told))


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    data = tmp_path / "data"
    data.mkdir()
    file = tmp_path / "config.toml"
    file.write_text("")
    monkeypatch.setenv("STASHPLEX_DATA_DIR", str(data))
    return Stand(data, file, {"plex_token": TOKEN, "plex_url": "http://one:1"})


def play(stand: Stand, act: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(stand.reloader.run, stand.serve)
            await anyio.sleep(1)
            await act()
            group.cancel_scope.cancel()

    run_virtually(VirtualClock(datetime(2026, 7, 1, tzinfo=UTC)), 1, main)


def urls(stand: Stand) -> list[str]:
    return [settings.plex_url for settings in stand.served]


def test_settings_typed_in_stash_are_used_from_the_start_and_when_they_change(
    stand: Stand, logged: io.StringIO
) -> None:
    async def act() -> None:
        assert urls(stand) == ["http://one:1"]
        await anyio.sleep(3 * LOOK_S)
        assert (urls(stand), stand.ended) == (["http://one:1"], [])
        stand.typed["plex_url"] = "http://two:2"
        await anyio.sleep(LOOK_S)
        assert (urls(stand), stand.ended) == (["http://one:1", "http://two:2"], ["http://one:1"])

    play(stand, act)
    assert "settings_changed" in logged.getvalue()
    assert "plex_url" in logged.getvalue()
    assert "two:2" not in logged.getvalue()


def test_who_is_in_a_hurry_does_not_wait(stand: Stand) -> None:
    async def act() -> None:
        for number in range(2, 5):
            stand.typed["plex_url"] = f"http://other:{number}"
            stand.reloader.hurry()
            await anyio.sleep(1)
            assert urls(stand)[-1] == f"http://other:{number}"

    play(stand, act)


def test_a_new_secret_is_masked_at_once(stand: Stand, logged: io.StringIO) -> None:
    new = "An0therSecret-4567"

    async def act() -> None:
        stand.typed["plex_token"] = new
        await anyio.sleep(LOOK_S)
        assert stand.served[-1].plex_token.get_secret_value() == new

        get_logger().warning("leak", text=f"it says {new} and {TOKEN}")

    play(stand, act)
    assert "it says *** and ***" in logged.getvalue()
    assert new not in logged.getvalue()


def test_a_wrong_value_stops_nothing_and_is_told_once(stand: Stand, logged: io.StringIO) -> None:
    async def act() -> None:
        stand.typed["retry_limit"] = -1
        await anyio.sleep(5 * LOOK_S)
        assert [settings.retry_limit for settings in stand.served] == [5, 7]
        stand.typed["plex_url"] = "oops"
        await anyio.sleep(5 * LOOK_S)
        assert (len(stand.served), len(stand.ended)) == (2, 1)

    play(stand, act)
    told = logged.getvalue()
    for key in ("retry_limit", "plex_url"):
        assert told.count(f"The setting {key} (typed in Stash)") == 1


def test_a_stash_that_is_down_and_a_file_that_is_being_edited_stop_nothing(stand: Stand) -> None:
    async def act() -> None:
        stand.is_stash_up = False
        stand.file.write_text("retry_limit = ")
        await anyio.sleep(5 * LOOK_S)
        assert (len(stand.served), stand.ended) == (1, [])
        stand.file.write_text("retry_limit = 9")
        await anyio.sleep(LOOK_S)
        assert stand.served[-1].retry_limit == 9

    play(stand, act)


def test_the_service_of_a_plugin_waits_for_what_is_missing(stand: Stand, logged: io.StringIO) -> None:
    stand.belongs_to_a_plugin()
    token = stand.typed.pop("plex_token")

    async def act() -> None:
        await anyio.sleep(10 * LOOK_S)
        assert stand.ended == []
        stand.typed["plex_token"] = token
        await anyio.sleep(WAIT_S)
        assert stand.served[-1].plex_token
        await anyio.sleep(10 * LOOK_S)
        assert stand.ended == []

    play(stand, act)
    assert logged.getvalue().count("There is no Plex token.") == 1


@pytest.mark.parametrize("is_wrong_at_start", [True, False])
def test_a_library_that_plex_lacks_is_waited_for(stand: Stand, logged: io.StringIO, *, is_wrong_at_start: bool) -> None:
    stand.belongs_to_a_plugin()
    if is_wrong_at_start:
        stand.typed["plex_library"] = "Nope"

    async def act() -> None:
        stand.typed["plex_library"] = "Nope"
        await anyio.sleep(5 * LOOK_S)
        assert 4 <= sum(bool(settings.plex_library) for settings in stand.served) <= 6
        del stand.typed["plex_library"]
        await anyio.sleep(LOOK_S)
        assert not stand.served[-1].plex_library

    play(stand, act)
    assert logged.getvalue().count("Plex has no library") == 1


@pytest.mark.parametrize("wrong", [{"plex_token": ""}, {"plex_url": "oops"}, {"plex_library": "Nope"}])
def test_a_service_that_was_started_by_hand_ends_with_the_error(stand: Stand, wrong: dict[str, object]) -> None:
    stand.typed |= wrong

    async def main() -> None:
        with pytest.raises(ConfigError):
            await stand.reloader.run(stand.serve)

    run_virtually(VirtualClock(datetime(2026, 7, 1, tzinfo=UTC)), 1, main)


def test_a_service_that_has_nothing_to_do_ends(stand: Stand) -> None:
    async def idle(_settings: Settings) -> None:
        await anyio.sleep(1)

    async def main() -> None:
        await stand.reloader.run(idle)

    run_virtually(VirtualClock(datetime(2026, 7, 1, tzinfo=UTC)), 1, main)


def test_the_data_stays_where_it_was_at_the_start(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STASHPLEX_DATA_DIR")
    stand.file.write_text(f"data_dir = '{stand.data}'\nplex_token = '{TOKEN}'")

    async def act() -> None:
        stand.file.write_text(f"data_dir = '{tmp_path / 'other'}'\nplex_token = '{TOKEN}'\nretry_limit = 9")
        await anyio.sleep(LOOK_S)
        assert (stand.served[-1].retry_limit, stand.served[-1].data_dir) == (9, stand.data)
        await anyio.sleep(2 * LOOK_S)
        assert len(stand.served) == 2

    play(stand, act)


@pytest.mark.parametrize("is_refusing", [True, False])
def test_a_session_that_stash_refuses_is_noted_afresh_by_the_next_event(stand: Stand, *, is_refusing: bool) -> None:
    stand.belongs_to_a_plugin()
    before = (stand.data / "connection.json").read_bytes()

    async def act() -> None:
        stand.is_stash_up, stand.is_refusing = is_refusing, is_refusing
        await anyio.sleep(2 * LOOK_S)

    play(stand, act)
    assert (stand.data / "connection.json").read_bytes() == before
    is_old = abs(hook._age_s(str(stand.data / "connection.json"))) >= hook.FRESH_S
    assert is_old is is_refusing
