"""Regressions: what an engineer with fresh eyes broke with servers written from the wire documents alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from asgi import AsgiTransport
from simulation.virtual import VirtualClock, run_virtually
from stashplex.base.errors import ConfigError, ServerHeld
from stashplex.base.transport import Fault, Request, Response, Transport, TransportFailed
from stashplex.cli.sync import SyncReport
from stashplex.domain.scene import SceneId
from stashplex.sim.content.catalogue import Catalogue
from worlds import World, a_world


class Between(Transport):
    """Stands between us and a server, and gives another answer where it likes."""

    def __init__(self, inner: Transport, answer: Callable[[Request, Response], Response]) -> None:
        self._inner = inner
        self._answer = answer

    @override
    async def send(self, request: Request) -> Response:
        return self._answer(request, await self._inner.send(request))


def a_virtual_world(data_dir: Path, films: int, *, posters: bool = False) -> tuple[World, VirtualClock]:
    clock = VirtualClock(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))
    return a_world(data_dir, films, clock=clock, posters=posters), clock


def synced(world: World, clock: VirtualClock, *scene_ids: int, wait_s: float = 0.0) -> SyncReport:
    """Run one bounded sync in virtual time."""
    return run_virtually(clock, 1, lambda: world.sync(*scene_ids, wait_s=wait_s))


def lose(world: World, *numbers: int) -> None:
    for number in numbers:
        world.plex.remove_item(world.item_of(Catalogue().film(number)))


def test_many_missing_files_are_looked_for_together(tmp_path: Path) -> None:
    world, clock = a_virtual_world(tmp_path, 150)
    world.settings["scan_on_not_found"] = False
    lose(world, *range(21, 151))
    report = synced(world, clock, wait_s=60.0)
    assert (report.synced, report.waiting) == (20, 130)
    assert report.plex_requests <= 20 + 60 + 10


def test_a_run_for_some_scenes_does_not_wait_for_others(tmp_path: Path) -> None:
    world, clock = a_virtual_world(tmp_path, 8)
    lose(world, 8)
    synced(world, clock)
    before_s = clock.monotonic_s()
    report = synced(world, clock, 1, wait_s=60.0)
    assert (report.unchanged, report.waiting) == (1, 0)
    assert clock.monotonic_s() - before_s < 1.0


def test_a_run_waits_for_what_another_process_works_on(tmp_path: Path) -> None:
    world, clock = a_virtual_world(tmp_path, 3)
    synced(world, clock)
    with world.app() as app:
        store, plex_id = app.store, app.store.overview.list_plex()[0].id
        with store.owners.enrolled(clock.now()) as other:
            store.ledger.mark(plex_id, [SceneId(2)], now=clock.now())
            until = clock.now() + timedelta(minutes=10)
            store.ledger.lease(plex_id, owner=other, token="theirs", limit=1, now=clock.now(), until=until)
            before_s = clock.monotonic_s()
            assert synced(world, clock, 2, wait_s=30.0).waiting == 1
            assert clock.monotonic_s() - before_s >= 30.0


@pytest.mark.parametrize(
    "bad",
    [
        Response(500, {"content-type": "text/plain"}, b"blob not found"),
        Response(200, {"content-type": "text/html"}, b"<!doctype html><html>Not Found</html>"),
    ],
)
def test_a_cover_that_stash_cannot_give_holds_nobody_else(tmp_path: Path, bad: Response) -> None:
    world, clock = a_virtual_world(tmp_path, 30, posters=True)

    def failing(request: Request, response: Response) -> Response:
        is_bad = any(f"/scene/{number}/screenshot" in request.url for number in (3, 9, 20))
        return bad if is_bad else response

    world.stash_transport = Between(AsgiTransport(world.stash.app), failing)
    report = synced(world, clock, wait_s=300.0)
    assert (report.synced, report.dead, report.writes, report.uploads) == (27, 3, 30, 27)


def test_a_listing_that_tells_its_length_only_in_a_header_is_read_to_its_end(tmp_path: Path) -> None:
    world, clock = a_virtual_world(tmp_path, 40)

    def terse(request: Request, response: Response) -> Response:
        if request.method != "GET" or "/library/sections/" not in request.url:
            return response
        body = json.loads(response.body)
        total = body["MediaContainer"].pop("totalSize")
        del body["MediaContainer"]["offset"]
        headers = {**response.headers, "x-plex-container-total-size": str(total)}
        return replace(response, headers=headers, body=json.dumps(body).encode())

    world.plex.switches.page_cap = 15
    world.plex_transport = Between(AsgiTransport(world.plex.app), terse)
    assert synced(world, clock).synced == 40


def test_a_poster_on_which_plex_hangs_holds_nobody_else(tmp_path: Path) -> None:
    world, clock = a_virtual_world(tmp_path, 30, posters=True)
    key = world.item_of(Catalogue().film(3))

    def hanging(request: Request, response: Response) -> Response:
        if request.method == "POST" and f"/{key}/posters" in request.url:
            raise TransportFailed(Fault.TIMEOUT_AFTER_SEND, "no answer in time")
        return response

    world.plex_transport = Between(AsgiTransport(world.plex.app), hanging)
    result = run_virtually(clock, 1, world.sync_result)
    assert (result.report.synced, result.report.waiting, result.report.uploads) == (29, 1, 30)


def test_a_run_that_ends_while_a_server_is_held_says_so(tmp_path: Path) -> None:
    world, clock = a_virtual_world(tmp_path, 20)

    def failing(request: Request, response: Response) -> Response:
        return Response(500, {}, b"") if request.method == "PUT" else response

    world.plex_transport = Between(AsgiTransport(world.plex.app), failing)
    result = run_virtually(clock, 1, lambda: world.sync_result(wait_s=35.0))
    assert isinstance(result.server_error, ServerHeld)
    assert result.report.waiting == 20


def test_unknown_scenes_are_not_all_named(tmp_path: Path) -> None:
    world, clock = a_virtual_world(tmp_path, 3)
    with pytest.raises(ConfigError, match=r"scene 4, 5, .*, 13 and 287 more"):
        synced(world, clock, *range(1, 301))
