"""Events of performers, studios, tags, deleted things and wishes of people: the service on virtual time."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from stage import Line, Stage, entry_of, play, plex_id, states
from stashplex.app import App
from stashplex.base.transport import Request
from stashplex.domain.entry import Priority
from stashplex.domain.scene import SceneId
from stashplex.engine.wakeup import Wakeup
from stashplex.store import spool


def wish(stage: Stage, name: str, **arguments: object) -> None:
    """Leave what a task in Stash leaves."""
    told = {"type": f"Request.{name}", "id": 0, "at": stage.clock.now().isoformat(), "fields": [], "args": arguments}
    stage.drop(json.dumps(told).encode())


def questions(line: Line, text: str) -> int:
    """Return how many questions to Stash held a text."""
    return sum(text.encode() in request.body for _, request in line.sent)


def generations(app: App) -> dict[int, int]:
    return {entry.scene_id: entry.generation for entry in app.store.ledger.iter_entries(plex_id(app))}


def actors(stage: Stage, scene: int) -> list[str]:
    return [tagging.tag.text for tagging in stage.shown(scene).tags["actor"]]


def rename(stage: Stage, performer: int, name: str) -> None:
    """Rename a performer, without a hook."""
    stash = stage.world.stash
    stash._edit_entity(stash.library.performers[performer], {"name": name})


def test_a_performer_of_500_scenes_is_one_question_and_all_arrive(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        ann = stage.world.stash.performer("Ann")
        async with stage.serving():
            await trio.sleep(5)
            stage.stash.sent.clear()
            rename(stage, ann, "Anna")
            for _ in range(20):
                stage.event(ann, kind="Performer.Update.Post", fields=["id", "name"])
            await stage.until(lambda: all("Anna" in actors(stage, scene) for scene in range(1, 501)), 120)
            assert questions(stage.stash, '"performers":{"value"') == 1
            assert len(stage.plex.edits_s()) == 500

    def before(stage: Stage) -> None:
        for scene in range(1, 501):
            stage.world.stash.update_scene(scene, performers=["Ann"])

    play(tmp_path, act, films=500, before=before)


def test_a_single_edit_goes_first_while_500_scenes_are_written(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        ann = stage.world.stash.performer("Ann")
        async with stage.serving():
            await trio.sleep(5)
            rename(stage, ann, "Anna")
            stage.event(ann, kind="Performer.Update.Post", fields=["name"])
            await trio.sleep(2)
            assert await stage_until_title(stage, 400) <= 3
            assert sum("Anna" in actors(stage, scene) for scene in range(1, 501)) < 500

    def before(stage: Stage) -> None:
        for scene in range(1, 501):
            stage.world.stash.update_scene(scene, performers=["Ann"])

    play(tmp_path, act, films=500, before=before)


async def stage_until_title(stage: Stage, scene: int) -> float:
    stage.change(scene, "Saved")
    return await stage.until(lambda: stage.title(scene) == "Saved", 30)


def test_a_bulk_edit_of_500_scenes_costs_little_more_than_a_request_for_each(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(5)
            stage.plex.sent.clear()
            for scene in range(1, 501):
                stage.world.stash.update_scene(scene, rating100=20)
                stage.event(scene)
            await stage.until(lambda: len(stage.plex.edits_s()) == 500, 120)
            await trio.sleep(150)
            assert len(stage.plex.edits_s()) == 500
            assert len(stage.plex.sent) <= 1.1 * 500

    play(tmp_path, act, films=500, poll_interval_s=60)


def test_twenty_edits_of_one_scene_in_a_minute_are_three_writes(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(5)
            for number in range(20):
                stage.change(1, f"Edit {number}")
                await trio.sleep(3)
            await stage.until(lambda: stage.title(1) == "Edit 19", 61)
            await trio.sleep(120)
            assert stage.title(1) == "Edit 19"
            assert len(stage.plex.edits_s()) <= 3
            assert states(app) == {"synced": 3}
            assert list(stage.spool.glob("*.json")) == []

    play(tmp_path, act, poll_interval_s=60)


def test_a_correction_a_few_seconds_later_arrives_within_seconds(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(5)
            assert await stage_until_title(stage, 1) <= 2
            await trio.sleep(2)
            stage.change(1, "Corrected")
            assert await stage.until(lambda: stage.title(1) == "Corrected", 10) <= 5

    play(tmp_path, act)


def test_an_edit_that_waits_survives_a_restart(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(5)
            await stage_until_title(stage, 1)
            stage.change(1, "Right before the end")
            await trio.sleep(1.5)
        assert len(list(stage.spool.glob("*.json"))) == 1
        async with stage.serving():
            await stage.until(lambda: stage.title(1) == "Right before the end", 10)

    play(tmp_path, act)


@pytest.mark.parametrize("fields", [["id", "organized"], ["ids", "gallery_ids"], ["id", "o_counter", "play_count"]])
def test_fields_that_plex_does_not_show_make_no_work(tmp_path: Path, fields: list[str]) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(5)
            before = generations(app)
            stage.event(1, fields=fields)
            stage.event(1, kind="Performer.Update.Post", fields=["id", "favorite"])
            stage.event(1, kind="Gallery.Update.Post")
            stage.event(1, kind="SceneMarker.Create.Post")
            stage.event(1, kind="Universe.Update.Post")
            await stage.until(lambda: not list(stage.spool.glob("*.json")), 5)
            assert generations(app) == before
            assert not (stage.spool / "aside").exists()

    play(tmp_path, act)


def test_the_two_names_of_a_group_count_once(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.world.stash.update_scene(2, groups=["Saga"])
        group = stage.world.stash.group("Saga")
        async with stage.serving() as app:
            await trio.sleep(5)
            before = generations(app)
            stage.event(group, kind="Group.Update.Post")
            stage.event(group, kind="Movie.Update.Post")
            await stage.until(lambda: not list(stage.spool.glob("*.json")), 5)
            assert generations(app) == before | {2: before[2] + 1}

    play(tmp_path, act)


def test_500_deleted_tags_are_one_look_at_everything(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(5)
            before = generations(app)
            for tag in range(500):
                stage.event(1_000 + tag, kind="Tag.Destroy.Post", fields=[])
                await trio.sleep(0.02)
            await stage.until(lambda: not list(stage.spool.glob("*.json")), 20)
            assert generations(app) == {scene: number + 1 for scene, number in before.items()}
            entry = entry_of(app, 1)
            assert entry.priority == Priority.BULK

    play(tmp_path, act)


def test_while_stash_is_down_errands_wait_and_scenes_are_folded(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.world.stash.update_scene(1, performers=["Ann"])
        ann = stage.world.stash.performer("Ann")
        async with stage.serving() as app:
            await trio.sleep(5)
            before = generations(app)
            stage.stash_is(up=False)
            for number in range(300):
                stage.event(5_000 + number, kind="Tag.Update.Post", fields=["name"])
            stage.event(ann, kind="Performer.Update.Post", fields=["name"])
            stage.event(2)
            await stage.until(lambda: generations(app)[2] > before[2], 3)
            await trio.sleep(100)
            assert len(list(stage.spool.glob("*.json"))) == 301
            assert generations(app)[1] == before[1]
            stage.stash_is(up=True)
            await stage.until(lambda: generations(app)[1] > before[1], 300)
            await stage.until(lambda: not list(stage.spool.glob("*.json")), 10)
            assert not stage.services[0].restarts

    play(tmp_path, act)


def test_errands_survive_a_restart(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.world.stash.update_scene(1, performers=["Ann"])
        ann = stage.world.stash.performer("Ann")
        async with stage.serving():
            await trio.sleep(5)
            stage.stash_is(up=False)
            stage.event(ann, kind="Performer.Update.Post", fields=["name"])
            await trio.sleep(30)
        stage.stash_is(up=True)
        rename(stage, ann, "Anna")
        async with stage.serving():
            await stage.until(lambda: "Anna" in actors(stage, 1), 300)

    play(tmp_path, act)


def test_a_deleted_scene_ends_quietly(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(5)
            title = stage.title(2)
            stage.world.stash.destroy_scene(2)
            stage.event(2, kind="Scene.Destroy.Post", fields=[])
            await trio.sleep(30)
            assert states(app) == {"synced": 3}
            assert stage.title(2) == title

    play(tmp_path, act)


# wishes


def test_everything_is_looked_at_on_demand(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(5)
            before = generations(app)
            wish(stage, "sync_all")
            await stage.until(lambda: all(generations(app)[scene] > before[scene] for scene in before), 5)

    play(tmp_path, act)


def test_the_recent_are_looked_at_on_demand(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(5)
            before = generations(app)
            stage.world.stash.update_scene(2, title="Unheard")
            wish(stage, "sync_recent", hours=1)
            await stage.until(lambda: stage.title(2) == "Unheard", 5)
            assert generations(app) == before | {2: before[2] + 1}

    play(tmp_path, act)


def test_the_missing_are_looked_at_on_demand(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        new = stage.world.stash.add_scene(title="Never heard of", files=[("/nowhere/new.mp4", 5, 60.0, "ff")])
        async with stage.serving() as app:
            await trio.sleep(5)
            before = generations(app)
            wish(stage, "sync_missing")
            await stage.until(lambda: new in generations(app), 5)
            assert generations(app) == before | {new: 1}

    play(tmp_path, act)


def test_one_scene_is_looked_at_on_demand_however_often(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(5)
            for number in range(4):
                stage.world.stash.update_scene(2, title=f"Now {number}")
                stage.drop(b'{"type": "Request.sync_scene", "id": 2, "at": "", "fields": [], "args": {}}')
                assert await stage.until(lambda n=number: stage.title(2) == f"Now {n}", 5) <= 3  # type: ignore[misc]

    play(tmp_path, act)


def test_a_rebuilt_index_reads_each_library_again(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(5)
            stage.plex.sent.clear()
            wish(stage, "rebuild_index")
            await stage.until(lambda: not list(stage.spool.glob("*.json")), 5)
            assert any("/all?" in request.url and request.method == "GET" for _, request in stage.plex.sent)

    play(tmp_path, act)


def test_pushing_everything_once_more_goes_over_what_people_changed_and_only_once(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        shown = stage.shown(1)
        title = str(shown.fields["title"])
        async with stage.serving() as app:
            await trio.sleep(5)
            shown.fields["title"] = "A person's"
            stage.event(1)
            await trio.sleep(10)
            assert stage.title(1) == "A person's"
            wish(stage, "repush_all")
            await stage.until(lambda: stage.title(1) == title, 10)
            await trio.sleep(60)
            shown.fields["title"] = "A person's again"
            stage.event(1)
            await trio.sleep(10)
            assert stage.title(1) == "A person's again"
            assert states(app) == {"synced": 3}
            assert len(stage.plex.edits_s()) == 1

    play(tmp_path, act)


# bounds


def test_fifty_thousand_files_are_folded_in_small_steps(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        folder = stage.spool
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(20_000):
            body = b'{"type": "Scene.Update.Post", "id": %d, "at": "", "fields": []}' % (number % 5_000 + 1)
            (folder / f"{number:016d}-x.json").write_bytes(body)
        with stage.world.app() as app:
            target = await app.connect()
            gathering = app.gathering(target, app.crawler(target), Wakeup())
            steps = 0

            async def tick() -> None:
                nonlocal steps
                while True:
                    steps += 1
                    await trio.lowlevel.checkpoint()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(tick)
                await gathering.spooling.fold()
                nursery.cancel_scope.cancel()
            assert steps >= 20_000 / 200
            assert len(gathering.spooling._names) <= 5_000
            assert len(list(spool.iter_names(folder))) <= 5_000
            assert entry_of(app, 1).scene_id == SceneId(1)

    play(tmp_path, act)


@pytest.mark.parametrize("is_plex_up", [True, False])
def test_a_wish_that_cannot_be_granted_holds_nobody_up(tmp_path: Path, *, is_plex_up: bool) -> None:
    def mislead(request: Request) -> Request:
        is_listing = request.method == "GET" and "/all?" in request.url
        return replace(request, url=request.url.replace("/all?", "/none?")) if is_listing else request

    async def act(stage: Stage) -> None:
        stage.world.stash.update_scene(1, performers=["Ann"])
        ann = stage.world.stash.performer("Ann")
        async with stage.serving() as app:
            await trio.sleep(5)
            before = generations(app)
            stage.plex.bend = mislead
            stage.plex_is(up=is_plex_up)
            wish(stage, "rebuild_index")
            await trio.sleep(10)
            stage.event(ann, kind="Performer.Update.Post", fields=["name"])
            await stage.until(lambda: generations(app)[1] > before[1], 20)

    play(tmp_path, act)
