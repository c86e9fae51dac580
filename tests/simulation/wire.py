"""Every request of every process, looked at when it is sent, when it takes effect and when it is answered.

It knows what may be on the wire (reliability.md, I2, I5 to I9) and nothing of how the engine works. What it finds
is told to the account; nothing here changes a request.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import trio

from simulation.account import Account
from simulation.books import Books, Lease
from simulation.life import Life
from simulation.memory import LISTS, TEXTS
from simulation.reasons import Reasons
from simulation.scenery import FOREIGN, Scenery
from simulation.weather import NOT_UNDERSTOOD, Trouble
from stashplex.base.errors import Server
from stashplex.base.transport import Request, Response
from stashplex.sim.plex.item import Item

REMEMBERED_S = 1.0
"""A process may believe a breaker that it has not read for so long."""
OURS = frozenset((*TEXTS, *LISTS, "thumb"))
_ITEMS = re.compile(r"/library/metadata/([0-9,]+)(/posters?)?$")
_SECTION = re.compile(r"/library/sections/[0-9]+/all$")
_NUMBER = re.compile(r"film-([0-9]+)")
_TITLE = re.compile(r"Film ([0-9]+) v")
_FIELD = re.compile(r"([A-Za-z]+)(?:\[[0-9]*\])?\.")


@dataclass(eq=False)
class Exchange:
    """One request under way. Shape: `keys` are the items that it reads or writes."""

    life: Life
    server: Server
    request: Request
    keys: tuple[str, ...]
    is_write: bool
    text: str
    trouble: Trouble | None = None


@dataclass(eq=False)
class Wire:
    """What is on the wire, and what each process has seen."""

    scenery: Scenery
    books: Books
    account: Account
    owners: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    seen_titles: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)
    read_at: dict[tuple[str, str], int] = field(default_factory=dict)
    person_at: dict[str, int] = field(default_factory=dict)
    renumbered_at: dict[str, int] = field(default_factory=dict)
    renumbered_under_us: set[str] = field(default_factory=set)
    raced: set[tuple[str, str]] = field(default_factory=set)
    under_way: list[Exchange] = field(default_factory=list)
    strikes: Counter[tuple[Server, Trouble]] = field(default_factory=Counter)
    refused: dict[tuple[str, Server], float] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    is_fair: bool = False

    def __post_init__(self) -> None:
        self.reasons = Reasons(self.account)
        self.books.on_synced = self._synced
        self.books.on_not_taken = self.reasons.check_not_taken

    def sent(self, life: Life, server: Server, request: Request) -> Exchange:
        """Look at a request that leaves a process."""
        life.sent[server] += 1
        exchange = _exchange(life, server, request)
        self.account.note(f"{life.name} -> {server} {exchange.text}")
        self._check_breaker(exchange)
        if exchange.is_write:
            self.written += exchange.keys
            self._check_write(exchange)
            self.books.writers.setdefault(life, set()).update(self.scenes_of(exchange))
        self.under_way.append(exchange)
        return exchange

    def struck(self, exchange: Exchange, trouble: Trouble) -> None:
        """Note what will happen to a request."""
        exchange.trouble = trouble
        self.account.note(f"   {exchange.life.name} {exchange.server} trouble: {trouble}")
        self.account.reach(f"trouble: {trouble}")
        self.strikes[exchange.server, trouble] += 1
        self.reasons.strike(self.scenes_of(exchange))

    def before_effect(self, life: Life, request: Request) -> dict[str, set[str]]:
        """Return what people added to the items that a write is about to change."""
        return {key: _foreign(item) for key in _exchange(life, Server.PLEX, request).keys if (item := self._item(key))}

    def after_effect(self, life: Life, before: dict[str, set[str]]) -> None:
        """Check that what people added is still there (I6)."""
        for key, foreign in before.items():
            self._note_renumbering(life, key)
            item = self._item(key)
            lost = foreign - _foreign(item) if item else set()
            if not lost:
                continue
            if self.person_at.get(key, 0) > self.read_at.get((life.name, key), 0):
                self.account.reach("a person edited between our read and our write")
                self.raced.update((key, tag) for tag in lost)
            else:
                self.account.violate("I6", f"{life.name} removed {sorted(lost)} from item {key}, which people added")
        late = {scene for scene in self._scenes_at(before) if not self._is_held(scene, life)}
        self.reasons.disturb(late)
        if life.is_dead:
            self.account.reach("a write took effect after its sender had died")

    def answered(self, exchange: Exchange, response: Response) -> None:
        """Learn what a process knows from now on."""
        name = exchange.life.name
        if response.status in {401, 403}:
            self.refused.setdefault((name, exchange.server), max(trio.current_time(), exchange.life.paused_until_s))
        is_error = response.status >= 400 and response.status not in {404, 422}
        is_bad = is_error or exchange.trouble in NOT_UNDERSTOOD
        self.books.failed[exchange.life, exchange.server.value] += is_bad
        if not is_bad:
            self.refused = {who: at_s for who, at_s in self.refused.items() if who[1] is not exchange.server}
        if exchange.trouble in {Trouble.TRUNCATED, Trouble.PAGE, Trouble.WRONG}:
            return
        if exchange.server is Server.STASH and response.status == 200 and "graphql" in exchange.request.url:
            for number, title in _scenes_in(response.body):
                self.seen_titles[name, number] = (self.account.lines, title)
        elif not exchange.is_write and response.status in {200, 404}:
            for key in exchange.keys:
                self.read_at[name, key] = self.account.lines
                for verified in [pair for pair in self.books.unverified if pair[1] == key]:
                    del self.books.unverified[verified]

    def failed(self, exchange: Exchange) -> None:
        """Note that no answer came."""
        self.books.failed[exchange.life, exchange.server.value] += 1

    def ended(self, exchange: Exchange, outcome: str) -> None:
        """Note that a request is over for its sender."""
        self.under_way.remove(exchange)
        self.account.note(f"{exchange.life.name} <- {exchange.server} {outcome} ({exchange.text[:40]})")

    def scenes_with(self, item: Item) -> set[int]:
        """Return the scenes that hold, or once held, a file of an item."""
        return set().union(*(self.owners[number] for number in numbers_of(item)))

    def _scenes_at(self, keys: Iterable[str]) -> set[int]:
        return set().union(*(self.scenes_with(item) for key in keys if (item := self._item(key))))

    def scenes_of(self, exchange: Exchange) -> set[int]:
        """Return the scenes of the items that a request reads or writes."""
        return self._scenes_at(exchange.keys)

    def _is_held(self, scene: int, life: Life) -> bool:
        lease = self.books.holder(scene)
        return lease is not None and lease.life is life and not life.is_dead

    def _synced(self, life: Life, scene: int, lease: Lease) -> None:
        """Note with which items a scene is in step: those that its holder has read."""
        keys = [str(item.key) for item in self.scenery.section.items.values() if scene in self.scenes_with(item)]
        self.reasons.settle(
            scene, [key for key in keys if self.read_at.get((life.name, key), 0) > lease.at_line], lease
        )

    def concerns(self, exchange: Exchange, name: str) -> bool:
        """Tell whether a write goes to an item with a file of this name."""
        items = [item for key in exchange.keys if (item := self._item(key))]
        return any(name in file.path for item in items for file in item.files)

    def _item(self, key: str) -> Item | None:
        return self.scenery.plex.world.items.get(int(key))

    def _check_breaker(self, exchange: Exchange) -> None:
        """I5: nothing is sent to a server whose breaker is not closed, but one probe by its holder."""
        found = [shut for server, shut in self.books.shut.items() if server.startswith(exchange.server.value)]
        if not found:
            since_s = self.refused.get((exchange.life.name, exchange.server))
            if since_s is not None and trio.current_time() > since_s + REMEMBERED_S and not self.is_fair:
                self.account.violate("I5", f"{exchange.life.name} goes on although it was refused: {exchange.text}")
            return
        shut, life = found[0], exchange.life
        is_recent = trio.current_time() - shut.at_s <= REMEMBERED_S
        if shut.state == "open":
            if shut.life is life or not is_recent:
                self.account.violate("I5", f"{life.name} sent {exchange.text} while the breaker is open")
            return
        others = [one for one in self.under_way if one.server is exchange.server and one.life is life]
        if shut.life is not life and not is_recent:
            self.account.violate("I5", f"{life.name} sent {exchange.text}, but {shut.life.name} holds the probe")
        elif shut.life is life and len(others) > 1:
            self.account.violate("I5", f"{life.name} sent {exchange.text} beside its probe")

    def _check_write(self, exchange: Exchange) -> None:
        life, account = exchange.life, self.account
        if not exchange.keys or len(exchange.keys) != 1:
            account.violate("I7", f"a write that names no single item: {exchange.request.url}")
            return
        key = exchange.keys[0]
        item = self._item(key)
        scenes = set() if item is None else self.scenes_with(item)
        holders = {lease.life for scene in scenes if (lease := self.books.holder(scene))} | {life}
        for twin in self.under_way:
            if twin.is_write and key in twin.keys and twin.life in holders:
                account.violate("I2", f"item {key}: {exchange.text} while {twin.life.name} has {twin.text} under way")
        self._check_fields(exchange)
        if item is None:
            account.reach("a write to an item that is gone")
            return
        if self._note_renumbering(life, key):
            return
        held = {scene for scene in scenes if (lease := self.books.holder(scene)) and lease.life is life}
        if not held:
            account.violate("I1", f"{life.name} writes to item {key} of scenes {scenes} without a valid lease")
        for scene in held if len(held) == 1 else ():
            self.books.unverified[scene, key] = life.name
            if len(scenes) == 1:
                self.reasons.check_write(scene, key, exchange.text)
        self._check_title(exchange, scenes)

    def _note_renumbering(self, life: Life, key: str) -> bool:
        """Tell whether a key stands for another film than the one that a process read: what it writes is lost there."""
        is_other = self.renumbered_at.get(key, 0) > self.read_at.get((life.name, key), 0)
        if is_other:
            self.account.reach("the library was renumbered between our read and our write")
            self.renumbered_under_us.add(key)
        return is_other

    def _check_fields(self, exchange: Exchange) -> None:
        """I6: only fields of ours."""
        for name in parse_qs(urlsplit(exchange.request.url).query, keep_blank_values=True):
            found = _FIELD.match(name)
            if found and found[1] not in OURS:
                self.account.violate("I6", f"{exchange.text} touches {found[1]}")

    def _check_title(self, exchange: Exchange, scenes: set[int]) -> None:
        """I8 and promise 4: the values of this item's scene, as Stash showed them in this very pass."""
        query = parse_qs(urlsplit(exchange.request.url).query, keep_blank_values=True)
        title = query.get("title.value", [""])[0]
        found = _TITLE.search(title)
        if found is None:
            return
        number = int(found[1])
        if number not in scenes:
            self.account.violate("I8", f"{exchange.text}: {title!r} on an item of scenes {sorted(scenes)}")
            return
        lease = self.books.holder(number)
        line, seen = self.seen_titles.get((exchange.life.name, number), (-1, ""))
        if seen != title:
            self.account.violate("stale", f"{exchange.text}: {title!r}, but Stash last showed {seen!r}")
        elif lease is not None and line < lease.at_line:
            self.account.violate("stale", f"{exchange.text}: Stash was not read since the lease")


def numbers_of(item: Item) -> set[int]:
    """Return the numbers in the names of an item's files."""
    return {int(found[1]) for file in item.files if (found := _NUMBER.search(file.path))}


def _foreign(item: Item) -> set[str]:
    return {
        f"{kind}:{tagging.tag.text}"
        for kind, taggings in item.tags.items()
        for tagging in taggings
        if tagging.tag.text in FOREIGN
    }


def _exchange(life: Life, server: Server, request: Request) -> Exchange:
    parts = urlsplit(request.url)
    text = f"{request.method} {unquote(parts.path)}?{unquote(parts.query)}"
    if server is Server.STASH:
        body = request.body.decode("utf-8", "replace")
        return Exchange(life, server, request, (), is_write=False, text=f"{text} {_brief(body)}")
    items = _ITEMS.search(parts.path)
    is_write = request.method in {"PUT", "POST"}
    if items:
        return Exchange(life, server, request, tuple(items[1].split(",")), is_write=is_write, text=text[:300])
    if is_write and _SECTION.search(parts.path):
        ids = parse_qs(parts.query).get("id", [""])[0]
        return Exchange(life, server, request, tuple(filter(None, ids.split(","))), is_write=True, text=text[:300])
    return Exchange(life, server, request, (), is_write=False, text=text[:120])


def _brief(body: str) -> str:
    """Return what a query asks for, and about which scenes."""
    name = re.search(r"(?:query|mutation)\s+(\w+)", body)
    variables = re.search(r'"variables":(\{.*?\})', body)
    return f"{name[1] if name else ''} {variables[1][:80] if variables else ''}"


def _scenes_in(body: bytes) -> list[tuple[int, str]]:
    """Return number and title of each scene in an answer of Stash."""
    if b'"title"' not in body:
        return []
    found: list[tuple[int, str]] = []
    waiting = [msgspec.json.decode(body)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if "title" in one and "id" in one:
                found.append((int(one["id"]), one["title"] or ""))
            else:
                waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return found
