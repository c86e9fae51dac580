"""The plugin as people get it: built, offered by an index, installed into an empty Stash, and run from there.

`--live-stash URL` runs the same against a real Stash on this machine; what needs the simulator is skipped there.
"""

import hashlib
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from e2e.plugin.hooking import wait_until
from e2e.plugin.shelf import FILMS, INSTALL_TASK, ROOT, Stash, build, live, simulated
from programs import Servers, serving
from stashplex.version import __version__

pytestmark = pytest.mark.e2e

DATE_S = 1_780_000_000
LATER_S = DATE_S + 86_400
SLOW_S = 600
"""So long an installation over the network may take."""
OFFLINE = "The package index cannot be reached"
SCENE = 1
UI = ROOT / "src/stashplex/plugin/ui"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of a freshly built package."""
    return build(tmp_path_factory.mktemp("dist"), DATE_S)


@pytest.fixture(scope="module")
def plex() -> Iterator[Servers]:
    """A Plex that has the simulated Stash's films."""
    with serving("--only", "plex", "--films", str(FILMS), "--posters", "none") as servers:
        yield servers


@pytest.fixture(scope="module")
def stash(tmp_path_factory: pytest.TempPathFactory, index: Path, pytestconfig: pytest.Config) -> Iterator[Stash]:
    """A Stash with nothing but the package installed."""
    url = pytestconfig.getoption("--live-stash")
    if url:
        server = live(url, pytestconfig.getoption("--live-stash-api-key") or "")
        server.use_source(index)
        assert server.packages("install").errors == []
        yield server
        server.run("Stop service")
        server.packages("uninstall")
        return
    with simulated(tmp_path_factory.mktemp("stash")) as server:
        server.use_source(index)
        assert server.packages("install").errors == []
        yield server


@pytest.fixture(scope="module")
def ready(stash: Stash, plex: Servers) -> Stash:
    """The same, configured, with the service installed by its task from the network and running."""
    path_map = plex.told["path_map"]
    stash.configure(plex_url=plex.told["plex_url"], plex_token=plex.told["plex_token"], path_map=path_map)
    done = stash.run(INSTALL_TASK, SLOW_S)
    if OFFLINE in done.text:
        pytest.skip("this needs the network, for the packages that the service is made of")
    assert done.errors == []
    assert done.status == "FINISHED"
    wait_until(lambda: bool(stash.service()))
    return stash


@pytest.fixture
def fresh(tmp_path: Path, index: Path) -> Iterator[Stash]:
    """A simulated Stash of its own with the package installed, for tests that take it away again."""
    with simulated(tmp_path) as server:
        server.use_source(index)
        assert server.packages("install").errors == []
        yield server


def test_the_same_source_makes_the_same_bytes(index: Path, tmp_path: Path) -> None:
    again = build(tmp_path, DATE_S)
    assert again.read_bytes() == index.read_bytes()
    assert again.with_name("stashplex.zip").read_bytes() == index.with_name("stashplex.zip").read_bytes()


def test_the_index_says_what_the_zip_is(index: Path) -> None:
    (offer,) = yaml.safe_load(index.read_text("utf-8"))
    bundle = index.with_name(offer["path"]).read_bytes()
    assert offer["sha256"] == hashlib.sha256(bundle).hexdigest()
    assert (offer["id"], offer["version"], offer["date"]) == ("stashplex", __version__, "2026-05-28 20:26:40")


def test_the_zip_holds_plain_files_readable_by_everybody_and_changed_by_nobody_else(index: Path) -> None:
    with zipfile.ZipFile(index.with_name("stashplex.zip")) as bundle:
        entries = bundle.infolist()
    assert {stat.S_IMODE(entry.external_attr >> 16) for entry in entries} == {0o644}
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert [entry.filename for entry in entries if entry.filename.endswith(".yml")] == ["stashplex.yml"]
    assert [entry.filename for entry in entries if entry.filename.endswith(".whl")] == [
        f"stashplex-{__version__}-py3-none-any.whl"
    ]


def test_it_is_there_as_soon_as_it_is_installed(stash: Stash) -> None:
    (plugin,) = [each for each in stash.plugins() if each["id"] == "stashplex"]
    assert plugin["version"] == __version__
    for kind, (address,) in plugin["paths"].items():
        assert urlsplit(address).path == f"/plugin/stashplex/{kind}"
        name = {"javascript": "stashplex.js", "css": "stashplex.css"}[kind]
        assert stash.read(f"/plugin/stashplex/{kind}").strip() == (UI / name).read_bytes().strip()


def test_before_the_service_is_installed_events_wait_and_tasks_say_so_in_a_sentence(fresh: Stash) -> None:
    fresh.save(SCENE, title="A new title")
    assert [(each["type"], each["id"], "title" in each["fields"]) for each in fresh.events()] == [
        ("Scene.Update.Post", SCENE, True)
    ]
    assert "not installed yet" in fresh.run("Status").text
    chip = fresh.operate(mode="scene", id=str(SCENE))
    assert chip["state"] == "unknown"
    assert "not installed yet" in chip["reason"]


def test_uninstalling_takes_the_plugin_and_leaves_what_it_keeps(fresh: Stash) -> None:
    fresh.save(SCENE, title="A new title")
    assert fresh.packages("uninstall").errors == []
    assert [each["id"] for each in fresh.plugins()] == []
    assert len(fresh.events()) == 1
    folder = fresh.home / "plugins" / "stashplex" / "stashplex"
    assert [each.name for each in folder.glob("*")] in ([], ["__pycache__"])


def test_two_copies_of_the_plugin_lose_nothing(fresh: Stash) -> None:
    first = fresh.home / "plugins" / "stashplex" / "stashplex"
    second = shutil.copytree(first, fresh.home / "plugins" / "stashplex-by-hand")
    (second / "stashplex.yml").rename(second / "stashplex-by-hand.yml")
    fresh.ask("mutation { reloadPlugins }")
    fresh.save(SCENE, title="A new title")
    assert [each["id"] for each in fresh.events()] == [SCENE, SCENE]


def test_an_update_keeps_what_waits(fresh: Stash, index: Path) -> None:
    fresh.save(SCENE, title="A new title")
    build(Path(unquote(urlsplit(fresh.source).path)).parent, LATER_S)
    try:
        assert fresh.packages("update").errors == []
        fresh.save(SCENE, title="Another title")
        assert len(fresh.events()) == 2
    finally:
        build(index.parent, DATE_S)


def test_the_service_is_installed_into_an_environment_of_its_own(ready: Stash) -> None:
    python = Path((ready.data_dir / "environment").read_text("utf-8").strip())
    assert python.is_file()
    assert python.is_relative_to(ready.data_dir)
    assert [each for each in ready.data_dir.glob("venv-*") if not python.is_relative_to(each)] == []


def test_installing_again_changes_nothing(ready: Stash) -> None:
    before = ready.service()
    assert "installed already" in ready.run(INSTALL_TASK, SLOW_S).text
    assert ready.service() == before


def test_a_save_arrives_in_plex(ready: Stash, plex: Servers, pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--live-stash"):
        pytest.skip("the films of the simulated Plex are not in a live Stash")
    ready.save(SCENE, title="Saved in Stash")

    def titles() -> set[str]:
        return {item["title"] for item in plex.plex("/library/sections/1/all")["Metadata"]}

    wait_until(lambda: "Saved in Stash" in titles())
    wait_until(lambda: ready.operate(mode="scene", id=str(SCENE))["state"] == "in_step")
    (link,) = ready.operate(mode="scene", id=str(SCENE))["links"]
    assert link["url"].startswith(plex.told["plex_url"])


def test_every_task_of_the_manifest_does_its_work(ready: Stash) -> None:
    (plugin,) = [each for each in ready.plugins() if each["id"] == "stashplex"]
    names = [each["name"] for each in plugin["tasks"]]
    last = ["Stop service", "Start service"]
    failed = {}
    for name in [each for each in names if each not in last] + last:
        done = ready.run(name, SLOW_S)
        if done.status != "FINISHED" or done.errors:
            failed[name] = done
    assert failed == {}
    wait_until(lambda: bool(ready.service()))
