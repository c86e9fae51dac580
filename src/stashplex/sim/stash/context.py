"""What every resolver is handed: the server's parts and who is asking.

`Parts` lives as long as the server; a `Context` lives for one request and is never shared. Neither decides anything.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from stashplex.sim.stash.library import Library
from stashplex.sim.stash.refusal import RequestRefused
from stashplex.sim.stash.scene_filter import SceneFilters
from stashplex.sim.stash.session import Session
from stashplex.sim.stash.settings import Settings
from stashplex.sim.stash.switches import Switches
from stashplex.sim.stash.timetext import Stamper


@dataclass(slots=True)
class Parts:
    """The long-lived parts of one server."""

    library: Library
    stamper: Stamper
    switches: Switches
    settings: Settings
    chance: Random
    filters: SceneFilters
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
        """Return if data can be read. Raises: RequestRefused while the server is being set up or migrated."""
        if self.parts.switches.status != "OK":
            raise RequestRefused("database not initialized")


@dataclass(slots=True, frozen=True)
class HookEvent:
    """Something that plugins may listen to. Shape: `fields` None means that the key is left out."""

    trigger: str
    id: int
    input: Any = None
    fields: tuple[str, ...] | None = None


@dataclass(slots=True)
class Change:
    """What a mutation did: the events to fire, then the answer, which is read after the hooks ran."""

    answer: Callable[[], Any]
    events: list[HookEvent] = field(default_factory=list)
