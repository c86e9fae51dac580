"""The disk is full in the middle of the work: it stops, says so, costs no entry an attempt, and goes on by itself."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from typing_extensions import override

from asgi import AsgiTransport
from crash.power.vfs import FULL, OK, Kind, Operation, tapped
from stashplex.app import App
from stashplex.base.errors import StoreError
from stashplex.base.transport import Request, Response, Transport
from stashplex.domain.entry import State
from stashplex.domain.scene import SceneId
from stashplex.engine.attempt import Failed, attempt
from stashplex.engine.worker import PassReport
from worlds import World, a_world

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="SQLite's library is not reached from Python there"),
]
FILMS = 8


@dataclass
class Disk(Transport):
    """A disk that is full from the first edit in Plex until it has refused so many writes; on the way to Plex."""

    plex: Transport
    refusals: int
    is_filling: bool = False
    refused: int = 0

    @override
    async def send(self, request: Request) -> Response:
        self.is_filling = self.is_filling or request.method == "PUT"
        return await self.plex.send(request)

    def tap(self, operation: Operation) -> int:
        if operation.kind is not Kind.WRITE or not self.is_filling or self.refused >= self.refusals:
            return OK
        self.refused += 1
        return FULL


def _a_world(folder: Path, refusals: int) -> tuple[World, Disk]:
    world = a_world(folder, FILMS, posters=False)
    disk = Disk(AsgiTransport(world.plex.app), refusals)
    world.plex_transport = disk
    return world, disk


async def _mark(app: App) -> None:
    await app.intake(await app.connect()).mark_scenes([SceneId(number) for number in range(1, FILMS + 1)])


def _entries(app: App) -> set[tuple[State, int]]:
    (known,) = app.store.overview.list_plex()
    return {(entry.state, entry.retry_count) for entry in app.store.ledger.iter_entries(known.id)}


async def test_what_was_under_way_is_handed_back_when_there_is_room_again(tmp_path: Path) -> None:
    world, disk = _a_world(tmp_path, 1_000_000)
    with tapped(disk.tap), world.app() as app:
        await _mark(app)
        target = await app.connect()
        reports: list[PassReport] = []
        scheduler = app.scheduler(target, app.crawler(target), reports.append)
        for _ in range(8):
            result = await attempt(scheduler.run_until_idle, 0.0)
            assert isinstance(result, Failed)
            assert isinstance(result.error, StoreError)
            assert "space" in result.error.hint
        assert _entries(app) == {(State.LEASED, 0)}
        disk.refusals, reports[:] = 0, []
        await scheduler.run_until_idle(0.0)
        assert [report.written + report.unchanged for report in reports] == [FILMS]  # together: none was an orphan
        assert _entries(app) == {(State.SYNCED, 0)}


async def test_the_service_goes_on_by_itself(tmp_path: Path) -> None:
    world, disk = _a_world(tmp_path, 3)
    with tapped(disk.tap), world.app() as app:
        await _mark(app)
        service = app.service()
        await service.run(is_until_idle=True)
        assert disk.refused == disk.refusals
        assert service.restarts["scheduler"] >= 1
        assert _entries(app) == {(State.SYNCED, 0)}
