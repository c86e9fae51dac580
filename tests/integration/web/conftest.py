"""The API over the store of a filled world, called in process; no engine runs behind it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from asgi import AsgiTransport
from stashplex.app import SPOOL_NAME, App
from stashplex.base.transport import Request, Response
from stashplex.web.api import Inbox, build_api
from worlds import World, a_world

KEY = "a-key-for-the-service"


@dataclass
class Desk:
    """The API and what it told the engine."""

    world: World
    app: App
    api: Starlette = field(init=False)
    looks: int = 0
    reloads: int = 0
    stops: int = 0

    def __post_init__(self) -> None:
        inbox = Inbox(self.spool, self.app.clock, self._look, self._reload, self._stop)
        self.api = build_api(self.app.facts(), inbox, key=KEY, names=("stashplex.lan.test",))

    @property
    def spool(self) -> Path:
        return self.world.data_dir / SPOOL_NAME

    def _look(self) -> None:
        self.looks += 1

    def _reload(self) -> None:
        self.reloads += 1

    def _stop(self) -> None:
        self.stops += 1

    def events(self) -> list[dict[str, Any]]:
        """Return the events in the spool, oldest first."""
        return [json.loads(path.read_bytes()) for path in sorted(self.spool.glob("*.json"))]

    async def send(
        self, method: str, path: str, body: bytes = b"", *, host: str = "127.0.0.1:9998", key: str | None = KEY
    ) -> Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return await AsgiTransport(self.api).send(Request(method, f"http://{host}{path}", headers, body))

    async def get(self, path: str) -> Any:
        """Return what a good request answers."""
        response = await self.send("GET", path)
        assert response.status == 200, response.body
        return json.loads(response.body)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return a_world(tmp_path / "data", posters=False)


@pytest.fixture
def desk(world: World) -> Iterator[Desk]:
    with world.app() as app:
        yield Desk(world, app)
