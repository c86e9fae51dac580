"""The log file of a service: bounded, private, and never a reason to stop."""

import os
import stat
from pathlib import Path

import pytest
from rich.console import Console

from stashplex.base import log
from stashplex.base.logfile import LogFile


def test_two_files_at_most_each_about_as_large_as_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    file = LogFile(path, largest_bytes=1_000)
    for number in range(500):
        file.write(f"line {number:06d} of the log\n")
    assert {one.name for one in tmp_path.iterdir()} == {"service.log", "service.log.1"}
    assert all(one.stat().st_size <= 1_100 for one in tmp_path.iterdir())
    whole = (tmp_path / "service.log.1").read_text() + path.read_text()
    assert whole.endswith("line 000499 of the log\n")


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    LogFile(tmp_path / "service.log").write("x")
    assert stat.S_IMODE((tmp_path / "service.log").stat().st_mode) == 0o600


def test_a_folder_that_is_gone_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "gone" / "service.log")
    assert file.write("lost") == 4


def test_what_no_encoding_can_hold_is_written_all_the_same(tmp_path: Path) -> None:
    LogFile(tmp_path / "service.log").write("half \ud800 of a character\n")
    assert b"half" in (tmp_path / "service.log").read_bytes()


def test_messages_and_events_go_there_with_dates_and_without_secrets(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "service.log")
    log.configure(is_verbose=False, secrets=["s3cret"], stream=file, is_service=True)
    log.structlog.get_logger().info("service_opened", plex="http://plex?token=s3cret")
    log.structlog.get_logger().debug("entry_synced")
    Console(file=file).print("Said to people.")
    told = (tmp_path / "service.log").read_text()
    assert "service_opened" in told
    assert "Said to people." in told
    assert "entry_synced" not in told
    assert "s3cret" not in told
    assert told[:2] == "20"
