"""plexapi scans, follows activities and hears alerts."""

import itertools
from typing import Any

import pytest

from contract.plex.target import eventually
from stashplex.sim.plex.app import PlexSim


def test_scan_of_one_folder_finds_only_what_lies_there(sim: PlexSim, library: Any) -> None:
    sim.put_file("/data/films/new one/New One.mkv", 5_000, 60_000)
    sim.put_file("/data/films/other/Other.mkv", 5_000, 60_000)
    library.update("/data/films/new one")
    assert eventually(lambda: library.search(title="New One"))
    assert library.search(title="Other") == []


def test_scan_of_the_section_finds_everything_and_says_so_meanwhile(sim: PlexSim, library: Any) -> None:
    sim.switches.scan_s = 0.5
    sim.put_file("/data/films/other/Other.mkv", 5_000, 60_000)
    library.update()
    assert library.reload().refreshing
    assert eventually(lambda: library.search(title="Other"))
    assert not library.reload().refreshing


def test_running_scan_is_an_activity(sim: PlexSim, server: Any, library: Any) -> None:
    sim.switches.scan_s = 0.5
    library.update()
    assert [activity.type for activity in server.activities] == ["library.update.section"]
    assert eventually(lambda: not server.activities)


def test_timeline_tells_the_newest_entry(library: Any) -> None:
    assert library.timeline().latestEntryTime > 0


def test_match_is_offered_and_fixed(sim: PlexSim, movie: Any) -> None:
    (result,) = movie.matches()
    movie.unmatch()
    assert movie.reload().guid.startswith("local://")
    movie.fixMatch(result)
    assert movie.reload().guid == result.guid


def test_alert_listener_hears_edits_and_scans(server: Any, library: Any, movie: Any) -> None:
    pytest.importorskip("websocket", reason="plexapi listens through the package websocket-client")
    heard: list[dict[str, Any]] = []
    numbers = itertools.count()
    listener = server.startAlertListener(heard.append)

    def entries() -> list[dict[str, Any]]:
        return [entry for alert in heard for entry in alert.get("TimelineEntry", ())]

    def edit_and_listen() -> bool:
        movie.editTagline(f"edit {next(numbers)}", locked=False)
        return any(str(entry["itemID"]) == str(movie.ratingKey) for entry in entries())

    try:
        assert eventually(edit_and_listen)
        library.update()
        assert eventually(lambda: [alert for alert in heard if alert["type"] == "activity"])
    finally:
        listener.stop()
        listener.join(timeout=5)
