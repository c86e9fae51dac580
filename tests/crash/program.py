"""The program as a process that can be killed: forked from one that has imported everything, or started from nothing.

Importing takes a second and there are hundreds of starts, so most are forked (POSIX only) from the fork server of
multiprocessing; the child runs the real command line with its own environment. Invariant: `kill` returns when the
process is dead.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import Lock

import psutil
from typing_extensions import override

from programs import ENVIRONMENT, PATIENCE_S, clean_environment
from stashplex.cli.main import main


class Program:
    """One running command. `output` is its standard output and its messages, told apart by file."""

    def __init__(self, folder: Path, name: str) -> None:
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        self.was_killed = False

    @property
    def pid(self) -> int:
        """The number of the process."""
        raise NotImplementedError

    @property
    def is_service(self) -> bool:
        """Tell whether it is to run until it is stopped."""
        return self.err.stem.endswith("serve")

    @property
    def is_alive(self) -> bool:
        """Tell whether it still runs."""
        return self.exit_code(0) is None

    def said(self) -> str:
        """Return its messages so far."""
        return self.err.read_text() if self.err.exists() else ""

    def exit_code(self, timeout_s: float) -> int | None:
        """Return the exit code, negative for a signal; None when it still runs after some seconds."""
        raise NotImplementedError

    def send(self, how: signal.Signals) -> None:
        """Send a signal."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, how)

    def kill(self) -> bool:
        """Kill it and wait until it is dead; tell whether it was alive."""
        if not self.is_alive:
            return False
        self.was_killed = True
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        assert self.exit_code(PATIENCE_S) is not None
        return True

    def owns(self, port: int) -> bool:
        """Tell whether it has a connection from a local port."""
        try:
            connections = psutil.Process(self.pid).net_connections(kind="tcp")
        except psutil.Error:
            return False
        return any(getattr(connection.laddr, "port", None) == port for connection in connections)


class Forked(Program):
    """A command in a fork of a process that has imported everything."""

    def __init__(self, folder: Path, name: str, environment: Mapping[str, str], arguments: Sequence[str]) -> None:
        super().__init__(folder, name)
        how = (dict(environment), list(arguments), str(self.out), str(self.err))
        self._lock = Lock()
        self._process = _context().Process(target=enter, args=how, daemon=True)  # type: ignore[attr-defined]  # BaseContext lacks it
        self._process.start()

    @property
    @override
    def pid(self) -> int:
        number = self._process.pid
        assert number is not None
        return int(number)

    @override
    def exit_code(self, timeout_s: float) -> int | None:
        if not wait([self._process.sentinel], timeout_s):
            return None
        with self._lock:  # the first to ask takes the exit code from the fork server
            self._process.join(PATIENCE_S)
            return int(self._process.exitcode)


class Spawned(Program):
    """A command started from nothing, as a person or a service manager does."""

    def __init__(self, folder: Path, name: str, environment: Mapping[str, str], arguments: Sequence[str]) -> None:
        super().__init__(folder, name)
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stashplex", *arguments],
                env=clean_environment() | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    @override
    def pid(self) -> int:
        return self._process.pid

    @override
    def exit_code(self, timeout_s: float) -> int | None:
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None


@lru_cache(maxsize=1)
def _context() -> BaseContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["stashplex.cli.main", "crash.program"])
    return context


def enter(environment: dict[str, str], arguments: list[str], out: str, err: str) -> None:
    """Become the command, in the forked child: its output, its environment, its arguments."""
    for path, descriptor in ((out, 1), (err, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    for name in [name for name in ENVIRONMENT if name.upper().startswith("STASHPLEX_")]:
        del ENVIRONMENT[name]
    ENVIRONMENT.update(environment)
    main(arguments, prog_name="stashplex")
