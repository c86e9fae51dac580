"""The command line: what people type. Each command lives in a module beside this one."""

import click

from stashplex.cli.clearing import pending
from stashplex.cli.config import config_group
from stashplex.cli.dead import dead
from stashplex.cli.demo import demo
from stashplex.cli.giving_back import history, release, undo
from stashplex.cli.match import ignore, match, pin, unignore, unmatched, unpin
from stashplex.cli.outages import breaker, outages
from stashplex.cli.paths import paths
from stashplex.cli.plan import plan
from stashplex.cli.serve import serve
from stashplex.cli.show import status, why
from stashplex.cli.stop import stop
from stashplex.cli.store import store
from stashplex.cli.support import support
from stashplex.cli.sync import sync
from stashplex.cli.takeover import import_stash2plex
from stashplex.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stashplex")
def main() -> None:
    """Keep a Plex library in step with a Stash library.

    Exit codes: 0 everything is in step, 1 some scenes wait or need a person, 2 a setting or a file is wrong, 3 a
    server cannot be used.
    """


for command in (
    *(sync, serve, stop, plan, status, why, dead, pending, outages, breaker, config_group, store, support, demo),
    *(history, release, undo),
    *(match, pin, unpin, ignore, unignore, unmatched, paths),
    import_stash2plex,
):
    main.add_command(command)
