"""What Stash runs on each event, inside the user's save: it writes one spool file, wakes the service, and ends.

It stands alone: the standard library and nothing of stashplex, Python 3.9 or newer, run from the plugin's folder with
`python -I -S -E`. What is no event goes to `task.py` beside it. It imports only what is cheap, as each millisecond is
the user's; `follow_up.py` beside it holds what is seldom needed. docs/reference/spool.md describes what it writes.
Invariant: once it said "ok" the event is on disk, whole and durable; and nothing but that can make it fail.
"""

import sys
import time

if sys.platform == "win32":
    import os

    BESIDE = os.path.dirname(os.path.abspath(__file__))
else:
    import fcntl
    import posix as os  # what `os` is made of; `os` itself costs as much as the whole work here

    BESIDE = (__file__ if __file__.startswith("/") else f"{os.getcwd()}/{__file__}").rpartition("/")[0]

ENVIRONMENT_NAME = "STASHPLEX_DATA_DIR"
FRESH_S = 600
"""So long the file that says how to reach Stash is good; the cookie in it is good for an hour."""
REST_S = 30
"""What was started less than that ago and does not run is left alone: it may be starting, or dying again and again."""
FOR_EVER_S = float("inf")
LARGEST_ID = 2**63 - 1
MOST_FIELDS = 100
LONGEST_FIELD = 64
LONGEST_TYPE = 100
LONGEST_PATH = 4096
LONGEST_LINE = 2000
LARGEST_FILE = 64 * 1024
_BINARY = getattr(os, "O_BINARY", 0)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType


class Refused(Exception):  # noqa: N818 - errors name the condition
    """What came is not what Stash sends; the text says in which way."""


class _Rules:
    """How the scanner of the interpreter reads JSON; the module `json` would cost as much as all the rest."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


try:
    import _json

    scan: "Callable[[str, int], tuple[object, int]]" = _json.make_scanner(_Rules)  # type: ignore[arg-type]  # the stub wants a decoder
    quoted: "Callable[[str], str]" = _json.encode_basestring_ascii
except (ImportError, AttributeError):
    import json

    scan, quoted = json.JSONDecoder(strict=False).scan_once, json.dumps  # type: ignore[attr-defined]  # the stub lacks it


def main() -> int:
    """Do what Stash asks for on stdin, answer with one JSON document, and return the exit code."""
    try:
        raw = read_all(0)
        call = parsed(raw)
        if "hookContext" not in part(call, "args"):
            return _run_task(raw)
        _be_deaf()
        data_dir = find_data_dir(call, _environment())
        record(data_dir, event_of(call), time.time_ns())
    except Refused as reason:
        return _failed(f"The event was not recorded: {reason}.")
    except MemoryError:
        return _failed("The event was not recorded: the memory does not suffice.")
    except OSError as error:
        return _failed(f"The event was not recorded: {_reason(error)}.")
    _follow(data_dir, call)
    return _answer('{"output": "ok"}', 0)


def _be_deaf() -> None:
    """Ignore the signals that a stop of Stash sends to all it started: the edit is saved, its event must be, too."""
    signals = __import__("_signal")
    for number in (signals.SIGINT, signals.SIGTERM):
        signals.signal(number, signals.SIG_IGN)


def _follow(data_dir: str, call: "dict[str, object]") -> None:
    """Do what may follow a recorded event; what fails of it is said and harms nothing."""
    for step in (poke, _start, _note_connection):
        _try(step, data_dir, call)


def _try(step: "Callable[[str, dict[str, object]], None]", data_dir: str, call: "dict[str, object]") -> None:
    try:
        step(data_dir, call)
    except Refused as why:
        say("w", f"The event was recorded, but {why}.")
    except (OSError, ImportError) as error:
        reason = _reason(error) if isinstance(error, OSError) else str(error)
        say("w", f"The event was recorded, but what follows was not possible: {reason}.")


def parsed(raw: bytes) -> "dict[str, object]":
    """Return the one JSON object that this text is. Raises: Refused."""
    text = raw.decode("utf-8", "replace").strip()
    if not text:
        raise Refused("nothing came on stdin, where Stash tells what happened")
    try:
        value, end = scan(text, 0)
    except (ValueError, StopIteration, RecursionError, SystemError):
        # SystemError: up to 3.12 the scanner takes the class of its errors from `json`, and nobody imported that.
        raise Refused("what came on stdin is not JSON") from None
    if end != len(text) or not isinstance(value, dict):
        raise Refused("what came on stdin is not one JSON object")
    return value


def part(holder: "dict[str, object]", name: str) -> "dict[str, object]":
    """Return the object of this name. Raises: Refused when there is none."""
    value = holder.get(name)
    if not isinstance(value, dict):
        raise Refused(f"what came on stdin has no object '{name}'")
    return value


def find_data_dir(call: "dict[str, object]", environment: "Mapping[str, str]") -> str:
    """Return the folder for what must last. Raises: Refused when none is named or the next update would remove it."""
    named = environment.get(ENVIRONMENT_NAME)
    if named:
        data_dir = str(_paths().abspath(_paths().expanduser(named)))
    else:
        of_stash = part(call, "server_connection").get("Dir")
        if not isinstance(of_stash, str) or not of_stash:
            raise Refused(f"Stash did not tell its folder; set {ENVIRONMENT_NAME} in its environment")
        whole = of_stash if of_stash.startswith("/") else str(_paths().abspath(of_stash))
        data_dir = f"{whole.rstrip('/')}/stashplex"
    if "\0" in data_dir:
        raise Refused("the name of Stash's folder holds a zero byte")
    inner, outer = f"{data_dir}/", f"{BESIDE}/"
    if sys.platform == "win32":
        inner, outer = _paths().normcase(inner), _paths().normcase(outer)
    if inner.startswith(outer):
        raise Refused(f"the data folder would be inside the plugin's own; set {ENVIRONMENT_NAME} to another place")
    return data_dir


def _environment() -> "Mapping[str, str]":
    if sys.platform == "win32":
        return os.environ
    value = os.environ.get(ENVIRONMENT_NAME.encode(), b"")
    return {ENVIRONMENT_NAME: value.decode(sys.getfilesystemencoding(), "surrogateescape")}


def _paths() -> "ModuleType":
    """Return the module that knows about paths; only rare ways need it."""
    return __import__("os").path  # type: ignore[no-any-return]  # a module by name


def event_of(call: "dict[str, object]") -> str:
    """Return the event as its file says it, without `at`: type, id, fields, path. Raises: Refused."""
    context = part(part(call, "args"), "hookContext")
    kind, number, given = context.get("type"), context.get("id", 0), context.get("input")
    if not isinstance(kind, str) or not 0 < len(kind) <= LONGEST_TYPE:
        raise Refused("the event has no usable type")
    if isinstance(number, str) and number.isdecimal() and len(number) < len(str(LARGEST_ID)):
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= LARGEST_ID:
        raise Refused(f"the event {clean(kind)!r} has no usable id")
    path = given.get("path") if kind.endswith(".Destroy.Post") and isinstance(given, dict) else None
    where = path if isinstance(path, str) and len(path) <= LONGEST_PATH else ""
    if number == 0 and not where:
        raise Refused(f"the event {clean(kind)!r} has no id")
    names = "" if where else ",".join(map(quoted, _field_names(context.get("inputFields"))))
    rest = f',"path":{quoted(clean(where))}' if where else ""
    return f'"type":{quoted(clean(kind))},"id":{number},"fields":[{names}]{rest}'


def _field_names(names: object) -> "list[str]":
    """Return the names of changed fields; none means that any may have changed, as too many to tell do."""
    if not isinstance(names, list) or len(names) > MOST_FIELDS:
        return []
    kept = [name[:LONGEST_FIELD] for name in names if isinstance(name, str)]
    return kept if len(kept) == len(names) and all(map(str.isascii, kept)) else []


def clean(text: str) -> str:
    """Return the text without halves of characters, which no UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()


def record(data_dir: str, event: str, now_ns: int) -> None:
    """Make an event durable. Raises: OSError; then no file with a final name is left."""
    micros = now_ns // 1000
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micros // 1_000_000)) + f".{micros % 1_000_000:06d}Z"
    name = f"{micros:016d}-{os.urandom(8).hex()}.json"
    content = f'{{{event},"at":"{at}"}}'.encode("ascii")
    spool = f"{data_dir}/spool"
    try:
        put(spool, name, content, is_durable=True)
    except FileNotFoundError:
        _make(spool)
        put(spool, name, content, is_durable=True)


def put(folder: str, name: str, content: bytes, *, is_durable: bool) -> None:
    """Write a file that is whole as soon as it has its name. Raises: OSError; then nothing is left of it."""
    temporary = f"{folder}/.{name}.{os.urandom(8).hex()}"
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, 0o600)
        try:
            while content:
                content = content[os.write(descriptor, content) :]
            if is_durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, f"{folder}/{name}")
    except OSError as error:
        if _exists(temporary):
            os.unlink(temporary)
        raise OSError(error.errno, error.strerror, folder) from None
    if is_durable:
        _sync(folder)


def _make(folder: str) -> None:
    """Make a folder and those above it, durably, for their owner alone. Raises: OSError."""
    if not _paths().isdir(folder):
        above = _paths().dirname(folder)
        if above != folder:
            _make(above)
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            if not _paths().isdir(folder):
                raise
        _sync(above)


def _sync(folder: str) -> None:
    """Make the names in a folder durable; Windows keeps them in its own journal. Raises: OSError."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def poke(data_dir: str, _call: "dict[str, object]") -> None:
    """Tell the service to look into the spool now, if it listens; never wait for it. Raises: OSError, Refused."""
    content = _find_content(f"{data_dir}/service.json")
    port = parsed(content).get("poke_port") if content else None
    if isinstance(port, int) and 0 < port < 65536:
        sockets = __import__("_socket")
        one = sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM)
        try:
            one.setblocking(False)
            one.sendto(b"look", ("127.0.0.1", port))
        except BlockingIOError:
            return
        finally:
            one.close()


def _start(data_dir: str, _call: "dict[str, object]") -> None:
    """Start what empties the spool, if there is something to start and it does not run. Raises: OSError."""
    if _exists(f"{data_dir}/service-elsewhere.json"):
        what = "relay"
    elif _exists(f"{data_dir}/environment"):
        what = "service"
    else:
        return
    if what == "relay" or not _exists(f"{data_dir}/stopped"):
        age_s = _age_s(f"{data_dir}/{what}.starting")
        if abs(age_s) >= REST_S and not _is_held(f"{data_dir}/{what}.lock"):
            _load("follow_up").start(data_dir, what, say)


def _is_held(lock: str) -> bool:
    """Tell whether a living process seems to hold a lock. On Windows only the one who starts can tell."""
    if sys.platform == "win32":
        return False
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except OSError as error:
        return not isinstance(error, FileNotFoundError)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _note_connection(data_dir: str, call: "dict[str, object]") -> None:
    """Keep how to reach this Stash in a file, unless it was noted a short while ago. Raises: OSError, Refused."""
    if abs(_age_s(f"{data_dir}/connection.json")) >= FRESH_S:
        content = _load("follow_up").connection_of(part(call, "server_connection"))
        put(data_dir, "connection.json", content, is_durable=False)


def _exists(path: str) -> bool:
    return _age_s(path) < FOR_EVER_S


def _age_s(path: str) -> float:
    """Return how long ago a file was written, which is for ever when it is not there. Raises: OSError."""
    try:
        return time.time() - os.stat(path).st_mtime
    except FileNotFoundError:
        return FOR_EVER_S


def _run_task(raw: bytes) -> int:
    """Hand everything that is no event to the plugin's other program; return its exit code."""
    if not _exists(f"{BESIDE}/task.py"):
        return _failed("The plugin's file task.py is missing: install the plugin again.")
    return int(_load("task").main(raw))


def _load(name: str) -> "ModuleType":
    """Return the module of this name that lies beside this file, and leave no compiled copy there."""
    sys.dont_write_bytecode = True
    if BESIDE not in sys.path:
        sys.path.insert(0, BESIDE)
    return __import__(name)


def read_all(descriptor: int) -> bytes:
    """Return everything that comes until the other side closes. Raises: OSError."""
    parts: list[bytes] = []
    while True:
        one = os.read(descriptor, 1 << 20)
        if not one:
            return b"".join(parts)
        parts.append(one)


def _find_content(path: str) -> bytes:
    """Return what a small file holds, nothing when it is not there. Raises: OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _BINARY)
    except FileNotFoundError:
        return b""
    try:
        return os.read(descriptor, LARGEST_FILE)
    finally:
        os.close(descriptor)


def say(level: str, text: str) -> None:
    """Write one line to Stash's log. Shape: `level` is a letter of its protocol. It is lost when nobody listens."""
    line = " ".join(clean(text)[:LONGEST_LINE].split())
    try:
        os.write(2, f"\x01{level}\x02{line}\n".encode())
    except OSError:
        return


def _failed(text: str) -> int:
    say("e", text)
    return _answer(f'{{"error": {quoted(clean(text)[:LONGEST_LINE])}}}', 1)


def _answer(document: str, code: int) -> int:
    try:
        os.write(1, f"{document}\n".encode())
    except OSError:
        return 1
    return code


def _reason(error: OSError) -> str:
    where = f" ({error.filename})" if isinstance(error.filename, str) else ""
    return f"{error.strerror or type(error).__name__}{where}"


def _last_words(kind: type, _error: BaseException, _trace: object) -> None:
    _failed(f"The plugin met a bug of its own ({kind.__name__}). Please report it.")


if __name__ == "__main__":
    sys.excepthook = _last_words
    exit_code = main()
    if "task" in sys.modules:
        sys.exit(exit_code)
    os._exit(exit_code)
