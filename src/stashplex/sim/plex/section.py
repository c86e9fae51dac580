"""One library: its items in the orders that listings need, its collections, its counters.

Default order is the sort title, kept as a sorted list so that a page costs what it holds; `touched` is in the
order of the last change. Items enter and leave only through `add` and `remove`.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from stashplex.sim.plex.item import Collection, Item


@dataclass(slots=True, eq=False)
class Section:
    """One library. `content_changed_at` is a counter, not a time; `revision` also counts views."""

    id: int
    title: str
    type: str
    agent: str
    scanner: str
    language: str
    uuid: str
    locations: list[str]
    created_at: int
    content_changed_at: int
    is_shared: bool = True
    scanned_at: int = 0
    scans: int = 0
    busy_until: float = 0.0
    revision: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    touched: dict[int, Item] = field(default_factory=dict)
    collections: dict[int, Collection] = field(default_factory=dict)
    collections_by_tag: dict[int, Collection] = field(default_factory=dict)
    paths: dict[str, Item] = field(default_factory=dict)
    _order: list[tuple[str, int]] = field(default_factory=list)
    _is_sorted: bool = True

    @property
    def has_agent(self) -> bool:
        """Tell whether an agent fills its items."""
        return self.agent != "com.plexapp.agents.none"

    @property
    def order(self) -> list[tuple[str, int]]:
        """Sort titles and rating keys in the default order. Not to be changed by the caller."""
        if not self._is_sorted:
            self._order.sort()
            self._is_sorted = True
        return self._order

    def add(self, item: Item) -> None:
        """Take an item in."""
        self.items[item.key] = self.touched[item.key] = item
        self._order.append((item.title_sort, item.key))
        self._is_sorted = False
        for file in item.files:
            self.paths[file.path] = item

    def remove(self, item: Item) -> None:
        """Let an item go."""
        del self.items[item.key]
        self.touched.pop(item.key, None)
        self._drop_title(item.title_sort, item.key)
        for file in item.files:
            if self.paths.get(file.path) is item:
                del self.paths[file.path]

    def retitled(self, item: Item, former: str) -> None:
        """Move an item whose sort title was `former` to its new place."""
        if item.key in self.items and former != item.title_sort:
            self._drop_title(former, item.key)
            insort(self._order, (item.title_sort, item.key))

    def mark_touched(self, item: Item) -> None:
        """Count a change of content, and remember which item changed last."""
        self.mark_changed()
        if self.touched.pop(item.key, None) is not None:
            self.touched[item.key] = item

    def mark_changed(self) -> None:
        """Count a change of content."""
        self.content_changed_at += 1
        self.revision += 1

    def _drop_title(self, title: str, key: int) -> None:
        order = self.order
        place = bisect_left(order, (title, key))
        if place < len(order) and order[place] == (title, key):
            del order[place]
