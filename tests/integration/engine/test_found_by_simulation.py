"""Regressions: what the seeded simulation found, each as the smallest story that shows it."""

from pathlib import Path

import pytest
from typing_extensions import override

from asgi import AsgiTransport
from stashplex.base.transport import Fault, Request, Response, Transport, TransportFailed
from stashplex.domain.entry import State
from stashplex.domain.scene import SceneId
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.plex.tagging import retire
from worlds import World, a_world

pytestmark = pytest.mark.anyio


class Failing(Transport):
    """Passes requests on, but those that a predicate names do not reach the server."""

    def __init__(self, world: World) -> None:
        self._inner = AsgiTransport(world.plex.app)
        self.sent: list[Request] = []
        self.is_failing = False
        self.only = ""

    @override
    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        if self.is_failing and self.only in f"{request.method} {request.url}":
            raise TransportFailed(Fault.BROKEN, "the connection broke")
        return await self._inner.send(request)


def states(world: World) -> list[tuple[State, int, str | None]]:
    with world.app() as app:
        known = app.store.overview.list_plex()[0]
        return [
            (entry.state, entry.retry_count, entry.last_error_type) for entry in app.store.ledger.list_entries(known.id)
        ]


async def test_a_crawl_that_fails_is_no_missing_file(tmp_path: Path) -> None:
    world = a_world(tmp_path, 4)
    world.settings["failure_threshold"] = 100
    await world.sync()
    world.plex.rebuild(world.section)
    world.plex_transport = failing = Failing(world)
    with world.app() as app:
        target = await app.connect()
        await app.intake(target).mark_all(lambda _: None)
        failing.is_failing, failing.only = True, "/library/sections"
        await app.scheduler(target, app.crawler(target), lambda _: None).run_until_idle(0)
    assert {(count, error) for _, count, error in states(world)} <= {(0, None), (0, "ServerUnreachable")}


async def test_requests_that_wait_their_turn_do_not_leave_when_the_breaker_opens(tmp_path: Path) -> None:
    world = a_world(tmp_path, 60, posters=False)
    world.plex_transport = failing = Failing(world)
    failing.is_failing, failing.only = True, "PUT"
    await world.sync_result()
    assert sum(request.method == "PUT" for request in failing.sent) <= 5
    assert {(count, error) for _, count, error in states(world)} <= {
        (0, None),
        (0, "ServerUnreachable"),
        (0, "ServerHeld"),
    }


async def test_an_item_that_is_gone_is_looked_for_again_at_once(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    film = Catalogue().film(2)
    await world.sync()
    world.plex.remove_item(world.item_of(film))
    world.plex.add_item(world.section, files=[(film.plex_path, film.size, 1000)], title="new")
    report = await world.sync(2)
    assert (report.synced, report.waiting) == (1, 0)


async def test_what_was_written_for_a_merged_scene_stays_ours(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    film = Catalogue().film(2)
    world.stash.update_scene(2, tags=["Old tag"], studio="Old studio")
    await world.sync()
    world.stash.destroy_scene(2)
    world.stash.add_scene(
        id=99, title="Survivor", tags=["New tag"], files=[(film.stash_path, film.size, film.duration_s, film.oshash)]
    )
    await world.sync(99)
    key = world.item_of(film)
    assert world.plex.tag_texts(key, "genre") == ["New tag"]
    assert world.plex.tag_texts(key, "collection") == []


async def test_a_fresh_item_under_an_old_rating_key_is_written_anew(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2)
    film = Catalogue().film(2)
    await world.sync()
    item = world.plex.item(world.item_of(film))
    item.fields, item.tags, item.galleries = {"title": film.stem}, {}, {}
    item.locks.clear()
    item.view(1).rating = None
    report = await world.sync()
    assert (report.synced, report.uploads) == (1, 1)
    assert item.fields["title"] == film.title


async def test_what_reached_plex_before_a_crash_is_not_taken_for_a_persons(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2, posters=False)
    world.stash.update_scene(1, tags=["A", "B"])
    world.plex_transport = failing = Failing(world)
    failing.is_failing, failing.only = True, "GET http://plex.test:32400/library/metadata"
    with world.app() as app:
        target = await app.connect()
        await app.crawler(target).refresh(lambda _seen, _total: None)
    failing.is_failing = False
    await crash_after_the_first_edit(world, failing)
    world.stash.update_scene(1, tags=["B", "C"])
    await world.sync(1)
    assert sorted(world.plex.tag_texts(world.item_of(Catalogue().film(1)), "genre")) == ["B", "C"]


async def crash_after_the_first_edit(world: World, failing: Failing) -> None:
    """Let the engine write scene 1 and die before it learns that it did."""

    class Died(BaseException):
        pass

    class Dying(Transport):
        @override
        async def send(self, request: Request) -> Response:
            answer = await failing.send(request)
            if request.method == "PUT":
                raise Died
            return answer

    world.plex_transport = Dying()
    try:
        await world.sync_result(1)
    except BaseExceptionGroup as group:
        assert group.subgroup(Died) is not None  # noqa: PT017 - a group inside groups, whatever the loop
    else:
        pytest.fail("the engine did not reach the edit")
    world.plex_transport = failing
    with world.app() as app:
        entry = app.store.ledger.find(app.store.overview.list_plex()[0].id, SceneId(1))
        assert entry is not None
        assert entry.settled_generation < entry.generation


async def test_two_items_that_a_person_made_one_are_one_for_the_next_try(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    file = world.plex.world.items[next(iter(world.plex.world.items))].files[0]
    twin = world.plex.add_item(world.section, files=[(file.path, file.size_bytes, file.duration_ms)])
    await world.sync()
    assert [error for _, _, error in states(world)].count("MatchAmbiguous") == 1
    retire(world.plex.world, world.plex.item(twin))
    with world.app() as app:
        target = await app.connect()
        await app.intake(target).mark_all(lambda _: None)
        await app.scheduler(target, app.crawler(target), lambda _: None).run_until_idle(0)
    assert {state for state, _, _ in states(world)} == {State.SYNCED}


async def test_a_file_that_was_crawled_when_stash_failed_is_found_by_the_next_look(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    world.settings["not_found_limit"] = 0
    item = world.plex.world.items[next(iter(world.plex.world.items))]
    file = item.files[0]
    retire(world.plex.world, item)
    await world.sync()
    assert [error for _, _, error in states(world)].count("PlexNotFound") == 1
    world.plex.add_item(world.section, files=[(file.path, file.size_bytes, file.duration_ms)])
    with world.app() as app:
        target = await app.connect()
        await app.crawler(target).refresh(lambda *_: None)  # another process, or one whose question to Stash failed
        finder = app.finder(target, app.crawler(target))
        assert [await finder.run_once() for _ in range(2)] == [1, 0]
