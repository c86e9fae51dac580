"""`stashplex status` and `stashplex why`: what the store knows. Neither asks a server."""

from pathlib import Path

import click
from rich.table import Table

from stashplex.app import DATABASE_NAME, open_store
from stashplex.base.clock import SystemClock
from stashplex.base.errors import ConfigError
from stashplex.cli.outages import breaker_json, print_breaker, read_breakers
from stashplex.cli.run import common_options, load_settings, print_json, reports_errors, results
from stashplex.cli.story import print_story, read_story, require_database, story_json
from stashplex.domain.scene import SceneId
from stashplex.web.facts import server_status


@click.command()
@common_options
@reports_errors
def status(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Show where all scenes stand."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    now = SystemClock().now()
    with open_store(settings.data_dir) as store:
        known = store.overview.list_plex()
        servers = [server_status(store.ledger, store.overview, one, now) for one in known]
        breakers = [one for one in read_breakers(store, settings, now) if one.is_configured]
    held = [one for one in breakers if not one.breaker.is_closed]
    if as_json:
        database = str(settings.data_dir / DATABASE_NAME)
        print_json({"database": database, "held": [breaker_json(one) for one in held], "servers": servers})
        return
    results.print(f"Database: {settings.data_dir / DATABASE_NAME}", markup=False)
    for one in held:
        print_breaker(one, now)
    for server in servers:
        _print_server(server)
    if not servers:
        results.print("No sync has run yet: start one with stashplex sync.")


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
    if server["dismissed"]:
        results.print(f"  {server['dismissed']:>9,}  dismissed by a person, and forgotten after a while")
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
    require_database(settings.data_dir)
    scene_id = SceneId(scene)
    with open_store(settings.data_dir) as store:
        stories = [
            read_story(store, known, entry)
            for known in store.overview.list_plex()
            if (entry := store.ledger.find(known.id, scene_id)) is not None
        ]
    if not stories:
        raise ConfigError(
            f"Nothing is known of scene {scene}.", hint=f"Run stashplex sync --scene {scene}, or check the number."
        )
    if as_json:
        print_json([story_json(story) for story in stories])
        return
    for story in stories:
        print_story(story)
