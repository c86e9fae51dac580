"""`stashplex import-stash2plex`: takes over what an installation of Stash2Plex left, once and without writing to it.

It asks Plex who it is, as entries belong to a server, and asks Stash nothing. What it prints as JSON is a contract that
scripts rely on.
Invariant: no entry is written before all of DIR was read and Plex has answered.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from stashplex.app import open_app
from stashplex.base.clock import SystemClock
from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError
from stashplex.cli.run import Exit, common_options, load_settings, print_json, reports_errors, results, run
from stashplex.engine.takeover import Fate, Takeover, clean, decide
from stashplex.engine.takeover_settings import TakenSettings, map_settings, render_toml
from stashplex.store import stash2plex
from stashplex.store.stash2plex import Installation, Refused

SHOWN_REFUSALS = 20

_NO_SETTINGS = (
    "Stash keeps the plugin's settings itself: copy them by hand from Settings, Plugins, and leave --write-config away."
)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What went into the ledger. Shape: `entries` and `already_known` add up to the scenes; None in a dry run."""

    entries: int | None = None
    already_known: int | None = None


@click.command("import-stash2plex")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be taken over; asks no server, writes nothing.")
@click.option(
    "--write-config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the settings to a new file of your own, and use it for this run.",
)
@common_options
@reports_errors
def import_stash2plex(
    directory: Path,
    write_config: Path | None,
    config_file: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Take over waiting jobs, dead letters, known scenes and settings from DIR.

    DIR is the data folder of Stash2Plex. It is only read; running this twice is the same as running it once.
    """
    if dry_run and write_config:
        raise click.UsageError("Give --dry-run or --write-config, not both.")
    found = stash2plex.read(directory)
    taken = map_settings(found.settings)
    takeover = decide(found, SystemClock().now())
    adopted = Adopted()
    if not dry_run:
        with _written(write_config, taken, found.directory):
            settings = load_settings(config_file or write_config, verbose=verbose)
            adopted = run(lambda: adopt(settings, takeover))
    if as_json:
        print_json(_report(found, taken, takeover, adopted, write_config))
    else:
        _print(found, taken, takeover, adopted, write_config)
    if found.refused:
        sys.exit(Exit.UNFINISHED)


async def adopt(settings: Settings, takeover: Takeover) -> Adopted:
    """Put the entries into the ledger of the settings' Plex server. Raises: ConfigError, StoreError, ServerError."""
    async with open_app(settings) as app:
        identity = await app.plex.identity()
        plex_id = app.store.ledger.plex_id(identity.machine_identifier, settings.plex_url)
        entries = app.store.ledger.adopt(plex_id, takeover.adoptions, now=app.clock.now())
    return Adopted(entries, len(takeover.adoptions) - entries)


@contextmanager
def _written(path: Path | None, taken: TakenSettings, directory: Path) -> Iterator[None]:
    """Write the settings file for the time of the take-over, and for good when that succeeds."""
    if path is None:
        yield
        return
    if not taken.values:
        raise ConfigError(f"There are no settings in {directory}.", hint=_NO_SETTINGS)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise ConfigError(f"The file {path} exists already.", hint="Name another file, or remove this one.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigError(f"The file {path} cannot be written: {reason}.", hint="Name another file.") from error
    is_kept = False
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(render_toml(taken.values, with_secrets=True))
        yield
        is_kept = True
    finally:
        if not is_kept:
            path.unlink(missing_ok=True)


def _report(
    found: Installation, taken: TakenSettings, takeover: Takeover, adopted: Adopted, written: Path | None
) -> dict[str, object]:
    return {
        "source": str(found.directory),
        "is_dry_run": adopted.entries is None,
        "found": _found(found),
        "scenes": {fate.value: count for fate, count in takeover.fates.items()},
        "adopted": adopted.entries,
        "already_known": adopted.already_known,
        "refused": [asdict(row) for row in found.refused],
        "settings": {
            "toml": render_toml(taken.values, with_secrets=False),
            "written_to": None if written is None else str(written),
            "not_taken": [asdict(setting) for setting in taken.not_taken],
        },
        "left_behind": list(found.state_files),
    }


def _found(found: Installation) -> dict[str, int]:
    return {
        "waiting_jobs": len(found.jobs),
        "taken_jobs": sum(job.is_taken for job in found.jobs),
        "finished_jobs": found.finished,
        "dead_letters": len(found.dead_letters),
        "synced_scenes": len(found.synced_at),
        "refused_rows": len(found.refused),
    }


def _print(
    found: Installation, taken: TakenSettings, takeover: Takeover, adopted: Adopted, written: Path | None
) -> None:
    counts = _found(found)
    results.print(f"Found in {found.directory}", markup=False)
    for name, meaning in (
        ("waiting_jobs", f"jobs that wait, {counts['taken_jobs']:,} of them taken and never finished"),
        ("finished_jobs", "jobs that are finished: nothing to do"),
        ("dead_letters", "dead letters"),
        ("synced_scenes", "scenes that were synced at least once"),
    ):
        results.print(f"  {counts[name]:>9,}  {meaning}")
    results.print("Scenes" if adopted.entries is not None else "Scenes, as they would be taken over")
    for fate, meaning in (
        (Fate.WAITING, "wait, as before"),
        (Fate.RETRIED, "are tried afresh: a server had failed, or Plex had not found the file yet"),
        (Fate.DEAD, "need a person, as before"),
        (Fate.COMPARED, "are compared once"),
    ):
        results.print(f"  {takeover.fates[fate]:>9,}  {meaning}")
    if adopted.entries is not None:
        results.print(f"Taken over: {adopted.entries:,}; already known here: {adopted.already_known:,}")
    _print_refused(found.refused)
    _print_settings(taken, written)
    if found.state_files:
        results.print(f"\nNot needed: {', '.join(found.state_files)}", markup=False)


def _print_refused(refused: Sequence[Refused]) -> None:
    if refused:
        results.print(f"\nRefused: {len(refused):,}", style="yellow")
    for row in refused[:SHOWN_REFUSALS]:
        results.print(f"  {clean(row.table)}, row {clean(row.row)}: {row.reason}", markup=False)
    if len(refused) > SHOWN_REFUSALS:
        results.print(f"  and {len(refused) - SHOWN_REFUSALS:,} more; --json lists all")


def _print_settings(taken: TakenSettings, written: Path | None) -> None:
    if written is not None:
        results.print(f"\nSettings: written to {written}, readable by you alone", markup=False)
    elif taken.values:
        results.print("\nSettings")
        results.print(render_toml(taken.values, with_secrets=False).rstrip("\n"), markup=False)
    for setting in taken.not_taken:
        results.print(f"  {clean(setting.key)}: {setting.reason}", markup=False)
