"""What scripts and people rely on, as one snapshot: commands, settings, JSON, exit codes, errors, words.

A difference here is a change of the contract: an addition is fine, anything else breaks somebody's script.
"""

import difflib
import inspect
import json
import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
import click
import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from peers import Peer
from stashplex.app import breaker_key, open_store
from stashplex.base import errors, layers
from stashplex.base.clock import SystemClock
from stashplex.base.config import CONFIG_VARIABLE, PREFIX, Settings
from stashplex.base.errors import Server
from stashplex.cli.config import _trial_json
from stashplex.cli.main import main
from stashplex.cli.plan import _as_json, plan_app
from stashplex.cli.progress import steps
from stashplex.cli.run import Exit
from stashplex.cli.scope import Scope
from stashplex.cli.trial import Side, Trial
from stashplex.domain.breaker import BreakerRules, Cause, Failure
from stashplex.domain.entry import State
from stashplex.domain.journal import JournalEvent
from stashplex.domain.link import Evidence
from stashplex.domain.scene import SceneId
from stashplex.engine.survey import SceneClass
from stashplex.sim.content.catalogue import Catalogue
from stashplex.web.api import ROUTES
from stashplex.web.chip import Standing
from worlds import World, a_world

SNAPSHOT = Path(__file__).with_name("contract.json")
OPEN_MAPS = {"fields"}
"""Members whose keys are data."""


def test_what_others_rely_on_is_as_it_was(tmp_path: Path) -> None:
    text = json.dumps(contract(tmp_path), indent=2, ensure_ascii=False) + "\n"
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(text, encoding="utf-8")
        pytest.fail(f"{SNAPSHOT.name} is written anew: read its difference, then commit it.")
    before = SNAPSHOT.read_text(encoding="utf-8")
    lines = difflib.unified_diff(before.splitlines(), text.splitlines(), "promised", "now", lineterm="", n=2)
    difference = "\n".join(lines)
    assert not difference, (
        f"The contract has changed:\n\n{difference}\n\nSomebody's script may break. If you mean it: delete "
        f"tests/unit/cli/{SNAPSHOT.name}, run this test once, which writes it anew, describe the change in "
        "CHANGELOG.md and docs/reference/, and commit all of it."
    )


def contract(folder: Path) -> dict[str, Any]:
    return {
        "commands": {name: command_shape(command) for name, command in all_commands(main)},
        "exit_codes": {member.name: member.value for member in Exit},
        "settings": settings_shape(),
        "json": json_shapes(folder),
        "words": {
            kind.__name__: [str(member.value) for member in kind]
            for kind in (State, SceneClass, JournalEvent, Evidence, Standing)
        },
        "routes": ROUTES,
        "errors": {
            name: kind.__mro__[1].__name__
            for name, kind in inspect.getmembers(errors, inspect.isclass)
            if issubclass(kind, Exception)
        },
    }


def all_commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from all_commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def command_shape(command: click.Command) -> dict[str, Any]:
    return {
        " ".join(parameter.opts if isinstance(parameter, click.Option) else [parameter.human_readable_name]): {
            "type": parameter.type.name,
            "is_required": parameter.required,
            "default": parameter.to_info_dict()["default"],
        }
        for parameter in command.params
    }


def settings_shape() -> dict[str, Any]:
    properties = Settings.model_json_schema()["properties"]
    shapes: dict[str, Any] = {
        f"{key}, {PREFIX}{key.upper()}": {
            name: value for name, value in shape.items() if name not in {"title", "description"}
        }
        for key, shape in properties.items()
    }
    return shapes | {CONFIG_VARIABLE: "the settings file"}


def json_shapes(folder: Path) -> dict[str, Any]:
    """Return what each command prints with `--json`, after a run that met every kind of end."""
    world = a_world(folder, 3)
    world.plex.remove_item(world.item_of(Catalogue().film(1)))
    film = Catalogue().film(2)
    world.plex.add_item(world.section, files=[(film.plex_path, film.size, 1000)], title="Copy")
    synced = anyio.run(world.sync)
    break_down(folder)
    return {
        "sync": shape_of(asdict(synced)),
        "plan": shape_of(anyio.run(planned, world)),
        "status": shape_of(printed(folder, "status")),
        "dead list": shape_of(printed(folder, "dead", "list")),
        "dead show": shape_of(printed(folder, "dead", "show", "2")),
        "dead retry": shape_of(printed(folder, "dead", "retry", "--reason", "None")),
        "dead dismiss": shape_of(printed(folder, "dead", "dismiss", "--reason", "None")),
        "outages": shape_of(printed(folder, "outages")),
        "breaker show": shape_of(printed(folder, "breaker", "show")),
        "breaker reset": shape_of(printed(folder, "breaker", "reset")),
        "config show": shape_of(printed(folder, "config", "show")),
        "config refresh": shape_of({"from_stash": ["plex_url"], "problems": printed(folder, "config")["problems"]}),
        "config check": shape_of(tried(folder)),
        "import-stash2plex": shape_of(imported(folder / "peer")),
        "why": shape_of([story for scene in (1, 2, 3) for story in printed(folder, "why", str(scene))]),
    }


def break_down(folder: Path) -> None:
    """Let Plex have had an outage, and have another one."""
    now = SystemClock().now()
    failure = Failure(Cause.MAINTENANCE, "It said so.")
    with open_store(folder) as store:
        key = breaker_key(Server.PLEX, Settings().plex_url)
        for _ in range(2):
            store.breakers.change(key, now, lambda one: one.reset(now))
            store.breakers.change(key, now, lambda one: one.failed(failure, now, BreakerRules(), random.Random(1)))


def tried(folder: Path) -> Any:
    """Return what a trial prints that found something wrong everywhere."""
    typed = {"settings": {"of_tomorrow": 1, "stash_url": "http://stash:9999"}}
    (folder / "stash-settings.json").write_text(json.dumps(typed), encoding="utf-8")
    loaded = layers.load(variables={"STASHPLEX_DATA_DIR": str(folder)})
    side = Side("http://stash:9999", error="It is down.", hint="Start it.")
    return _trial_json(loaded, Trial(side, side, ("Films",), ("Look.",), 3))


def imported(folder: Path) -> Any:
    """Return what a take-over prints that met everything."""
    peer = Peer(folder)
    peer.put({"scene_id": 1, "update_type": "metadata", "data": {}, "enqueued_at": 1.0, "job_key": "scene_1"})
    peer.put_raw(b"no pickle")
    (folder / "config.json").write_text(
        json.dumps({"plex_url": "http://plex:32400", "enabled": True}), encoding="utf-8"
    )
    (folder / "stats.json").write_text("{}", encoding="utf-8")
    line = ["import-stash2plex", str(folder), "--dry-run", "--json"]
    result = CliRunner().invoke(main, line, catch_exceptions=False)
    return json.loads(result.stdout)


async def planned(world: World) -> Any:
    world.stash.update_scene(3, title="Another", tags=["New"])
    scope = Scope((SceneId(1), SceneId(2), SceneId(3)))
    with world.app() as app, steps(Console(quiet=True), is_shown=False) as shown:
        return msgspec.to_builtins(_as_json(await plan_app(app, scope, shown)))


def printed(folder: Path, *arguments: str) -> Any:
    result = CliRunner(env={"STASHPLEX_DATA_DIR": str(folder)}).invoke(
        main, [*arguments, "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0
    return json.loads(result.stdout)


def shape_of(value: Any) -> Any:
    """Return names and kinds instead of values; the elements of a list share one shape."""
    if isinstance(value, dict):
        return {key: {"*": "number"} if key in OPEN_MAPS else shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [merged([shape_of(inner) for inner in value])]
    if isinstance(value, bool):
        return "boolean"
    return {int: "number", float: "number", str: "string", type(None): "null"}[type(value)]


def merged(shapes: list[Any]) -> Any:
    if shapes and all(isinstance(shape, dict) for shape in shapes):
        keys = dict.fromkeys(key for shape in shapes for key in shape)
        return {key: merged([shape[key] for shape in shapes if key in shape]) for key in keys}
    if shapes and all(isinstance(shape, list) for shape in shapes):
        return [merged([inner for shape in shapes for inner in shape if inner])]
    kinds = (
        "table" if isinstance(shape, dict) else f"list of {shape[0]}" if isinstance(shape, list) else shape
        for shape in shapes
    )
    return " or ".join(sorted({kind for one in kinds for kind in one.split(" or ")}))
