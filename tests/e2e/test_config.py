"""`stashplex config` against both servers: what it shows, what it tests, what it fetches, and what it never shows."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.settings.wire_effects import self_signed
from programs import Environment, Servers, command, misbehaving

pytestmark = pytest.mark.e2e

SECRET = "M4rkedSecret-0815"


@pytest.fixture
def typing(servers: Servers) -> Iterator[Any]:
    """Return what types settings on Stash's page; all are gone in the end."""

    def typed(**values: object) -> None:
        given = ", ".join(f"{key}: {json.dumps(value)}" for key, value in values.items())
        servers.stash(f'mutation {{ configurePlugin(plugin_id: "stashplex", input: {{{given}}}) }}')

    yield typed
    typed()


@pytest.fixture
def as_plugin(environment: Environment, servers: Servers, tmp_path: Path) -> Environment:
    """The environment of a plugin's service: it knows the data folder and no more. Stash has no login."""
    servers.turn("stash", login=False)
    port = int(servers.told["stash_url"].rpartition(":")[2])
    (tmp_path / "data").mkdir()
    told = {"scheme": "http", "host": "127.0.0.1", "port": port, "cookie": SECRET}
    (tmp_path / "data" / "connection.json").write_text(json.dumps(told))
    return {"STASHPLEX_DATA_DIR": environment["STASHPLEX_DATA_DIR"], "STASHPLEX_CONFIG": ""}


def printed(environment: Environment, *arguments: str, code: int = 0) -> Any:
    result = command(environment, "config", *arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def value_of(shown: Any, key: str) -> tuple[object, str]:
    return next((one["value"], one["origin"]) for one in shown["settings"] if one["key"] == key)


def test_what_is_typed_in_stash_is_fetched_and_shown(as_plugin: Environment, servers: Servers, typing: Any) -> None:
    typing(plex_url=servers.told["plex_url"], plex_token=servers.told["plex_token"], retry_limit=7.0, plex_library="")
    fetched = printed(as_plugin, "refresh")
    assert fetched == {"from_stash": ["stash_api_key", "plex_url", "plex_token", "retry_limit"], "problems": []}
    shown = printed(as_plugin, "show")
    assert value_of(shown, "plex_token") == ("***", "stash")
    assert value_of(shown, "stash_api_key") == ("***", "stash")
    assert value_of(shown, "retry_limit") == (7, "stash")
    assert value_of(shown, "plex_library") == ([], "default")
    assert value_of(shown, "stash_url") == (servers.told["stash_url"], "connection")
    assert value_of(printed(as_plugin | {"STASHPLEX_RETRY_LIMIT": "3"}), "retry_limit") == (3, "environment")
    checked = printed(as_plugin, "check")
    assert (checked["is_good"], checked["libraries"]) == (True, ["Films"])


def test_a_plugin_syncs_with_what_was_typed(as_plugin: Environment, servers: Servers, typing: Any) -> None:
    servers.turn("stash", login=True)
    told = servers.told
    typing(plex_url=told["plex_url"], plex_token=told["plex_token"], path_map=told["path_map"])
    servers.turn("stash", login=False)
    assert command(as_plugin, "config", "refresh").exit_code == 0
    servers.turn("stash", login=True)
    result = command(as_plugin, "sync", "--scene", "3", "--json")
    assert (result.exit_code, json.loads(result.stdout)["waiting"]) == (0, 0), result.stderr


def test_a_wrong_value_is_explained_everywhere(as_plugin: Environment, servers: Servers, typing: Any) -> None:
    typing(plex_url="plex:32400", plex_token=f"{SECRET} x", newer_setting=1, path_map="/data")
    checked = printed(as_plugin, "check", code=2)
    assert not checked["is_good"]
    assert [(one["key"], one["is_error"]) for one in checked["problems"]] == [
        ("newer_setting", False),
        ("plex_url", True),
        ("plex_token", True),
        ("path_map", True),
    ]
    assert all(one["hint"] and "typed in Stash" in one["message"] for one in checked["problems"])
    assert checked["stash"]["is_good"]
    assert [one["key"] for one in printed(as_plugin, "show", code=2)["problems"]][1:] == [
        "plex_url",
        "plex_token",
        "path_map",
    ]
    result = command(as_plugin, "sync")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "The setting plex_url (typed in Stash) must look like http" in result.stderr
    for name in ("show", "check"):
        told = command(as_plugin, "config", name)
        assert "must look like http" in told.stdout
        assert SECRET not in told.output


def test_a_good_connection_is_said_to_be_one(environment: Environment) -> None:
    told = command(environment, "config", "check")
    assert told.exit_code == 0
    assert "Everything that was tested works." in told.stdout
    assert "Stash v" in told.stdout


@pytest.mark.parametrize(
    ("changes", "code", "side", "words"),
    [
        ("plex_token=", 2, "plex", ("no Plex token", "plex_token")),
        ("plex_token=wrong", 3, "plex", ("does not accept our key or token (401)", "STASHPLEX_PLEX_TOKEN")),
        ("plex_library=Filme", 2, "plex", ("no library named 'Filme'", "'Films'")),
        ("stash_api_key=wrong", 3, "stash", ("does not accept our key or token (401)", "STASHPLEX_STASH_API_KEY")),
        ("stash_api_key=", 3, "stash", ("asks for a key", "STASHPLEX_STASH_API_KEY")),
        ("plex_url=http://plex.invalid:32400", 3, "plex", ("cannot be reached", "STASHPLEX_PLEX_URL")),
    ],
)
def test_what_is_wrong_with_a_server_is_told_and_the_other_one_tested(
    environment: Environment, changes: str, code: int, side: str, words: tuple[str, str]
) -> None:
    key, _, value = changes.partition("=")
    checked = printed(environment | {f"STASHPLEX_{key.upper()}": value}, "check", code=code)
    assert words[0] in checked[side]["error"]
    assert words[1] in checked[side]["hint"]
    assert checked["stash" if side == "plex" else "plex"]["is_good"]


def test_a_folder_that_plex_does_not_have_gets_a_hint(environment: Environment, servers: Servers) -> None:
    environment["STASHPLEX_PATH_MAP"] = "/else=/where"
    (hint,) = printed(environment, "check")["hints"]
    stash, _, plex = servers.told["path_map"].partition("=")
    assert f"such as {stash}={plex}" in hint


def test_a_page_in_place_of_stash_is_explained(environment: Environment) -> None:
    with misbehaving(200, b"<!doctype html><title>Router</title>", Content_Type="text/html") as page:
        checked = printed(environment | {"STASHPLEX_STASH_URL": page.url}, "check", code=3)
    assert "web page" in checked["stash"]["error"]
    assert checked["plex"]["is_good"]


def test_tls_where_there_is_none_is_explained(environment: Environment, servers: Servers) -> None:
    environment["STASHPLEX_PLEX_URL"] = servers.told["plex_url"].replace("http:", "https:")
    assert "TLS" in printed(environment, "check", code=3)["plex"]["error"]


def test_a_certificate_that_a_server_signed_for_itself_is_explained(environment: Environment) -> None:
    with self_signed() as url:
        checked = printed(environment | {"STASHPLEX_PLEX_URL": url}, "check", code=3)
        assert "certificate is not trusted (self-signed certificate)" in checked["plex"]["error"]
        assert "STASHPLEX_PLEX_VERIFY_TLS" in checked["plex"]["hint"]
        unchecked = {"STASHPLEX_PLEX_URL": url, "STASHPLEX_PLEX_VERIFY_TLS": "off"}
        assert "certificate" not in printed(environment | unchecked, "check", code=3)["plex"]["error"]


def test_nothing_is_fetched_from_a_stash_that_is_down(as_plugin: Environment, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = {"scheme": "http", "host": "127.0.0.1", "port": port, "cookie": ""}
    (tmp_path / "data" / "connection.json").write_text(json.dumps(told))
    result = command(as_plugin, "config", "refresh")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "cannot be reached" in result.stderr
    assert not (tmp_path / "data" / "stash-settings.json").exists()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_what_holds_secrets_is_for_its_owner_alone(as_plugin: Environment, typing: Any, tmp_path: Path) -> None:
    typing(plex_token=SECRET)
    assert command(as_plugin, "config", "refresh").exit_code == 0
    path = tmp_path / "data" / "stash-settings.json"
    assert SECRET in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["show", "check", "refresh"])
def test_no_secret_is_shown(as_plugin: Environment, servers: Servers, typing: Any, tmp_path: Path, name: str) -> None:
    token = f"{SECRET}-token"
    typing(plex_token=token, plex_url=servers.told["plex_url"], service_key=f"{SECRET}-service")
    own = {"STASHPLEX_STASH_API_KEY": f"{SECRET}-key"}
    with misbehaving(200, f'{{"errors": [{{"message": "session={SECRET} {SECRET}-key"}}]}}'.encode()) as echo:
        for more, form in (({}, []), (own, ["--json"]), (own | {"STASHPLEX_STASH_URL": echo.url}, ["-v"])):
            told = command(as_plugin | more, "config", name, *form)
            assert told.output
            assert SECRET not in told.output
    assert echo.seen or name == "show"
