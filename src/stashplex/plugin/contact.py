"""How the plugin's tasks talk to others: to the service wherever it runs, to Stash, and the relay of events.

Used by `task.py` alone; it stands alone, too: standard library, Python 3.9 or newer. Invariants: no proxy is asked,
no secret is in an address or a message, nothing waits longer than it says, and the relay removes an event only after
the service said that it has it.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ASK_S = 2.0
SEND_S = 30.0
BATCH_BYTES = 512 * 1024
BATCH_FILES = 500
LARGEST_EVENT = 60 * 1024
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
LINGER_S = 45.0
"""Longer than a hook waits before it starts another relay: each event finds one that runs, or may start one."""
LOOK_S = 0.2
LARGEST_ANSWER = 4 * 1024 * 1024
LONGEST_RUN_S = 3600
LARGEST_RESULT = 200_000
KEPT_S = 3600.0
_SETTINGS = '{ configuration { plugins(include: ["stashplex"]) } }'


COMMANDS: dict[str, tuple[str, ...]] = {
    "plan": ("plan",),
    "status": ("status",),
    "test": ("config", "check"),
    "outages": ("outages",),
    "retry_dead": ("dead", "retry", "--all"),
    "clear_pending": ("pending", "clear"),
    "clear_dead": ("dead", "dismiss", "--all"),
    "purge_dead": ("dead", "purge"),
    "reset_breaker": ("breaker", "reset"),
    "support_bundle": ("support",),
}
"""What the installed program does, by mode."""


NO_ANSWER = (OSError, ValueError, HTTPException, RecursionError)
"""What a request raises that gets no JSON back, whatever the other side is."""


class Unreachable(Exception):  # noqa: N818 - errors name the condition
    """The service did not give the answer that it should; the text says why."""


class Service:
    """The service: the one of this data folder, or the one that is named elsewhere."""

    def __init__(self, data_dir: str) -> None:
        elsewhere = read_json(os.path.join(data_dir, "service-elsewhere.json"))
        here = read_json(os.path.join(data_dir, "service.json"))
        self._data_dir = data_dir
        self.is_elsewhere = bool(elsewhere.get("url"))
        told = elsewhere if self.is_elsewhere else here
        self.url = str(told.get("url" if self.is_elsewhere else "api", "")).rstrip("/")
        self.key = str(told.get("key", ""))

    def find(self, path: str, body: bytes | None = None) -> dict[str, Any] | None:
        """Return what the service answers, None when it does not."""
        try:
            return self.get(path, body)
        except Unreachable:
            return None

    def get(self, path: str, body: bytes | None = None, wait_s: float = ASK_S) -> dict[str, Any]:
        """Return what the service answers; a body makes it a POST. Raises: Unreachable."""
        current = self if self.url else Service(self._data_dir)  # it may have started meanwhile
        if not current.url:
            raise Unreachable("The service does not run.")
        if not current.url.startswith(("http://", "https://")):
            raise Unreachable(f"The address of the service, {current.url}, must look like http://host:9998.")
        headers = {"Authorization": f"Bearer {current.key}", "Content-Type": "application/json"}
        try:
            return _answer(urllib.request.Request(current.url + path, body, headers), wait_s)  # noqa: S310 - see above
        except urllib.error.HTTPError as error:
            raise Unreachable(_refusal(current.url, error)) from None
        except NO_ANSWER as error:
            self.url = "" if not self.is_elsewhere else self.url
            reason = getattr(error, "reason", error)
            told = getattr(reason, "strerror", None) or type(reason).__name__
            raise Unreachable(f"The service at {current.url} does not answer: {told}.") from None


def _refusal(url: str, error: urllib.error.HTTPError) -> str:
    if error.code in {401, 403}:
        return f"The service at {url} refuses the key: set service_key to the same text in the plugin and there."
    if error.code == 421:
        return f"The service at {url} does not know itself by that name: set service_url to the same address there."
    return f"The service at {url} answers with error {error.code}."


def _answer(request: urllib.request.Request, wait_s: float, *, is_own_server: bool = False) -> dict[str, Any]:
    """Return the JSON object that a server answers. Raises: NO_ANSWER.

    No redirect is followed: the key is for this address, and what was sent would not be sent on.
    """
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    if request.type == "https":
        context = ssl.create_default_context()
        if is_own_server:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        opener.add_handler(urllib.request.HTTPSHandler(context=context))
    with opener.open(request, timeout=wait_s) as response:
        value = json.loads(response.read(LARGEST_ANSWER))
    if not isinstance(value, dict):
        raise ValueError("the answer is no object")  # noqa: TRY004 - what the other side sent is wrong, not a type of ours
    return value


def typed_settings(connection: dict[str, Any]) -> dict[str, Any] | None:
    """Return what is typed on the plugin's page in Stash, None when Stash does not say."""
    host = f"[{connection['host']}]" if ":" in connection["host"] else connection["host"]
    url = f"{connection['scheme']}://{host}:{connection['port']}/graphql"
    headers = {"Content-Type": "application/json", "Cookie": f"session={connection['cookie']}"}
    request = urllib.request.Request(url, json.dumps({"query": _SETTINGS}).encode(), headers)  # noqa: S310 - see _answer
    try:
        answer = _answer(request, ASK_S, is_own_server=True)
        typed = answer["data"]["configuration"]["plugins"].get("stashplex", {})
    except (*NO_ANSWER, LookupError, TypeError, AttributeError):
        return None
    return typed if isinstance(typed, dict) else None


def note_elsewhere(data_dir: str, typed: dict[str, Any] | None) -> None:
    """Keep where the service is when it is elsewhere: environment first, then what is typed. Raises: OSError."""
    url = os.environ.get("STASHPLEX_SERVICE_URL", "")
    key = os.environ.get("STASHPLEX_SERVICE_KEY", "")
    if not url and typed is None:
        return
    url = (url or str((typed or {}).get("service_url") or "")).strip().rstrip("/")
    key = (key or str((typed or {}).get("service_key") or "")).strip()
    path = os.path.join(data_dir, "service-elsewhere.json")
    if not url:
        remove(path)
        return
    if read_json(path) != {"url": url, "key": key}:
        write(path, json.dumps({"url": url, "key": key}).encode("ascii"))


def told(status: dict[str, Any]) -> str:
    """Return one sentence about a status of the service."""
    servers = status.get("servers") or []
    names = ("synced", "due", "waiting", "leased", "dead")
    sums = {name: sum(int(one.get(name, 0)) for one in servers) for name in names}
    parts = [
        f"{sums['synced']:,} scenes in step",
        f"{sums['due'] + sums['leased']:,} to do",
        f"{sums['waiting']:,} tried again later",
        f"{sums['dead']:,} need you",
    ]
    held = "".join(f" {one.get('server')} is left alone: {one.get('reason')}" for one in status.get("held") or [])
    return f"The service runs: {', '.join(parts)}, {status.get('spool', 0):,} events waiting.{held}"


def count_left(status: dict[str, Any]) -> int:
    """Return how much is to be done now."""
    servers = status.get("servers") or []
    return int(status.get("spool", 0)) + sum(int(one.get("due", 0)) + int(one.get("leased", 0)) for one in servers)


# the installed program


def run_command(data_dir: str, mode: str) -> int:
    """Run a command of the installed program to its end and leave its result for whoever asks; one at a time."""
    with locked(os.path.join(data_dir, "tasks", f"{mode}.lock")) as is_ours:
        if not is_ours:
            return 0
        python = read_text(os.path.join(data_dir, "environment")).strip()
        line = [python, "-m", "stashplex", *COMMANDS[mode]]
        try:
            ran = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=clean_environment(data_dir),
                timeout=LONGEST_RUN_S,
                check=False,
            )
            code, text = ran.returncode, ran.stdout.decode("utf-8", "replace")[-LARGEST_RESULT:]
        except (OSError, subprocess.TimeoutExpired) as error:
            code, text = 2, f"The service's Python cannot be run ({type(error).__name__}): install the service again."
        result = json.dumps({"at": time.time(), "code": code, "text": text})
        write(os.path.join(data_dir, "tasks", f"{mode}.json"), result.encode("ascii"))
    return 0


def clean_environment(data_dir: str) -> dict[str, str]:
    """Return the environment of the installed program: its data folder, and none of our Python's paths."""
    ours = {"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "STASHPLEX_DATA_DIR": data_dir, "PYTHONUTF8": "1", "NO_COLOR": "1"}


def take_result(data_dir: str, mode: str) -> dict[str, Any] | None:
    """Return the result of a run that nobody has seen yet, once."""
    path = os.path.join(data_dir, "tasks", f"{mode}.json")
    result = read_json(path)
    if not result:
        return None
    remove(path)
    at = result.get("at")
    return result if isinstance(at, (int, float)) and abs(time.time() - at) < KEPT_S else None


# the relay


def relay(data_dir: str) -> int:
    """Send the events of a spool to the service elsewhere, and those that come soon after; one relay at a time."""
    while count_files(os.path.join(data_dir, "spool")):
        with locked(os.path.join(data_dir, "relay.lock")) as is_ours:
            if not is_ours or not _send_all(data_dir):
                return 0
    return 0


def _send_all(data_dir: str) -> bool:
    """Send until the spool stays empty; tell whether to look again. False when no service elsewhere is named."""
    pause_s, most = FIRST_PAUSE_S, BATCH_FILES
    quiet_since_s = time.monotonic()
    while True:
        service = Service(data_dir)
        if not service.is_elsewhere:
            return False
        batch = _batch(os.path.join(data_dir, "spool"), most)
        if not batch:
            if time.monotonic() - quiet_since_s > LINGER_S:
                return True
            time.sleep(LOOK_S)
            continue
        try:
            bad = _send(service, list(batch.values()))
        except Unreachable:
            time.sleep(pause_s)
            pause_s, most = min(pause_s * 2, LONGEST_PAUSE_S), max(most // 2, 1)  # its disk may be slow
            continue
        pause_s, most, quiet_since_s = FIRST_PAUSE_S, min(most * 2, BATCH_FILES), time.monotonic()
        for position, path in enumerate(batch):
            if position in bad:
                _set_aside(path)
            else:
                remove(path)


def _send(service: Service, events: list[bytes]) -> set[int]:
    """Hand events over; return the positions of those that are none. Raises: Unreachable when they are not kept."""
    taken = service.get("/api/events", b"[" + b",".join(events) + b"]", SEND_S)
    refused = taken.get("refused")
    bad = {one for one in refused if isinstance(one, int)} if isinstance(refused, list) else set()
    if taken.get("accepted") != len(events) - len(bad):
        raise Unreachable(f"What answers at {service.url} is no service of stashplex.")
    return bad


def _batch(spool: str, most: int) -> dict[str, bytes]:
    """Return the oldest events, by their files; what is no event is set aside."""
    batch: dict[str, bytes] = {}
    size = 0
    for name in _ready(spool):
        path = os.path.join(spool, name)
        try:
            with open(path, "rb") as file:
                content = file.read(LARGEST_EVENT + 1)
        except OSError:
            continue
        content = _strict(content)
        if not content:
            _set_aside(path)
            continue
        if batch and (size + len(content) > BATCH_BYTES or len(batch) >= most):
            break
        batch[path] = content
        size += len(content) + 1
    return batch


def _strict(content: bytes) -> bytes:
    """Return an object as every reader of JSON takes it, nothing for what is none: it would spoil the others."""
    try:
        value = json.loads(content) if len(content) <= LARGEST_EVENT else None
        text = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return b""
    return text if isinstance(value, dict) else b""


def _ready(spool: str) -> list[str]:
    try:
        names = os.listdir(spool)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if name.endswith(".json") and not name.startswith("."))


def _set_aside(path: str) -> None:
    aside = os.path.join(os.path.dirname(path), "aside")
    try:
        os.makedirs(aside, mode=0o700, exist_ok=True)
        os.replace(path, os.path.join(aside, os.path.basename(path)))
    except OSError:
        remove(path)


# files


def count_files(spool: str) -> int:
    """Return how many whole events wait in a spool."""
    return len(_ready(spool))


def read_text(path: str) -> str:
    """Return what a small file holds, nothing when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST_ANSWER)
    except OSError:
        return ""


def read_json(path: str) -> dict[str, Any]:
    """Return the object that a file holds, an empty one when there is none."""
    try:
        value = json.loads(read_text(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def write(path: str, content: bytes) -> None:
    """Write a file for its owner alone that is whole as soon as it has its name. Raises: OSError."""
    temporary = f"{path}.{os.getpid()}.new"
    descriptor = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


def remove(path: str) -> None:
    """Remove a file that may be gone already."""
    try:
        os.unlink(path)
    except OSError:
        return


@contextmanager
def locked(path: str) -> Iterator[bool]:
    """Hold the lock on a file if nobody else does; tell whether it is held. Raises: OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        yield _is_locked(descriptor)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
