"""One process of a plugin: started, fed, listened to, waited for, and killed when its caller is cancelled.

The run is over when standard output reaches its end, that is when every holder of it has closed it, and the process
has ended. Killing means the one process only, at once and without warning. Every process is waited for.
"""

import os
import selectors
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio import CapacityLimiter, from_thread, to_thread

LINE_LIMIT_BYTES = 64 * 1024
_TICK_S = 0.01
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. Shape: `returncode` is negative for a signal."""

    stdout: bytes
    returncode: int


class StartFailed(Exception):  # noqa: N818 - errors name the condition
    """The program could not be started."""


class Starter:
    """Starts processes; each has a thread of its own while it runs.

    Shape: `environment` is all that a process inherits. `is_stopping` lets cancelled processes live on as orphans,
    which is what the end of the server does to running tasks.
    """

    def __init__(self, environment: Mapping[str, str], directory: Path | None) -> None:
        self.environment = dict(environment)
        self.directory = directory
        self.is_stopping = False
        self.orphans: list[subprocess.Popen[bytes]] = []
        self.running: list[subprocess.Popen[bytes]] = []

    async def run(
        self, command: list[str], extra: Mapping[str, str], stdin: bytes, on_line: Callable[[bytes], None]
    ) -> Ended:
        """Run a program to its end. Raises: StartFailed. Cancelling kills it."""
        limiter = CapacityLimiter(2)
        try:
            with anyio.CancelScope(shield=True):  # cancelled just now, it would be started and then forgotten
                process = await to_thread.run_sync(self._start, command, extra, limiter=limiter)
        except OSError as error:
            raise StartFailed(str(error)) from error
        self.running.append(process)
        pump = _Pump(process, stdin, on_line)
        try:
            return await self._until_ended(process, pump, limiter)
        finally:
            self.running.remove(process)

    def _start(self, command: list[str], extra: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - starting what the manifest names is the purpose
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env={**self.environment, **extra},
            bufsize=0,
        )

    async def _until_ended(self, process: subprocess.Popen[bytes], pump: "_Pump", limiter: CapacityLimiter) -> Ended:
        done = anyio.Event()
        ended: list[Ended] = []

        async def listen() -> None:
            with anyio.CancelScope(shield=True):  # it ends soon, and it closes the pipes
                ended.append(await to_thread.run_sync(pump.run, limiter=limiter))
            done.set()

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            try:
                await done.wait()
            finally:
                if not ended:
                    self._let_go(process, pump)
        return ended[0]

    def _let_go(self, process: subprocess.Popen[bytes], pump: "_Pump") -> None:
        if self.is_stopping:
            self.orphans.append(process)
        else:
            process.kill()
        pump.stop(is_orphan=self.is_stopping)


class _Pump:
    """Moves the bytes of one process in one thread, until standard output and the process have ended."""

    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes, on_line: Callable[[bytes], None]) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise AssertionError("started without pipes")
        self._process = process
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._unsent = memoryview(stdin)
        self._on_line = on_line
        self._line = b""
        self._output: list[bytes] = []
        self._wake, self._waker = socket.socketpair()
        self._is_orphan = False
        self._is_stopped = False

    def stop(self, *, is_orphan: bool) -> None:
        """End the thread from outside, whoever still holds the pipes."""
        self._is_orphan = is_orphan
        self._is_stopped = True
        with suppress(OSError):  # the thread has just ended by itself
            self._waker.send(b"x")

    def run(self) -> Ended:
        """Return when the run is over."""
        try:
            if sys.platform == "win32":
                self._run_by_turns()
            else:
                self._run_at_once()
            code = 0 if self._is_orphan else self._process.wait()
            return Ended(b"".join(self._output), code)
        finally:
            for each in (self._stdin, self._stdout, self._stderr, self._wake, self._waker):
                each.close()

    def _run_by_turns(self) -> None:
        """Where pipes cannot be selected: lines arrive at the end only."""
        stdout, stderr = self._process.communicate(bytes(self._unsent))
        self._output.append(stdout)
        self._take_lines(stderr)

    def _run_at_once(self) -> None:
        with selectors.DefaultSelector() as selector:
            os.set_blocking(self._stdin.fileno(), False)
            if self._unsent:
                selector.register(self._stdin, selectors.EVENT_WRITE, self._feed)
            else:
                self._stdin.close()
            selector.register(self._stdout, selectors.EVENT_READ, self._read_output)
            selector.register(self._stderr, selectors.EVENT_READ, self._read_lines)
            selector.register(self._wake, selectors.EVENT_READ, lambda: True)
            while not self._is_stopped and not self._stdout.closed:
                self._turn(selector, None)
            while not self._is_stopped and self._process.poll() is None:
                self._turn(selector, _TICK_S)
            while not self._is_stopped and not self._stderr.closed and self._turn(selector, 0):
                pass

    def _turn(self, selector: selectors.BaseSelector, timeout_s: float | None) -> bool:
        """Serve whatever is ready; tell whether something of the process was."""
        ready = [key for key, _ in selector.select(timeout_s) if key.fileobj is not self._wake]
        for key in ready:
            if key.data():
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr] # files of ours, never bare numbers
        return bool(ready)

    def _feed(self) -> bool:
        try:
            sent = os.write(self._stdin.fileno(), self._unsent[:_CHUNK_BYTES])
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._unsent = self._unsent[sent:]
        return not self._unsent

    def _read_output(self) -> bool:
        chunk = os.read(self._stdout.fileno(), _CHUNK_BYTES)
        self._output.append(chunk)
        return not chunk

    def _read_lines(self) -> bool:
        chunk = os.read(self._stderr.fileno(), _CHUNK_BYTES)
        if not chunk and self._line:
            self._take_lines(b"\n")
        return not chunk or not self._take_lines(chunk)

    def _take_lines(self, chunk: bytes) -> bool:
        """Hand over whole lines; tell whether reading may go on."""
        *lines, self._line = (self._line + chunk).split(b"\n")
        for line in lines:
            if len(line) >= LINE_LIMIT_BYTES:
                return False
            from_thread.run_sync(self._on_line, line)
        return len(self._line) < LINE_LIMIT_BYTES
