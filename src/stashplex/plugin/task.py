"""The plugin's tasks and operations: what people start in Stash, and what the page of a scene asks.

It stands alone like `hook.py`, whose tools it uses: standard library, Python 3.9 or newer. It does little itself: long
work is handed to the service as a request in the spool, short work to the installed program, so that Stash's single
job slot is free again within seconds. Invariants: it may be killed at any moment, and one JSON document goes to stdout.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 4.0
"""So long a task waits for something short; Stash runs one job at a time, and others wait behind this one."""
WATCH_S = 1.0
RESTART_S = 30.0
"""So long an upgrade waits for the old service to finish what it is writing."""
LOST_S = 30.0
HANDOVER_S = 30.0
NOT_INSTALLED = (
    "The service is not installed yet, or its Python was replaced: run the task 'Install or upgrade the service' once."
)
NO_CHIP = "The service does not answer; the task 'Test connection' says why."
NOT_READY = "The service is starting, or it waits for a setting: the task 'Test connection' says which."
STOPPED = "The service does not run; the next change in Stash or the task 'Start service' starts it."
NOT_HERE = "The service runs on another machine ({}): use stashplex there for this."

REQUESTS: dict[str, tuple[str, dict[str, int]]] = {
    "sync_all": ("sync_all", {}),
    "sync_recent": ("sync_recent", {"hours": 24}),
    "repush_all": ("repush_all", {}),
    "rebuild_index": ("rebuild_index", {}),
    "reconcile_all": ("sync_all", {}),
    "reconcile_7d": ("sync_recent", {"hours": 168}),
    "reconcile_24h": ("sync_recent", {"hours": 24}),
    "reconcile_missing": ("sync_missing", {}),
}
"""What the service does, by mode: the name of the request and what goes with it."""

LOOKS = frozenset({"plan", "test", "support_bundle"})
"""Commands of which a result that nobody has seen yet is as good as another run."""


class Failed(Exception):  # noqa: N818 - errors name the condition
    """A task cannot do what it is for; the text says why and what to do."""


sys.dont_write_bytecode = True  # Stash leaves a folder behind that holds what it did not put there


def sibling(name: str) -> Any:
    """Load another file of the plugin; the interpreter runs without any path to it. Raises: Failed."""
    path = os.path.join(HERE, f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"stashplex_{name}", path)
    if spec is None or spec.loader is None or not os.path.exists(path):
        raise Failed(f"The plugin's file {name}.py is missing: install the plugin again.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hook = sibling("hook")
follow_up = sibling("follow_up")
contact = sibling("contact")


class Desk:
    """One call of the plugin: what Stash gave it, where the data is, and the service wherever it is."""

    def __init__(self, call: dict[str, Any]) -> None:
        self.args: dict[str, Any] = hook.part(call, "args")
        self.connection: dict[str, Any] = hook.part(call, "server_connection")
        self.data_dir: str = hook.find_data_dir(call, os.environ)
        self.service = contact.Service(self.data_dir)
        self._until_s = time.monotonic() + PATIENCE_S
        self._watches = False
        self._is_fit: bool | None = None

    def prepare(self) -> None:
        """Keep how to reach Stash, and what Stash's page says of where the service is. Raises: OSError."""
        os.makedirs(self.data_dir, mode=0o700, exist_ok=True)
        connection = follow_up.connection_of(self.connection)
        hook.put(self.data_dir, "connection.json", connection, is_durable=False)
        typed = contact.typed_settings(json.loads(connection))
        contact.note_elsewhere(self.data_dir, typed)
        self._watches = str(self.args.get("watch", (typed or {}).get("watch_tasks", ""))).strip().lower() == "true"

    def path(self, *names: str) -> str:
        """Return a path in the data folder."""
        return os.path.join(self.data_dir, *names)

    @property
    def python(self) -> str:
        """The Python that the service is installed in, or nothing."""
        return str(contact.read_text(self.path("environment"))).strip()

    def state(self) -> str:
        """Tell where the service is: elsewhere, running, stopped, or missing when none is installed."""
        if self.service.is_elsewhere:
            return "elsewhere"
        if self.is_alive():
            return "running"
        return "stopped" if self.python and self.is_fit() else "missing"

    def is_fit(self) -> bool:
        """Tell whether the environment has the program; not after its Python was replaced by another version."""
        if self._is_fit is None:
            self._is_fit = os.path.isfile(self.python) and has_program(self.python, self.data_dir)
        return self._is_fit

    def is_alive(self) -> bool:
        """Tell whether a service has the seat of this data folder. Raises: OSError."""
        return bool(follow_up.is_held(self.path("service.lock")))

    def start(self) -> None:
        """Start the service, or the relay to the one elsewhere, unless a person stopped it. Raises: OSError."""
        if self.service.is_elsewhere:
            follow_up.start(self.data_dir, "relay", hook.say)
        elif not os.path.exists(self.path("stopped")):
            follow_up.start(self.data_dir, "service", hook.say)

    # what the service does

    def request(self, name: str, args: dict[str, Any], number: int = 0) -> str:
        """Hand a request to the service, durably; return where the service is. Raises: OSError."""
        told = json.dumps(args) if args else "{}"
        hook.record(self.data_dir, f'"type":"Request.{name}","id":{number},"fields":[],"args":{told}', time.time_ns())
        state = self.state()
        hook.poke(self.data_dir, {})
        self.start()
        return state

    def hand_over(self, mode: str) -> str:
        """Ask the service for something long; say how far it is; watch it when the user wants to. Raises: Failed."""
        name, args = REQUESTS[mode]
        args = dict(args)
        if "hours" in args and self.args.get("hours"):
            args["hours"] = whole(self.args["hours"], "hours")
        state = self.request(name, args)
        if state == "missing":
            hook.say("w", NOT_INSTALLED)
            return "Noted; it is done as soon as the service is there."
        if os.path.exists(self.path("stopped")) and state == "stopped":
            return "Noted; the service is stopped and does it when it is started."
        hook.say("i", self.progress_line())
        if self._watches:
            return self.watch()
        return "Handed over to the service; the task 'Status' tells how far it is."

    def progress_line(self) -> str:
        """Return one sentence about how far the service is."""
        status = self.service.find("/api/status")
        if status is None and self.service.is_elsewhere:
            return f"The service at {self.service.url} does not answer now; what is noted waits here and is sent to it."
        return contact.told(status) if status else NOT_READY

    def watch(self) -> str:
        """Show progress until nothing is left to do now. Raises: Failed when the service is gone."""
        most, quiet, seen_s = 1, 0, time.monotonic()
        while quiet < 2:
            time.sleep(WATCH_S)
            status = self.service.find("/api/status")
            if status is None:
                if time.monotonic() - seen_s > LOST_S:
                    raise Failed("The service does not answer any more; its log is service.log in the data folder.")
                continue
            left, seen_s = contact.count_left(status), time.monotonic()
            most, quiet = max(most, left), quiet + 1 if left == 0 else 0
            hook.say("p", f"{1 - left / most:.4f}")
        return self.progress_line()

    # what the installed program does

    def command(self, mode: str) -> str:
        """Run a command of the installed program and print what it says; leave it alone when it takes long."""
        if self.service.is_elsewhere:
            return self.command_elsewhere(mode)
        state = self.state()
        if state == "missing":
            raise Failed(NOT_INSTALLED)
        if mode == "status":
            hook.say("i", self.progress_line() if state == "running" else STOPPED)
        if mode == "test":
            self.service.find("/api/reload", b"")  # somebody who tests has often typed something new
        os.makedirs(self.path("tasks"), mode=0o700, exist_ok=True)
        earlier = contact.take_result(self.data_dir, mode)
        if earlier is not None:
            hook.say("i", f"Result of a run {(time.time() - earlier['at']) / 60:.0f} minutes ago:")
            answer = print_result(earlier)
            if mode in LOOKS:
                return answer
        line = [sys.executable, "-I", "-S", "-E", os.path.join(HERE, "task.py"), "--run", self.data_dir, mode]
        follow_up.detach(line, self.data_dir)
        while time.monotonic() < self._until_s:
            result = contact.take_result(self.data_dir, mode)
            if result is not None:
                hook.poke(self.data_dir, {})
                return print_result(result)
            time.sleep(0.05)
        return "It takes longer and goes on by itself; run this task again to see the result."

    def command_elsewhere(self, mode: str) -> str:
        """Do what can be done from here about a service on another machine. Raises: Failed."""
        if mode not in {"status", "test"}:
            raise Failed(NOT_HERE.format(self.service.url))
        hook.say("i", f"The service runs at {self.service.url}.")
        waiting = contact.count_files(self.path("spool"))
        hook.say("i", f"Events that wait here to be sent to it: {waiting}.")
        status = self.service.get("/api/status")
        if not isinstance(status.get("servers"), list):
            raise Failed(f"What answers at {self.service.url} is no service of stashplex.")
        return str(contact.told(status))

    # the service itself

    def start_service(self) -> str:
        """Start the service, or what brings events to it."""
        contact.remove(self.path("stopped"))
        contact.remove(self.path("service.starting"))
        state = self.state()
        if state == "missing":
            raise Failed(NOT_INSTALLED)
        if state == "running":
            return "The service runs already."
        self.start()
        if state == "elsewhere":
            return f"The service runs at {self.service.url}; waiting events are sent to it."
        while time.monotonic() < self._until_s:
            if self.service.find("/api/health"):
                return "The service runs."
            time.sleep(0.1)
        return "The service is starting; the task 'Status' tells when it runs, service.log why not."

    def stop_service(self) -> str:
        """End the service after what it is writing, and keep hooks from starting it."""
        if self.service.is_elsewhere:
            raise Failed(NOT_HERE.format(self.service.url))
        hook.put(self.data_dir, "stopped", b"", is_durable=False)
        if self.state() != "running":
            return "The service does not run. Events are kept; the task 'Start service' starts it."
        self.service.find("/api/stop", b"")  # one that waits for settings listens to the file alone
        while self.is_alive():
            if time.monotonic() > self._until_s:
                return "The service ends as soon as it has finished what it is writing."
            time.sleep(0.05)
        return "The service is stopped. Events are kept; the task 'Start service' starts it."

    def install(self) -> str:
        """Install or upgrade the service, and have the new one run. Raises: Failed."""
        install = sibling("install")
        before = self.python
        try:
            said = install.install(self.data_dir, HERE, hook.say, lambda done: hook.say("p", f"{done:.4f}"))
        except install.InstallFailed as error:
            raise Failed(str(error)) from None
        if self.python != before and self.state() == "running":
            self._until_s = time.monotonic() + RESTART_S
            hook.say("i", self.stop_service())
        self._until_s = time.monotonic() + PATIENCE_S
        started = self.start_service()
        install.sweep(self.data_dir)
        return f"{said} {started}"

    # what the page of a scene asks

    def scene(self) -> dict[str, Any]:
        """Return where a scene stands. Raises: Failed."""
        number = whole(self.args.get("id"), "id")
        state = self.state()
        found = self.service.find(f"/api/scenes/{number}")
        if found is None and state in {"running", "stopped"}:
            found = self.asked_of_program(number)
        if found is None:
            reason = NOT_INSTALLED if state == "missing" else NO_CHIP
            found = {"scene": number, "state": "unknown", "at": None, "reason": reason, "links": []}
        return {**found, "service": state}

    def asked_of_program(self, number: int) -> dict[str, Any] | None:
        """Return where a scene stands as the installed program says it; None when it does not know."""
        line = [self.python, "-m", "stashplex", "why", str(number), "--json"]
        try:
            ran = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=contact.clean_environment(self.data_dir),
                timeout=20,
                check=False,
            )
            stories = json.loads(ran.stdout or b"[]")
            return dict(stories[0]["chip"])
        except (OSError, subprocess.TimeoutExpired, ValueError, LookupError, TypeError):
            return None

    def sync_scene(self) -> dict[str, Any]:
        """Have the service look at one scene now. Raises: Failed."""
        return {"accepted": True, "service": self.request("sync_scene", {}, whole(self.args.get("id"), "id"))}


def main(raw: bytes) -> int:
    """Do what Stash asks for, answer with one JSON document, and return the exit code."""
    try:
        output = run(hook.parsed(raw))
    except (Failed, hook.Refused, contact.Unreachable) as reason:
        return answer({"error": str(reason)})
    except OSError as error:
        where = f" ({error.filename})" if isinstance(error.filename, str) else ""
        return answer({"error": f"The task could not be done: {error.strerror or type(error).__name__}{where}."})
    return answer({"output": output})


def run(call: dict[str, Any]) -> Any:
    """Return what a task or an operation has to say. Raises: Failed, Refused, Unreachable, OSError."""
    desk = Desk(call)
    mode = str(desk.args.get("mode", ""))
    operations: dict[str, Callable[[], dict[str, Any]]] = {"scene": desk.scene, "sync_scene": desk.sync_scene}
    if mode in operations:
        return operations[mode]()
    desk.prepare()
    desk.service = contact.Service(desk.data_dir)
    own = {"start_service": desk.start_service, "stop_service": desk.stop_service, "install": desk.install}
    if mode in own:
        said = own[mode]()
    elif mode in REQUESTS:
        said = desk.hand_over(mode)
    elif mode in contact.COMMANDS:
        said = desk.command(mode)
    else:
        raise Failed(f"There is no task {mode[:60]!r}: the plugin's files do not fit together, install it again.")
    hook.say("i", said)
    return said


def has_program(python: str, data_dir: str) -> bool:
    """Tell whether a Python has the program; in doubt it has."""
    line = [python, "-c", "import importlib.util as u, sys; sys.exit(3 * (u.find_spec('stashplex') is None))"]
    null = subprocess.DEVNULL
    try:
        ran = subprocess.run(
            line,
            stdin=null,
            stdout=null,
            stderr=null,
            env=contact.clean_environment(data_dir),
            timeout=WATCH_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return isinstance(error, subprocess.TimeoutExpired)
    return ran.returncode != 3


def print_result(result: dict[str, Any]) -> str:
    """Print what a command said; return its last word. Raises: Failed with its first word when it failed."""
    lines = [line for line in str(result.get("text", "")).splitlines() if line.strip()] or ["Done."]
    code = result.get("code", 1)
    if not isinstance(code, int) or code > 1 or code < 0:
        for line in lines[1:]:
            hook.say("w", line)
        raise Failed(lines[0].strip())
    for line in lines[:-1]:
        hook.say("i", line)
    return lines[-1].strip()


def whole(value: Any, name: str) -> int:
    """Return a whole number above zero; a manifest can only give texts. Raises: Failed."""
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**63:
        raise Failed(f"The argument {name} must be a whole number above 0.")
    return int(text)


def answer(document: dict[str, Any]) -> int:
    """Write the one document that Stash reads; return the exit code."""
    if "error" in document:
        hook.say("e", document["error"])
    try:
        os.write(1, (json.dumps(document) + "\n").encode("ascii"))
    except OSError:
        return 1
    return 1 if "error" in document else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--relay"]:
        sys.exit(contact.relay(sys.argv[2]))
    if sys.argv[1:2] == ["--run"]:
        sys.exit(contact.run_command(sys.argv[2], sys.argv[3]))
    sys.exit(main(hook.read_all(0)))
