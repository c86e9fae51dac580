"""`stashplex status` and `stashplex why`: what the store knows. Neither asks a server."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click
from rich.table import Table

from stashplex.app import DATABASE_NAME, Store, open_store
from stashplex.base.clock import SystemClock
from stashplex.base.errors import ConfigError
from stashplex.cli.run import common_options, load_settings, print_json, reports_errors, results
from stashplex.domain.entry import Entry, State
from stashplex.domain.journal import JournalRow
from stashplex.domain.link import Link
from stashplex.domain.scene import SceneId
from stashplex.store.overview import KnownPlex


@click.command()
@common_options
@reports_errors
def status(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Show where all scenes stand."""
    settings = load_settings(config_file, verbose=verbose)
    _require_database(settings.data_dir)
    now = SystemClock().now()
    with open_store(settings.data_dir) as store:
        servers = [_server(store, known, now) for known in store.overview.list_plex()]
    if as_json:
        print_json({"database": str(settings.data_dir / DATABASE_NAME), "servers": servers})
        return
    results.print(f"Database: {settings.data_dir / DATABASE_NAME}", markup=False)
    for server in servers:
        _print_server(server)
    if not servers:
        results.print("No sync has run yet: start one with stashplex sync.")


def _server(store: Store, known: KnownPlex, now: datetime) -> dict[str, object]:
    counts = asdict(store.ledger.counts(known.id, now=now))
    errors = store.overview.count_errors(known.id)
    return {
        "plex": known.name,
        "machine_identifier": known.machine_identifier,
        **counts,
        "next_due_at": store.ledger.next_due_at(known.id),
        "errors": [{"state": row.state, "error_type": row.error_type, "entries": row.entries} for row in errors],
    }


def _print_server(server: dict[str, object]) -> None:
    results.print(f"\nPlex {server['plex']}", markup=False)
    for name, meaning in (
        ("synced", "in step when last looked at"),
        ("due", "to be worked on now"),
        ("waiting", "tried again later"),
        ("leased", "being worked on"),
        ("dead", "need a person"),
    ):
        results.print(f"  {server[name]:>9,}  {name:<8} {meaning}")
    errors = server["errors"]
    if isinstance(errors, list) and errors:
        table = Table(box=None, pad_edge=False)
        for column in ("entries", "state", "reason"):
            table.add_column(column)
        for row in errors:
            table.add_row(f"{row['entries']:,}", row["state"], row["error_type"])
        results.print(table)


@click.command()
@click.argument("scene", type=click.IntRange(min=1))
@common_options
@reports_errors
def why(scene: int, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Show where one SCENE stands, which item it is, what was written and why."""
    settings = load_settings(config_file, verbose=verbose)
    _require_database(settings.data_dir)
    scene_id = SceneId(scene)
    with open_store(settings.data_dir) as store:
        stories = [
            (known, entry, store.ledger.links_of(entry.id), store.journal.list_for_scene(known.id, scene_id))
            for known in store.overview.list_plex()
            if (entry := store.ledger.find(known.id, scene_id)) is not None
        ]
    if not stories:
        raise ConfigError(
            f"Nothing is known of scene {scene}.", hint=f"Run stashplex sync --scene {scene}, or check the number."
        )
    if as_json:
        print_json([_story_json(*story) for story in stories])
        return
    for story in stories:
        _print_story(*story)


def _story_json(known: KnownPlex, entry: Entry, links: tuple[Link, ...], rows: tuple[JournalRow, ...]) -> object:
    return {
        "plex": known.name,
        "entry": {key: value for key, value in asdict(entry).items() if key not in {"id", "plex_id"}},
        "links": [
            {
                "item": link.rating_key,
                "library": link.section,
                "evidence": link.evidence.value,
                "file": link.file,
                "is_written": link.base is not None,
            }
            for link in links
        ],
        "journal": [asdict(row) for row in rows],
    }


def _print_story(known: KnownPlex, entry: Entry, links: tuple[Link, ...], rows: tuple[JournalRow, ...]) -> None:
    results.print(f"Scene {entry.scene_id} on Plex {known.name}: {_state(entry)}", markup=False)
    if entry.last_error_type:
        results.print(f"  reason: {entry.last_error_type}: {entry.last_error}", markup=False)
        results.print(f"  tried again {entry.retry_count} times since {_local(entry.first_failed_at)}", markup=False)
    for link in links:
        results.print(f"  item {link.rating_key} by {link.evidence.value}: {link.file}", markup=False)
    if not links:
        results.print("  no item in Plex is known for it")
    for row in rows:
        results.print(f"  {_local(row.at)}  {_row(row)}", markup=False)


def _state(entry: Entry) -> str:
    match entry.state:
        case State.SYNCED:
            return "in step when last looked at"
        case State.PENDING:
            return f"waits until {_local(entry.due_at)}"
        case State.LEASED:
            return "being worked on"
        case State.DEAD:
            return "needs a person"


def _row(row: JournalRow) -> str:
    what = row.event.value
    if row.field:
        what += f" {row.field}: {row.old or '-'} → {row.new or '-'}"
    return f"{what} ({row.detail})" if row.detail else what


def _local(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _require_database(data_dir: Path) -> None:
    """Reading must not create a database where there is none."""
    if not (data_dir / DATABASE_NAME).exists():
        raise ConfigError(
            f"There is no database in {data_dir}.", hint="Run stashplex sync first, or set STASHPLEX_DATA_DIR."
        )
