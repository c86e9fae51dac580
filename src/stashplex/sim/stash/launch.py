"""Running a plugin: what it gets on stdin, what its stdout means, what its stderr says.

Knows nothing of hooks or jobs; both call `Launcher.run`. A plugin's own failure is a value (`Output.error`); only a
program that cannot be started raises.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from stashplex.base.clock import Clock
from stashplex.sim.stash.log import LEVELS, Log
from stashplex.sim.stash.plugin import ManifestInvalid, Plugin
from stashplex.sim.stash.process import Ended, Starter, StartFailed
from stashplex.sim.stash.session import COOKIE, Doorkeeper, Session
from stashplex.sim.stash.settings import Settings

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Output:
    """What a plugin answered. Shape: `error` None means that it did not fail."""

    output: Any = None
    error: str | None = None


@dataclass(slots=True)
class Launcher:
    """Runs plugins, each call in a process of its own."""

    settings: Settings
    keeper: Doorkeeper
    starter: Starter
    log: Log
    clock: Clock

    async def run(
        self,
        plugin: Plugin,
        session: Session,
        args: Mapping[str, Any],
        *,
        exec_args: tuple[str, ...] = (),
        on_progress: Progress | None = None,
    ) -> Output:
        """Run a plugin once. Raises: StartFailed. Cancelling kills it."""
        try:
            command = plugin.command(exec_args, self.settings.python_path, self.starter.environment.get("PATH"))
        except ManifestInvalid as error:
            raise StartFailed(str(error)) from error
        if plugin.interface != "raw":
            message = f"the simulated server runs no {plugin.interface} plugins"
            raise StartFailed(message)
        ended = await self.starter.run(
            command,
            self._python_environment(plugin),
            json.dumps(self._input(plugin, session, args)).encode(),
            partial(self._take_line, plugin, on_progress),
        )
        return read_output(ended)

    def _python_environment(self, plugin: Plugin) -> dict[str, str]:
        if not plugin.is_python():
            return {}
        given = self.starter.environment.get("PYTHONPATH")
        parent = str(plugin.directory.parent.resolve())
        return {"PYTHONPATH": f"{given}{os.pathsep}{parent}" if given else parent}

    def _input(self, plugin: Plugin, session: Session, args: Mapping[str, Any]) -> dict[str, Any]:
        cookie = {
            "Name": COOKIE,
            "Value": self.keeper.write_cookie(session, self.clock.now()),
            "Quoted": False,
            "Path": "",
            "Domain": "",
            "Expires": "0001-01-01T00:00:00Z",
            "RawExpires": "",
            "MaxAge": 0,
            "Secure": False,
            "HttpOnly": False,
            "SameSite": 0,
            "Partitioned": False,
            "Raw": "",
            "Unparsed": None,
        }
        connection = {
            "Scheme": "http",
            "Host": self.settings.host,
            "Port": self.settings.port,
            "SessionCookie": cookie,
            "Dir": self.settings.directory,
            "PluginDir": str(plugin.directory),
        }
        return {"server_connection": connection, "args": args}

    def _take_line(self, plugin: Plugin, on_progress: Progress | None, line: bytes) -> None:
        level, text = read_line(line, plugin.err_log)
        if level == "Progress":
            if on_progress is not None:
                _report(on_progress, text)
        elif level != "None":
            self.log.write(level, f"[Plugin / {plugin.name}] {text}")


def read_line(line: bytes, otherwise: str) -> tuple[str, str]:
    """Return level and text of a line of stderr: SOH, a letter, STX, the text. `otherwise` is for bare lines."""
    letter = chr(line[1]) if len(line) >= 4 and line[0] == 1 and line[2] == 2 else ""
    if letter in LEVELS:
        return LEVELS[letter], line[3:].decode("utf-8", "replace").strip()
    return otherwise.capitalize(), line.decode("utf-8", "replace").strip()


def read_output(ended: Ended) -> Output:
    """Return what a run's stdout means: one JSON object with `output` and `error`, or else its raw text."""
    text = ended.stdout.decode("utf-8", "replace")
    answer = _parse(text)
    if ended.returncode != 0 and answer.error is None:
        code = ended.returncode
        reason = f"exit status {code}" if code > 0 else "signal: killed" if code == -9 else f"signal: {-code}"
        return Output(answer.output, reason)
    return answer


def _parse(text: str) -> Output:
    try:
        content = json.loads(text)
    except ValueError:
        return Output(text)
    if content is None:
        return Output()
    if not isinstance(content, dict):
        return Output(text)
    known = {name.lower(): value for name, value in content.items()}
    error = known.get("error")
    if error is not None and not isinstance(error, str):
        return Output(text, "")
    return Output(known.get("output"), error)


def _report(on_progress: Progress, text: str) -> None:
    try:
        on_progress(min(max(float(text), 0.0), 1.0))
    except ValueError:
        return
