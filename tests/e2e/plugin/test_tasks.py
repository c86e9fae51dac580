"""Every task once, as Stash runs it: what it hands over, what it says, and that Stash's job slot is free at once."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.plugin.hooking import wait_until
from e2e.plugin.tasking import Town, a_town
from stashplex.base.clock import SystemClock

pytestmark = pytest.mark.e2e

REQUESTS = {
    "sync_all": ("Request.sync_all", {}),
    "sync_recent": ("Request.sync_recent", {"hours": 24}),
    "repush_all": ("Request.repush_all", {}),
    "rebuild_index": ("Request.rebuild_index", {}),
    "reconcile_all": ("Request.sync_all", {}),
    "reconcile_7d": ("Request.sync_recent", {"hours": 168}),
    "reconcile_24h": ("Request.sync_recent", {"hours": 24}),
    "reconcile_missing": ("Request.sync_missing", {}),
}
COMMANDS = {
    "status": "in step when last looked at",
    "test": "Everything that was tested works",
    "plan": "in_step",
    "outages": "No outage",
    "retry_dead": "0 scenes are tried again",
    "clear_pending": "that waited are forgotten",
    "clear_dead": "0 scenes are dismissed",
    "purge_dead": "0 dead letters",
    "reset_breaker": "no server is left alone",
    "support_bundle": "stashplex-support-",
}
FILMS = 6


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town whose service runs and has everything in step."""
    with a_town(tmp_path_factory.mktemp("town"), films=FILMS) as town:
        town.run("start_service")
        town.run("sync_all")
        wait_until(lambda: town.synced() == FILMS and town.left() == 0)
        yield town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with a_town(tmp_path, films=FILMS) as town:
        yield town


@pytest.mark.parametrize("mode", sorted(COMMANDS))
def test_short_work_is_done_and_told_at_once(shared: Town, mode: str) -> None:
    ran = shared.run(mode)
    if "goes on by itself" in ran.said:  # a slow machine: the result waits for the next run
        wait_until((shared.data_dir / "tasks" / f"{mode}.json").exists)
        ran = shared.run(mode)
    assert ran.job["status"] == "FINISHED"
    assert COMMANDS[mode] in ran.said
    assert ran.trouble == ""


@pytest.mark.parametrize("mode", sorted(REQUESTS))
def test_long_work_is_handed_to_the_service(shared: Town, mode: str) -> None:
    ran = shared.run(mode)
    assert "Handed over to the service" in ran.said
    assert "scenes in step" in ran.said
    assert ran.trouble == ""
    wait_until(lambda: shared.spool() == [] and shared.left() == 0)
    assert shared.synced() == FILMS


@pytest.mark.parametrize("mode", sorted(REQUESTS))
def test_what_is_handed_over_is_a_request_in_the_spool(tmp_path: Path, mode: str) -> None:
    with a_town(tmp_path, films=1, is_installed=False) as town:
        ran = town.run(mode)
        assert "Install or upgrade the service" in ran.trouble
        assert ran.job["status"] == "FINISHED"
        (request,) = town.spool()
    assert (request["type"], request["args"]) == REQUESTS[mode]
    assert (request["id"], request["fields"]) == (0, [])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", request["at"])


def test_without_an_installed_service_each_task_says_what_to_do(tmp_path: Path) -> None:
    with a_town(tmp_path, films=1, is_installed=False) as town:
        for mode in (*sorted(COMMANDS), "start_service"):
            assert "run the task 'Install or upgrade the service'" in town.run(mode).trouble, mode


def test_a_task_ends_while_the_service_still_works(town: Town) -> None:
    town.plex.switches.write_latency_s = 0.5
    town.run("start_service")
    town.run("sync_all")
    assert town.synced() < FILMS
    wait_until(lambda: town.synced() == FILMS)


def test_a_watched_task_shows_progress_and_ends_with_the_work(tmp_path: Path) -> None:
    with a_town(tmp_path, films=FILMS, batch_size="1") as town:
        town.plex.switches.write_latency_s = 0.5
        seen: set[float] = set()
        job = town.start("sync_all", watch="true")

        def is_finished() -> bool:
            found = town.job(job)
            seen.add(found["progress"] or 0.0)
            return found["status"] == "FINISHED"

        wait_until(is_finished)
        assert town.synced() == FILMS
    assert [one for one in seen if 0 < one < 1], seen


def test_stopping_and_starting_the_service(town: Town) -> None:
    assert "it is started" in town.run("start_service").said
    wait_until(lambda: town.status() != {})
    assert "runs already" in town.run("start_service").said
    assert town.run("stop_service").trouble == ""
    wait_until(lambda: not town.is_served())
    town.edit(2, "While it was stopped")
    assert not town.is_served()
    assert [event["id"] for event in town.spool()] == [2]
    assert "is stopped" in town.run("sync_all").said
    assert "does not run" in town.run("stop_service").said
    town.run("start_service")
    wait_until(lambda: town.title(2) == "While it was stopped")


def test_status_says_whether_the_service_runs(town: Town) -> None:
    town.run("start_service")
    wait_until(lambda: town.status() != {})
    assert "The service runs: 0 scenes in step" in town.run("status").said
    town.run("stop_service")
    wait_until(lambda: not town.is_served())
    assert "The service does not run" in town.run("status").said


def test_an_edit_starts_the_service_and_reaches_plex(town: Town) -> None:
    town.edit(3, "From the hook")
    wait_until(lambda: town.title(3) == "From the hook")
    assert town.is_served()


@pytest.mark.parametrize("mode", ["status", "plan", "sync_all", "stop_service"])
def test_a_killed_task_leaves_nothing_half_done(town: Town, mode: str) -> None:
    town.run("start_service")
    for _ in range(3):
        job = town.start(mode)
        town.ask("mutation($id: ID!) { stopJob(job_id: $id) }", id=job)
        wait_until(lambda job=job: town.job(job)["status"] in {"CANCELLED", "FINISHED"})  # type: ignore[misc]
    for path in town.data_dir.rglob("*.json"):
        assert isinstance(json.loads(path.read_bytes()), dict), path
    assert town.run("start_service").trouble == ""
    ran = town.run("sync_all")
    assert ran.trouble == ""
    wait_until(lambda: town.synced() == FILMS)


@pytest.mark.parametrize(("age_s", "is_shown"), [(0, True), (7_200, False), (-7_200, False)])
def test_a_result_that_came_too_late_is_shown_by_the_next_run(shared: Town, age_s: int, is_shown: bool) -> None:
    result = shared.data_dir / "tasks" / "plan.json"
    result.parent.mkdir(exist_ok=True)
    earlier = {"at": SystemClock().now().timestamp() - age_s, "code": 0, "text": "What was found\nearlier."}
    result.write_text(json.dumps(earlier), "utf-8")
    said = shared.run("plan").said
    assert ("What was found" in said) is is_shown
    assert ("goes on by itself" in said or "in_step" in said) is not is_shown


def test_the_chip_of_a_scene(shared: Town) -> None:
    told = shared.operate("scene", id=2)
    assert (told["state"], told["service"]) == ("in_step", "running")
    assert told["links"][0]["url"].startswith("http://127.0.0.1:")
    assert shared.operate("scene", id="2")["state"] == "in_step"
    assert shared.operate("scene", id=999)["state"] == "unknown"


def test_the_chip_without_a_service(town: Town) -> None:
    town.edit(2, "Once")
    wait_until(lambda: town.title(2) == "Once" and town.left() == 0)
    town.run("stop_service")
    told = town.operate("scene", id=2)
    assert (told["state"], told["service"]) == ("in_step", "stopped")
    assert town.operate("scene", id=999)["state"] == "unknown"
    (town.data_dir / "environment").unlink()
    told = town.operate("scene", id=2)
    assert (told["state"], told["service"]) == ("unknown", "missing")
    assert "Install or upgrade" in told["reason"]


def test_one_scene_on_demand(shared: Town) -> None:
    shared.stash.update_scene(4, title="Nobody was told")
    assert shared.operate("sync_scene", id=4) == {"accepted": True, "service": "running"}
    wait_until(lambda: shared.title(4) == "Nobody was told")


@pytest.mark.parametrize("number", [None, "", "x", 0, -1, 1.5, True, 2**63, [1]])
def test_a_scene_without_a_usable_number_is_refused(shared: Town, number: object) -> None:
    with pytest.raises(AssertionError, match="id must be a whole number"):
        shared.operate("sync_scene", id=number)


@pytest.mark.parametrize("mode", ["", "unknown", "../status", "__init__"])
def test_an_unknown_task_is_refused(shared: Town, mode: str) -> None:
    assert "There is no task" in shared.run(mode).trouble


def test_the_bundle_holds_no_secret(shared: Town) -> None:
    before = set((shared.data_dir / "support").glob("*.zip"))
    ran = shared.run("support_bundle")
    if "goes on by itself" in ran.said:
        wait_until((shared.data_dir / "tasks" / "support_bundle.json").exists)
    (bundle,) = set((shared.data_dir / "support").glob("*.zip")) - before or before
    address = json.loads((shared.data_dir / "service.json").read_bytes())
    cookie = json.loads((shared.data_dir / "connection.json").read_bytes())["cookie"]
    with zipfile.ZipFile(bundle) as opened:
        whole = b"\n".join(opened.read(name) for name in opened.namelist()).decode()
    for secret in (shared.plex.token, shared.stash.settings.api_key, address["key"], cookie):
        assert len(secret) > 3
        assert secret not in whole


def test_a_python_that_was_replaced_under_the_service_is_said(tmp_path: Path) -> None:
    """An image with a newer Python leaves an environment whose Python runs and knows none of our packages."""
    with a_town(tmp_path, films=1) as town:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
        python = tmp_path / "bare" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        (town.data_dir / "environment").write_text(f"{python}\n", "utf-8")
        for mode in ("status", "plan", "start_service", "sync_all"):
            assert "run the task 'Install or upgrade the service'" in town.run(mode).trouble, mode
        assert town.operate("scene", id=1)["service"] == "missing"


def test_no_task_leaves_anything_in_the_folder_of_the_plugin(shared: Town) -> None:
    plugin = shared.data_dir.parent / "plugins" / "stashplex"
    before = sorted(plugin.iterdir())
    shared.run("status")
    shared.run("outages")
    assert sorted(plugin.iterdir()) == before
    assert [one for one in before if one.is_dir()] == []


def test_the_service_here_ends_when_it_is_said_to_be_elsewhere(town: Town) -> None:
    town.run("start_service")
    wait_until(lambda: town.status() != {})
    town.type_in(service_url="http://127.0.0.1:9", service_key="a-long-random-text")
    assert "does not answer" in town.run("status").trouble
    wait_until(lambda: not town.is_served())
    assert "does not answer now" in town.run("sync_all").said
    town.type_in()
    town.run("start_service")
    wait_until(lambda: town.status() != {})
