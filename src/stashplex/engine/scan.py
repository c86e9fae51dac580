"""Asks Plex to scan the folder of a file that it does not have: each folder once in a while, many folders as one.

It only asks; that a file appeared is noticed by the finder. The invariant: a folder is asked for at most once per
window, and a request names a folder inside a location of the library.
"""

from collections.abc import Iterable

import structlog

from stashplex.base.clock import Clock
from stashplex.base.errors import EntryError
from stashplex.domain.item import Section, SectionKey
from stashplex.domain.pathmap import path_key
from stashplex.engine.target import Target
from stashplex.plex.client import PlexClient

logger = structlog.get_logger()

WINDOW_S = 600.0
"""A scan of a folder takes seconds to minutes; asking again sooner only makes Plex's queue longer."""

MANY_FOLDERS = 50
"""More folders at once are asked for as one scan of the library. Source: plex-wire.md 7.1."""


class Scanner:
    """Asks one Plex server for scans."""

    def __init__(self, plex: PlexClient, target: Target, clock: Clock) -> None:
        self._plex = plex
        self._target = target
        self._clock = clock
        self._asked_at_s: dict[tuple[SectionKey, str], float] = {}

    async def ask(self, paths: Iterable[str]) -> int:
        """Ask for scans of the folders of these files, as Plex spells them; return how many requests that took.

        Raises: ServerError.
        """
        now_s = self._clock.monotonic_s()
        self._asked_at_s = {key: at_s for key, at_s in self._asked_at_s.items() if now_s - at_s < WINDOW_S}
        wanted: dict[SectionKey, set[str]] = {}
        for path in paths:
            folder = _folder(path)
            section = self._section(folder)
            if section is not None and not {(section.key, folder), (section.key, "")} & self._asked_at_s.keys():
                wanted.setdefault(section.key, set()).add(folder)
        requests = 0
        for key, folders in wanted.items():
            for folder in sorted(folders) if len(folders) <= MANY_FOLDERS else [""]:
                self._asked_at_s[key, folder] = now_s
                requests += 1
                await self._scan(key, folder)
        return requests

    async def _scan(self, key: SectionKey, folder: str) -> None:
        try:
            await self._plex.scan(key, folder)
        except EntryError as error:
            logger.info("scan_refused", library=key, folder=folder, error=str(error))
        else:
            logger.info("scan_requested", library=key, folder=folder or "(whole library)")

    def _section(self, folder: str) -> Section | None:
        """Return the library that holds a folder: the one with the longest location around it."""
        held = [
            (len(location), section)
            for section in self._target.sections
            for location in map(path_key, section.locations)
            if path_key(folder) == location or path_key(folder).startswith(f"{location.rstrip('/')}/")
        ]
        return max(held, key=lambda found: found[0])[1] if held else None


def _folder(path: str) -> str:
    """Return the folder of a file in the file's own spelling."""
    cut = max(path.rfind("/"), path.rfind("\\"))
    return path[:cut] if cut > 0 else path
