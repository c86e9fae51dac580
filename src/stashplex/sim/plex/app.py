"""`PlexSim`: one simulated Plex Media Server, and the ways to arrange its world.

`sim.app` is the ASGI application; everything else here is for tests, simulations, benches and the demo, which
put files on the disk, look at the library from inside and turn faults on. Nothing here goes over HTTP.
"""

import random
from collections import Counter, deque
from collections.abc import Mapping, Sequence

from stashplex.base.clock import Clock, SystemClock
from stashplex.sim.plex import scan, tagging
from stashplex.sim.plex.item import Collection, DiskFile, Item, Value
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.sections import folder_of
from stashplex.sim.plex.server import Application, RequestLog, SeenRequest
from stashplex.sim.plex.switches import Switches
from stashplex.sim.plex.tag import KINDS
from stashplex.sim.plex.world import OWNER, AgentSays, Play, World

MOVIE_AGENT = "tv.plex.agents.movie"
NO_AGENT = "com.plexapp.agents.none"

FileSpec = tuple[str, int, int]
"""Path, size in bytes, duration in milliseconds."""


class PlexSim:
    """One simulated server. Shape: rating keys are strings, as on the wire."""

    def __init__(
        self,
        *,
        token: str = "plex-token",  # noqa: S107 - a made-up secret of a made-up server
        shared_token: str = "shared-token",  # noqa: S107 - likewise
        switches: Switches | None = None,
        clock: Clock | None = None,
        seed: int = 0,
        version: str = "1.43.5.11011-abcdef012",
        name: str = "Tower",
        log_length: int | None = 10_000,
    ) -> None:
        rng = random.Random(seed)
        self.token = token
        self.shared_token = shared_token
        self.switches = switches or Switches()
        self.world = World(
            clock=clock or SystemClock(),
            rng=rng,
            switches=self.switches,
            version=version,
            name=name,
            machine_id=f"{rng.getrandbits(160):040x}",
        )
        self.world.prefs = {
            "FriendlyName": name,
            "allowMediaDeletion": self.switches.allow_media_deletion,
            "autoEmptyTrash": False,  # the real default differs; off shows the trash
            "butlerStartHour": 2,
            "butlerEndHour": 5,
            "butlerUpdateChannel": 16,
            "DatabaseCacheSize": 40,
        }
        self._log = RequestLog(deque(maxlen=log_length), Counter())
        self.app = Application(self.world, self._log, token=token, shared_token=shared_token)

    # what was asked

    @property
    def requests(self) -> deque[SeenRequest]:
        """The newest requests, oldest first."""
        return self._log.requests

    @property
    def counts(self) -> Counter[str]:
        """How many requests of each kind came: list, batch_get, edit, upload, select, posters_list, scan, ..."""
        return self._log.counts

    @property
    def unscoped_edits(self) -> int:
        """How many edits of a section named no ids, and so meant every item."""
        return self._log.unscoped_edits

    def forget_requests(self) -> None:
        """Start counting afresh."""
        self._log.requests.clear()
        self._log.counts.clear()
        self._log.unscoped_edits = 0

    @property
    def notifications(self) -> list[dict[str, object]]:
        """The newest frames that were sent to whoever listened, without their outer container."""
        return [frame["NotificationContainer"] for frame in self.world.feed.frames]

    # the library

    def add_section(
        self,
        title: str,
        *,
        type: str = "movie",  # noqa: A002 - the wire's word
        agent: str = MOVIE_AGENT,
        scanner: str = "Plex Movie",
        language: str = "en-US",
        locations: Sequence[str] = ("/data",),
        is_shared: bool = True,
    ) -> Section:
        """Make an empty library. `is_shared` tells whether the shared user sees it."""
        world = self.world
        section = Section(
            id=max(world.sections, default=0) + 1,
            title=title,
            type=type,
            agent=agent,
            scanner=scanner,
            language=language,
            uuid=world.new_uuid(),
            locations=list(locations),
            created_at=world.now,
            content_changed_at=world.rng.randrange(10_000, 100_000_000),
            is_shared=is_shared,
        )
        world.sections[section.id] = section
        return section

    def add_item(
        self,
        section: Section,
        files: Sequence[FileSpec] = (),
        *,
        title: str | None = None,
        versions: Sequence[Sequence[FileSpec]] = (),
        optimized: Sequence[FileSpec] = (),
        edition: str = "",
        guid: str | None = None,
        guids: Sequence[str] = (),
        fields: Mapping[str, Value] | None = None,
        tags: Mapping[str, Sequence[str]] | None = None,
    ) -> str:
        """Make an item at once, files on disk included, and return its rating key.

        Shape: each of `files` is a version of one part; each of `versions` is a version of stacked parts; each of
        `optimized` is an optimized copy. `fields` and `tags` are by edit name.
        """
        world = self.world
        parts: list[tuple[DiskFile, ...]] = [(DiskFile(*file),) for file in files]
        parts += [tuple(DiskFile(*file) for file in version) for version in versions]
        title = title or (scan.stem_of(parts[0][0].path) if parts else "Untitled")
        item = scan.new_item(world, section, parts, title=title, guid=guid)
        item.media += [world.new_media([DiskFile(*file)], proxy_type=42) for file in optimized]
        item.guids = tuple(guids)
        for file in item.files:
            self._put_on_disk(file)
            section.paths[file.path] = item
        if edition:
            item.fields["editionTitle"] = edition
        item.fields |= fields or {}
        if section.has_agent and parts:
            world.agent_says.setdefault(parts[0][0].path, AgentSays({"title": title}))
        self._set_tags(item, tags or {})
        return str(item.key)

    def remove_item(self, rating_key: str) -> None:
        """Let an item go, files included."""
        item = self._item(rating_key)
        for file in item.files:
            self.remove_file(file.path)
        tagging.retire(self.world, item)

    def trash_item(self, rating_key: str) -> None:
        """Put an item into the trash: still listed, no longer readable. Its files leave the disk."""
        item = self._item(rating_key)
        for media in item.media:
            for part in media.parts:
                part.is_missing = True
                self.remove_file(part.file.path)
        scan.trash(self.world, item)

    def add_version(self, rating_key: str, files: Sequence[FileSpec], *, proxy_type: int = 0) -> None:
        """Add a version, of one part or of stacked ones, to an item."""
        item = self._item(rating_key)
        added = [DiskFile(*file) for file in files]
        item.media.append(self.world.new_media(added, proxy_type=proxy_type))
        for file in added:
            self._put_on_disk(file)
            self.world.sections[item.section_id].paths[file.path] = item
        self.world.touch(item)

    def rebuild(self, section: Section) -> dict[str, str]:
        """Remove and scan a library anew: same files, new rating keys, all edits lost. Return old key to new."""
        renamed = {}
        for item in list(section.items.values()):
            versions = [tuple(part.file for part in media.parts) for media in item.media]
            title = scan.stem_of(item.files[0].path) if item.files else item.title
            tagging.retire(self.world, item)
            renamed[str(item.key)] = str(scan.new_item(self.world, section, versions, title=title).key)
        return renamed

    def set_agent(
        self,
        path: str,
        *,
        fields: Mapping[str, Value] | None = None,
        tags: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Decide what the agent tells about a file, at the next refresh of its item."""
        self.world.agent_says[path] = AgentSays(dict(fields or {}), {name: list(t) for name, t in (tags or {}).items()})

    def add_play(self, rating_key: str, *, account: int = OWNER, viewed_at: int | None = None) -> None:
        """Let an account play an item to its end: a view and a row in the history."""
        world = self.world
        item = self._item(rating_key)
        at = world.now if viewed_at is None else viewed_at
        world.history.append(Play(len(world.history) + 1, item, account, at))
        view = item.view(account)
        view.count += 1
        view.last_viewed_at = at
        item.fragment = None
        world.sections[item.section_id].revision += 1

    # the disk and the internet

    def put_file(self, path: str, size: int, duration_ms: int) -> None:
        """Put a file on the disk; it becomes an item when a scan of its section or folder visits it."""
        self._put_on_disk(DiskFile(path, size, duration_ms))

    def remove_file(self, path: str) -> None:
        """Take a file from the disk; a scan notices."""
        self.world.disk.get(folder_of(path), {}).pop(path, None)

    def put_web(self, url: str, image: bytes) -> None:
        """Let the server find an image at an address."""
        self.world.web[url] = image

    # faults that are not switches

    def start_maintenance(
        self, text: str = "Plex Media Server is currently running startup maintenance tasks."
    ) -> None:
        """Answer every request with 503 and Plex's Maintenance mark."""
        self.app.maintenance = text

    def end_maintenance(self) -> None:
        """Answer requests again."""
        self.app.maintenance = None

    def drop_sockets(self) -> None:
        """Cut every notification socket."""
        self.world.feed.drop_all()

    def advance(self) -> None:
        """Run scan and refresh steps that are due, as the next request would."""
        self.world.advance()

    # the view from inside

    def item(self, rating_key: str) -> Item:
        """Return an item's true state. Raises: KeyError."""
        return self._item(rating_key)

    def tag_texts(self, rating_key: str, kind: str) -> list[str]:
        """Return an item's true tags of one kind, by edit name (`genre`, `actor`, ...), in order."""
        return [tagging_.tag.text for tagging_ in self._item(rating_key).tags.get(kind, ())]

    def image_bytes(self, rating_key: str) -> bytes | None:
        """Return the bytes of the uploaded poster that an item shows, None when it shows no upload."""
        gallery = self._item(rating_key).galleries.get("posters")
        selected = gallery.selected if gallery else None
        return self.world.images.find(selected.rpartition("/")[2]) if selected else None

    def collections(self, section: Section) -> dict[str, Collection]:
        """Return the collections of a library by title."""
        return {collection.title: collection for collection in section.collections.values()}

    def _item(self, rating_key: str) -> Item:
        return self.world.items[int(rating_key)]

    def _put_on_disk(self, file: DiskFile) -> None:
        self.world.disk.setdefault(folder_of(file.path), {})[file.path] = file

    def _set_tags(self, item: Item, tags: Mapping[str, Sequence[str]]) -> None:
        for name, texts in tags.items():
            edit = tagging.TagEdit(entries={index: tagging.Entry(text) for index, text in enumerate(texts)})
            tagging.apply_tags(self.world, item, KINDS[name], edit, replaces=True)
