"""What is read of an installation: real queues, its dead letters, its files; and what is refused."""

import os
import pickle
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from peers import Peer, a_job
from stashplex.base.errors import ConfigError, StoreError
from stashplex.store import pickles, stash2plex


class Hostile:
    """A pickle of it leaves a marker when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> object:
        return os.system, (f"touch {self.marker}",)


def scenes(found: stash2plex.Installation) -> list[int]:
    return [int(job.scene_id) for job in found.jobs]


def refused(found: stash2plex.Installation) -> list[tuple[str, str]]:
    return [(row.table, row.row) for row in found.refused]


def test_waiting_and_taken_jobs_are_read_and_finished_ones_counted(peer: Peer) -> None:
    peer.put(*(a_job(scene) for scene in (1, 2, 3, 4, 5)))
    with peer.queue() as queue:
        jobs = [queue.get(block=False) for _ in range(4)]
        queue.ack(jobs[0])
        queue.ack_failed(jobs[1])
        queue.nack(jobs[2])
        found = stash2plex.read(peer.data)  # job 4 is taken, 5 was never touched
    assert [(int(job.scene_id), job.is_taken) for job in found.jobs] == [(3, False), (4, True), (5, False)]
    assert found.finished == 2
    assert found.refused == []


def test_jobs_that_a_second_instance_resumed_are_read(peer: Peer) -> None:
    peer.put(a_job(1), a_job(2))
    with peer.queue() as queue:
        queue.get(block=False)
    with peer.queue(auto_resume=True):
        pass
    assert [job.is_taken for job in stash2plex.read(peer.data).jobs] == [False, False]


def test_retry_metadata_is_read(peer: Peer) -> None:
    peer.put(a_job(7, retry_count=4, next_retry_at=1_741_000_100.25, last_error_type="PlexNotFound"))
    (job,) = stash2plex.read(peer.data).jobs
    assert (job.retry_count, job.last_error_type) == (4, "PlexNotFound")
    assert job.next_retry_at == datetime.fromtimestamp(1_741_000_100.25, UTC)
    assert job.stored_at is not None


@pytest.mark.parametrize("wrong", [-1, True, "3", None, 2.5, []])
@pytest.mark.parametrize("when", [0, -5, 1e300, float("inf"), float("nan"), "soon", None])
def test_absurd_retry_metadata_is_as_good_as_none(peer: Peer, wrong: object, when: object) -> None:
    peer.put(a_job("7", retry_count=wrong, next_retry_at=when, last_error_type=wrong if wrong != "3" else 3))
    (job,) = stash2plex.read(peer.data).jobs
    assert (int(job.scene_id), job.retry_count, job.next_retry_at, job.last_error_type) == (7, 0, None, None)


def test_an_open_queue_is_read_with_what_is_only_in_its_log(peer: Peer) -> None:
    with peer.queue() as queue:
        queue.put(a_job(1))
        assert (peer.data / "queue/data.db-wal").stat().st_size > 0
        before = peer.digest()
        assert scenes(stash2plex.read(peer.data)) == [1]
        assert peer.digest() == before


def test_a_log_that_a_killed_process_left_is_read_and_left(peer: Peer, tmp_path: Path) -> None:
    with peer.queue() as queue:
        queue.put(a_job(1))
        shutil.copytree(peer.data, tmp_path / "killed")
    killed = Peer(tmp_path / "killed")
    (killed.data / "queue/data.db-shm").unlink()
    before = killed.digest()
    assert "queue/data.db-wal" in before
    assert scenes(stash2plex.read(killed.data)) == [1]
    assert killed.digest() == before


def test_a_folder_without_write_access_is_read(peer: Peer) -> None:
    peer.put(a_job(1))
    peer.bury(2)
    folder = peer.data / "queue"
    folder.chmod(0o500)
    try:
        assert scenes(stash2plex.read(peer.data)) == [1]
    finally:
        folder.chmod(0o700)


def test_a_hostile_row_is_named_and_the_others_are_read(peer: Peer, tmp_path: Path) -> None:
    marker = tmp_path / "made"
    peer.put(a_job(1), a_job(2, data={"title": {"deep": Hostile(marker)}}), a_job(3))
    peer.bury(4, raw=pickle.dumps(a_job(4, data=Hostile(marker))))
    peer.bury(5)
    found = stash2plex.read(peer.data)
    assert scenes(found) == [1, 3]
    assert [int(letter.scene_id) for letter in found.dead_letters] == [5]
    assert refused(found) == [("queue/data.db: ack_queue_default", "2"), ("dlq.db: dead_letters", "1")]
    assert all("asks for posix.system" in row.reason for row in found.refused)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (pickle.dumps({"scene_id": 1, "data": "a" * 50_000_000}), "the limit is"),
        (b"\x80\x04" + b"]" * 20_000 + b"a" * 19_999 + b".", "levels deep"),
        (pickle.dumps([1, 2]), "not a job"),
        (pickle.dumps({"data": {}}), "names no scene"),
        (pickle.dumps(a_job(0)), "names no scene"),
        (pickle.dumps(a_job(True)), "names no scene"),
        (pickle.dumps(a_job(2**63)), "names no scene"),
        (pickle.dumps(a_job("9" * 5_000)), "names no scene"),
        ("text", "no pickle"),
        (None, "no pickle"),
        (b"", "cut off"),
        (17, "no pickle"),
    ],
)
def test_a_row_that_is_no_job_is_refused_with_a_reason(peer: Peer, raw: object, reason: str) -> None:
    peer.put_raw(raw)
    peer.put(a_job(2))
    found = stash2plex.read(peer.data)
    assert scenes(found) == [2]
    (row,) = found.refused
    assert row.row == "1"
    assert reason in row.reason


def test_rows_of_an_unknown_status_are_refused(peer: Peer) -> None:
    for status in (None, 3, -1):
        peer.put_raw(pickle.dumps(a_job(1)), status)
    assert len(stash2plex.read(peer.data).refused) == 3


def test_the_limit_of_a_pickle_is_that_of_the_reader(peer: Peer) -> None:
    fits = pickle.dumps({"scene_id": 1, "data": "a" * (pickles.MAX_BYTES - 100)})
    peer.put_raw(fits)
    peer.put_raw(fits + b"." * (pickles.MAX_BYTES - len(fits) + 1))
    found = stash2plex.read(peer.data)
    assert (scenes(found), len(found.refused)) == ([1], 1)


def test_dead_letters_are_read_as_they_were(peer: Peer) -> None:
    peer.bury(9, "PlexPermanentError", "Bad request", retry_count=2, failed_at="2025-03-03 10:00:01")
    peer.bury(None, None, None, failed_at=None, raw=pickle.dumps(a_job(10)))
    first, second = stash2plex.read(peer.data).dead_letters
    assert (int(first.scene_id), first.error_type, first.message, first.retry_count) == (
        9,
        "PlexPermanentError",
        "Bad request",
        2,
    )
    assert first.failed_at == datetime(2025, 3, 3, 10, 0, 1, tzinfo=UTC)
    assert (int(second.scene_id), second.error_type, second.message, second.failed_at) == (10, "", "", None)


def test_a_message_of_any_bytes_is_read(peer: Peer) -> None:
    peer.bury(9, message="x" * 100_000)
    peer.execute("dlq.db", "UPDATE dead_letters SET error_type = CAST(x'ff41' AS TEXT)")
    (letter,) = stash2plex.read(peer.data).dead_letters
    assert letter.error_type == "\ufffdA"
    assert len(letter.message) == stash2plex.MAX_TEXT_CHARS


def test_sync_timestamps_are_read_and_wrong_ones_named(peer: Peer) -> None:
    peer.write("sync_timestamps.json", {"1": 1_741_000_000.5, "2": 1_741_000_001, "x": 1.0, "3": "soon", "4": 1e300})
    found = stash2plex.read(peer.data)
    assert sorted(map(int, found.synced_at)) == [1, 2]
    assert [row.row for row in found.refused] == ["x", "3", "4"]


def test_the_folder_of_the_plugin_is_as_good(peer: Peer) -> None:
    peer.put(a_job(1))
    (peer.data.parent / "config.json").write_text('{"plex_url": "http://plex:32400"}', encoding="utf-8")
    found = stash2plex.read(peer.data.parent)
    assert (found.directory, scenes(found)) == (peer.data, [1])
    assert found.settings == {"plex_url": "http://plex:32400"}


def test_any_part_may_be_missing(peer: Peer) -> None:
    peer.write("sync_timestamps.json", {})
    found = stash2plex.read(peer.data)
    assert (found.jobs, found.dead_letters, found.synced_at, found.refused) == ([], [], {}, [])


def test_an_empty_database_holds_nothing(peer: Peer) -> None:
    peer.write("dlq.db", "")
    assert stash2plex.read(peer.data).dead_letters == []


@pytest.mark.parametrize("make", [None, "folder", "file", "settings"])
def test_another_folder_is_refused(tmp_path: Path, make: str | None) -> None:
    folder = tmp_path / "other"
    if make == "file":
        folder.write_text("x")
    elif make:
        folder.mkdir()
    if make == "settings":
        (folder / "config.json").write_text("{}")
    with pytest.raises(ConfigError) as caught:
        stash2plex.read(folder)
    assert str(folder) in str(caught.value)
    assert caught.value.hint


def damage(path: Path, kind: str) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        if kind == "truncated":
            file.truncate(size // 2 // 4096 * 4096 + 100)
        elif kind == "overwritten":
            file.seek(4096)
            file.write(b"\xaa" * (size - 4096))
        else:
            file.truncate(0)
            file.write(b"this is no database at all" * 100)


@pytest.mark.parametrize("kind", ["truncated", "overwritten", "replaced"])
@pytest.mark.parametrize("name", ["queue/data.db", "dlq.db"])
def test_a_damaged_database_is_refused_and_left(peer: Peer, name: str, kind: str) -> None:
    peer.put(*(a_job(scene, data={"title": "x" * 3_000}) for scene in range(1, 40)))
    for scene in range(1, 40):
        peer.bury(scene, message="x" * 3_000)
    damage(peer.data / name, kind)
    before = peer.digest()
    with pytest.raises(StoreError, match="damaged") as caught:
        stash2plex.read(peer.data)
    assert name in str(caught.value)
    assert caught.value.hint
    assert peer.digest() == before


def test_damage_that_a_reader_would_not_notice_is_refused(peer: Peer) -> None:
    for scene in range(1, 40):
        peer.bury(scene, message="x" * 1_000)
    path = peer.data / "dlq.db"
    content = bytearray(path.read_bytes())
    leaf = next(at for at in range(4096, len(content), 4096) if content[at] == 13)
    first, second = slice(leaf + 8, leaf + 10), slice(leaf + 10, leaf + 12)
    content[first], content[second] = content[second], content[first]  # two rows change places
    path.write_bytes(content)
    with closing(sqlite3.connect(path)) as connection:
        assert len(connection.execute("SELECT * FROM dead_letters").fetchall()) == 39
    with pytest.raises(StoreError, match="damaged"):
        stash2plex.read(peer.data)


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("dlq.db", "CREATE TABLE other (id)"),
        ("dlq.db", "CREATE TABLE dead_letters (id, scene_id)"),
        ("queue/data.db", "CREATE TABLE other (id)"),
        ("queue/data.db", "CREATE TABLE ack_queue_default (_id, data)"),
    ],
)
def test_a_database_of_another_form_is_refused(peer: Peer, name: str, statement: str) -> None:
    (peer.data / "queue").mkdir(parents=True)
    with closing(sqlite3.connect(peer.data / name)) as connection:
        connection.execute(statement)
        connection.commit()
    with pytest.raises(StoreError) as caught:
        stash2plex.read(peer.data)
    assert caught.value.hint


@pytest.mark.parametrize("content", ["{", "[1, 2]", "\x00", '"text"', "[" * 100_000, '{"plex_token": "s3cret'])
@pytest.mark.parametrize("name", ["sync_timestamps.json", "config.json", "provider.yml"])
def test_a_damaged_file_is_refused_without_its_content(peer: Peer, name: str, content: str) -> None:
    peer.write("sync_timestamps.json", {})
    peer.write(name, content)
    with pytest.raises(StoreError, match="is damaged") as caught:
        stash2plex.read(peer.data)
    assert name in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.hint
