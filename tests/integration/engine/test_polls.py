"""Polls on virtual time: what no hook told is found by its stamp, once, at little cost, whatever the clocks show."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import trio

from stage import Stage, entry_of, play, plex_id, statements_of
from stashplex.app import App
from stashplex.domain.entry import State

INTERVAL_S = 60


def generations(app: App) -> dict[int, int]:
    return {entry.scene_id: entry.generation for entry in app.store.ledger.iter_entries(plex_id(app))}


def marked(app: App, before: dict[int, int]) -> dict[int, int]:
    """Return how often each scene was marked since."""
    return {
        scene: number - before.get(scene, 0)
        for scene, number in generations(app).items()
        if number != before.get(scene)
    }


def edit_entity(stage: Stage, table: str, number: int, **fields: object) -> None:
    """Edit something in Stash, without a hook."""
    stash = stage.world.stash
    stash._edit_entity(getattr(stash.library, table)[number], fields)


def age(stage: Stage) -> None:
    """Let everything in Stash be as old as its scenes."""
    library = stage.world.stash.library
    for table in (library.files, library.performers, library.studios, library.tags):
        for thing in table.values():
            thing.updated_at = library.scenes[1].updated_at


def test_an_idle_poll_is_a_few_small_requests_and_writes_nothing(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(3_700)
            stage.stash.sent.clear()
            stage.plex.sent.clear()
            with statements_of(app) as seen:
                await trio.sleep(10 * INTERVAL_S)
            assert 9 <= len(stage.stash.sent) <= 7 * 10
            assert len(stage.stash.sent) <= 11  # one each, in fact
            assert max(len(request.body) for _, request in stage.stash.sent) < 4_000
            assert stage.plex.sent == []
            assert [one for one in seen if one.startswith(("INSERT", "UPDATE", "DELETE"))] == []

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


def test_a_change_that_no_hook_told_arrives_with_the_next_poll_and_is_marked_once(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(10)
            before = generations(app)
            stage.world.stash.update_scene(2, title="Silent")
            assert await stage.until(lambda: stage.title(2) == "Silent", 70) <= INTERVAL_S + 3
            await trio.sleep(4 * 3_600)
            assert marked(app, before) == {2: 1}

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


def test_two_edits_within_one_second_of_which_one_is_seen_too_early(tmp_path: Path) -> None:
    """Stash's stamps have whole seconds: what is changed after a look within its second cannot be told apart."""

    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(10)
            before = generations(app)
            stage.world.stash.update_scene(2, title="One")
            await trio.sleep(2)
            stage.world.stash.update_scene(2, title="Two")
            await stage.until(lambda: stage.title(2) == "Two", 70)
            assert marked(app, before) == {2: 1}

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


@pytest.mark.parametrize(
    ("table", "refer"),
    [
        ("performers", {"performers": ["X"]}),
        ("studios", {"studio": "X"}),
        ("tags", {"tags": ["X"]}),
        ("groups", {"groups": ["X"]}),
    ],
)
def test_a_change_of_what_scenes_refer_to_is_found(tmp_path: Path, table: str, refer: dict[str, object]) -> None:
    async def act(stage: Stage) -> None:
        number = getattr(stage.world.stash, table[:-1])("X")
        async with stage.serving() as app:
            await trio.sleep(200)
            before = generations(app)
            edit_entity(stage, table, number, name="Y")
            await stage.until(lambda: bool(marked(app, before)), 70)
            await trio.sleep(4 * 3_600)
            assert marked(app, before) == {1: 1, 3: 1}

    def before(stage: Stage) -> None:
        for scene in (1, 3):
            stage.world.stash.update_scene(scene, **refer)

    play(tmp_path, act, before=before, poll_interval_s=INTERVAL_S)


def test_a_moved_file_is_found(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(10)
            before = generations(app)
            file = stage.world.stash.library.scenes[2].files[0]
            file.updated_at = stage.world.stash.library.stamper.now()
            await stage.until(lambda: bool(marked(app, before)), 70)
            await trio.sleep(3 * 3_600)
            assert marked(app, before) == {2: 1}

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


def test_fewer_performers_than_before_are_one_look_at_everything(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.world.stash.performer("Lone")
        async with stage.serving() as app:
            await trio.sleep(100)
            before = generations(app)
            library = stage.world.stash.library
            library.performers.pop(stage.world.stash.performer("Lone"))
            library.performers.forget_names()
            await trio.sleep(600)
            assert marked(app, before) == {1: 1, 2: 1, 3: 1}

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


def test_a_deletion_that_was_told_is_not_looked_at_twice(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        lone = stage.world.stash.performer("Lone")
        async with stage.serving() as app:
            await trio.sleep(100)
            before = generations(app)
            library = stage.world.stash.library
            library.performers.pop(lone)
            library.performers.forget_names()
            stage.event(lone, kind="Performer.Destroy.Post", fields=[])
            await trio.sleep(600)
            assert marked(app, before) == {1: 1, 2: 1, 3: 1}

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


def test_what_was_changed_while_nothing_ran_is_found_at_the_start(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(100)
        await trio.sleep(3_600)
        stage.world.stash.update_scene(2, title="Meanwhile")
        await trio.sleep(5 * 3_600)
        async with stage.serving() as app:
            before = generations(app)
            await stage.until(lambda: stage.title(2) == "Meanwhile", 10)
            assert marked(app, before) == {2: 1}

    play(tmp_path, act, before=age, poll_interval_s=INTERVAL_S)


@pytest.mark.parametrize("ahead_s", [0, 7_200])
def test_no_start_revives_what_died_after_its_last_change(tmp_path: Path, ahead_s: int) -> None:
    """Or an entry that kills its process, once buried, would come back with each start; a later change does that."""

    async def act(stage: Stage) -> None:
        scene = stage.world.stash.library.scenes[2]
        scene.files = ()
        stage.world.stash.update_scene(2, title="No file")
        changed_at = datetime.fromisoformat(scene.updated_at) + timedelta(seconds=ahead_s)
        scene.updated_at = changed_at.isoformat()
        await trio.sleep(2)  # a stamp has whole seconds
        stage.event(2)
        async with stage.serving() as app:
            await trio.sleep(30)
            assert entry_of(app, 2).state is State.DEAD
            before = generations(app)
        for _ in range(3):
            async with stage.serving() as app:
                await trio.sleep(30)
                assert marked(app, before).get(2) is None
        if not ahead_s:
            stage.world.stash.update_scene(2, title="Changed while nothing ran")
            async with stage.serving() as app:
                await stage.until(lambda: 2 in marked(app, before), 10)

    play(tmp_path, act, before=age, poll_interval_s=INTERVAL_S)


@pytest.mark.parametrize("hours", [-3, -1, 1, 3])
def test_a_stash_whose_clock_is_wrong_is_polled_all_the_same(tmp_path: Path, hours: int) -> None:
    def before(stage: Stage) -> None:
        library = stage.world.stash.library
        library.stamper.clock = Shifted(stage.clock, timedelta(hours=hours))
        age(stage)

    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(100)
            for number in range(3):
                stage.world.stash.update_scene(2, title=f"Wrong {number}")
                await stage.until(lambda n=number: stage.title(2) == f"Wrong {n}", 130)  # type: ignore[misc]
                await trio.sleep(400)

    play(tmp_path, act, before=before, poll_interval_s=INTERVAL_S)


class Shifted:
    """A clock that shows another time."""

    def __init__(self, clock: object, by: timedelta) -> None:
        self._clock, self._by = clock, by

    def now(self) -> object:
        return self._clock.now() + self._by  # type: ignore[attr-defined]

    def monotonic_s(self) -> float:
        return float(self._clock.monotonic_s())  # type: ignore[attr-defined]


def test_a_stash_that_is_restored_with_an_older_clock_is_found_within_the_hour(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stamper = stage.world.stash.library.stamper
        stage.world.stash.update_scene(1, title="Newest")
        async with stage.serving():
            await trio.sleep(100)
            stamper.clock = Shifted(stage.clock, timedelta(hours=-5))
            stage.world.stash.update_scene(2, title="Older")
            await stage.until(lambda: stage.title(2) == "Older", 3_700)

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Kiritimati", "UTC"])
def test_another_zone_is_found_within_the_hour(tmp_path: Path, zone: str) -> None:
    async def act(stage: Stage) -> None:
        stamper = stage.world.stash.library.stamper
        stage.world.stash.update_scene(1, title="Before")
        async with stage.serving():
            await trio.sleep(100)
            stamper.zone = ZoneInfo(zone)
            stage.world.stash.update_scene(2, title="Elsewhere")
            await stage.until(lambda: stage.title(2) == "Elsewhere", 3_700)

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


def test_a_stamp_far_in_the_future_hides_nothing(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(100)
            stage.world.stash.update_scene(1, title="Of 2099", updated_at="2099-01-01T00:00:00+01:00")
            await stage.until(lambda: stage.title(1) == "Of 2099", 70)
            stage.world.stash.update_scene(2, title="Of today")
            await stage.until(lambda: stage.title(2) == "Of today", 70)
            before = generations(app)
            await trio.sleep(3 * 3_600)
            assert marked(app, before) == {}
        async with stage.serving():
            stage.world.stash.update_scene(3, title="Of today too")
            await stage.until(lambda: stage.title(3) == "Of today too", 70)

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


def test_many_changes_come_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stashplex.engine.poll.PAGE", 3)

    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(100)
            before = generations(app)
            for scene in range(1, 9):
                stage.world.stash.update_scene(scene, title=f"Paged {scene}")
            for number in range(1, 8):
                edit_entity(stage, "tags", number, description="x")
            await stage.until(lambda: all(stage.title(scene) == f"Paged {scene}" for scene in range(1, 9)), 70)
            await trio.sleep(200)
            assert marked(app, before).keys() >= set(range(1, 9))

    play(tmp_path, act, films=10, poll_interval_s=INTERVAL_S)


@pytest.mark.parametrize("hidden", ["SceneFilterType.files_filter", "SceneFilterType.groups"])
def test_an_older_stash_is_asked_for_what_it_knows(tmp_path: Path, hidden: str) -> None:
    async def act(stage: Stage) -> None:
        stage.world.stash.switches.hidden = frozenset({hidden})
        async with stage.serving():
            await trio.sleep(100)
            stage.world.stash.update_scene(2, title="Old")
            await stage.until(lambda: stage.title(2) == "Old", 70)
            assert not stage.services[0].restarts

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


def test_while_stash_is_held_nothing_is_asked(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(100)
            stage.stash_is(up=False)
            await trio.sleep(7 * INTERVAL_S)
            stage.stash_is(up=True)
            stage.world.stash.update_scene(2, title="After")
            await stage.until(lambda: stage.title(2) == "After", 700)
            assert not stage.services[0].restarts

    play(tmp_path, act, poll_interval_s=INTERVAL_S)


def test_a_poll_that_is_off_asks_nothing(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(10)
            stage.stash.sent.clear()
            await trio.sleep(4_000)
            assert stage.stash.sent == []

    play(tmp_path, act, poll_interval_s=0)


def test_the_watermark_is_kept(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(100)
            stage.world.stash.update_scene(2, title="Kept")
            await stage.until(lambda: stage.title(2) == "Kept", 70)
            await trio.sleep(1)
            name = plex_id(app)
            assert json.loads(app.store.cursors.find(f"counts.{name}") or "")
            known = app.store.cursors.find(f"polled.{name}")
            stamp = stage.world.stash.library.scenes[2].updated_at
            assert known is not None
            assert known[14:19] == stamp[14:19]

    play(tmp_path, act, poll_interval_s=INTERVAL_S)
