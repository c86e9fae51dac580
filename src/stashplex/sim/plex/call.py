"""One request on its way through the handlers: the world, what was asked, and how the answer must look.

Handlers take a `Call` and return an `Answer` or raise `Refused`. Everything that depends on headers
(format, paging, rights) is decided here, so no handler reads a header.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

from stashplex.sim.plex.answer import ROOT, Answer, Element, Header, Refused, json_answer, loosened, xml_answer
from stashplex.sim.plex.item import Item
from stashplex.sim.plex.query import Query
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.world import OWNER, World


class Access(IntEnum):
    """Who may call."""

    OPEN = 0
    USER = 1
    ADMIN = 2


class Window(NamedTuple):
    """Which rows were asked for."""

    start: int
    size: int


@dataclass(slots=True)
class Call:
    """One request. Shape: `ids` are the numeric path segments as written, commas included."""

    world: World
    method: str
    path: str
    ids: tuple[str, ...]
    query: Query
    headers: dict[str, str]
    account: int
    body: bytes = b""

    @property
    def wants_json(self) -> bool:
        """Tell whether JSON was asked for; XML is the default."""
        return "json" in self.headers.get("accept", "")

    @property
    def is_owner(self) -> bool:
        """Tell whether the owner asks."""
        return self.account == OWNER

    def plex_header(self, name: str) -> str | None:
        """Return an X-Plex-* header, which may also be a query argument."""
        return self.headers.get(name.lower()) or self.query.find(name)

    def window(self) -> Window | None:
        """Return the page that was asked for, None unless both paging headers are there."""
        start, size = self.plex_header("X-Plex-Container-Start"), self.plex_header("X-Plex-Container-Size")
        if start is None or size is None:
            return None
        if not (start.isdecimal() and size.isdecimal()):
            raise Refused(400)
        cap = self.world.switches.page_cap
        return Window(int(start), int(size) if cap is None else min(int(size), cap))

    def section(self, *, place: int = 0) -> Section:
        """Return the section named in the path. Raises: Refused 404 when unknown or not shared."""
        section = self.world.sections.get(int(self.ids[place])) if self.ids[place].isdecimal() else None
        if section is None or not self.may_see(section):
            raise Refused(404)
        return section

    def item(self, *, place: int = 0) -> Item:
        """Return the one item named in the path. Raises: Refused 404."""
        item = self.world.find_item(self.ids[place])
        if item is None or not self.may_see(self.world.sections[item.section_id]):
            raise Refused(404)
        return item

    def may_see(self, section: Section) -> bool:
        """Tell whether this account sees a section."""
        return self.is_owner or section.is_shared

    def container(self, container: Element, headers: tuple[Header, ...] = (), *, root: str = ROOT) -> Answer:
        """Return a container in the format that was asked for."""
        if self.world.switches.loose_types:
            container = loosened(container, self.world.rng)
        return (json_answer if self.wants_json else xml_answer)(container, headers, root=root)

    def rows(
        self,
        rows: Sequence[Any],
        render: Callable[[Any], Element | msgspec.Raw],
        *,
        name: str = "Metadata",
        total: int | None = None,
        **attributes: Any,
    ) -> Answer:
        """Return a container of rows, cut to the page that was asked for.

        Shape: `total` is what `totalSize` claims when it is not the number of rows.
        """
        window = self.window()
        headers: tuple[Header, ...] = ()
        container: Element = {"size": len(rows), **attributes}
        if window is not None:
            total = len(rows) if total is None else total
            rows = rows[window.start : window.start + window.size]
            container = {"size": len(rows), "offset": window.start, "totalSize": total, **attributes}
            headers = (
                (b"x-plex-container-start", str(window.start).encode()),
                (b"x-plex-container-total-size", str(total).encode()),
            )
        if rows:
            container[name] = [render(row) for row in rows]
        return self.container(container, headers)
