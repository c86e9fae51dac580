"""The command line: what people type. Commands live in the modules beside this one."""

import click

from stashplex.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stashplex")
def main() -> None:
    """Keep a Plex library in step with a Stash library."""
