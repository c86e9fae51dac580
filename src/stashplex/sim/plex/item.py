"""One item of a library and what hangs on it: versions, files, views, images. A collection is an item too.

Plain mutable state without behaviour beyond what can be told from itself. Whoever changes an item tells the
world (`World.touch`), which forgets the cached fragment and moves the stamps.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from typing_extensions import override

from stashplex.sim.plex.tag import Tag, Tagging

type_numbers = {"movie": 1, "show": 2, "season": 3, "episode": 4, "artist": 8, "photo": 13, "collection": 18}

Value = str | int | float


class DiskFile(NamedTuple):
    """One file as the server's disk holds it. Units: bytes, milliseconds."""

    path: str
    size_bytes: int
    duration_ms: int


@dataclass(slots=True, eq=False)
class Part:
    """One file of one version."""

    id: int
    file: DiskFile
    is_missing: bool = False


@dataclass(slots=True, eq=False)
class Media:
    """One version of an item: one part, or several stacked ones. `proxy_type` 42 is an optimized copy."""

    id: int
    parts: list[Part]
    proxy_type: int = 0


@dataclass(slots=True, eq=False)
class View:
    """What one account did with one item."""

    count: int = 0
    last_viewed_at: int = 0
    offset_ms: int = 0
    rating: float | None = None
    last_rated_at: int = 0


@dataclass(slots=True, eq=False)
class Gallery:
    """The pictures of one kind of one item.

    Shape: `uploads` holds candidate keys, oldest first; `selected` is None for the agent's own, "" for none;
    until `former_until` the candidate list still shows `former` as selected.
    """

    uploads: list[str] = field(default_factory=list)
    selected: str | None = None
    former: str | None = None
    former_until: float = 0.0


@dataclass(slots=True, eq=False)
class Item:
    """One video. `fields` holds only what is set; `fragment` is the cached line of a listing."""

    key: int
    section_id: int
    guid: str
    added_at: int
    updated_at: int
    fields: dict[str, Value]
    media: list[Media] = field(default_factory=list)
    tags: dict[str, list[Tagging]] = field(default_factory=dict)
    locks: set[str] = field(default_factory=set)
    views: dict[int, View] = field(default_factory=dict)
    galleries: dict[str, Gallery] = field(default_factory=dict)
    guids: tuple[str, ...] = ()
    prefs: dict[str, str] = field(default_factory=dict)
    thumb_at: int | None = None
    art_at: int | None = None
    deleted_at: int | None = None
    fragment: bytes | None = None
    fragment_shape: tuple[object, ...] = ()

    @property
    def type(self) -> str:
        """The name of its type in answers."""
        return "movie"

    @property
    def title(self) -> str:
        """Its title."""
        return str(self.fields.get("title", ""))

    @property
    def title_sort(self) -> str:
        """What it is sorted by."""
        return str(self.fields.get("titleSort", self.fields.get("title", ""))).casefold()

    @property
    def files(self) -> list[DiskFile]:
        """All files of all versions."""
        return [part.file for media in self.media for part in media.parts]

    @property
    def is_matched(self) -> bool:
        """Tell whether an agent knows it."""
        return not self.guid.startswith(("local://", "com.plexapp.agents.none://"))

    def view(self, account: int) -> View:
        """Return what an account did with it, to be read or changed."""
        found = self.views.get(account)
        if found is None:
            found = self.views[account] = View()
        return found


@dataclass(slots=True, eq=False, kw_only=True)
class Collection(Item):
    """One collection. `tag` is the tag that its members carry; a smart one has `smart_uri` and no fixed members."""

    tag: Tag
    members: dict[int, Item] = field(default_factory=dict)
    smart_uri: str = ""

    @property
    @override
    def type(self) -> str:
        """The name of its type in answers."""
        return "collection"
