"""How a command starts and ends: settings, logging, messages, exit codes.

Standard output belongs to results; everything else goes to standard error. The exit codes are part of the contract that
scripts rely on (docs/reference/commands.md).
"""

import functools
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, ParamSpec, TypeVar

import anyio
import click
import msgspec
from rich.console import Console

from stashplex.base import layers, log
from stashplex.base.config import Settings, secrets_of
from stashplex.base.errors import ConfigError, ProtocolError, ServerError, SideEmpty, StashplexError, StoreError
from stashplex.base.layers import Loaded
from stashplex.engine.preferences import CHECKS

P = ParamSpec("P")
T = TypeVar("T")

messages = Console(stderr=True, highlight=False, soft_wrap=True)
results = Console(highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """What the exit code says."""

    OK = 0
    UNFINISHED = 1
    CONFIG = 2
    SERVER = 3
    INTERRUPTED = 130


def common_options(command: Callable[P, T]) -> Callable[P, T]:
    """Add the options that every command has: `--config`, `--json`, `--verbose`."""
    options = [
        click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings file (TOML)."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output."),
        click.option("--verbose", "-v", is_flag=True, help="Say what happens to each scene."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def load_settings(config_file: Path | None, *, verbose: bool) -> Settings:
    """Return the settings and set logging up with their secrets masked. Raises: ConfigError."""
    settings = load_layers(config_file).required()
    log.configure(is_verbose=verbose, secrets=secrets_of(settings))
    return settings


def load_layers(config_file: Path | None) -> Loaded:
    """Return the settings with their origins and problems. Raises: ConfigError for what cannot be read at all."""
    return layers.load(config_file, checks=CHECKS)


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a command's coroutine. An error inside a group of tasks comes out alone."""
    try:
        with _collecting_rarely():
            return anyio.run(_stoppable, main)
    except BaseExceptionGroup as group:
        raise _first(group) from group


async def _stoppable(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine; a second Ctrl-C or SIGTERM ends the process at once, whatever the first one waits for."""
    cancel = signal.getsignal(signal.SIGINT)
    if not callable(cancel):  # Ctrl-C is ignored, as for a job in the background
        return await main()

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        cancel(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        return await main()
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, cancel)


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """Spare the garbage collector what was imported, and most of its rounds: they cost a sixth of a first sync.

    What a pass makes goes with its last reference; few objects of ours are in cycles, and none is large.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def print_json(value: object) -> None:
    """Print one object on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def reports_errors(command: Callable[P, T]) -> Callable[P, T]:
    """Turn errors into a message with a hint and the right exit code."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with _termination_as_interruption():
                return command(*args, **kwargs)
        except StashplexError as error:
            fail(error)
        except KeyboardInterrupt:
            messages.print("Stopped. Nothing is lost: the next run continues where this one was.", style="yellow")
            sys.exit(Exit.INTERRUPTED)

    return wrapped


@contextmanager
def _termination_as_interruption() -> Iterator[None]:
    """Let SIGTERM, which services and containers send, end a command as cleanly as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, lambda _signal, _frame: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def fail(error: StashplexError) -> NoReturn:
    """Say what is wrong and what to do, and end with the right exit code."""
    messages.print(f"stashplex: {error}", style="red", markup=False)
    if error.hint:
        messages.print(f"  hint: {error.hint}", markup=False)
    sys.exit(exit_code(error))


def exit_code(error: StashplexError) -> Exit:
    """Return the exit code of an error that ends a command."""
    match error:
        case ConfigError() | StoreError():
            return Exit.CONFIG
        case ServerError() | SideEmpty() | ProtocolError():
            return Exit.SERVER
        case _:
            return Exit.UNFINISHED


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that people should hear of: ours before others, an interruption before everything."""
    leaves = _leaves(group)
    for kind in (KeyboardInterrupt, StashplexError):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    return leaves[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves
