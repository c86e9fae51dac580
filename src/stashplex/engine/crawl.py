"""Keeps the path index fresh: reads the listings of the chosen libraries when Plex says that they changed.

The index is a hint; the planner checks the file on the item that it just read. The invariant: a crawl that breaks
off removes nothing, and a library that is suddenly empty or much smaller stops the run.
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import anyio

from stashplex.base.clock import Clock
from stashplex.base.errors import ConfigError, Server, SideEmpty
from stashplex.domain.item import Section
from stashplex.engine.target import Target
from stashplex.plex.client import PlexClient
from stashplex.store.index import PlexIndex, SectionState

SMALL = 20
"""Files in a library of which a person may well remove most at once."""

Progress = Callable[[int, int], None]
"""Called with the items read so far and the items in all."""


@dataclass(frozen=True, slots=True)
class CrawlReport:
    """What a refresh did. `items` counts what the crawled libraries hold now."""

    crawled: int
    items: int


class Crawler:
    """Refreshes the index of one Plex server."""

    def __init__(
        self, plex: PlexClient, index: PlexIndex, target: Target, clock: Clock, *, accepts_smaller: bool = False
    ) -> None:
        self._plex = plex
        self._index = index
        self._target = target
        self._clock = clock
        self._accepts_smaller = accepts_smaller
        self._may_refresh = True
        self._crawls = 0
        self._lock = anyio.Lock()

    def start_round(self) -> None:
        """Allow one more refresh on demand: the entries that wait for a file are about to be tried again."""
        self._may_refresh = True

    def last_crawls(self) -> tuple[SectionState | None, ...]:
        """Return what is known of each library's last crawl, whichever process made it."""
        return tuple(self._index.section_state(self._target.plex_id, one.key) for one in self._target.sections)

    async def refresh_once(self) -> bool:
        """Refresh unless that was done in this round; tell whether the index has become fresher meanwhile."""
        before = self._crawls
        async with self._lock:
            if self._may_refresh:
                await self.refresh(_ignore)
        return self._crawls > before

    async def refresh(self, progress: Progress) -> CrawlReport:
        """Crawl the libraries whose content changed since their last crawl.

        Raises: SideEmpty when they hold nothing at all or one lost most of its files, ConfigError when one is gone.
        """
        current = {section.key: section for section in await self._plex.sections()}
        crawled = 0
        for chosen in self._target.sections:
            section = current.get(chosen.key)
            if section is None:
                raise ConfigError(
                    f"The Plex library {chosen.title!r} is gone.", hint="Check STASHPLEX_PLEX_LIBRARY and start again."
                )
            if self._is_stale(section):
                await self._crawl(section, progress)
                self._crawls += 1
                crawled += 1
        items = self._index.count(self._target.plex_id, [section.key for section in self._target.sections])
        if not items:
            titles = ", ".join(repr(section.title) for section in self._target.sections)
            raise SideEmpty(
                Server.PLEX,
                f"Plex holds no file in {titles}.",
                hint="Let Plex scan the library first, or check STASHPLEX_PLEX_LIBRARY; nothing was changed.",
            )
        self._may_refresh = False
        return CrawlReport(crawled, items)

    def _is_stale(self, section: Section) -> bool:
        state = self._index.section_state(self._target.plex_id, section.key)
        known = state.content_changed_at if state else None
        return not section.content_changed_at or known != section.content_changed_at

    async def _crawl(self, section: Section, progress: Progress) -> None:
        plex_id = self._target.plex_id
        before = self._index.count(plex_id, [section.key])
        crawl = self._index.begin_crawl(plex_id, section.key)
        seen = 0
        async with aclosing(self._plex.iter_parts(section.key)) as pages:
            async for page in pages:
                self._index.add_page(plex_id, section.key, crawl, page.parts)
                seen += len(page.parts)
                progress(seen, max(page.total, seen))
        if not self._accepts_smaller and _lost_most(before, seen):
            raise SideEmpty(
                Server.PLEX,
                f"The Plex library {section.title!r} holds {seen} files, but it held {before} before.",
                hint="Check in Plex that its folders are mounted; nothing was changed. "
                "If the files are gone on purpose, run stashplex sync --accept-smaller once.",
            )
        self._index.finish_crawl(
            plex_id, section.key, crawl, content_changed_at=section.content_changed_at, now=self._clock.now()
        )


def _lost_most(before: int, now: int) -> bool:
    """Tell whether a library lost all of its files, or more than half of many."""
    return before > 0 if not now else before > SMALL and now * 2 < before


def _ignore(_seen: int, _total: int) -> None:
    """Progress that nobody watches."""
