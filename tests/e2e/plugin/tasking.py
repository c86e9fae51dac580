"""A simulated Stash with the plugin installed, a simulated Plex, and the service as the plugin starts it.

Both servers run in threads of the test behind real sockets; hooks, tasks and the service are processes. What the
install task would leave is there already: the file `environment` names the Python that runs the tests.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import yaml

from asgi import serving
from e2e.plugin.hooking import SOURCES, environment, wait_until
from integration.sim_stash.server import serving_whole
from programs import PATIENCE_S
from stashplex.plugin import contact
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.plex.app import PlexSim
from stashplex.sim.stash.app import StashSim
from stashplex.sim.world import PATH_MAP, Posters, build_world, rating_key
from stashplex.store import seat

FILES = ("hook.py", "follow_up.py", "task.py", "contact.py", "install.py")
MANIFEST = {
    "name": "stashplex",
    "exec": ["python", "-I", "-S", "-E", "{pluginDir}/hook.py"],
    "tasks": [{"name": "any", "defaultArgs": {"watch": "false"}}],
    "hooks": [{"name": "Changes", "triggeredBy": ["Scene.Update.Post", "Scene.Destroy.Post"]}],
}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a task ended. Shape: `log` has level and text of each line that it left in Stash's log."""

    job: dict[str, Any]
    log: tuple[tuple[str, str], ...]

    @property
    def said(self) -> str:
        """All that it said at level info."""
        return "\n".join(text for level, text in self.log if level == "Info")

    @property
    def trouble(self) -> str:
        """All warnings and errors."""
        return "\n".join(text for level, text in self.log if level in {"Warning", "Error"})


@dataclass(frozen=True, slots=True)
class Town:
    """Both servers and the folder for what lasts."""

    stash: StashSim
    plex: PlexSim
    data_dir: Path
    stash_url: str = ""

    def ask(self, query: str, /, **variables: Any) -> Any:
        """Return what Stash answers to a person's browser."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"ApiKey": self.stash.settings.api_key, "Content-Type": "application/json"}
        with urlopen(Request(f"{self.stash_url}/graphql", body, headers), timeout=PATIENCE_S) as answer:
            told = json.loads(answer.read())
        assert "errors" not in told, told
        return told["data"]

    def start(self, mode: str, **args: Any) -> str:
        """Queue a task; return its job."""
        query = 'mutation($a: Map!) { job: runPluginTask(plugin_id: "stashplex", task_name: "any", args_map: $a) }'
        return str(self.ask(query, a={"mode": mode, **args})["job"])

    def job(self, job: str) -> dict[str, Any]:
        """Return a job as Stash shows it."""
        query = "query($id: ID!) { findJob(input: {id: $id}) { status progress error } }"
        return dict(self.ask(query, id=job)["findJob"])

    def run(self, mode: str, **args: Any) -> Ran:
        """Run a task to its end."""
        before = len(self.stash.log.entries)
        job = self.start(mode, **args)
        wait_until(lambda: self.job(job)["status"] in {"FINISHED", "FAILED", "CANCELLED"})
        entries = list(self.stash.log.entries)[before:]
        return Ran(self.job(job), tuple((entry.level, entry.message.partition("] ")[2]) for entry in entries))

    def operate(self, mode: str, **args: Any) -> Any:
        """Run an operation; return its output."""
        query = 'mutation($a: Map!) { out: runPluginOperation(plugin_id: "stashplex", args: $a) }'
        return self.ask(query, a={"mode": mode, **args})["out"]

    def type_in(self, **settings: Any) -> None:
        """Type settings on the plugin's page."""
        query = 'mutation($m: Map!) { configurePlugin(plugin_id: "stashplex", input: $m) }'
        self.ask(query, m=settings)

    def edit(self, scene: int, title: str) -> None:
        """Change a title in Stash; the hook runs."""
        self.ask("mutation($i: SceneUpdateInput!) { sceneUpdate(input: $i) { id } }", i={"id": scene, "title": title})

    def title(self, scene: int) -> str:
        """Return the title that Plex shows."""
        return str(self.plex.item(rating_key(scene)).title)

    def spool(self) -> list[dict[str, Any]]:
        """Return the events that wait, oldest first."""
        return [json.loads(path.read_bytes()) for path in sorted((self.data_dir / "spool").glob("[0-9]*.json"))]

    def is_served(self) -> bool:
        """Tell whether a service has the seat."""
        with contact.locked(str(self.data_dir / seat.LOCK_NAME)) as is_free:
            return not is_free

    def status(self) -> dict[str, Any]:
        """Return the status of the service, nothing while there is none."""
        return contact.Service(str(self.data_dir)).find("/api/status") or {}

    def left(self) -> int:
        """Return how much the service has to do now."""
        return contact.count_left(self.status())

    def synced(self) -> int:
        """Return how many scenes are in step."""
        return sum(server["synced"] for server in self.status().get("servers", ()))

    def close(self) -> None:
        """End the service and whatever else the plugin has started."""
        self.data_dir.mkdir(exist_ok=True)
        (self.data_dir / "stopped").touch()
        contact.Service(str(self.data_dir)).find("/api/stop", b"")
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("STASHPLEX_DATA_DIR") == str(self.data_dir):
                    process.kill()


@contextmanager
def a_town(folder: Path, *, films: int = 6, is_installed: bool = True, **settings: str) -> Iterator[Town]:
    """Run both servers with the plugin in Stash's plugin folder; end everything that it started."""
    world = build_world(Catalogue(films), posters=Posters.NONE)
    stash, plex = world.stash_sim, world.plex_sim
    data_dir = folder / "data"
    data_dir.mkdir(parents=True)
    if is_installed:
        (data_dir / "environment").write_text(f"{sys.executable}\n", "utf-8")
    _ship(folder / "plugins" / "stashplex")
    stash.settings.set_plugins_path(str(folder / "plugins"))
    stash.settings.python_path = sys.executable
    stash.settings.directory = str(folder)
    stash.starter.directory = folder
    stash.reload_plugins()
    with serving(plex.app) as plex_url, serving_whole(stash) as stash_url:
        known = {"plex_url": plex_url, "plex_token": plex.token, "path_map": PATH_MAP, "data_dir": str(data_dir)}
        named = {f"STASHPLEX_{name.upper()}": value for name, value in (known | settings).items()}
        stash.starter.environment = environment(**named)
        town = Town(stash, plex, data_dir, stash_url)
        try:
            yield town
        finally:
            town.close()


def _ship(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in FILES:
        shutil.copy(SOURCES / name, folder / name)
    (folder / "stashplex.yml").write_text(yaml.safe_dump(MANIFEST), "utf-8")
