"""A Stash with plugins, simulated or live, as the person sees it who installs one: packages, settings, tasks, saves.

The simulated one is a whole server behind a socket and runs real processes. A live one must be on this machine, have
no login or be called with its key, and hold nothing that somebody would miss.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.request import Request, urlopen

from e2e.plugin.hooking import wait_until
from integration.sim_stash.server import serving_whole
from programs import PATIENCE_S, clean_environment
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.world import Posters, build_stash

ROOT = Path(__file__).parents[3]
FILMS = 12
ENDED = {"FINISHED", "FAILED", "CANCELLED"}
INSTALL_TASK = "Install or upgrade the service"


@dataclass(frozen=True, slots=True)
class Done:
    """How a task ended. Shape: `log` has level and message of what the server wrote meanwhile, debug lines left out."""

    status: str
    log: list[tuple[str, str]]

    @property
    def errors(self) -> list[str]:
        """Return the messages of level Error."""
        return [message for level, message in self.log if level == "Error"]

    @property
    def text(self) -> str:
        """Return all messages."""
        return "\n".join(message for _, message in self.log)


@dataclass(slots=True)
class Stash:
    """One server. Shape: `home` is the folder of its configuration, `source` the index that it installs from."""

    url: str
    key: str
    home: Path
    source: str = ""

    @property
    def data_dir(self) -> Path:
        """Return where stashplex keeps what lasts."""
        return self.home / "stashplex"

    @property
    def spec(self) -> list[dict[str, str]]:
        """Return what names the package."""
        return [{"id": "stashplex", "sourceURL": self.source}]

    def ask(self, query: str, **variables: Any) -> Any:
        """Return what a document that must succeed answers."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"} | ({"ApiKey": self.key} if self.key else {})
        with urlopen(Request(f"{self.url}/graphql", body, headers), timeout=PATIENCE_S) as answer:
            told = json.loads(answer.read())
        assert "errors" not in told, told
        return told["data"]

    def read(self, path: str) -> bytes:
        """Return what the server shows under an address."""
        headers = {"ApiKey": self.key} if self.key else {}
        with urlopen(Request(self.url + path, headers=headers), timeout=PATIENCE_S) as answer:
            return bytes(answer.read())

    def use_source(self, index: Path, folder: str = "stashplex") -> None:
        """Have the server install from an index, below a folder of its plugins path."""
        self.source = index.as_uri()
        query = "mutation($s: [PackageSourceInput!]) { configureGeneral(input: {pluginPackageSources: $s}) { apiKey } }"
        self.ask(query, s=[{"name": "stashplex", "url": self.source, "local_path": folder}])

    def packages(self, verb: str) -> Done:
        """Install, update or uninstall the package."""
        query = f"mutation($p: [PackageSpecInput!]!) {{ job: {verb}Packages(type: Plugin, packages: $p) }}"
        return self._wait(query, p=self.spec)

    def run(self, task: str, patience_s: float = PATIENCE_S, **args: Any) -> Done:
        """Run a task of the plugin to its end."""
        query = (
            'mutation($n: String!, $a: Map) { job: runPluginTask(plugin_id: "stashplex", task_name: $n, args_map: $a) }'
        )
        return self._wait(query, patience_s, n=task, a=args)

    def operate(self, **args: Any) -> Any:
        """Run an operation of the plugin."""
        query = 'mutation($a: Map) { told: runPluginOperation(plugin_id: "stashplex", args: $a) }'
        return self.ask(query, a=args)["told"]

    def configure(self, **settings: Any) -> None:
        """Type settings on the plugin's page."""
        query = 'mutation($m: Map!) { configurePlugin(plugin_id: "stashplex", input: $m) }'
        self.ask(query, m=settings)

    def save(self, scene: int, **fields: Any) -> None:
        """Save a scene as its page does."""
        query = "mutation($i: SceneUpdateInput!) { sceneUpdate(input: $i) { id } }"
        self.ask(query, i={"id": scene, **fields})

    def plugins(self) -> list[dict[str, Any]]:
        """Return the plugins that the server knows."""
        query = (
            "{ plugins { id version tasks { name } hooks { hooks } settings { name type } paths { javascript css } } }"
        )
        return list(self.ask(query)["plugins"] or [])

    def events(self) -> list[dict[str, Any]]:
        """Return the events that wait for a service, oldest first."""
        files = sorted(self.data_dir.glob("spool/[0-9]*.json"))
        return [json.loads(file.read_bytes()) for file in files]

    def logged(self) -> list[dict[str, str]]:
        """Return the server's log, oldest first."""
        lines = self.ask("{ logs { time level message } }")["logs"]
        return sorted(lines, key=lambda line: str(line["time"]))

    def service(self) -> Mapping[str, Any]:
        """Return what the service told of itself; nothing while none runs."""
        try:
            return dict(json.loads((self.data_dir / "service.json").read_bytes()))
        except (OSError, ValueError):
            return {}

    def end_service(self) -> None:
        """End the service if one runs."""
        pid = self.service().get("pid")
        if pid is not None:
            with suppress(OSError):
                os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not self.service())

    def _wait(self, query: str, patience_s: float = PATIENCE_S, **variables: Any) -> Done:
        before = {(line["time"], line["message"]) for line in self.logged()}
        job = self.ask(query, **variables)["job"]
        status = ""

        def has_ended() -> bool:
            nonlocal status
            status = self.ask("query($i: ID!) { findJob(input: {id: $i}) { status } }", i=job)["findJob"]["status"]
            return status in ENDED

        wait_until(has_ended, patience_s)
        new = [line for line in self.logged() if (line["time"], line["message"]) not in before]
        return Done(status, [(line["level"], line["message"]) for line in new if line["level"] != "Debug"])


@contextmanager
def simulated(root: Path) -> Iterator[Stash]:
    """Serve a simulated Stash that runs plugins below a folder, with a login and a key, as it listens by default."""
    home = root / "stash"
    plugins = home / "plugins"
    plugins.mkdir(parents=True)
    sim = build_stash(Catalogue(FILMS, 0), posters=Posters.NONE)
    sim.settings.plugins_path = plugins
    sim.settings.directory = str(home)
    sim.settings.python_path = sys.executable
    sim.starter.environment = clean_environment()
    sim.starter.directory = root
    with serving_whole(sim) as url:
        stash = Stash(url, sim.settings.api_key, home)
        try:
            yield stash
        finally:
            stash.end_service()


def live(url: str, key: str) -> Stash:
    """Return a live server on this machine."""
    stash = Stash(url.rstrip("/"), key, Path())
    stash.home = Path(stash.ask("{ systemStatus { configPath } }")["systemStatus"]["configPath"]).parent
    return stash


def builder() -> ModuleType:
    """Return `scripts/plugin.py`, which is no part of any package."""
    spec = importlib.util.spec_from_file_location("plugin_builder", ROOT / "scripts" / "plugin.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(target: Path, date_s: int) -> Path:
    """Build the package as `make plugin` does, dated; return its index."""
    line = [sys.executable, str(ROOT / "scripts" / "plugin.py"), str(target)]
    dated = clean_environment() | {"SOURCE_DATE_EPOCH": str(date_s)}
    subprocess.run(line, check=True, env=dated, capture_output=True, timeout=PATIENCE_S)
    return target / "index.yml"
