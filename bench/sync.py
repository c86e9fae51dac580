"""`stashplex sync --json` as a process, set up by a settings file and nothing else.

It is the command that people run, start-up included; nothing of it is called in process here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from bench.process import Ended, run_python
from bench.servers import Servers
from stashplex.cli.sync import SyncReport


@dataclass(frozen=True, slots=True)
class Synced:
    """A sync that brought everything in step: what it said, and what the process cost."""

    report: SyncReport
    process: Ended


@contextmanager
def a_store() -> Iterator[Path]:
    """Give a folder for a new store."""
    with TemporaryDirectory(prefix="stashplex-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def run_sync(servers: Servers, folder: Path, *, writes_in_flight: int) -> Synced:
    """Run one sync over a store. Raises: RuntimeError when not every scene is in step afterwards."""
    settings = folder / "config.toml"
    settings.write_text(
        f"stash_url = '{servers.stash.url}'\nstash_api_key = '{servers.stash.secret}'\n"
        f"plex_url = '{servers.plex.url}'\nplex_token = '{servers.plex.secret}'\n"
        f"path_map = '{servers.path_map}'\ndata_dir = '{folder}'\n"
        f"plex_writes_in_flight = {writes_in_flight}\n",
        encoding="utf-8",
    )
    ended = run_python(["-m", "stashplex", "sync", "--json"], {"STASHPLEX_CONFIG": str(settings)})
    report = msgspec.json.decode(ended.output, type=SyncReport)
    if report.waiting or report.dead:
        raise RuntimeError(f"not everything is in step: {ended.output}")
    return Synced(report, ended)
