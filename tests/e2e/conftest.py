"""One pair of simulated servers for all tests of a folder that leave them as they were."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from programs import Environment, Servers, serving

FILMS = 30


@pytest.fixture(scope="session")
def running() -> Iterator[Servers]:
    with serving("--films", str(FILMS), "--posters", "none") as servers:
        yield servers


@pytest.fixture
def servers(running: Servers) -> Iterator[Servers]:
    """The shared servers, with every switch as it was before in the end."""
    yield running
    running.turn("plex", maintenance=False, proxy_status=None, require_token=True)
    running.turn("stash", status="OK", hidden=[], empty=False, login=True, failing=0)


@pytest.fixture
def environment(servers: Servers, tmp_path: Path) -> Environment:
    """What a run against the shared servers needs."""
    return servers.environment(tmp_path / "data")
