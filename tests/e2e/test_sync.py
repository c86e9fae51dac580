"""The command that scripts call: what it prints, how it ends, and what a stop in the middle leaves."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from programs import PATIENCE_S, Environment, Servers, command, program, serving, started
from stashplex.sim.content.catalogue import Catalogue

pytestmark = pytest.mark.e2e

FILMS = 400
KEYS = [
    "scenes",
    "synced",
    "unchanged",
    "waiting",
    "dead",
    "writes",
    "uploads",
    "plex_requests",
    "stash_requests",
    "duration_s",
]


@pytest.fixture
def slow() -> Iterator[Servers]:
    """Servers of its own, with a Plex that needs a while: a first sync takes some seconds."""
    with serving("--films", str(FILMS), "--posters", "none", "--plex-latency-ms", "15") as servers:
        yield servers


def synced(result: Any) -> dict[str, Any]:
    """Return what `sync --json` printed. Checks that it is one object and nothing else."""
    report = json.loads(result.stdout)
    assert list(report) == KEYS
    assert report["scenes"] == sum(report[name] for name in ("synced", "unchanged", "waiting", "dead"))
    return dict(report)


def test_environment_variables_alone_are_enough_and_the_second_run_writes_nothing(tmp_path: Path) -> None:
    with serving("--films", "40", "--posters", "cheap") as servers:
        environment = servers.environment(tmp_path / "data")
        first = program(environment, "sync", "--json")
        assert (first.returncode, first.stderr) == (0, "")
        report = synced(first)
        assert (report["scenes"], report["synced"], report["writes"], report["uploads"]) == (40, 40, 40, 40)
        assert report["plex_requests"] <= 1.3 * 40 + 40
        assert 0 < report["duration_s"] < PATIENCE_S
        digest = servers.digest()
        second = program(environment, "sync", "--json")
        report = synced(second)
        assert (second.returncode, report["unchanged"], report["writes"], report["uploads"]) == (0, 40, 0, 0)
        assert servers.digest() == digest
        assert servers.plex_counts()["unscoped_edits"] == 0


def test_the_same_settings_from_a_file(servers: Servers, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    settings = servers.environment(tmp_path / "data")
    file.write_text(
        "".join(f"{name.removeprefix('STASHPLEX_').lower()} = {value!r}\n" for name, value in settings.items())
    )
    for where in ({"STASHPLEX_CONFIG": str(file)}, {}):
        result = command(where, "plan", "--json", *(() if where else ("--config", str(file))))
        assert result.exit_code == 0
        assert json.loads(result.stdout)["scenes"] == 30


def test_people_get_sentences_and_scripts_get_json_of_the_same_run(environment: Environment) -> None:
    told = command(environment, "sync")
    assert re.match(r"30 scenes in [\d.]+ s: \d+ synced, \d+ unchanged, 0 waiting, 0 dead\n", told.stdout)
    assert told.exit_code == 0
    for name in ("sync", "plan", "status"):
        assert isinstance(json.loads(command(environment, name, "--json").stdout), dict)
    assert isinstance(json.loads(command(environment, "why", "7", "--json").stdout), list)


def test_details_go_to_standard_error_and_only_when_asked(environment: Environment) -> None:
    assert command(environment, "sync", "--json").stderr == ""
    told = command(environment, "sync", "--json", "--verbose")
    assert synced(told)["scenes"] == 30
    assert told.stderr.count("entry_synced") == 30


def test_some_scenes_only(environment: Environment) -> None:
    report = synced(command(environment, "sync", "--scene", "4,7,4", "--json"))
    assert (report["scenes"], report["unchanged"] + report["synced"]) == (2, 2)


def test_nothing_changed_lately_is_in_step(environment: Environment) -> None:
    told = command(environment, "sync", "--since", "1m", "--json")
    assert (told.exit_code, synced(told)["scenes"]) == (0, 0)


def test_a_file_that_plex_lacks_is_reported_and_ends_with_1(environment: Environment, servers: Servers) -> None:
    with serving("--films", "31", "--posters", "none", "--only", "stash") as more:
        environment |= {
            "STASHPLEX_STASH_URL": more.told["stash_url"],
            "STASHPLEX_STASH_API_KEY": more.told["stash_api_key"],
        }
        told = command(environment, "sync", "--wait", "0", "--json")
        assert told.exit_code == 1
        assert synced(told)["waiting"] == 1
        people = command(environment, "why", "31").stdout
    assert "waits until" in people
    assert "PlexNotFound" in people
    assert "Scan the library in Plex" in people


def test_a_plan_writes_nothing_to_plex_and_says_what_it_would(environment: Environment, servers: Servers) -> None:
    before = servers.plex_counts().get("edit", 0)
    told = json.loads(command(environment, "plan", "--scene", "3", "--json").stdout)
    assert (told["scenes"], told["details"][0]["scene"]) == (1, 3)
    assert servers.plex_counts().get("edit", 0) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C goes to the whole console there")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_so_leaves_no_lease_and_the_next_one_finishes(
    slow: Servers, tmp_path: Path, how: signal.Signals
) -> None:
    environment = slow.environment(tmp_path / "data")
    with started(environment, "sync", "--json") as process:
        wait_for_edits(slow, 20)
        process.send_signal(how)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (130, "")
    assert "Stopped. Nothing is lost" in err
    assert "Traceback" not in err
    server = json.loads(program(environment, "status", "--json").stdout)["servers"][0]
    assert server["leased"] == 0
    assert 0 < server["due"] <= FILMS
    check_that_the_next_run_finishes(slow, environment)


def test_a_killed_run_is_taken_up_at_once(slow: Servers, tmp_path: Path) -> None:
    environment = slow.environment(tmp_path / "data")
    with started(environment, "sync", "--json") as process:
        wait_for_edits(slow, 20)
        process.kill()
        process.wait(timeout=10)
    server = json.loads(program(environment, "status", "--json").stdout)["servers"][0]
    assert server["leased"] > 0
    check_that_the_next_run_finishes(slow, environment)


def check_that_the_next_run_finishes(servers: Servers, environment: Environment) -> None:
    """Run once more, then compare each film in Plex with the one in Stash."""
    finished = program(environment, "sync", "--wait", "0", "--json")
    report = synced(finished)
    assert (finished.returncode, report["scenes"], report["waiting"], report["dead"]) == (0, FILMS, 0, 0)
    assert report["duration_s"] < 30
    titles = {
        item["Media"][0]["Part"][0]["file"]: item["title"]
        for item in servers.plex("/library/sections/1/all")["Metadata"]
    }
    assert len(titles) == FILMS
    for film in Catalogue(FILMS):
        if film.title:
            assert titles[film.plex_path] == film.title
    assert servers.plex_counts()["edit"] <= FILMS * 1.25
    again = synced(program(environment, "sync", "--wait", "0", "--json"))
    assert (again["unchanged"], again["writes"]) == (FILMS, 0)


def wait_for_edits(servers: Servers, number: int) -> None:
    """Wait until Plex has had so many edits. Bounded by the patience of the panel's connection times its answers."""
    for _ in range(20_000):
        if servers.plex_counts().get("edit", 0) >= number:
            return
    pytest.fail("the run never came to write")
