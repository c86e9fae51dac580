"""`stashplex serve`: the long-running engine, until SIGTERM or Ctrl-C.

A first signal hands back what is leased and ends the program; a second one ends it at once, which is as safe as being
killed.
"""

import sys
from pathlib import Path

import click

from stashplex.app import open_app
from stashplex.base.config import Settings
from stashplex.cli.run import Exit, load_settings, messages, reports_errors, run


@click.command()
@click.option("--until-idle", "is_until_idle", is_flag=True, help="End when nothing is due any more.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings file (TOML).")
@click.option("--verbose", "-v", is_flag=True, help="Say what happens to each scene.")
@reports_errors
def serve(config_file: Path | None, *, is_until_idle: bool, verbose: bool) -> None:
    """Keep Plex in step until stopped."""
    settings = load_settings(config_file, verbose=verbose)
    try:
        run(lambda: _serve(settings, is_until_idle=is_until_idle))
    except KeyboardInterrupt:
        messages.print("Stopped. Nothing is lost: it goes on where it was when it is started again.")
        sys.exit(Exit.OK)


async def _serve(settings: Settings, *, is_until_idle: bool) -> None:
    async with open_app(settings) as app:
        messages.print(f"Keeping {settings.plex_url} in step with {settings.stash_url}.", markup=False)
        await app.service().run(is_until_idle=is_until_idle)
