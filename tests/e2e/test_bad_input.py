"""What goes wrong before anything can go right: a clear message with a hint, the right exit code, nothing written."""

import json
import os
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from programs import Environment, Servers, command, misbehaving

pytestmark = pytest.mark.e2e

READING_AND_WRITING = pytest.mark.parametrize("name", ["sync", "plan"])


@contextmanager
def nothing_written(servers: Servers) -> Iterator[None]:
    """Check that Plex ends as it was and that no edit was tried."""
    before, edits = servers.digest(), servers.plex_counts().get("edit", 0)
    yield
    assert servers.digest() == before
    assert servers.plex_counts().get("edit", 0) == edits


def refused(environment: Environment, *arguments: str, code: int, says: tuple[str, ...], hint: str) -> None:
    """Check that a command ends with an exit code, a message, a hint, and nothing on standard output."""
    result = command(environment, *arguments)
    assert (result.exit_code, result.stdout) == (code, ""), result.stderr
    for part in says:
        assert part in result.stderr
    assert hint in result.stderr.split("hint:", 1)[1]
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@READING_AND_WRITING
def test_no_token(environment: Environment, name: str) -> None:
    del environment["STASHPLEX_PLEX_TOKEN"]
    refused(environment, name, code=2, says=("no Plex token",), hint="STASHPLEX_PLEX_TOKEN")


def test_wrong_token(environment: Environment, servers: Servers) -> None:
    environment["STASHPLEX_PLEX_TOKEN"] = "wrongtoken"
    with nothing_written(servers):
        refused(environment, "sync", code=3, says=("Plex", "401"), hint="STASHPLEX_PLEX_TOKEN")


@pytest.mark.parametrize("key", ["wrongkey", ""])
def test_wrong_or_missing_stash_key(environment: Environment, servers: Servers, key: str) -> None:
    environment["STASHPLEX_STASH_API_KEY"] = key
    with nothing_written(servers):
        refused(environment, "sync", code=3, says=("Stash",), hint="STASHPLEX_STASH_API_KEY")


@pytest.mark.parametrize("server", ["STASH", "PLEX"])
def test_unreachable_server(environment: Environment, server: str) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    environment[f"STASHPLEX_{server}_URL"] = address
    says = (server.capitalize(), address, "refused")
    refused(environment, "sync", code=3, says=says, hint=f"STASHPLEX_{server}_URL")


def test_a_name_that_does_not_exist(environment: Environment) -> None:
    environment["STASHPLEX_PLEX_URL"] = "http://plex.invalid:32400"
    refused(environment, "sync", code=3, says=("plex.invalid",), hint="STASHPLEX_PLEX_URL")


@pytest.mark.parametrize("address", ["htp://127.0.0.1:9999", "127.0.0.1:9999", "http://", "http://localhost:http"])
def test_mistyped_address(environment: Environment, address: str) -> None:
    environment["STASHPLEX_STASH_URL"] = address
    refused(environment, "sync", code=2, says=("stash_url", "STASHPLEX_STASH_URL"), hint="Address of Stash")


def test_mistyped_setting_names_the_near_one(environment: Environment) -> None:
    environment["STASHPLEX_PLEX_LIBRAY"] = "Films"
    refused(environment, "sync", code=2, says=("plex_libray",), hint="plex_library")


def test_unknown_library_names_those_that_exist(environment: Environment, servers: Servers) -> None:
    environment["STASHPLEX_PLEX_LIBRARY"] = "Films, Filme"
    with nothing_written(servers):
        refused(environment, "sync", code=2, says=("'Filme'",), hint="'Films'")


@pytest.mark.parametrize("status", ["SETUP", "NEEDS_MIGRATION"])
def test_stash_that_is_not_in_service(environment: Environment, servers: Servers, status: str) -> None:
    servers.turn("stash", status=status)
    with nothing_written(servers):
        refused(environment, "sync", code=3, says=("Stash is not in service",), hint="setup or migration")


def test_plex_in_maintenance(environment: Environment, servers: Servers) -> None:
    servers.turn("plex", maintenance=True)
    refused(environment, "sync", code=3, says=("Plex", "503", "maintenance"), hint="Wait for Plex")


@pytest.mark.parametrize("server", ["STASH", "PLEX"])
def test_bad_gateway_of_a_proxy(environment: Environment, server: str) -> None:
    with misbehaving(502, b"<html>Bad Gateway</html>", Content_Type="text/html") as proxy:
        environment[f"STASHPLEX_{server}_URL"] = proxy.url
        refused(environment, "sync", code=3, says=(server.capitalize(), "502"), hint="look at its log")


@pytest.mark.parametrize("server", ["STASH", "PLEX"])
def test_a_web_page_instead_of_an_answer(environment: Environment, server: str) -> None:
    with misbehaving(200, b"<!doctype html><title>Router</title>", Content_Type="text/html") as page:
        environment[f"STASHPLEX_{server}_URL"] = page.url
        refused(environment, "sync", code=3, says=(server.capitalize(), "web page"), hint=f"STASHPLEX_{server}_URL")


@pytest.mark.parametrize("server", ["STASH", "PLEX"])
def test_another_server_behind_the_address(environment: Environment, server: str) -> None:
    with misbehaving(404) as other:
        environment[f"STASHPLEX_{server}_URL"] = other.url
        refused(environment, "sync", code=3, says=("404", server.capitalize()), hint=f"STASHPLEX_{server}_URL")


def test_a_redirect_is_not_followed(environment: Environment) -> None:
    with misbehaving(200) as elsewhere, misbehaving(302, Location=elsewhere.url) as moved:
        environment["STASHPLEX_PLEX_URL"] = moved.url
        refused(environment, "sync", code=3, says=("302",), hint="STASHPLEX_PLEX_URL")
        assert elsewhere.seen == []


@READING_AND_WRITING
def test_empty_stash_against_a_full_plex(environment: Environment, servers: Servers, name: str) -> None:
    servers.turn("stash", empty=True)
    with nothing_written(servers):
        refused(environment, name, code=3, says=("Stash has no scenes",), hint="STASHPLEX_STASH_URL")


@READING_AND_WRITING
def test_suddenly_empty_stash(environment: Environment, servers: Servers, name: str) -> None:
    assert command(environment, "sync", "--wait", "0").exit_code == 0
    servers.turn("stash", empty=True)
    with nothing_written(servers):
        refused(environment, name, code=3, says=("had some before",), hint="STASHPLEX_STASH_URL")
    counts = json.loads(command(environment, "status", "--json").stdout)["servers"][0]
    assert (counts["synced"], counts["pending"], counts["dead"]) == (30, 0, 0)


@READING_AND_WRITING
def test_unknown_scene_numbers_are_named(environment: Environment, servers: Servers, name: str) -> None:
    with nothing_written(servers):
        refused(environment, name, "--scene", "3,777,888", code=2, says=("777, 888",), hint="address in Stash")


@READING_AND_WRITING
@pytest.mark.parametrize(
    "arguments",
    [("--scene", "abc"), ("--scene", ""), ("--scene", "-1"), ("--since", "xyz"), ("--since", "24"), ("--scene", "0")],
    ids=" ".join,
)
def test_what_is_no_number_or_period(environment: Environment, name: str, arguments: tuple[str, str]) -> None:
    result = command(environment, name, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert arguments[1] in result.stderr


def test_scene_and_since_exclude_each_other(environment: Environment) -> None:
    result = command(environment, "sync", "--scene", "1", "--since", "1h")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "not both" in result.stderr


@pytest.mark.parametrize("rule", ["/data/films", "/data=/mnt=/x", "data=/mnt", "=/mnt"])
def test_path_map_that_cannot_be_read(environment: Environment, rule: str) -> None:
    environment["STASHPLEX_PATH_MAP"] = rule
    refused(environment, "sync", code=2, says=("path map",), hint="/stash/folder=/plex/folder")


@READING_AND_WRITING
def test_a_stash_without_some_fields_says_so_and_leaves_them(
    environment: Environment, servers: Servers, name: str
) -> None:
    assert command(environment, "sync", "--wait", "0").exit_code == 0
    hidden = ["code", "rating100", "director"]
    servers.turn("stash", hidden=[f"Scene.{field}" for field in hidden])
    with nothing_written(servers):
        result = command(environment, name, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["scenes"] == 30
    assert "code, director, rating100" in result.stderr
    assert "Update Stash" in result.stderr


def test_data_folder_that_is_a_file(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    refused(environment, "sync", code=2, says=(str(tmp_path / "data"),), hint="write access")
    assert (tmp_path / "data").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_data_folder_without_write_access(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    refused(environment, "sync", code=2, says=(str(tmp_path / "data"),), hint="write access")


@pytest.mark.parametrize("name", ["sync", "plan", "status", "why 1"])
@pytest.mark.parametrize("what", ["foreign", "text", "newer", "damaged"])
def test_a_database_that_cannot_be_used_stays_as_it_is(
    environment: Environment, tmp_path: Path, synced_database: Path, name: str, what: str
) -> None:
    path = tmp_path / "data" / "stashplex.sqlite"
    path.parent.mkdir()
    spoil(path, synced_database, what)
    before = path.read_bytes()
    refused(environment, *name.split(), code=2, says=(str(path),), hint="")
    assert path.read_bytes() == before


@pytest.fixture(scope="module")
def synced_database(running: Servers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synced")
    assert command(running.environment(folder), "sync", "--wait", "0").exit_code == 0
    return folder / "stashplex.sqlite"


def spoil(path: Path, good: Path, what: str) -> None:
    """Lay a database that cannot be used."""
    if what == "text":
        path.write_text("These are my notes.\n" * 50)
        return
    if what == "foreign":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE notes (text TEXT)")
        return
    shutil.copy(good, path)
    if what == "newer":
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
            connection.execute("PRAGMA journal_mode = DELETE")
    else:
        body = bytearray(path.read_bytes())
        body[4096 : 4096 * 6] = b"\xa5" * (4096 * 5)
        path.write_bytes(bytes(body))


@pytest.mark.parametrize("name", ["status", "why 1"])
def test_looking_creates_no_database(environment: Environment, tmp_path: Path, name: str) -> None:
    refused(environment, *name.split(), code=2, says=(str(tmp_path / "data"),), hint="stashplex sync")
    assert not (tmp_path / "data").exists()


def test_why_of_a_scene_that_nobody_knows(environment: Environment, synced_database: Path) -> None:
    environment["STASHPLEX_DATA_DIR"] = str(synced_database.parent)
    refused(environment, "why", "777", code=2, says=("scene 777",), hint="--scene 777")


@pytest.mark.parametrize(
    "text", ["stash_url = ", "stash_ulr = 'http://x'", "[stash]\nurl = 'x'", "batch_size = 'many'"]
)
def test_a_settings_file_that_is_wrong(environment: Environment, tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    refused(environment, "sync", "--config", str(file), code=2, says=(str(file),), hint="")


def test_a_settings_file_that_is_not_there(environment: Environment, tmp_path: Path) -> None:
    refused(
        environment, "sync", "--config", str(tmp_path / "no.toml"), code=2, says=("no.toml",), hint="Check the path"
    )
