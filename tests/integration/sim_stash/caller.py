"""Raw requests to a simulated Stash in process, a clock that is moved by hand, and plugins written on the spot.

Unlike a transport, a caller can hang up in the middle, send odd headers, and sees every header of the answer.
"""

import json
import sys
import textwrap
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
from typing_extensions import override

from stashplex.base.clock import Clock
from stashplex.base.transport import Response
from stashplex.sim.stash.app import StashSim

KEY = {"ApiKey": "stash-key"}
JSON = {"Content-Type": "application/json"}


class HandClock(Clock):
    """Stands still until it is moved."""

    def __init__(self, now: datetime = datetime(2026, 7, 1, 10, 0, 0, tzinfo=UTC)) -> None:
        self.present = now

    @override
    def now(self) -> datetime:
        return self.present

    @override
    def monotonic_s(self) -> float:
        return self.present.timestamp()

    def move(self, **by: float) -> None:
        """Move on, as `timedelta(**by)`."""
        self.present += timedelta(**by)


class Caller:
    """Sends requests to one server. Shape: `headers` go with every request."""

    def __init__(self, sim: StashSim, headers: dict[str, str] = KEY, host: str = "stash.test:9999") -> None:
        self.sim = sim
        self.headers = headers
        self.host = host

    async def call(
        self,
        method: str,
        target: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        hang_up: anyio.Event | None = None,
    ) -> Response:
        """Send one request; `headers` replace the usual ones; `hang_up` makes the client go away."""
        exchange = _Exchange(body, hang_up or anyio.Event())
        path, _, query = target.partition("?")
        sent = {"host": self.host, **(self.headers if headers is None else headers)}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("stash.test", 9999),
        }
        await self.sim.app(scope, exchange.receive, exchange.send)
        return Response(exchange.status, exchange.headers, b"".join(exchange.chunks))

    async def reply(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *,
        headers: dict[str, str] | None = None,
        hang_up: anyio.Event | None = None,
    ) -> Response:
        """Send a document, return whatever comes."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        sent = {**JSON, **(self.headers if headers is None else headers)}
        return await self.call("POST", "/graphql", headers=sent, body=body, hang_up=hang_up)

    async def ask(self, query: str, /, **variables: Any) -> Any:
        """Send a document that must succeed, return its data."""
        response = await self.reply(query, variables)
        answer = json.loads(response.body)
        assert response.status == 200, answer
        assert "errors" not in answer, answer
        return answer["data"]

    async def errors(self, query: str, /, **variables: Any) -> list[str]:
        """Send a document that must fail as 200, return the messages."""
        response = await self.reply(query, variables)
        answer = json.loads(response.body)
        assert response.status == 200, answer
        return [error["message"] for error in answer["errors"]]

    async def scene(self, scene_id: int, fields: str) -> Any:
        """Return fields of one scene."""
        return (await self.ask(f"query($id: ID) {{ findScene(id: $id) {{ {fields} }} }}", id=scene_id))["findScene"]

    async def update(self, scene_id: int, **values: Any) -> None:
        """Do a sceneUpdate."""
        mutation = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"
        await self.ask(mutation, input={"id": scene_id, **values})

    async def wait_for_job(self, job_id: str, status: str = "FINISHED") -> Any:
        """Return the job once it has this status; fail after ten seconds."""
        query = "query($id: ID!) { findJob(input: {id: $id}) { id status error progress description } }"
        with anyio.fail_after(10):
            while True:
                job = (await self.ask(query, id=job_id))["findJob"]
                if job["status"] == status:
                    return job
                await anyio.sleep(0.01)


class _Exchange:
    def __init__(self, body: bytes, hang_up: anyio.Event) -> None:
        self._body: bytes | None = body
        self._hang_up = hang_up
        self.status = 0
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []

    async def receive(self) -> MutableMapping[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._hang_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.chunks.append(message.get("body", b""))


class Workshop:
    """Writes plugins into a plugins directory and reads what their processes noted.

    A script's body may use `given` (its stdin), `args`, `note(value)` and `wait_for(name)`, which waits for a file.
    """

    def __init__(self, root: Path) -> None:
        self.root = root / "plugins" / "community"
        self.notes = root / "notes"
        self.gates = root / "gates"
        for each in (self.root, self.notes, self.gates):
            each.mkdir(parents=True)

    def plugin(self, name: str, body: str, *, manifest: str = "", triggers: str = "", exec_line: str = "") -> Path:
        """Write a Python plugin; return its directory. Shape: `triggers` as in `Scene.Update.Post, Tag.Create.Post`."""
        directory = self.root / name
        directory.mkdir(exist_ok=True)
        (directory / f"{name}.py").write_text(_HEAD + textwrap.dedent(body), "utf-8")
        lines = [f"name: {name}", exec_line or f'exec: [python, "{{pluginDir}}/{name}.py"]']
        if triggers:
            lines.append(f"hooks: [{{name: hook, triggeredBy: [{triggers}], defaultArgs: {{mode: hook}}}}]")
        (directory / f"{name}.yml").write_text("\n".join(lines) + "\n" + textwrap.dedent(manifest), "utf-8")
        return directory

    def environment(self) -> dict[str, str]:
        """Return what the plugin processes inherit."""
        return {"PATH": str(Path(sys.executable).parent), "NOTES": str(self.notes), "GATES": str(self.gates)}

    def noted(self) -> list[Any]:
        """Return everything noted so far, oldest first."""
        files = sorted(self.notes.glob("*.json"), key=lambda file: (file.stat().st_mtime_ns, file.name))
        return [json.loads(file.read_text("utf-8")) for file in files]

    def contexts(self) -> list[Any]:
        """Return the hook contexts among the notes."""
        return [each["args"]["hookContext"] for each in self.noted() if isinstance(each, dict) and "args" in each]

    def open_gate(self, name: str) -> None:
        """Let scripts that wait for this go on."""
        (self.gates / name).touch()

    async def until_noted(self, count: int) -> list[Any]:
        """Return the notes once there are so many; fail after ten seconds."""
        with anyio.fail_after(10):
            while len(noted := self.noted()) < count:  # noqa: ASYNC110 - other processes write them
                await anyio.sleep(0.01)
        return noted


_HEAD = """
import json, os, sys, time
raw = sys.stdin.read()
given = json.loads(raw)
args = given["args"]

def note(value):
    name = os.path.join(os.environ["NOTES"], f"{time.time_ns():020d}-{os.getpid()}.json")
    with open(name + ".part", "w") as file:
        json.dump(value, file)
    os.replace(name + ".part", name)

def wait_for(name):
    deadline = time.monotonic() + 20
    while not os.path.exists(os.path.join(os.environ["GATES"], name)):
        if time.monotonic() > deadline:
            sys.exit("nobody opened the gate")
        time.sleep(0.005)
"""
