"""`stashplex serve` as a process: one seat, several workers, where it may listen, how it ends."""

import json
import socket
from pathlib import Path

import pytest

from e2e.plugin.hooking import wait_until
from programs import Environment, program, started
from stashplex.store import seat

pytestmark = pytest.mark.e2e


def folder_of(environment: Environment) -> Path:
    return Path(environment["STASHPLEX_DATA_DIR"])


def test_a_second_single_service_ends_at_once_and_a_further_one_works_beside(environment: Environment) -> None:
    folder = folder_of(environment)
    with started(environment, "serve", "--single") as first:
        wait_until(lambda: seat.find(folder) is not None)
        second = program(environment, "serve", "--single")
        assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
        assert "A service runs already" in (folder / "service.log").read_text()
        beside = program(environment, "serve", "--until-idle")
        assert beside.returncode == 0
        assert "works beside it" in beside.stderr
        assert first.poll() is None
        assert json.loads(program(environment, "stop", "--json").stdout) == {"stopped": True}
        assert first.communicate(timeout=30) == ("", "")
        assert first.returncode == 0
    assert seat.find(folder) is None


def test_the_file_of_the_plugin_ends_the_service_that_the_plugin_started(environment: Environment) -> None:
    folder = folder_of(environment)
    with started(environment, "serve", "--single") as service:
        wait_until(lambda: seat.find(folder) is not None)
        (folder / "stopped").touch()
        assert service.wait(30) == 0
    assert program(environment, "serve", "--single").returncode == 0
    with started(environment, "serve") as by_hand:
        wait_until(lambda: seat.find(folder) is not None or by_hand.poll() is not None)
        assert by_hand.poll() is None


def test_it_listens_beyond_this_machine_with_a_key_alone(environment: Environment) -> None:
    told = program(environment | {"STASHPLEX_LISTEN": "0.0.0.0:0"}, "serve")
    assert told.returncode == 2
    assert "service_key" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    "listen", ["example.com:80", "999.1.1.1:80", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", ":1"]
)
def test_an_address_that_is_none_is_explained(environment: Environment, listen: str) -> None:
    told = program(environment | {"STASHPLEX_LISTEN": listen}, "serve")
    assert told.returncode == 2
    assert "listen" in told.stderr
    assert "hint:" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_port_that_is_taken_is_said(environment: Environment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told = program(environment | {"STASHPLEX_LISTEN": f"127.0.0.1:{taken.getsockname()[1]}"}, "serve")
    assert told.returncode == 2
    assert "cannot listen" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_poke_is_heard(environment: Environment) -> None:
    folder = folder_of(environment)
    with started(environment, "serve"):
        wait_until(lambda: seat.find(folder) is not None)
        address = seat.find(folder)
        assert address is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
            for _ in range(200):
                ear.sendto(b"look", ("127.0.0.1", address.poke_port))
            ear.sendto(b"", ("127.0.0.1", address.poke_port))
            ear.sendto(b"x" * 60_000, ("127.0.0.1", address.poke_port))
        assert json.loads(program(environment, "stop", "--json").stdout) == {"stopped": True}
