"""Settings that change while the service runs: noticed, judged, and put into use without losing anything.

Every minute, or when somebody hurries it, Stash is asked what was typed there and all layers are read again. Good new
settings restart the engine in place; wrong ones leave it running as it was and are told once. A service that belongs
to a plugin waits for settings that are missing; one that was started by hand ends with the error.
Invariant: the data folder is that of the start, whatever a file says later.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import structlog

from stashplex.app import open_preferences
from stashplex.base import log
from stashplex.base.config import Settings, secrets_of
from stashplex.base.errors import ConfigError, ServerRefused, StashplexError
from stashplex.base.layers import Loaded
from stashplex.base.typed import read_connection, want_connection
from stashplex.cli.run import load_layers

logger = structlog.get_logger()

LOOK_S = 60.0
WAIT_S = 10.0
"""The same while nothing can be done: somebody may be typing the token just now."""

Serve = Callable[[Settings], Awaitable[None]]
Refresh = Callable[[Loaded], Awaitable[object]]
Trouble = tuple[str, str]
"""What is wrong, and what to do."""


async def ask_stash(loaded: Loaded) -> None:
    """Renew the copy of what was typed in Stash. Raises: ServerError, ProtocolError, StoreError."""
    async with open_preferences(loaded) as preferences:
        await preferences.refresh()


class Reloader:
    """Runs a service with the settings that count, and again when they change.

    `refresh` renews what was typed in Stash; whatever it raises of ours is no reason to stop.
    """

    def __init__(self, config_file: Path | None, refresh: Refresh = ask_stash) -> None:
        self._config_file = config_file
        self._refresh = refresh
        self._data_dir: Path | None = None
        self._told: frozenset[Trouble] = frozenset()
        self._failure: Trouble | None = None
        self._hurried = anyio.Event()

    def hurry(self) -> None:
        """Look for changed settings now."""
        self._hurried.set()

    async def run(self, serve: Serve) -> None:
        """Serve until `serve` ends by itself. Raises: ConfigError, where no plugin is through which to correct it."""
        await self._renew()
        while True:
            settings: Settings | None = None
            try:
                settings = self.read()
                if await self._serve_until_changed(settings, serve):
                    return
            except ConfigError as error:
                if self._data_dir is None or read_connection(self._data_dir) is None:
                    raise
                self._tell_failure(error)
                await self._wait(settings)

    def read(self) -> Settings:
        """Return the settings that count now, and say what is wrong with others. Raises: ConfigError."""
        loaded = load_layers(self._config_file)
        self._data_dir = self._data_dir or loaded.settings.data_dir
        self._tell(frozenset((problem.message, problem.hint) for problem in loaded.problems))
        settings = loaded.usable()
        log.mask(secrets_of(settings))
        return settings.model_copy(update={"data_dir": self._data_dir})

    async def _wait(self, tried: Settings | None) -> None:
        """Wait until other settings count; with the same ones, for a while: what is missing may be added in Plex."""
        for _ in range(round(LOOK_S / WAIT_S)):
            await self._look(WAIT_S)
            try:
                if self.read() != tried:
                    return
            except ConfigError as error:
                self._tell_failure(error)

    async def _serve_until_changed(self, settings: Settings, serve: Serve) -> bool:
        """Serve; return True when that ended by itself, False when other settings count. Raises: ConfigError."""
        is_finished = False
        wrong: ConfigError | None = None
        async with anyio.create_task_group() as group:

            async def work() -> None:
                nonlocal is_finished, wrong
                try:
                    await serve(settings)
                    is_finished = True
                except* ConfigError as errors:  # alone, or in the group of what runs around the engine
                    wrong = _first(errors)
                group.cancel_scope.cancel()

            group.start_soon(work)
            await self._changed(settings)
            group.cancel_scope.cancel()
        if wrong is not None:
            raise wrong
        return is_finished

    async def _changed(self, settings: Settings) -> None:
        """Return when other settings count, and they are good."""
        while True:
            await self._look(LOOK_S)
            try:
                new = self.read()
            except ConfigError as error:
                self._tell_failure(error)
                continue
            changed = [key for key in Settings.model_fields if getattr(new, key) != getattr(settings, key)]
            if changed:
                self._failure = None
                logger.info("settings_changed", keys=changed)
                return

    async def _look(self, pause_s: float) -> None:
        """Wait for the next look, and ask Stash."""
        with anyio.move_on_after(pause_s):
            await self._hurried.wait()
        self._hurried = anyio.Event()
        await self._renew()

    async def _renew(self) -> None:
        try:
            loaded = load_layers(self._config_file)
            try:
                await self._refresh(loaded)
            except ServerRefused:
                want_connection(loaded.settings.data_dir)
                raise
        except StashplexError as error:
            logger.debug("settings_not_renewed", error=str(error), hint=error.hint)

    def _tell(self, troubles: frozenset[Trouble]) -> None:
        """Say what is wrong, once for as long as it is."""
        for message, hint in sorted(troubles - self._told):
            logger.warning("settings_wrong", error=message, hint=hint)
        self._told = troubles

    def _tell_failure(self, error: ConfigError) -> None:
        failure = (str(error), error.hint)
        if failure != self._failure and failure not in self._told:
            logger.warning("settings_wrong", error=failure[0], hint=failure[1])
        self._failure = failure


def _first(errors: ExceptionGroup[ConfigError]) -> ConfigError:
    """Return the first error of a group that holds nothing else."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
