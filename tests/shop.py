"""A store in a folder, filled with entries that ended as a test says, for commands that read the store."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ledgers import lease, mark, settle
from programs import command
from stashplex.app import DATABASE_NAME, Store, open_store
from stashplex.base.clock import SystemClock
from stashplex.domain.entry import PlexId, State, Transition
from stashplex.domain.journal import JournalEvent, JournalRow

PLEX_URL = "http://plex.test:32400"
STASH_URL = "http://stash.test:9999"


@dataclass(frozen=True)
class Shop:
    """The folder of a store, and the time at which its commands run."""

    folder: Path
    now: datetime

    @contextmanager
    def store(self) -> Iterator[Store]:
        with open_store(self.folder) as store:
            yield store

    def bury(self, *scenes: int, reason: str = "MatchAmbiguous", days_ago: float = 1.0, url: str = PLEX_URL) -> None:
        """Let scenes die at a time."""
        died_at = self.now - timedelta(days=days_ago)
        message = f"{reason} [bold]of[/bold]\n\x1b[2Jsome kind."
        dead = Transition(State.DEAD, None, 3, reason, message, died_at - timedelta(hours=1), died_at)
        row = JournalRow(died_at, JournalEvent.ENTRY_BURIED, detail=message)
        with self.store() as store:
            plex_id = store.ledger.plex_id(url, url)
            mark(store.ledger, plex_id, *scenes, now=died_at)
            settle(
                store.ledger,
                lease(store.ledger, plex_id, now=died_at, limit=len(scenes)),
                dead,
                now=died_at,
                journal=(row,),
            )

    def plex_id(self) -> PlexId:
        with self.store() as store:
            return store.ledger.plex_id(PLEX_URL, PLEX_URL)

    def run(self, *arguments: str, code: int = 0, **settings: str) -> str:
        """Run a command and return what it printed."""
        known = {"data_dir": str(self.folder), "plex_url": PLEX_URL, "stash_url": STASH_URL} | settings
        result = command({f"STASHPLEX_{name.upper()}": value for name, value in known.items()}, *arguments)
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.stderr

    def read(self, *arguments: str, **settings: str) -> Any:
        """Run a command with `--json` and return what it printed."""
        return json.loads(self.run(*arguments, "--json", code=0, **settings))

    @property
    def database(self) -> Path:
        return self.folder / DATABASE_NAME


def a_shop(folder: Path) -> Shop:
    return Shop(folder, SystemClock().now())
