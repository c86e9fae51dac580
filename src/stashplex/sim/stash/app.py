"""The simulated Stash: an ASGI application with its own state, and the methods that arrange its world.

Serves in process (under asyncio and trio) and over a socket alike. `app` is what a client talks to; everything else
is for tests and demonstrations. The invariant: nothing a client sees depends on which way it came in.
"""

import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute

from stashplex.base.clock import Clock, SystemClock
from stashplex.sim.stash.context import Parts
from stashplex.sim.stash.disk import Disk
from stashplex.sim.stash.door import App, Door
from stashplex.sim.stash.endpoint import Endpoint
from stashplex.sim.stash.hook import Hooks
from stashplex.sim.stash.job import Jobs
from stashplex.sim.stash.journal import Asked, Counts, Journal
from stashplex.sim.stash.launch import Launcher
from stashplex.sim.stash.library import Library
from stashplex.sim.stash.log import Log
from stashplex.sim.stash.package import Packages
from stashplex.sim.stash.person import Person
from stashplex.sim.stash.picture import Pictures
from stashplex.sim.stash.plugin import Shelf
from stashplex.sim.stash.plugin_files import PluginFiles
from stashplex.sim.stash.process import Starter
from stashplex.sim.stash.scan import Scanner
from stashplex.sim.stash.scene_filter import SceneFilters
from stashplex.sim.stash.session import Doorkeeper, Session
from stashplex.sim.stash.settings import Settings
from stashplex.sim.stash.subscription import Subscriptions
from stashplex.sim.stash.switches import Switches
from stashplex.sim.stash.task import Tasks
from stashplex.sim.stash.timetext import Stamper
from stashplex.sim.stash.upkeep import Upkeep


class StashSim(Person):
    """One simulated server.

    Shape: `app` is the ASGI application; `switches` and `settings` may be changed at any time; `counts` and
    `requests` tell what was asked. `api_key` None means that the server has no key.
    """

    def __init__(
        self,
        *,
        api_key: str | None = "stash-key",
        username: str = "admin",
        password: str = "secret",  # noqa: S107 - a made-up default of a simulated server
        clock: Clock | None = None,
        zone: str = "Europe/Berlin",
        switches: Switches | None = None,
        seed: int = 0,
        plugins_path: Path | None = None,
        environment: Mapping[str, str] | None = None,
        working_directory: Path | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.switches = switches or Switches()
        self.settings = Settings(username, password, api_key or "", plugins_path)
        self.journal = Journal()
        self.disk = Disk()
        chance = Random(seed)
        stamper = Stamper(self.clock, ZoneInfo(zone))
        super().__init__(Library(stamper))
        self.keeper = Doorkeeper(self.settings, chance.randbytes(16))
        self.starter = Starter({"PATH": os.defpath} if environment is None else environment, working_directory)
        self.parts = self._assemble(stamper, chance)
        self.log = self.parts.log
        self.jobs = self.parts.jobs
        self._door = Door(self._inside(), self.keeper, self.switches, self.journal, self.clock)
        self.app: App = self._door

    def _assemble(self, stamper: Stamper, chance: Random) -> Parts:
        log = Log(stamper)
        shelf = Shelf(self.settings, log)
        shelf.reload()
        launcher = Launcher(self.settings, self.keeper, self.starter, log, self.clock)
        hooks, jobs = Hooks(shelf, launcher, log), Jobs(stamper)
        scanner = Scanner(self.library, self.settings, self.disk, hooks)
        return Parts(
            library=self.library,
            stamper=stamper,
            switches=self.switches,
            settings=self.settings,
            chance=chance,
            filters=SceneFilters(self.library),
            log=log,
            shelf=shelf,
            hooks=hooks,
            jobs=jobs,
            tasks=Tasks(shelf, launcher, jobs, log),
            packages=Packages(self.settings, shelf, log),
            scanner=scanner,
            upkeep=Upkeep(self.library, self.disk, hooks, scanner.finished),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run jobs until the block ends. At its end a running task's process is left behind, not killed."""
        self.starter.is_stopping = False
        async with anyio.create_task_group() as group:
            group.start_soon(self.jobs.run)
            self.jobs.is_running = True
            try:
                yield
            finally:
                self.starter.is_stopping = True
                group.cancel_scope.cancel()

    def move_file(self, old: str, new: str) -> None:
        """Move a known file on the disk; a scan will find out."""
        self.disk.move(next(file for file in self.library.files.values() if file.path == old), new)

    def reload_plugins(self) -> None:
        """Read the manifests anew."""
        self.parts.shelf.reload()

    @property
    def counts(self) -> Counts:
        """How many requests of each kind came in."""
        return self.journal.counts

    @property
    def requests(self) -> deque[Asked]:
        """The last requests, oldest first."""
        return self.journal.requests

    @property
    def between_rows(self) -> Callable[[int], None] | None:
        """What happens behind the back of a running query: called with each scene's id after its row was read."""
        return self.parts.between_rows

    @between_rows.setter
    def between_rows(self, disturb: Callable[[int], None] | None) -> None:
        self.parts.between_rows = disturb

    def _inside(self) -> App:
        endpoint, pictures = Endpoint(self.parts, self.counts), Pictures(self.parts)
        plugin_files = PluginFiles(self.parts.shelf)
        return Starlette(
            routes=[
                Route("/graphql", endpoint.__call__, methods=["GET", "POST"]),
                WebSocketRoute("/graphql", Subscriptions(self.parts).__call__),
                Route("/login", self._login, methods=["GET", "POST"]),
                Route("/logout", self._logout, methods=["GET"]),
                Route("/healthz", _healthz, methods=["GET"]),
                _get_only("/scene/{id:int}/screenshot", pictures.scene),
                _get_only("/scene/{id:int}/scene_marker/{marker:int}/screenshot", pictures.marker),
                _get_only("/performer/{id:int}/image", pictures.performer),
                _get_only("/studio/{id:int}/image", pictures.studio),
                _get_only("/tag/{id:int}/image", pictures.tag),
                _get_only("/group/{id:int}/frontimage", pictures.group_front),
                _get_only("/group/{id:int}/backimage", pictures.group_back),
                _get_only("/plugin/{plugin}/javascript", plugin_files.javascript),
                _get_only("/plugin/{plugin}/css", plugin_files.css),
                Route("/", _page, methods=["GET"]),
            ],
            lifespan=lambda _: self.running(),
        )

    async def _login(self, request: Request) -> Response:
        if request.method == "GET":
            return HTMLResponse("<html><form method='post'>Login</form></html>")
        form = await _form(request)
        if not self.keeper.is_login(form.get("username", ""), form.get("password", "")):
            return HTMLResponse("<html>Username or password is invalid</html>", 401)
        headers = {"set-cookie": self._door.cookie_header(Session(form["username"]))}
        target = form.get("returnURL")
        return RedirectResponse(target, 302, headers) if target else Response(headers=headers)

    async def _logout(self, _: Request) -> Response:
        return RedirectResponse("/login", 302, {"set-cookie": "session=; Path=/; Max-Age=0"})


def _get_only(path: str, endpoint: Callable[[Request], object]) -> Route:
    """Return a route that does not know HEAD, unlike Starlette's own."""
    route = Route(path, endpoint, methods=["GET"])
    route.methods = {"GET"}
    return route


async def _form(request: Request) -> dict[str, str]:
    """Return an urlencoded form."""
    fields = parse_qs((await request.body()).decode("utf-8"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


async def _healthz(_: Request) -> Response:
    return PlainTextResponse(".")


async def _page(_: Request) -> Response:
    return HTMLResponse("<html>Stash</html>")
