"""A service on another machine: events and requests reach it, and wait here while it cannot be reached."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.plugin.hooking import wait_until
from e2e.plugin.tasking import Town, a_town
from programs import started
from stashplex.plugin import contact
from stashplex.store import seat

pytestmark = pytest.mark.e2e

KEY = "a-long-random-text"


@contextmanager
def elsewhere(town: Town, folder: Path) -> Iterator[Town]:
    """Run a service with a data folder of its own, that answers to a key."""
    far = Town(town.stash, town.plex, folder, town.stash_url)
    environment = {
        name: value for name, value in town.stash.starter.environment.items() if name.startswith("STASHPLEX_")
    }
    environment |= {
        "STASHPLEX_POLL_INTERVAL_S": "0",
        "STASHPLEX_DATA_DIR": str(folder),
        "STASHPLEX_STASH_URL": town.stash_url,
        "STASHPLEX_STASH_API_KEY": town.stash.settings.api_key,
        "STASHPLEX_SERVICE_KEY": KEY,
        "STASHPLEX_LISTEN": "0.0.0.0:0",
    }
    with started(environment, "serve") as process:
        wait_until(lambda: process.poll() is not None or far.status() != {})
        assert process.poll() is None, process.communicate()
        yield far
    process.wait()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with a_town(tmp_path / "here", films=3, is_installed=False) as town:
        yield town


def relay_ended(town: Town) -> bool:
    """Tell whether no relay runs."""
    with contact.locked(str(town.data_dir / "relay.lock")) as is_free:
        return is_free


def test_edits_and_requests_reach_a_service_elsewhere(town: Town, tmp_path: Path) -> None:
    with elsewhere(town, tmp_path / "far") as far:
        address = seat.find(far.data_dir)
        assert address is not None
        town.type_in(service_url=address.api, service_key=KEY)
        town.edit(1, "Before the plugin knew")
        assert address.api in town.run("status").said
        town.run("start_service")
        wait_until(lambda: town.title(1) == "Before the plugin knew")
        town.edit(2, "Sent by the relay")
        wait_until(lambda: town.title(2) == "Sent by the relay")
        wait_until(lambda: town.spool() == [])
        told = town.operate("scene", id=2)
        assert (told["state"], told["service"]) == ("in_step", "elsewhere")
        town.stash.update_scene(3, title="Nobody was told")
        town.run("sync_all")
        wait_until(lambda: town.title(3) == "Nobody was told")
        assert "on another machine" in town.run("retry_dead").trouble
        town.type_in()
        town.run("status")
        assert not (town.data_dir / "service-elsewhere.json").exists()


def test_events_wait_here_while_the_service_is_away(town: Town, tmp_path: Path) -> None:
    town.type_in(service_url="http://127.0.0.1:9", service_key=KEY)
    assert "does not answer" in town.run("status").trouble
    for scene in (1, 2, 3):
        town.edit(scene, f"Title {scene}")
    wait_until(lambda: not relay_ended(town))
    assert [event["id"] for event in town.spool()] == [1, 2, 3]
    with elsewhere(town, tmp_path / "far") as far:
        address = seat.find(far.data_dir)
        assert address is not None
        town.type_in(service_url=address.api, service_key=KEY)
        town.run("status")
        wait_until(lambda: [town.title(scene) for scene in (1, 2, 3)] == ["Title 1", "Title 2", "Title 3"])
        wait_until(lambda: town.spool() == [])


def test_a_wrong_key_is_said_and_loses_nothing(town: Town, tmp_path: Path) -> None:
    with elsewhere(town, tmp_path / "far") as far:
        address = seat.find(far.data_dir)
        assert address is not None
        town.type_in(service_url=address.api, service_key="another")
        trouble = town.run("status").trouble
        assert "refuses the key" in trouble
        assert "another" not in trouble
        town.edit(1, "Kept")
        wait_until(lambda: not relay_ended(town))
        assert [event["id"] for event in town.spool()] == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="the pid of a killed process stays there")
def test_what_is_no_event_does_not_hold_the_others_up(town: Town, tmp_path: Path) -> None:
    spool = town.data_dir / "spool"
    spool.mkdir()
    (spool / "0000000000000001-a.json").write_text("no event")
    (spool / "0000000000000002-b.json").write_text('{"id": 3}')
    (spool / "0000000000000003-c.json").write_text("{" * 100_000)
    (spool / ".0000000000000004-d.json").write_text("half wr")
    with elsewhere(town, tmp_path / "far") as far:
        address = seat.find(far.data_dir)
        assert address is not None
        town.type_in(service_url=address.api, service_key=KEY)
        town.run("status")
        town.edit(1, "After the bad ones")
        wait_until(lambda: town.title(1) == "After the bad ones")
        wait_until(lambda: town.spool() == [])
    assert sorted(path.name[:16] for path in (spool / "aside").iterdir()) == [f"{number:016d}" for number in (1, 2, 3)]
    assert [path.name for path in spool.glob(".*")] == [".0000000000000004-d.json"]
