"""`stashplex serve`: the long-running engine, until SIGTERM, Ctrl-C or `stashplex stop`.

A first signal hands back what is leased and ends the program; a second one ends it at once, which is as safe as being
killed. The first service of a data folder has the seat and listens; a further one only works beside it.
"""

import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import click
import structlog

from stashplex.app import open_app
from stashplex.base import config, log
from stashplex.base.config import Settings, secrets_of
from stashplex.base.logfile import LogFile
from stashplex.cli.listening import listening
from stashplex.cli.notice import note_detours
from stashplex.cli.reload import Reloader
from stashplex.cli.run import Exit, load_layers, messages, reports_errors, run
from stashplex.store import folder, seat
from stashplex.version import __version__

logger = structlog.get_logger()

LOG_NAME = "service.log"
STOP_NAME = "stopped"
"""Where the plugin notes that a person wants no service; only the one that the plugin started heeds it."""

ELSEWHERE_NAME = "service-elsewhere.json"
"""Where the plugin notes that the service is on another machine: one that it started here would be a second."""

STOP_LOOK_S = 2.0


@click.command()
@click.option("--until-idle", "is_until_idle", is_flag=True, help="End when nothing is due any more.")
@click.option("--single", "is_single", is_flag=True, help="End at once when a service runs; log to service.log.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings file (TOML).")
@click.option("--verbose", "-v", is_flag=True, help="Say what happens to each scene.")
@reports_errors
def serve(config_file: Path | None, *, is_until_idle: bool, is_single: bool, verbose: bool) -> None:
    """Keep Plex in step until stopped."""
    try:
        _take_seat_and_serve(config_file, is_until_idle=is_until_idle, is_single=is_single, verbose=verbose)
    except KeyboardInterrupt:
        messages.print("Stopped. Nothing is lost: it goes on where it was when it is started again.")
        sys.exit(Exit.OK)


def _take_seat_and_serve(config_file: Path | None, *, is_until_idle: bool, is_single: bool, verbose: bool) -> None:
    if is_single:
        _log_to_file()
    settings = load_layers(config_file).settings
    log.configure(is_verbose=verbose, secrets=secrets_of(settings), is_service=is_single)
    with seat.taken(settings.data_dir) as is_seated:
        if is_single and not is_seated:
            messages.print("A service runs already; nothing to do.")
            return
        if not is_seated:
            messages.print("Another service runs on this data folder; this one works beside it, without listening.")
        service = _Serving(settings.data_dir, is_until_idle=is_until_idle, is_seated=is_seated, is_single=is_single)
        run(lambda: service.run(Reloader(config_file)))


class _Serving:
    """One service, however often its settings change."""

    def __init__(self, data_dir: Path, *, is_until_idle: bool, is_seated: bool, is_single: bool) -> None:
        self._stop_files = (data_dir / STOP_NAME, data_dir / ELSEWHERE_NAME)
        self._is_until_idle = is_until_idle
        self._is_seated = is_seated
        self._is_single = is_single
        self._stopped = anyio.Event()

    async def run(self, reloader: Reloader) -> None:
        """Run until it is stopped or has nothing to do any more. Raises: ConfigError, StoreError."""
        async with anyio.create_task_group() as group:

            async def work() -> None:
                await reloader.run(lambda settings: self._serve(settings, reloader.hurry))
                group.cancel_scope.cancel()

            group.start_soon(work)
            await self._until_stopped()
            logger.info("service_stopped")
            group.cancel_scope.cancel()

    async def _serve(self, settings: Settings, reload: Callable[[], None]) -> None:
        async with AsyncExitStack() as stack:
            app = await stack.enter_async_context(open_app(settings))
            note_detours(app)
            service = app.service()
            if self._is_seated:
                await stack.enter_async_context(listening(app, service, reload, self._stopped.set))
            messages.print(f"Keeping {settings.plex_url} in step with {settings.stash_url}.", markup=False)
            logger.info("service_opened", version=__version__, plex=settings.plex_url, stash=settings.stash_url)
            await service.run(is_until_idle=self._is_until_idle)

    async def _until_stopped(self) -> None:
        """Return when the API was told to stop; a service of the plugin also when a file says so."""
        while not (self._is_single and any(file.exists() for file in self._stop_files)):
            with anyio.move_on_after(STOP_LOOK_S):
                await self._stopped.wait()
            if self._stopped.is_set():
                return


def _log_to_file() -> None:
    """Let everything that would go to standard error go to a file: whoever started this gave it no streams."""
    directory = config.data_dir_of_process()
    folder.make(directory)
    sys.stderr = LogFile(directory / LOG_NAME)
