"""The seat of the one service: one at a time, free as soon as its holder is gone, and what it tells."""

import os
import stat
from pathlib import Path

import pytest

from stashplex.plugin import contact, follow_up
from stashplex.store import seat

ADDRESS = seat.Address(7, 4242, "http://127.0.0.1:1", "key", "0.1.0", "/usr/bin/python3")


def test_one_has_the_seat_and_the_next_one_gets_it_after_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with seat.taken(folder) as first:
        with seat.taken(folder, patience_s=0.0) as second:
            assert (first, second) == (True, False)
        with seat.taken(folder, patience_s=0.0) as third:
            assert not third
    with seat.taken(folder, patience_s=0.0) as fourth:
        assert fourth


def test_the_plugin_sees_the_same_lock(tmp_path: Path) -> None:
    lock = str(tmp_path / seat.LOCK_NAME)
    with seat.taken(tmp_path) as is_ours:
        assert is_ours
        assert follow_up.is_held(lock)
    assert not follow_up.is_held(lock)
    with contact.locked(lock) as is_plugins:
        assert is_plugins
        with seat.taken(tmp_path, patience_s=0.0) as is_ours:
            assert not is_ours


def test_what_is_told_is_there_for_the_block_alone_and_read_by_the_plugin(tmp_path: Path) -> None:
    with seat.told(tmp_path, ADDRESS):
        assert seat.find(tmp_path) == ADDRESS
        service = contact.Service(str(tmp_path))
        assert (service.url, service.key, service.is_elsewhere) == (ADDRESS.api, ADDRESS.key, False)
        assert [path.name for path in tmp_path.iterdir()] == [seat.FILE_NAME]
    assert seat.find(tmp_path) is None


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    with seat.told(tmp_path, ADDRESS):
        assert stat.S_IMODE((tmp_path / seat.FILE_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', "\x00"])
def test_a_damaged_file_tells_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / seat.FILE_NAME).write_text(content)
    assert seat.find(tmp_path) is None
    assert contact.Service(str(tmp_path)).url == ""
