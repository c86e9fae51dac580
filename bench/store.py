"""How fast the store is: `python bench/store.py [rows ...]` prints one table, 10,000 and 100,000 rows by default.

Every number is of this machine and its disk; ratios tell more. It writes to a temporary directory that it removes.
"""

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from stashplex.base.clock import SystemClock
from stashplex.domain.document import Base, Document, TagField, TextField
from stashplex.domain.entry import PlexId, State, Transition
from stashplex.domain.item import IndexedPart, RatingKey, SectionKey
from stashplex.domain.journal import JournalEvent, JournalRow
from stashplex.domain.link import Evidence, Link
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.index import PlexIndex
from stashplex.store.ledger import Leased, Ledger, Settlement

BATCH = 50
PASSES = 20_000
PAGE = 1_000
SAMPLES = 200
NOW = datetime(2025, 1, 1, tzinfo=UTC)
UNTIL = NOW + timedelta(minutes=2)
SECTION = SectionKey("1")
SYNCED = Transition(State.SYNCED, None, 0, None, None, None)
WAITING = Transition(State.PENDING, NOW + timedelta(days=1), 1, "PlexNotFound", "not there yet", NOW)
ROW = JournalRow(NOW, JournalEvent.FIELD_WRITTEN, RatingKey("1"), "title", "An old title", "A new title")
LINK = Link(
    RatingKey("1"),
    SECTION,
    Evidence.EXACT_PATH,
    "/data/library/some folder/some file.mp4",
    Base(
        Document(
            {TextField.TITLE: "A title of usual length", TextField.SUMMARY: "x" * 300, TextField.STUDIO: "A studio"},
            {TagField.GENRE: ("one", "two", "three", "four"), TagField.ACTOR: ("Some Body", "Any Body")},
        )
    ),
)

_clock = SystemClock()


def main() -> None:
    """Measure each size given on the command line."""
    for size in [int(argument) for argument in sys.argv[1:]] or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n{size:,} rows")
            _measure(Path(folder) / "stashplex.db", size)


def _measure(path: Path, size: int) -> None:
    _tell("open: create and migrate", _seconds(lambda: Database.open(path).close()) * 1e3, "ms")
    database = Database.open(path)
    ledger = Ledger(database)
    plex_id = ledger.plex_id("machine", "bench")
    seconds = _seconds(lambda: ledger.mark(plex_id, map(SceneId, range(size)), now=NOW))
    _tell("mark, new", size / seconds, "/s", f"{seconds:.1f} s")
    seconds = _seconds(lambda: ledger.mark(plex_id, map(SceneId, range(size)), now=NOW))
    _tell("mark, again", size / seconds, "/s", f"{seconds:.1f} s")
    count = min(size // 3, PASSES)
    _tell("lease + settle, state only", rate(ledger, plex_id, count, plain), "/s")
    _tell("lease + settle, to waiting", rate(ledger, plex_id, count, _waiting), "/s")
    _tell("lease + settle, link and journal", rate(ledger, plex_id, count, full), "/s")
    _tell("next_due_at", _median(lambda: ledger.next_due_at(plex_id)) * 1e6, "us")
    _tell("find", _median(lambda: ledger.find(plex_id, SceneId(size // 2))) * 1e6, "us")
    _tell("counts", _seconds(lambda: ledger.counts(plex_id, now=NOW)) * 1e3, "ms")
    _tell("count_links", _seconds(lambda: ledger.count_links(plex_id)) * 1e3, "ms")
    _index(PlexIndex(database), plex_id, size)
    _contention(path)
    seconds = _seconds(database.close)
    _tell("close", seconds * 1e3, "ms", f"{path.stat().st_size / 2**20:.0f} MiB")
    _tell("open: nothing to do", _seconds(lambda: Database.open(path).close()) * 1e3, "ms")


def _index(index: PlexIndex, plex_id: PlexId, size: int) -> None:
    for round_name in ("new", "again"):
        crawl = index.begin_crawl(plex_id, SECTION)
        seconds = _seconds(partial(_fill, index, plex_id, crawl, size))
        _tell(f"index, {round_name}", size / seconds, "/s", f"{seconds:.1f} s")
        seconds = _seconds(partial(index.finish_crawl, plex_id, SECTION, crawl, 1, NOW))
        _tell(f"finish_crawl, {round_name}", seconds * 1e3, "ms")
    asked = [_file(number) for number in range(0, size, size // 100)]
    _tell("find_by_path, 100", _median(lambda: index.find_by_path(plex_id, [SECTION], asked)) * 1e6, "us")
    _tell("find_by_name, 100", _median(lambda: index.find_by_name(plex_id, [SECTION], asked)) * 1e6, "us")


def _fill(index: PlexIndex, plex_id: PlexId, crawl: int, size: int) -> None:
    for page in _pages(size):
        index.add_page(plex_id, SECTION, crawl, page)


def _contention(path: Path) -> None:
    """Four writers, each with its own connections: the longest that one of them waited for its turn."""
    waits: list[float] = []
    stores = [Database.open(path) for _ in range(4)]

    def work(store: Database, name: str) -> None:
        ledger = Ledger(store)
        waits.extend(_seconds(partial(ledger.release, f"{name} {number}", NOW)) for number in range(SAMPLES))

    threads = [threading.Thread(target=work, args=(store, str(number))) for number, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _tell("4 writers, worst wait", max(waits) * 1e3, "ms")
    for store in stores:
        store.close()


def rate(ledger: Ledger, plex_id: PlexId, count: int, settlement: Callable[[Leased], Settlement]) -> float:
    """Return how many entries per second are leased and settled."""

    def run() -> None:
        for number in range(count // BATCH):
            token = f"{settlement.__name__} {number}"
            leased = ledger.lease(plex_id, owner="bench", token=token, limit=BATCH, now=NOW, until=UNTIL)
            ledger.settle(token, [settlement(one) for one in leased], NOW)

    return count / _seconds(run)


def plain(one: Leased) -> Settlement:
    """Settle the state alone."""
    return Settlement(one.entry.id, one.entry.generation, SYNCED)


def _waiting(one: Leased) -> Settlement:
    return Settlement(one.entry.id, one.entry.generation, WAITING)


def full(one: Leased) -> Settlement:
    """Settle with a link, its base and a row of the journal, as a written scene does."""
    link = replace(LINK, rating_key=RatingKey(str(one.entry.id)))
    return Settlement(one.entry.id, one.entry.generation, SYNCED, (link,), (ROW,))


def _pages(size: int) -> Iterator[Sequence[IndexedPart]]:
    for start in range(0, size, PAGE):
        yield [
            IndexedPart(RatingKey(str(number)), SECTION, _file(number), 1_000_000 + number, 60_000, 1_700_000_000)
            for number in range(start, min(start + PAGE, size))
        ]


def _file(number: int) -> str:
    return f"/data/library/studio {number * 7919 % 1000}/a film of usual length {number}.mp4"


def _seconds(action: Callable[[], object]) -> float:
    start = _clock.monotonic_s()
    action()
    return _clock.monotonic_s() - start


def _median(action: Callable[[], object]) -> float:
    return sorted(_seconds(action) for _ in range(SAMPLES))[SAMPLES // 2]


def _tell(what: str, value: float, unit: str, note: str = "") -> None:
    print(f"  {what:34}{value:>12,.0f} {unit:4}{note}", flush=True)


if __name__ == "__main__":
    main()
