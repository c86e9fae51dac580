"""`stashplex pending clear` and `stashplex dead purge`: what a person wants to be rid of.

Both only change the store and the spool; nothing is written to Plex. The invariant: what is being worked on right now
is never touched, and whatever was cleared comes back with the next change in Stash or a full sync.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import click

from stashplex.app import SPOOL_NAME, Store, open_store
from stashplex.base.clock import SystemClock
from stashplex.cli.dead import dead
from stashplex.cli.run import common_options, load_settings, print_json, reports_errors, results
from stashplex.cli.scope import Period
from stashplex.cli.story import length, require_database
from stashplex.domain.entry import PlexId
from stashplex.domain.scene import SceneId
from stashplex.store import spool
from stashplex.store.dead_letters import PAGE, Filter
from stashplex.store.pending import Pending


@click.group("pending")
def pending() -> None:
    """Forget what waits to be written."""


@pending.command("clear")
@common_options
@reports_errors
def clear_pending(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Forget all scenes and events that wait. A later change in Stash, or a full sync, brings them back."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    events = 0
    for path in spool.iter_ready(settings.data_dir / SPOOL_NAME):
        spool.discard(path)
        events += 1
    cleared = 0
    with open_store(settings.data_dir) as store:
        waiting = Pending(store.database)
        for known in store.overview.list_plex():
            while step := waiting.forget(known.id):
                cleared += step
    if as_json:
        print_json({"cleared": cleared, "events": events})
    else:
        results.print(f"{cleared:,} scenes and {events:,} events that waited are forgotten.")


@dead.command("purge")
@click.option("--older-than", type=Period(), help="Only those that died longer ago; default dead_retention_days.")
@common_options
@reports_errors
def purge_letters(older_than: timedelta | None, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Remove old dead letters for good, dismissed or not."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    now = SystemClock().now()
    retention = timedelta(days=settings.dead_retention_days)
    age = retention if older_than is None else older_than
    removed = 0
    with open_store(settings.data_dir) as store:
        for known in store.overview.list_plex():
            for chunk in _old(store, known.id, now - age):
                store.dead_letters.dismiss(known.id, chunk, now - retention - timedelta(seconds=1))
        while step := store.dead_letters.remove_dismissed(now - retention):
            removed += step
    if as_json:
        print_json({"purged": removed})
    else:
        results.print(f"{removed:,} dead letters older than {length(age)} are removed.")


def _old(store: Store, plex_id: PlexId, before: datetime) -> Iterator[list[SceneId]]:
    letters = store.dead_letters.iter_open(plex_id, Filter(until=before))
    while chunk := [letter.entry.scene_id for letter in islice(letters, PAGE)]:
        yield chunk
