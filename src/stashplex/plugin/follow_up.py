"""What may follow a recorded event and is seldom needed: starting the service, noting how to reach Stash.

`hook.py` loads it only when there is something to do, so what it imports costs hardly any event. Standard library
alone, nothing of stashplex, Python 3.9 or newer.
Invariant: of any number of callers at once one starts a program, and what it starts holds none of Stash's streams.
"""

import json
import os
import signal
import subprocess
import sys
import time

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENVIRONMENT_NAME = "STASHPLEX_DATA_DIR"
SERVICE = ("-m", "stashplex", "serve", "--single")
TASK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "task.py")
REST_S = 30
"""What was started less than that ago and does not run is left alone: it may be starting, or dying again and again."""
ANYWHERE = ("", "0.0.0.0", "::", "[::]")  # noqa: S104 - what a server says that listens everywhere
_FLAGS = os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0)


def connection_of(told: "Mapping[str, object]") -> bytes:
    """Return how to reach this Stash from this machine, as JSON, from the connection that Stash tells a plugin."""
    host, cookie = told.get("Host"), told.get("SessionCookie")
    content = {
        "scheme": str(told.get("Scheme") or "http"),
        "host": "127.0.0.1" if not isinstance(host, str) or host in ANYWHERE else host,
        "port": told.get("Port") if isinstance(told.get("Port"), int) else 9999,
        "cookie": str(cookie.get("Value") or "") if isinstance(cookie, dict) else "",
    }
    return json.dumps(content).encode("ascii")


def start(data_dir: str, what: str, say: "Callable[[str, str], None]") -> bool:
    """Start the service or the relay unless it runs or was started just now; tell whether it was. Raises: OSError.

    The file `<what>.starting` is locked meanwhile, and its time tells the next ones when that was. What is started
    holds `<what>.lock` while it lives.
    """
    command = command_of(data_dir, what)
    if not command:
        return False
    descriptor = os.open(os.path.join(data_dir, f"{what}.starting"), _FLAGS, 0o600)
    try:
        if not lock(descriptor):
            return False
        status = os.fstat(descriptor)
        is_recent = status.st_size > 0 and abs(time.time() - status.st_mtime) < REST_S
        if is_recent or is_held(os.path.join(data_dir, f"{what}.lock")):
            return False
        os.write(descriptor, b"%d\n" % os.getpid())
        say("i", f"The {what} does not run; it is started.")
        detach(command, data_dir)
    finally:
        os.close(descriptor)
    return True


def command_of(data_dir: str, what: str) -> "list[str]":
    """Return the command that starts the service or the relay, an empty one when it is not installed."""
    if what == "relay":
        return [sys.executable, "-I", "-S", "-E", TASK, "--relay", data_dir] if os.path.exists(TASK) else []
    try:
        with open(os.path.join(data_dir, "environment"), encoding="utf-8") as file:
            python = file.read().strip()
    except FileNotFoundError:
        return []
    return [python, *SERVICE] if os.path.isfile(python) else []


def is_held(path: str) -> bool:
    """Tell whether a living process holds a lock. Raises: OSError."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not lock(descriptor, is_shared=True)
    finally:
        os.close(descriptor)


def lock(descriptor: int, *, is_shared: bool = False) -> bool:
    """Lock a file until it is closed, without waiting; tell whether that was possible.

    Those who only ask lock it shared, where the system can, so that they do not take each other for its holder.
    """
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def detach(command: "list[str]", data_dir: str) -> None:
    """Start a program that outlives us and Stash, and holds none of our streams nor our Python's paths."""
    ours = {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment[ENVIRONMENT_NAME] = data_dir
    if sys.platform == "win32":
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=data_dir,
            creationflags=subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP,
        )
    elif os.fork() == 0:
        _become(command, environment, data_dir)


def _become(command: "list[str]", environment: "dict[str, str]", data_dir: str) -> None:
    """Turn this process, a fresh child, into the program; never come back."""
    try:
        os.setsid()
        os.chdir(data_dir)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.closerange(3, 1024)
        os.execve(command[0], command, environment)
    finally:
        os._exit(127)
