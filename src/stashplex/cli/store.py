"""`stashplex store`: back the database up, put a backup back, look for damage. None of them asks a server."""

import sys
from pathlib import Path

import click

from stashplex.app import DATABASE_NAME, open_store
from stashplex.base.clock import SystemClock
from stashplex.cli.run import Exit, common_options, load_settings, messages, print_json, reports_errors, results
from stashplex.cli.story import require_database
from stashplex.store.backup import Backups
from stashplex.store.checkup import Level, check
from stashplex.store.restore import restore


@click.group()
def store() -> None:
    """Back the database up, put a backup back, or look for damage."""


@store.command("backup")
@common_options
@reports_errors
def make_backup(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Make a backup now. The service makes one a day and keeps three."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    with open_store(settings.data_dir) as opened:
        made = Backups(opened.database.path).make(SystemClock().now())
    if as_json:
        print_json({"backup": str(made), "bytes": made.stat().st_size})
        return
    results.print(f"Backup: {made} ({made.stat().st_size:,} bytes, read and found sound)", markup=False)


@store.command("restore")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@common_options
@reports_errors
def restore_backup(file: Path | None, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Put the backup FILE, or the newest good one, in the place of the database.

    What is there now is moved aside, never deleted. Stop the service first.
    """
    settings = load_settings(config_file, verbose=verbose)
    done = restore(settings.data_dir / DATABASE_NAME, file, SystemClock().now())
    if as_json:
        aside = None if done.aside is None else str(done.aside)
        print_json({"restored": str(done.backup), "rows": done.rows, "aside": aside})
        return
    results.print(f"Restored: {done.backup} ({done.rows:,} rows)", markup=False)
    if done.aside:
        results.print(f"The file before is now {done.aside}", markup=False)
    messages.print("Run stashplex sync: what changed since the backup is found and written again.")


@store.command("check")
@common_options
@reports_errors
def check_store(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Read the whole database and say what is wrong with it. Ends with 2 when something is."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    with open_store(settings.data_dir) as opened:
        findings = check(opened.database)
    if as_json:
        print_json({"findings": [{"level": one.level, "message": one.message, "hint": one.hint} for one in findings]})
    else:
        for one in findings:
            results.print(f"{one.level}: {one.message}\n  hint: {one.hint}", markup=False)
        if not findings:
            results.print("The database is sound.")
    if any(one.level is Level.ERROR for one in findings):
        sys.exit(Exit.CONFIG)
