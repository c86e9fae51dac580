"""A marked token and a marked key, and every place where they must never show up."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from programs import Environment, Misbehaving, Servers, command, misbehaving, serving, started

pytestmark = pytest.mark.e2e

TOKEN = "tOkEn4711MarkedPlexSecret"
KEY = "kEy0815MarkedStashSecret"

IDENTITY = b'{"MediaContainer": {"machineIdentifier": "0123abcd", "version": "1.43.4"}}'
"""Plex answers this without a token: the token comes later."""


def _bad(status: int, body: bytes = b"", **headers: str) -> AbstractContextManager[Misbehaving]:
    return misbehaving(status, body, well={"/identity": IDENTITY}, **headers)


ECHO = f'{{"errors": [{{"message": "bad X-Plex-Token={TOKEN} and ApiKey {KEY}"}}]}}'.encode()
SERVERS: dict[str, Callable[[], AbstractContextManager[Misbehaving]]] = {
    "refuses": lambda: _bad(401, ECHO),
    "forbids": lambda: _bad(403, ECHO),
    "redirects": lambda: _bad(302, Location=f"http://127.0.0.1:9/?X-Plex-Token={TOKEN}&apikey={KEY}"),
    "fails": lambda: _bad(500, ECHO),
    "echoes": lambda: _bad(200, ECHO, Content_Type="application/json"),
    "talks-html": lambda: _bad(200, b"<p>" + ECHO, Content_Type="text/html"),
    "lacks": lambda: _bad(404, ECHO),
    "is-broken": lambda: _bad(200, ECHO, Content_Encoding="gzip"),
}


@pytest.fixture
def marked(servers: Servers, tmp_path: Path) -> Environment:
    """Settings with marked secrets, one of which the server that is not spoilt takes."""
    servers.turn("plex", require_token=False)
    return servers.environment(tmp_path / "data", plex_token=TOKEN)


def leaks(*texts: str | bytes, secrets: tuple[str, ...] = (TOKEN, KEY)) -> list[str]:
    raw = [text if isinstance(text, bytes) else text.encode() for text in texts]
    return [secret for secret in secrets if any(secret.encode() in text for text in raw)]


def stored(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("server", ["STASH", "PLEX"])
@pytest.mark.parametrize("how", SERVERS)
def test_no_secret_in_what_is_said_about_a_server(marked: Environment, tmp_path: Path, how: str, server: str) -> None:
    secret = TOKEN if server == "PLEX" else KEY
    with SERVERS[how]() as bad:
        marked[f"STASHPLEX_{server}_URL"] = bad.url
        if server == "STASH":
            marked["STASHPLEX_STASH_API_KEY"] = KEY
        for name in ("sync", "plan"):
            told = command(marked, name, "-v", *(["--wait", "0"] if name == "sync" else []))
            assert told.exit_code == 3
            assert told.stderr
            assert leaks(told.stdout, told.stderr, secrets=(secret,)) == []
    assert any(secret in request for request in bad.seen)
    assert not any(secret in request.splitlines()[0] for request in bad.seen)
    assert leaks(*stored(tmp_path / "data"), secrets=(secret,)) == []


def test_no_secret_in_the_store_or_in_what_is_told_of_it(
    environment: Environment, servers: Servers, tmp_path: Path
) -> None:
    texts = [command(environment, "sync", "--wait", "0", "-v")]
    servers.turn("plex", proxy_status=502)
    texts += [command(environment, "sync", "--wait", "0", "-v", "--json")]
    servers.turn("plex", proxy_status=None)
    texts += [command(environment, *line.split(), *form) for line in ("status", "why 3") for form in ([], ["--json"])]
    assert [text.exit_code for text in texts] == [0, 3, 0, 0, 0, 0]
    secrets = (servers.told["plex_token"], servers.told["stash_api_key"])
    assert leaks(*(text.stdout + text.stderr for text in texts), secrets=secrets) == []
    files = stored(tmp_path / "data")
    assert any(file.startswith(b"SQLite format 3") for file in files)
    assert leaks(*files, secrets=secrets) == []


def test_no_secret_in_a_settings_error(marked: Environment) -> None:
    for name, value in (
        ("PLEX_TOKEN", f"{TOKEN} x"),
        ("PLEX_URL", f"http://x?X-Plex-Token={TOKEN}"),
        ("STASH_API_KEY", f"{KEY}\n{KEY}"),
    ):
        told = command(marked | {f"STASHPLEX_{name}": value}, "sync")
        assert (told.exit_code, leaks(told.stdout, told.stderr)) == (2, [])


def test_no_secret_in_the_list_of_processes(tmp_path: Path) -> None:
    with serving("--films", "300", "--posters", "none", "--plex-latency-ms", "20") as servers:
        environment = servers.environment(tmp_path / "data")
        with started(environment, "sync", "-v") as process:
            assert process.stderr is not None
            assert process.stderr.readline()
            family = psutil.Process(process.pid)
            lines = [" ".join(one.cmdline()) for one in (family, *family.children(recursive=True))]
            assert process.poll() is None
        secrets = (servers.told["plex_token"], servers.told["stash_api_key"])
    assert lines
    assert leaks(*lines, secrets=secrets) == []
