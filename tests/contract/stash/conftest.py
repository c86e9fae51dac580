"""The server that the contract suite judges: the simulator behind a real socket, or a live one (`--live-stash URL`).

Against a live server the tests touch only what they made themselves, under a prefix, and take it away again.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from stashapi.stashapp import StashInterface

from integration.sim_stash.caller import Workshop
from integration.sim_stash.server import serving_whole
from stashplex.sim.stash.app import StashSim

PREFIX = "stashplex contract "


@dataclass(frozen=True, slots=True)
class Target:
    """What is judged. Shape: `sim` and `workshop` are None for a live server."""

    address: str
    api_key: str
    sim: StashSim | None
    workshop: Workshop | None

    def connection(self) -> dict[str, Any]:
        """Return the address as the client wants it."""
        parts = urlsplit(self.address)
        return {
            "Scheme": parts.scheme,
            "Host": parts.hostname,
            "Port": parts.port or (443 if parts.scheme == "https" else 80),
            "Logger": logging.getLogger("stashapi"),
        }


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The server to judge."""
    live = request.config.getoption("--live-stash", default=None)
    if live:
        key = request.config.getoption("--live-stash-api-key", default=None)
        yield Target(str(live), str(key or ""), None, None)
        return
    root: Path = tmp_path_factory.mktemp("stash")
    workshop = Workshop(root)
    sim = StashSim(plugins_path=workshop.root.parent, environment=workshop.environment(), working_directory=root)
    sim.settings.python_path = sys.executable
    with serving_whole(sim) as address:
        yield Target(address, sim.settings.api_key, sim, workshop)


@pytest.fixture(scope="session")
def client(target: Target) -> StashInterface:
    """The independent client, with the API key."""
    return StashInterface({**target.connection(), "ApiKey": target.api_key})


@pytest.fixture
def sim(target: Target) -> StashSim:
    """The simulator; without it the test cannot be run."""
    if target.sim is None:
        pytest.skip("needs the simulator's switches, which a live server does not have")
    return target.sim


@pytest.fixture
def workshop(target: Target) -> Workshop:
    """Where plugins can be written; without it the test cannot be run."""
    if target.workshop is None:
        pytest.skip("needs plugins of its own, which are not installed on a live server")
    return target.workshop


@pytest.fixture
def made(client: StashInterface) -> Iterator[Callable[[str], str]]:
    """Make a scene with this title; return its id. All made scenes are destroyed at the end."""
    ids: list[str] = []

    def make(title: str, **fields: Any) -> str:
        scene = client.create_scene({"title": PREFIX + title, **fields})
        ids.append(scene["id"])
        return str(scene["id"])

    yield make
    for scene_id in ids:
        if client.find_scene(int(scene_id), fragment="id") is not None:
            client.destroy_scene(scene_id)


@pytest.fixture
def made_entity(client: StashInterface) -> Iterator[Callable[[str, str], Any]]:
    """Make a performer, studio or tag with this name; all made ones are destroyed at the end."""
    entities: list[tuple[str, str]] = []

    def make(kind: str, name: str, **fields: Any) -> Any:
        entity = getattr(client, f"create_{kind}")({"name": PREFIX + name, **fields})
        entities.append((kind, entity["id"]))
        return entity

    yield make
    for kind, entity_id in reversed(entities):
        mutation = f"mutation($id: ID!) {{ {kind}Destroy(input: {{id: $id}}) }}"
        if getattr(client, f"find_{kind}")(int(entity_id), fragment="id") is not None:
            client.call_GQL(mutation, {"id": entity_id})
