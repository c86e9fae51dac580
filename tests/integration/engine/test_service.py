"""The service on virtual time, all servers well: events, missing files, the spool, crashing parts, quiet hours."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import trio

from ledgers import retry
from stage import Stage, entry_of, play, plex_id, statements_of, states
from stashplex.app import App, open_store
from stashplex.base.transport import Request
from stashplex.domain.entry import State
from stashplex.domain.scene import SceneId
from stashplex.sim.content.catalogue import Catalogue
from stashplex.store.ledger import Settlement


def test_an_event_reaches_plex_within_seconds(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(5)
            stage.change(2, "Another")
            assert await stage.until(lambda: stage.title(2) == "Another", 5) <= 3

    play(tmp_path, act)


def test_events_that_waited_for_the_service_are_folded_at_its_start(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.change(2, "Another")
        async with stage.serving():
            await stage.until(lambda: stage.title(2) == "Another", 5)
            assert list(stage.spool.glob("*.json")) == []

    play(tmp_path, act)


def test_until_idle_ends_when_everything_is_done(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.change(2, "Another")
        with stage.world.app() as app, trio.fail_after(60):
            await app.service().run(is_until_idle=True)
        assert stage.title(2) == "Another"

    play(tmp_path, act)


def test_ten_thousand_events_on_one_scene_are_at_most_three_write_rounds(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(5)
            for number in range(10_000):
                if number % 2_000 == 0:
                    await trio.sleep(0.3)
                    stage.world.stash.update_scene(1, title=f"Title {number}")
                stage.event(1)
            stage.world.stash.update_scene(1, title="The last")
            stage.event(1)
            await stage.until(lambda: stage.title(1) == "The last", 10)
            await trio.sleep(10)
        assert 1 <= len(stage.plex.edits_s()) <= 3

    play(tmp_path, act)


GARBAGE = {
    "no json": b"\xff\xfe\x00garbage",
    "empty": b"",
    "a list": b"[1]",
    "no id": b'{"type": "Scene.Update.Post"}',
    "id is text": b'{"type": "Scene.Update.Post", "id": "5"}',
    "id is zero": b'{"type": "Scene.Update.Post", "id": 0}',
    "id is negative": b'{"type": "Scene.Update.Post", "id": -1}',
    "id beyond 64 bits": b'{"type": "Scene.Update.Post", "id": 9223372036854775808}',
    "id beyond everything": b'{"type": "Scene.Update.Post", "id": 1' + b"0" * 400 + b"}",
    "id is a fraction": b'{"type": "Scene.Update.Post", "id": 1.5}',
    "id is infinite": b'{"type": "Scene.Update.Post", "id": 1e999}',
    "deep": b"[" * 60_000,
    "deep in a field": b'{"type": "Scene.Update.Post", "id": 1, "fields": ' + b"[" * 60_000,
    "truncated": b'{"type": "Scene.Update.Post", "id": 1, "fi',
    "5 MB of base64": b'{"type": "Scene.Update.Post", "id": 1, "cover": "' + b"QUJD" * 1_300_000 + b'"}',
    "no trigger": b'{"type": "Gallery", "id": 1}',
    "an unknown wish": b'{"type": "Request.world_peace", "id": 0}',
    "a wish without its hours": b'{"type": "Request.sync_recent", "id": 0, "args": {}}',
    "a wish for no time": b'{"type": "Request.sync_recent", "id": 0, "args": {"hours": -1}}',
    "a null byte in its type": b'{"type": "Gal\\u0000lery", "id": 1}',
    "a lone surrogate in its type": b'{"type": "\\ud800", "id": 1}',
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_in_the_spool_is_set_aside_and_holds_nobody_up(tmp_path: Path, name: str) -> None:
    async def act(stage: Stage) -> None:
        stage.drop(GARBAGE[name])
        stage.change(2, "Another")
        async with stage.serving():
            await stage.until(lambda: stage.title(2) == "Another", 10)
            await stage.until(lambda: not list(stage.spool.glob("*.json")), 10)
            assert not stage.services[0].restarts
        kept = [path for path in (stage.spool / "aside").iterdir() if path.suffix == ".json"]
        assert [path.read_bytes() for path in kept] == [GARBAGE[name]]
        reasons = [path.read_text(encoding="utf-8") for path in (stage.spool / "aside").glob("*.reason")]
        assert len(reasons) == 1
        assert reasons[0].strip()

    play(tmp_path, act)


def test_foreign_things_in_the_spool_are_left_or_set_aside(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.spool.mkdir()
        (stage.spool / "README.txt").write_text("not ours", encoding="utf-8")
        (stage.spool / ".being-written.json").write_text("{", encoding="utf-8")
        (stage.spool / "a-folder.json").mkdir()
        (stage.spool / "dangling.json").symlink_to(stage.spool / "nowhere")
        stage.change(2, "Another")
        with stage.world.app() as app, trio.fail_after(60):
            await app.service().run(is_until_idle=True)
        assert stage.title(2) == "Another"
        assert {path.name for path in stage.spool.iterdir()} == {"README.txt", ".being-written.json", "aside"}

    play(tmp_path, act)


def test_a_spool_that_cannot_set_aside_still_folds_the_others(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.drop(b"garbage")
        (stage.spool / "aside").write_text("in the way", encoding="utf-8")
        stage.change(2, "Another")
        async with stage.serving():
            await stage.until(lambda: stage.title(2) == "Another", 10)

    play(tmp_path, act)


def test_a_destroyed_scene_costs_nothing(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.world.stash.destroy_scene(2)
        stage.event(2, kind="Scene.Destroy.Post")
        async with stage.serving() as app:
            await trio.sleep(10)
            assert states(app) == {"synced": 3}
        assert stage.plex.edits_s() == []

    play(tmp_path, act)


# files that Plex does not have


def miss(stage: Stage, scene: int) -> None:
    """Take a file from Plex and its disk."""
    stage.world.plex.remove_item(stage.world.item_of(Catalogue().film(scene)))


def appear(stage: Stage, scene: int) -> None:
    """Put a file where Plex's scans find it."""
    film = Catalogue().film(scene)
    stage.world.plex.put_file(film.plex_path, film.size, 1000)


def scans(stage: Stage) -> list[str]:
    return [request.url for _, request in stage.plex.sent if "/refresh" in request.url]


def test_a_missing_file_is_asked_for_once_per_folder_and_window(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        for scene in (1, 2):
            miss(stage, scene)
            stage.change(scene, "Another")
        folders = {Catalogue().film(scene).plex_path.rpartition("/")[0] for scene in (1, 2)}
        async with stage.serving() as app:
            await trio.sleep(300)
            assert len(scans(stage)) == len(set(scans(stage))) == len(folders)
            assert states(app)["pending"] == 2

    play(tmp_path, act, films=6)


def test_no_scan_is_asked_for_where_that_is_not_wanted(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        miss(stage, 1)
        stage.event(1)
        async with stage.serving():
            await trio.sleep(120)
        assert scans(stage) == []

    play(tmp_path, act, scan_on_not_found=False)


def test_a_file_that_appears_is_synced_within_two_minutes(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        miss(stage, 1)
        stage.change(1, "Another")
        async with stage.serving() as app:
            await trio.sleep(3_000)
            film = Catalogue().film(1)
            stage.world.plex.add_item(stage.world.section, files=[(film.plex_path, film.size, 1000)], title="x")
            assert await stage.until(lambda: stage.title(1) == "Another", 120) <= 90
            await trio.sleep(5)
            assert entry_of(app, 1).state is State.SYNCED

    play(tmp_path, act)


def test_the_scan_that_was_asked_for_is_what_makes_it_appear(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        miss(stage, 1)
        stage.change(1, "Another")
        appear(stage, 1)
        async with stage.serving() as app:
            await stage.until(lambda: entry_of(app, 1).state is State.SYNCED and entry_of(app, 1).generation > 1, 180)
        assert stage.title(1) == "Another"

    play(tmp_path, act)


def test_a_dead_one_revives_by_itself_when_its_file_appears(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        miss(stage, 1)
        stage.change(1, "Another")
        async with stage.serving() as app:
            await stage.until(lambda: states(app)["dead"] == 1, 3 * 3_600)
            assert entry_of(app, 1).retry_count == 12
            film = Catalogue().film(1)
            stage.world.plex.add_item(stage.world.section, files=[(film.plex_path, film.size, 1000)], title="x")
            await stage.until(lambda: stage.title(1) == "Another", 120)
            await trio.sleep(5)
            assert states(app) == {"synced": 3}

    play(tmp_path, act)


def test_a_deliberate_subset_settles_what_is_missing(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        miss(stage, 1)
        stage.change(1, "Another")
        async with stage.serving() as app:
            await trio.sleep(60)
            assert states(app) == {"synced": 3}
        assert scans(stage) == []

    play(tmp_path, act, skip_not_found=True)


def test_a_deliberate_subset_never_swallows_a_timeout(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(5)
            stage.plex_is(up=False)
            stage.change(1, "Another")
            await trio.sleep(60)
            assert states(app)["pending"] == 1
            stage.plex_is(up=True)
            await stage.until(lambda: stage.title(1) == "Another", 60)

    play(tmp_path, act, skip_not_found=True)


# partial edits


def without(prefix: str) -> Callable[[Request], Request]:
    """Return a Plex that ignores a parameter."""

    def bend(request: Request) -> Request:
        parts = urlsplit(request.url)
        pairs = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not pair[0].startswith(prefix)]
        return (
            request
            if request.method != "PUT"
            else replace(request, url=parts._replace(query=urlencode(pairs)).geturl())
        )

    return bend


def test_a_partly_taken_edit_is_told_and_retried(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.plex.bend = without("genre")
        stage.world.stash.update_scene(1, title="Another", tags=["New"])
        stage.event(1)
        async with stage.serving() as app:
            await stage.until(lambda: entry_of(app, 1).retry_count == 1, 10)
            entry = entry_of(app, 1)
            assert (stage.title(1), entry.state, entry.last_error_type) == ("Another", State.PENDING, "WriteNotTaken")
            assert "genre" in (entry.last_error or "")
            events = [row.event for row in app.store.journal.list_for_scene(plex_id(app), SceneId(1))]
            assert "entry_partly_synced" in events
            stage.plex.bend = lambda request: request
            await stage.until(lambda: entry_of(app, 1).state is State.SYNCED, 30)
            assert [tagging.tag.text for tagging in stage.shown(1).tags["genre"]] == ["New"]

    play(tmp_path, act)


def test_an_edit_that_is_never_fully_taken_ends_with_a_person(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        stage.plex.bend = without("genre")
        stage.world.stash.update_scene(1, title="Another", tags=["New"])
        stage.event(1)
        async with stage.serving() as app:
            await stage.until(lambda: states(app)["dead"] == 1, 600)
        assert len(stage.plex.edits_s()) == 6

    play(tmp_path, act)


# parts that crash, processes side by side


def test_a_part_that_crashes_is_started_again_and_the_others_go_on(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(5)
            stage.spool.rmdir() if stage.spool.exists() else None
            stage.spool.write_text("no folder any more", encoding="utf-8")
            await trio.sleep(300)
            (service,) = stage.services
            assert 5 <= service.restarts["spool"] <= 20
            stage.spool.unlink()
            stage.change(2, "Another")
            await stage.until(lambda: stage.title(2) == "Another", 70)
            assert set(service.restarts) == {"spool"}

    play(tmp_path, act)


def test_a_bug_in_the_scheduler_does_not_end_the_service(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(5)
            stage.world.settings["broken"] = True
            stage.stash.crash = stage.plex.crash = ZeroDivisionError("a bug of ours")
            stage.change(2, "Another")
            await trio.sleep(20)
            stage.stash.crash = stage.plex.crash = None
            await stage.until(lambda: stage.title(2) == "Another", 120)

    play(tmp_path, act)


def test_two_services_on_one_store_never_work_on_one_entry_at_once(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as first, stage.serving():
            await trio.sleep(5)
            for scene in range(1, 61):
                stage.change(scene, f"New {scene}")
            await stage.until(lambda: all(stage.title(scene) == f"New {scene}" for scene in range(1, 61)), 120)
            await trio.sleep(10)
            assert states(first) == {"synced": 60}
        assert len(stage.plex.edits_s()) == 60
        assert len({request.url for _, request in stage.plex.sent if request.method == "PUT"}) == 60

    play(tmp_path, act, films=60, batch_size=7, latency_s=0.2)


def test_what_another_process_marks_is_worked_on_within_seconds(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(90)
            stage.world.stash.update_scene(2, title="Another")
            with open_store(stage.world.data_dir) as store:
                store.ledger.mark(plex_id(app), [SceneId(2)], now=stage.clock.now())
                assert await stage.until(lambda: stage.title(2) == "Another", 10) <= 4

    play(tmp_path, act)


def test_what_a_dead_process_held_is_taken_up_by_one_at_work(tmp_path: Path) -> None:
    """The survivor works for minutes without a pause; the other one dies meanwhile."""

    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(5)
            stage.stash.latency_s = 1.0
            now = stage.clock.now()
            with open_store(stage.world.data_dir) as store:
                with store.owners.enrolled(now) as owner:
                    store.ledger.mark(plex_id(app), [SceneId(1)], now=now)
                    until = now + timedelta(minutes=10)
                    store.ledger.lease(plex_id(app), owner=owner, token="theirs", limit=1, now=now, until=until)
                    for scene in range(2, 61):
                        stage.change(scene, f"New {scene}")
                    await trio.sleep(6)
                await stage.until(lambda: entry_of(app, 1).state is State.SYNCED, 20)
                assert states(app)["pending"] > 10, "the survivor was not done when it took it up"

    play(tmp_path, act, films=60, batch_size=1)


# quiet hours


def test_an_idle_service_reads_the_ledger_twice_a_minute_and_asks_no_server(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving() as app:
            await trio.sleep(100)
            for line in (stage.stash, stage.plex):
                line.sent.clear()
            with statements_of(app) as seen:
                await trio.sleep(3_000)
            reads = [statement for statement in seen if "FROM entry" in statement]
            assert len(reads) <= 2 * 50, reads
            assert stage.stash.sent + stage.plex.sent == []

    play(tmp_path, act)


@pytest.mark.parametrize("error_type", ["PlexNotFound", "WriteNotTaken"])
def test_a_fully_waiting_ledger_is_quiet(tmp_path: Path, error_type: str) -> None:
    async def act(stage: Stage) -> None:
        with stage.world.app() as app:
            hide(stage, app, 5_000, error_type)
        async with stage.serving() as app:
            await trio.sleep(100)
            for line in (stage.stash, stage.plex):
                line.sent.clear()
            with statements_of(app) as seen:
                await trio.sleep(1_200)
            reads = [statement for statement in seen if "FROM entry" in statement]
            minutes = 20
            assert stage.stash.sent == []
            assert {request.url.partition("?")[0].rpartition("/")[2] for _, request in stage.plex.sent} <= {"sections"}
            if error_type == "PlexNotFound":
                assert len(stage.plex.sent) <= minutes + 1
            else:
                assert stage.plex.sent == []
            assert len(reads) <= 2 * minutes, reads[:10]

    play(tmp_path, act, retry_cap_s=3_600, not_found_cap_s=3_600)


def hide(stage: Stage, app: App, scenes: int, error_type: str) -> None:
    """Let scenes wait for fifty minutes."""
    ledger, known, now = app.store.ledger, plex_id(app), stage.clock.now()
    ledger.mark(known, map(SceneId, range(100_000, 100_000 + scenes)), now=now)
    until = now + timedelta(hours=1)
    while leased := ledger.lease(known, owner="t", token="t", limit=500, now=now, until=until):
        far = retry(now + timedelta(minutes=50), 1, error_type)
        ledger.settle("t", [Settlement(one.entry.id, one.entry.generation, far) for one in leased], now)


def test_a_ready_entry_behind_ten_thousand_waiting_ones_starts_within_one_pass(tmp_path: Path) -> None:
    async def act(stage: Stage) -> None:
        with stage.world.app() as app:
            hide(stage, app, 10_000, "WriteNotTaken")
        async with stage.serving() as app:
            await trio.sleep(30)
            stage.change(2, "Another")
            with statements_of(app) as seen:
                assert await stage.until(lambda: stage.title(2) == "Another", 10) <= 3
            assert len([statement for statement in seen if statement.startswith("UPDATE entry SET state")]) <= 3

    play(tmp_path, act, retry_cap_s=3_600, not_found_cap_s=3_600)
