"""What one sees of the settings of the network and the disk: real sockets, real files, the plugin as it is shipped.

Each function runs one small scenario with one value of a setting and returns what was seen of it.
"""

import importlib.util
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import anyio
from typing_extensions import override

import stashplex
from stashplex.app import DATABASE_NAME, open_app
from stashplex.base.config import Settings
from stashplex.base.errors import StoreError
from stashplex.base.transport import Request, TransportFailed
from stashplex.cli.listening import listening
from stashplex.engine.wakeup import Wakeup
from stashplex.seams import open_seams
from worlds import a_world

PEM = Path(__file__).with_name("self_signed.pem")
PATIENT_S = 1.0
"""So long is waited for what a short timeout ends and a long one does not."""


class _Plain(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def self_signed() -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    with HTTPServer(("127.0.0.1", 0), _Plain) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"https://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def full() -> Iterator[str]:
    """An address that takes no connection and refuses none."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for one in waiting:
                one.close()


@contextmanager
def deaf() -> Iterator[str]:
    """An address that takes connections and never reads or answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def reaches(server: str, place: Callable[[], Any], method: str = "GET", body_bytes: int = 0) -> Any:
    """Return an observation of what becomes of one request to a server."""

    async def ask(url: str, settings: Mapping[str, object]) -> object:
        async with open_seams(Settings.model_validate(settings)) as seams:
            with anyio.move_on_after(PATIENT_S):
                try:
                    request = Request(method, url, body=b"x" * body_bytes)
                    return (await getattr(seams, server).send(request)).status
                except TransportFailed as failure:
                    return failure.fault.value
            return "it waits"

    def observe(_folder: Path, settings: Mapping[str, object]) -> object:
        async def asked() -> object:
            with place() as url:
                seen = await ask(url, settings)
            await anyio.sleep(0.1)  # what waits to be sent ends with the place
            return seen

        return anyio.run(asked)

    return observe


def place_of_the_store(folder: Path, settings: Mapping[str, object]) -> object:
    data_dir = folder / str(settings["data_dir"])

    async def use() -> None:
        async with open_app(Settings.model_validate({"plex_token": "x", "data_dir": data_dir})):
            pass

    anyio.run(use)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob(DATABASE_NAME))


def network_drive(folder: Path, settings: Mapping[str, object]) -> object:
    """Use a folder whose name says that it is on another machine, wherever the test runs."""
    data_dir = Path("\\\\nas\\share") / folder.name  # elsewhere than on Windows, a folder below the present one
    given = Settings.model_validate({"plex_token": "x", "data_dir": data_dir} | dict(settings))

    async def use() -> object:
        try:
            async with open_app(given):
                return "used"
        except StoreError as error:
            return "network drive" in str(error)

    with chdir(folder):
        return anyio.run(use)


def service_file(member: str) -> Any:
    """Return an observation of what the service tells of where it listens."""

    def observe(folder: Path, settings: Mapping[str, object]) -> object:
        world = a_world(folder, 1)
        world.settings |= settings

        async def listen() -> object:
            with world.app() as app:
                async with listening(app, app.service(), lambda: None, lambda: None):
                    return json.loads((folder / "service.json").read_text())[member]

        return anyio.run(listen)

    return observe


def plugin_module(name: str) -> Any:
    path = Path(stashplex.__file__).parent / "plugin" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"shipped_{name}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def relay_address(folder: Path, settings: Mapping[str, object]) -> object:
    """Return where the plugin would send events."""
    plugin_module("contact").note_elsewhere(str(folder), dict(settings))
    path = folder / "service-elsewhere.json"
    return json.loads(path.read_text()) if path.exists() else None


def watches(folder: Path, settings: Mapping[str, object]) -> object:
    """Return whether a task of the plugin follows its work, as typed on Stash's page."""

    class Stash(_Plain):
        @override
        def do_GET(self) -> None:
            body = json.dumps({"data": {"configuration": {"plugins": {"stashplex": dict(settings)}}}}).encode()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the names are those of http.server

    with HTTPServer(("127.0.0.1", 0), Stash) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            connection = {"Scheme": "http", "Host": "127.0.0.1", "Port": server.server_address[1], "Dir": str(folder)}
            desk = plugin_module("task").Desk({"server_connection": connection, "args": {}})
            desk.prepare()
            return desk._watches
        finally:
            server.shutdown()
            thread.join()


def hears(folder: Path, settings: Mapping[str, object]) -> object:
    """Return whether a line to Plex is opened, over which news would come."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(PATIENT_S)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        given = Settings.model_validate({"plex_token": "x", "plex_url": url, "data_dir": folder} | dict(settings))

        async def listen() -> None:
            async with open_app(given) as app:
                for ear in app.ears():
                    with anyio.move_on_after(PATIENT_S / 2):
                        if ear is not None:
                            await ear.run(Wakeup())

        anyio.run(listen)
        try:
            listener.accept()[0].close()
        except TimeoutError:
            return False
        return True
