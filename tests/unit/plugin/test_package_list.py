"""The list of what the plugin's zip holds is whole, and the manifest says what the programs in it do."""

import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from e2e.plugin.shelf import builder
from stashplex.base.shown import SHOWN_IN_STASH
from stashplex.plugin import contact, task
from stashplex.sim.stash.plugin import Plugin, read_manifest
from stashplex.version import __version__
from stashplex.web.chip import Standing

ROOT = Path(__file__).parents[3]
SCRIPT = (ROOT / "src/stashplex/plugin/ui/stashplex.js").read_text("utf-8")
NOT_SHIPPED = {"__init__.py"}
OWN_MODES = {"install", "start_service", "stop_service"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return builder()


@pytest.fixture
def plugin(script: ModuleType, tmp_path: Path) -> Plugin:
    """The manifest as a Stash reads it, which refuses every unknown key."""
    file = tmp_path / "stashplex.yml"
    file.write_text(yaml.safe_dump(script.manifest(), sort_keys=False), "utf-8")
    return read_manifest(file)


def test_every_file_of_the_plugin_is_in_the_list_and_every_listed_file_is_there(script: ModuleType) -> None:
    folder = ROOT / "src/stashplex/plugin"
    there = {
        path.relative_to(ROOT).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in NOT_SHIPPED and "__pycache__" not in path.parts
    }
    listed = {source for source in script.CONTENTS.values() if source.startswith("src/")}
    assert listed == there
    assert [source for source in script.CONTENTS.values() if not (ROOT / source).is_file()] == []


def test_nothing_in_the_list_is_taken_for_a_second_plugin(script: ModuleType) -> None:
    assert [name for name in script.CONTENTS if name.endswith((".yml", ".pyc"))] == []


def test_names_are_flat_so_that_uninstalling_leaves_no_folder(script: ModuleType) -> None:
    assert [name for name in script.CONTENTS if "/" in name] == []


def test_the_manifest_is_one_that_stash_reads(plugin: Plugin) -> None:
    assert (plugin.name, plugin.version) == ("stashplex", __version__)
    assert plugin.is_python()
    assert plugin.exec[1:] == ("-I", "-S", "-E", "{pluginDir}/hook.py")


def test_each_trigger_stands_once_and_is_one_that_stash_could_fire(plugin: Plugin) -> None:
    (hook,) = plugin.hooks
    assert [trigger for trigger, count in Counter(hook.hooks).items() if count > 1] == []
    assert [
        trigger for trigger in hook.hooks if not re.fullmatch(r"[A-Z]\w+\.(Create|Update|Destroy|Merge)\.Post", trigger)
    ] == []
    assert {"Scene.Update.Post", "Scene.Destroy.Post", "Performer.Update.Post", "Tag.Merge.Post"} <= set(hook.hooks)


def test_each_task_is_one_that_the_program_knows_and_the_other_way_round(plugin: Plugin) -> None:
    modes = [each.default_args["mode"] for each in plugin.tasks]
    assert sorted(modes) == sorted(OWN_MODES | set(task.REQUESTS) | set(contact.COMMANDS))
    assert len({each.name for each in plugin.tasks}) == len(modes)


def test_the_settings_are_those_of_the_table(plugin: Plugin) -> None:
    assert [each.name for each in plugin.settings] == [each.key for each in SHOWN_IN_STASH]
    assert all(each.display_name and each.description for each in plugin.settings)


def test_the_sentence_that_asks_for_the_install_task_names_it_as_the_manifest_does(plugin: Plugin) -> None:
    (name,) = [each.name for each in plugin.tasks if each.default_args["mode"] == "install"]
    assert f"'{name}'" in task.NOT_INSTALLED


def test_the_page_has_words_for_every_standing_of_a_scene() -> None:
    looks = re.search(r"const LOOKS = \{(.*?)\n  \};", SCRIPT, re.DOTALL)
    assert looks
    known = set(re.findall(r"^    (\w+): \{ words", looks[1], re.MULTILINE))
    assert {standing.value for standing in Standing} <= known


def test_the_page_calls_nothing_but_operations_of_the_plugin() -> None:
    assert set(re.findall(r'mode: "(\w+)"', SCRIPT)) == {"scene", "sync_scene"}
    assert re.findall(r"fetch\(|XMLHttpRequest|WebSocket|sendBeacon|innerHTML|eval\(", SCRIPT) == []
