"""Regressions: defects that were known by name, each as the smallest story that shows it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import trio
from typing_extensions import override

from asgi import AsgiTransport
from ledgers import DEAD, lease, mark, settle
from stage import Stage, entry_of, play, plex_id
from stashplex.app import App
from stashplex.base.errors import ServerUnreachable
from stashplex.base.transport import Fault, Request, Response, Transport, TransportFailed
from stashplex.domain.entry import State
from stashplex.domain.scene import SceneId
from stashplex.engine.scheduler import LEASE_S
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.content.poster import poster_cheap
from stashplex.sim.plex.switches import TagMode
from stashplex.sim.plex.tag import KINDS
from stashplex.sim.plex.tagging import Entry, TagEdit, apply_tags
from stashplex.store.ledger import SHARED
from worlds import World, a_world


class Counting(Transport):
    """Passes requests on and notes them; may change them on their way."""

    def __init__(self, world: World, inner: Transport) -> None:
        self._inner = inner
        self.sent: list[Request] = []
        self.refuses = ""
        self.is_mute_after_upload = False
        self.is_broken = False

    @override
    async def send(self, request: Request) -> Response:
        has_uploaded = self.is_mute_after_upload and self.count("POST ")
        self.sent.append(request)
        if self.is_broken or (has_uploaded and request.method == "GET"):
            raise TransportFailed(Fault.BROKEN, "the connection broke")
        if self.refuses and request.method == "PUT":
            pairs = [pair for pair in request.url.split("&") if not pair.startswith(self.refuses)]
            request = replace(request, url="&".join(pairs))
        return await self._inner.send(request)

    def count(self, what: str) -> int:
        return sum(what in f"{request.method} {request.url}" for request in self.sent)


@pytest.mark.parametrize("mode", TagMode)
def test_a_plex_that_removes_the_first_of_several_names_ends_at_the_list(tmp_path: Path, mode: TagMode) -> None:
    async def act(stage: Stage) -> None:
        switches = stage.world.plex.switches
        switches.tag_mode, switches.remove_first_only = mode, True
        old = [f"Tag {number}" for number in range(12)]
        async with stage.serving() as app:
            stage.world.stash.update_scene(1, tags=["Kept", *old])
            stage.event(1)
            await stage.until(lambda: len(stage.shown(1).tags.get("genre", ())) == 13, 10)
            stage.world.stash.update_scene(1, tags=["Kept", "New"])
            stage.event(1)
            shown = stage.shown(1)
            await stage.until(lambda: {one.tag.text for one in shown.tags["genre"]} == {"Kept", "New"}, 60)
            await stage.until(lambda: entry_of(app, 1).state is State.SYNCED, 5)

    play(tmp_path, act)


@pytest.mark.anyio
async def test_a_field_that_is_not_taken_makes_nobody_forget_the_poster(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2)
    world.plex_transport = plex = Counting(world, AsgiTransport(world.plex.app))
    await world.sync()
    plex.sent.clear()
    plex.refuses = "summary"
    world.stash.update_scene(1, details="Not taken.", cover=poster_cheap(Catalogue().film(99)))
    report = await world.sync(1)
    assert report.waiting + report.dead == 1
    asked = plex.count("/posters")
    plex.refuses = ""
    assert (await world.sync(1)).synced == 1
    assert (plex.count("POST "), plex.count("/posters")) == (1, asked)
    assert (await world.sync()).unchanged == 2


@pytest.mark.anyio
async def test_a_scene_without_a_cover_is_asked_for_it_once(tmp_path: Path) -> None:
    world = a_world(tmp_path, 4, posters=False)
    world.stash_transport = stash = Counting(world, AsgiTransport(world.stash.app))
    await world.sync()
    assert stash.count("/screenshot") == 4
    for _ in range(2):
        assert (await world.sync()).unchanged == 4
    assert stash.count("/screenshot") == 4
    world.stash.update_scene(3, cover=poster_cheap(Catalogue().film(3)))
    report = await world.sync()
    assert (report.uploads, stash.count("/screenshot")) == (1, 5)


@pytest.mark.anyio
async def test_a_first_cover_whose_read_back_failed_is_not_sent_again(tmp_path: Path) -> None:
    """What was remembered of a scene without a cover is no reason not to ask Plex what it has."""
    world = a_world(tmp_path, 2, posters=False)
    world.plex_transport = plex = Counting(world, AsgiTransport(world.plex.app))
    await world.sync()
    world.stash.update_scene(1, cover=poster_cheap(Catalogue().film(1)))
    plex.is_mute_after_upload = True
    assert (await world.sync_result(1)).server_error is not None
    plex.is_mute_after_upload = False
    assert (await world.sync(1)).waiting == 0
    assert plex.count("POST ") == 1


@pytest.mark.anyio
async def test_a_list_that_was_too_long_for_a_while_loses_what_stash_took_out(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1, posters=False)
    world.stash.update_scene(1, tags=["Ours"])
    await world.sync()
    item, plex = world.section.items[int(world.item_of(Catalogue().film(1)))], world.plex
    mine = {number: Entry(f"A genre that a person added, quite long, {number:03}") for number in range(250)}
    apply_tags(plex.world, item, KINDS["genre"], TagEdit(entries=mine), replaces=False)
    world.stash.update_scene(1, tags=[])
    assert (await world.sync()).dead == 0
    apply_tags(plex.world, item, KINDS["genre"], TagEdit(entries={0: Entry("Ours"), 1: mine[1]}), replaces=True)
    await world.sync()
    assert [one.tag.text for one in item.tags["genre"]] == [mine[1].text]


@pytest.mark.parametrize("set_by", [timedelta(0), timedelta(days=-1)], ids=["", "the clock is set back"])
def test_no_write_leaves_after_its_lease_has_run_out(tmp_path: Path, set_by: timedelta) -> None:
    """One write at a time, each slow: those that wait for their turn are asked once more when it comes."""

    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(5)
            stage.plex.latency_s = 70.0
            for scene in range(1, 31):
                stage.change(scene, f"New {scene}")
            await stage.until(lambda: bool(leases(app)), 10)
            begun_s = stage.clock.monotonic_s()
            await trio.sleep(300)
            stage.clock.jump(set_by)
            await trio.sleep(LEASE_S - 300 + 95)  # the next lease begins 30 s later, and reads before it writes
            late = [at_s - begun_s for at_s in stage.plex.edits_s() if at_s > begun_s + LEASE_S + 0.5]
            assert late == []
            assert len(stage.plex.edits_s()) >= 4

    play(tmp_path, act, films=30, plex_writes_in_flight=1, plex_reads_in_flight=1)


def leases(app: App) -> list[str]:
    with app.store.database.read() as connection:
        return [
            row[0] for row in connection.exec_driver_sql("SELECT lease_token FROM entry WHERE lease_token IS NOT NULL")
        ]


def test_the_entries_of_a_batch_are_leased_as_such(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(5)
            stage.plex.latency_s = 1.0
            for scene in range(1, 4):
                stage.change(scene, f"New {scene}")
            await stage.until(lambda: bool(leases(app)), 10)
            assert {token.startswith(SHARED) for token in leases(app)} == {True}

    play(tmp_path, act)


def test_a_time_that_a_clock_moved_while_nobody_looked_is_brought_back(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        with stage.world.app() as app:
            stage.world.stash.update_scene(1, title="Another")
            tomorrow = stage.clock.now() + timedelta(hours=22)
            app.store.ledger.mark(plex_id(app), [SceneId(1)], now=stage.clock.now(), due_at=tomorrow)
        async with stage.serving():
            await stage.until(lambda: stage.title(1) == "Another", 620)

    play(tmp_path, act)


@pytest.mark.anyio
async def test_a_tie_that_a_person_resolved_in_plex_is_none_any_more(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2, posters=False)
    film = Catalogue().film(1)
    world.plex.add_item(world.section, files=[(film.plex_path, film.size, 1000)], title="The same file")
    assert (await world.sync()).dead == 1
    world.plex.remove_item(world.item_of(film))
    assert (await world.sync(1)).synced == 1


@pytest.mark.anyio
async def test_a_look_for_missing_files_that_failed_is_done_again(tmp_path: Path) -> None:
    """The first look crawls, and then cannot ask Stash; Plex does not change any more."""
    world = a_world(tmp_path, 2, posters=False)
    film = Catalogue().film(1)
    world.plex.remove_item(world.item_of(film))
    assert (await world.sync()).waiting == 1
    world.plex.add_item(world.section, files=[(film.plex_path, film.size, 1000)], title=film.stem)
    world.stash_transport = stash = Counting(world, AsgiTransport(world.stash.app))
    with world.app() as app:
        target = await app.connect()
        finder = app.finder(target, app.crawler(target))
        stash.is_broken = True
        with pytest.raises(ServerUnreachable):
            await finder.run_once()
        stash.is_broken = False
        assert [await finder.run_once() for _ in range(2)] == [1, 0]


@pytest.mark.anyio
async def test_a_scene_that_another_sync_marks_again_counts_once(tmp_path: Path) -> None:
    """One scene per batch; while the second is worked on, somebody marks the first again."""
    world = a_world(tmp_path, 3, posters=False)
    world.settings["batch_size"] = 1
    stash = world.stash_transport = Marking(world)
    report = await world.sync()
    assert stash.has_marked
    assert (report.scenes, report.synced, report.unchanged, report.waiting, report.dead) == (3, 3, 0, 0, 0)


class Marking(Transport):
    """Lets another program mark the first scene again, once it is settled."""

    def __init__(self, world: World) -> None:
        self._inner = AsgiTransport(world.stash.app)
        self._world = world
        self.has_marked = False

    @override
    async def send(self, request: Request) -> Response:
        if not self.has_marked and self._world.data_dir.exists():
            with self._world.app() as app:
                known = app.store.overview.list_plex()
                entry = app.store.ledger.find(known[0].id, SceneId(1)) if known else None
                if entry is not None and entry.state is State.SYNCED:
                    self.has_marked = True
                    app.store.ledger.mark(known[0].id, [SceneId(1)], now=app.clock.now())
        return await self._inner.send(request)


def bury(app: App, scene: int) -> None:
    """Let a scene be a dead letter."""
    ledger, known, now = app.store.ledger, plex_id(app), app.clock.now()
    mark(ledger, known, scene, now=now)
    settle(ledger, lease(ledger, known, now=now), DEAD, now=now)


@pytest.mark.anyio
async def test_a_full_sync_leaves_a_dismissed_scene_alone_and_its_number_does_not(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3, posters=False)
    await world.sync()
    with world.app() as app:
        bury(app, 2)
        app.store.dead_letters.dismiss(plex_id(app), [SceneId(2)], app.clock.now())
        bury(app, 3)
    report = await world.sync()
    assert (report.scenes, report.unchanged) == (2, 2)
    with world.app() as app:
        assert entry_of(app, 2).state is State.DEAD
        assert app.store.dead_letters.count_dismissed(plex_id(app)) == 1
    assert (await world.sync(2)).unchanged == 1
