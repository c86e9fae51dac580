"""`stashplex import-stash2plex` as a person runs it: the real command, a real store, a simulated Plex on a socket."""

import json
import stat
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner, Result

from peers import Peer, a_job
from stashplex.app import Store, open_store
from stashplex.cli.main import main
from stashplex.domain.entry import Entry, State
from stashplex.domain.scene import SceneId
from stashplex.sim.serve import listen, serving
from worlds import World, a_world

SECRET = "S3cretToken-0123"


@dataclass
class Desk:
    """Where the command is typed: its environment, the peer's folder, our data folder."""

    peer: Peer
    world: World
    data_dir: Path
    environment: dict[str, str | None]

    def run(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["import-stash2plex", *arguments], env=self.environment)
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    def take(self, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.run(str(self.peer.data), "--json", *arguments, code=code).stdout)

    def entries(self) -> dict[int, Entry]:
        with open_store(self.data_dir) as store:
            return {int(entry.scene_id): entry for entry in _entries(store)}


def _entries(store: Store) -> list[Entry]:
    return [entry for known in store.overview.list_plex() for entry in store.ledger.iter_entries(known.id)]


@pytest.fixture
def desk(peer: Peer, tmp_path: Path) -> Iterator[Desk]:
    world = a_world(tmp_path, 3, posters=False)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving(world.plex.app)) as url:
        data_dir = tmp_path / "ours"
        environment: dict[str, str | None] = {
            "STASHPLEX_PLEX_URL": url,
            "STASHPLEX_PLEX_TOKEN": world.plex.token,
            "STASHPLEX_DATA_DIR": str(data_dir),
            "STASHPLEX_CONFIG": None,
            "XDG_CONFIG_HOME": str(tmp_path / "none"),
        }
        yield Desk(peer, world, data_dir, environment)


@pytest.fixture
def full(desk: Desk) -> Desk:
    """Three waiting jobs, one of them taken and one failed; two finished; three dead letters; four known scenes."""
    peer = desk.peer
    peer.put(a_job(1), a_job(2), a_job(3), a_job(4), a_job(5, retry_count=2, last_error_type="PlexNotFound"))
    with peer.queue() as queue:
        jobs = [queue.get(block=False) for _ in range(3)]
        queue.ack(jobs[0])
        queue.ack_failed(jobs[1])
    peer.bury(10, "PlexServerDown", "Plex server is down")
    peer.bury(11, "PlexPermanentError", "Bad request to Plex: (400)")
    peer.bury(3, "KeyError", "'x'")
    peer.write("sync_timestamps.json", {"1": 1_741_000_000.0, "3": 1.0, "20": 2.0, "21": 3.0})
    peer.write("circuit_breaker.json", {})
    return desk


def test_everything_is_taken_over_and_counted(full: Desk) -> None:
    report = full.take()
    assert report["found"] == {
        "waiting_jobs": 3,
        "taken_jobs": 1,
        "finished_jobs": 2,
        "dead_letters": 3,
        "synced_scenes": 4,
        "refused_rows": 0,
    }
    assert report["scenes"] == {"waiting": 3, "retried": 1, "dead": 1, "compared": 3}
    assert (report["adopted"], report["already_known"], report["is_dry_run"]) == (8, 0, False)
    assert report["left_behind"] == ["circuit_breaker.json"]
    entries = full.entries()
    assert sorted(entries) == [1, 3, 4, 5, 10, 11, 20, 21]
    assert [scene for scene, entry in entries.items() if entry.state is State.DEAD] == [11]
    assert (entries[5].retry_count, entries[5].last_error_type) == (2, "PlexNotFound")
    assert (entries[11].last_error_type, entries[11].last_error) == ("PlexPermanentError", "Bad request to Plex: (400)")


def test_the_story_is_in_the_journal(full: Desk) -> None:
    full.take()
    with open_store(full.data_dir) as store:
        (known,) = store.overview.list_plex()
        stories = {
            scene: [row.detail for row in store.journal.list_for_scene(known.id, SceneId(scene))]
            for scene in (4, 10, 11)
        }
    assert stories[4] == []
    assert stories[10] == ["Stash2Plex gave up after 0 retries: PlexServerDown: Plex server is down"]
    assert stories[11] == ["Stash2Plex gave up after 0 retries: PlexPermanentError: Bad request to Plex: (400)"]


def test_twice_is_once(full: Desk) -> None:
    full.take()
    first = full.entries()
    again = full.take()
    assert (again["adopted"], again["already_known"]) == (0, 8)
    assert full.entries() == first
    with open_store(full.data_dir) as store:
        (known,) = store.overview.list_plex()
        assert len(store.journal.list_for_scene(known.id, SceneId(11))) == 1


def test_an_entry_that_is_known_here_is_left_alone(full: Desk) -> None:
    full.take()
    full.peer.bury(4, "PlexPermanentError", "later")
    full.peer.put(a_job(11), a_job(99))
    before = full.entries()
    assert full.take()["adopted"] == 1
    after = full.entries()
    assert after.pop(99).state is State.PENDING
    assert after == before


def test_the_source_is_left_byte_by_byte(full: Desk) -> None:
    with full.peer.queue() as queue:
        queue.put(a_job(50))
        before = full.peer.digest()
        assert {"queue/data.db", "queue/data.db-wal", "queue/data.db-shm"} <= before.keys()
        full.take()
        full.take("--dry-run")
        assert full.peer.digest() == before
        assert 50 in full.entries()


def test_a_dry_run_asks_nobody_and_writes_nothing(full: Desk) -> None:
    full.world.plex.forget_requests()
    full.environment |= {"STASHPLEX_PLEX_TOKEN": None, "STASHPLEX_PLEX_URL": None}
    report = full.take("--dry-run")
    assert report["scenes"] == {"waiting": 3, "retried": 1, "dead": 1, "compared": 3}
    assert (report["adopted"], report["is_dry_run"]) == (None, True)
    assert not full.data_dir.exists()


def test_without_plex_nothing_is_taken_over(full: Desk) -> None:
    with closing(listen(0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    config_file = full.data_dir.parent / "new.toml"
    full.peer.write("config.json", {"plex_url": url})
    full.environment["STASHPLEX_PLEX_URL"] = url
    result = full.run(str(full.peer.data), "--write-config", str(config_file), code=3)
    assert "hint:" in result.stderr
    assert full.entries() == {}
    assert not config_file.exists()


def test_a_refused_row_is_named_and_the_rest_is_taken(full: Desk) -> None:
    full.peer.put_raw(b"\x80\x04cposix\nsystem\n\x8c\x02id\x85R.")
    report = full.take(code=1)
    (row,) = report["refused"]
    assert row == {
        "table": "queue/data.db: ack_queue_default",
        "row": "6",
        "reason": "the pickle asks for posix.system, which is not plain data",
    }
    assert len(full.entries()) == 8
    result = full.run(str(full.peer.data), code=1)
    assert "queue/data.db: ack_queue_default, row 6: the pickle asks for posix.system" in result.stdout


@pytest.mark.parametrize("make", ["missing", "empty", "damaged"])
def test_a_wrong_folder_is_a_clear_message(desk: Desk, tmp_path: Path, make: str) -> None:
    folder = tmp_path / "wrong"
    if make != "missing":
        folder.mkdir()
    if make == "damaged":
        (folder / "dlq.db").write_bytes(b"x" * 5_000)
    result = desk.run(str(folder), code=2)
    assert str(folder) in result.stderr
    assert "hint:" in result.stderr
    assert not desk.data_dir.exists()


def test_settings_are_shown_without_secrets(full: Desk, logged: Any) -> None:
    full.peer.write("config.json", {"plex_url": "http://x:1", "plex_token": SECRET, "sync_tags": True})
    for arguments in ([], ["--dry-run"], ["--json"], ["--json", "--dry-run"], ["--verbose"]):
        result = full.run(str(full.peer.data), *arguments)
        assert SECRET not in result.output + result.stderr + logged.getvalue()
        assert "plex_url" in result.stdout
        assert "plex_token is not shown" in result.stdout
        assert "sync_tags" in result.stdout


def test_settings_are_written_for_their_owner_alone_and_used(full: Desk, tmp_path: Path) -> None:
    url, token = full.environment["STASHPLEX_PLEX_URL"], full.environment["STASHPLEX_PLEX_TOKEN"]
    full.environment |= {"STASHPLEX_PLEX_URL": None, "STASHPLEX_PLEX_TOKEN": None}
    full.peer.write("config.json", {"plex_url": url, "plex_token": token})
    config_file = tmp_path / "new.toml"
    result = full.run(str(full.peer.data), "--write-config", str(config_file))
    assert str(token) not in result.output + result.stderr
    assert stat.S_IMODE(config_file.stat().st_mode) == 0o600
    assert tomllib.loads(config_file.read_text()) == {"plex_url": url, "plex_token": token}
    assert len(full.entries()) == 8


def test_a_settings_file_is_never_overwritten(full: Desk, tmp_path: Path) -> None:
    full.peer.write("config.json", {"plex_url": "http://x:1"})
    config_file = tmp_path / "mine.toml"
    config_file.write_text("# mine\n")
    result = full.run(str(full.peer.data), "--write-config", str(config_file), code=2)
    assert "exists already" in result.stderr
    assert config_file.read_text() == "# mine\n"
    assert not full.data_dir.exists()


def test_without_settings_there_is_no_file_to_write(full: Desk, tmp_path: Path) -> None:
    result = full.run(str(full.peer.data), "--write-config", str(tmp_path / "new.toml"), code=2)
    assert "Stash keeps the plugin's settings itself" in result.stderr
    assert not (tmp_path / "new.toml").exists()


def test_a_dry_run_writes_no_settings(full: Desk, tmp_path: Path) -> None:
    full.run(str(full.peer.data), "--dry-run", "--write-config", str(tmp_path / "new.toml"), code=2)
    assert not (tmp_path / "new.toml").exists()


def test_many_rows_are_taken_over_in_chunks(desk: Desk) -> None:
    desk.peer.write("sync_timestamps.json", {str(scene): 1.0 for scene in range(1, 12_001)})
    desk.peer.bury(11_999)
    report = desk.take()
    assert report["adopted"] == 12_000
    assert desk.take()["adopted"] == 0


def test_the_text_says_what_was_done(full: Desk) -> None:
    text = full.run(str(full.peer.data)).stdout
    for line in ("3  jobs that wait, 1 of them taken", "1  need a person", "Taken over: 8; already known here: 0"):
        assert line in text
