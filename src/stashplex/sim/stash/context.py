"""What every resolver is handed: the server's parts and who is asking.

`Parts` lives as long as the server; a `Context` lives for one request and is never shared. Neither decides anything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from stashplex.sim.stash.hook import Hooks
from stashplex.sim.stash.job import Jobs
from stashplex.sim.stash.library import Library
from stashplex.sim.stash.log import Log
from stashplex.sim.stash.package import Packages
from stashplex.sim.stash.plugin import Shelf
from stashplex.sim.stash.refusal import InternalSystemError
from stashplex.sim.stash.scan import Scanner
from stashplex.sim.stash.scene_filter import SceneFilters
from stashplex.sim.stash.session import Session
from stashplex.sim.stash.settings import Settings
from stashplex.sim.stash.switches import Switches
from stashplex.sim.stash.task import Tasks
from stashplex.sim.stash.timetext import Stamper
from stashplex.sim.stash.upkeep import Upkeep


@dataclass(slots=True)
class Parts:
    """The long-lived parts of one server."""

    library: Library
    stamper: Stamper
    switches: Switches
    settings: Settings
    chance: Random
    filters: SceneFilters
    log: Log
    shelf: Shelf
    hooks: Hooks
    jobs: Jobs
    tasks: Tasks
    packages: Packages
    scanner: Scanner
    upkeep: Upkeep
    between_rows: Callable[[int], None] | None = None


@dataclass(slots=True, frozen=True)
class Context:
    """One request. Shape: `base` is the address that the caller used."""

    parts: Parts
    base: str
    session: Session

    @property
    def library(self) -> Library:
        """The tables."""
        return self.parts.library

    def need_database(self) -> None:
        """Return if data can be read. Raises: InternalSystemError while the server is not set up or not migrated."""
        if self.parts.switches.status != "OK":
            raise InternalSystemError
