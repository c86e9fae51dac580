"""Which layer a setting comes from, what typed values mean, and what is said of wrong ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stashplex.base import layers
from stashplex.base.config import SECRETS, Settings
from stashplex.base.errors import ConfigError
from stashplex.base.layers import IN_STASH, Loaded, Source, typed_after
from stashplex.base.typed import NOT_TYPED, TypedInStash, is_same_place, meant, read_connection, read_cookie, read_typed
from stashplex.domain.pathmap import parse_path_map

SECRET = "S3cretToken-0123"
CHECKS = {"path_map": parse_path_map}
URL = "http://127.0.0.1:9999"


def plugin(
    folder: Path,
    typed: object = None,
    connection: object = None,
    **more: object,
) -> Path:
    """Leave what the plugin's side leaves in the data folder."""
    folder.mkdir(exist_ok=True)
    told = {"settings": {} if typed is None else typed} | more
    (folder / "stash-settings.json").write_text(json.dumps(told))
    if connection is not None:
        (folder / "connection.json").write_text(json.dumps(connection))
    return folder


def a_connection(**changes: object) -> dict[str, object]:
    return {"scheme": "http", "host": "127.0.0.1", "port": 9999, "cookie": "crumbs"} | changes


def loaded(data_dir: Path, file: str = "", **variables: str) -> Loaded:
    path = data_dir.parent / "config.toml"
    path.write_text(file)
    environment = {"STASHPLEX_DATA_DIR": str(data_dir)} | {
        f"STASHPLEX_{key.upper()}": value for key, value in variables.items()
    }
    return layers.load(path, variables=environment, checks=CHECKS)


def test_the_strongest_layer_wins(tmp_path: Path) -> None:
    data = plugin(tmp_path / "data", {"plex_url": "http://typed:1"}, a_connection())
    file = 'plex_url = "http://file:1"\nstash_url = "http://file:2"'
    ways: list[tuple[str, dict[str, str], str, Source]] = [
        (file, {"plex_url": "http://env:1"}, "http://env:1", Source.ENVIRONMENT),
        (file, {}, "http://typed:1", Source.STASH),
    ]
    for text, variables, value, source in ways:
        found = loaded(data, text, **variables)
        assert (found.settings.plex_url, found.origins["plex_url"].source) == (value, source)
    plugin(data, {"plex_url": " "}, a_connection())
    assert loaded(data, file).settings.plex_url == "http://file:1"
    assert loaded(data, file).origins["stash_url"].source is Source.FILE
    found = loaded(data)
    assert (found.settings.stash_url, found.origins["stash_url"].source) == (URL, Source.CONNECTION)
    assert (found.settings.plex_url, found.origins["plex_url"].source) == ("http://localhost:32400", Source.DEFAULT)
    assert found.origins.keys() == Settings.model_fields.keys()


@pytest.mark.parametrize(
    ("key", "typed", "value"),
    [
        ("retry_limit", 7, 7),
        ("retry_limit", 7.0, 7),
        ("retry_limit", "7", 7),
        ("retry_limit", 0, 0),
        ("retry_limit", "", 5),
        ("dead_retention_days", 0, 30),
        ("read_timeout_s", 0, 30.0),
        ("read_timeout_s", " 4.5 ", 4.5),
        ("skip_not_found", True, True),
        ("skip_not_found", "yes", True),
        ("scan_on_not_found", "off", False),
        ("scan_on_not_found", "", True),
        ("scan_on_not_found", None, True),
        ("plex_library", "Films, Clips", ("Films", "Clips")),
        ("plex_library", ["Films"], ("Films",)),
        ("plex_library", 2024, ("2024",)),
        ("plex_library", 2024.0, ("2024",)),
        ("plex_url", " http://plex:32400/ ", "http://plex:32400"),
        ("path_map", "  ", ""),
    ],
)
def test_what_a_typed_value_means(tmp_path: Path, key: str, typed: object, value: object) -> None:
    found = loaded(plugin(tmp_path / "data", {key: typed}))
    assert found.problems == ()
    assert getattr(found.required(), key) == value


@pytest.mark.parametrize(
    ("key", "typed", "words"),
    [
        ("retry_limit", 2.5, "integer"),
        ("retry_limit", -1, "greater than or equal to 0"),
        ("retry_limit", True, "must be a number"),
        ("read_timeout_s", "soon", "valid number"),
        ("read_timeout_s", -3, "greater than 0"),
        ("skip_not_found", "perhaps", "boolean"),
        ("skip_not_found", 7, "boolean"),
        ("plex_url", "plex:32400", "must look like http://host:port"),
        ("plex_url", True, "must be text"),
        ("plex_library", {"a": 1}, "must be text"),
        ("plex_library", [1], "must be text"),
        ("plex_token", f"{SECRET} {SECRET}", "paste it again"),
        ("plex_url", f"http://plex/?X-Plex-Token={SECRET}", "must not hold ?"),
        ("path_map", f"/data:{SECRET}", "exactly one '='"),
    ],
)
def test_a_wrong_typed_value_is_explained_and_stops_a_command(
    tmp_path: Path, key: str, typed: object, words: str
) -> None:
    found = loaded(plugin(tmp_path / "data", {key: typed, "retry_base_s": 3}))
    for judge in (found.required, found.usable):
        with pytest.raises(ConfigError) as caught:
            judge()
        assert f"The setting {key} ({IN_STASH})" in str(caught.value)
        assert words in str(caught.value)
        assert caught.value.hint
    assert found.settings.retry_base_s == 3.0
    if key != "path_map":
        assert SECRET not in repr(found)


def test_a_service_goes_on_with_the_last_good_value(tmp_path: Path) -> None:
    data = plugin(tmp_path / "data", {"plex_url": "oops"}, last_good={"plex_url": "http://good:1"})
    found = loaded(data, 'plex_url = "http://file:1"')
    assert found.usable().plex_url == "http://good:1"
    with pytest.raises(ConfigError, match=IN_STASH):
        found.required()
    assert loaded(data, plex_url="http://env:1").required().plex_url == "http://env:1"


def test_the_last_good_value_is_remembered_while_a_wrong_one_stands() -> None:
    first = typed_after(TypedInStash(), {"retry_limit": 7, "path_map": "/a=/b"}, "", CHECKS)
    assert first.last_good == {}
    second = typed_after(first, {"retry_limit": -7, "path_map": "/a"}, "", CHECKS)
    assert second.last_good == {"retry_limit": 7, "path_map": "/a=/b"}
    third = typed_after(second, {"retry_limit": "many", "path_map": "/c=/d"}, "", CHECKS)
    assert third.last_good == {"retry_limit": 7}
    assert typed_after(third, {"plex_url": 5.5}, "", CHECKS).last_good == {}


def test_a_key_of_another_version_is_a_warning(tmp_path: Path) -> None:
    found = loaded(plugin(tmp_path / "data", {"of_tomorrow": SECRET, "plex_token": SECRET}))
    assert found.required().plex_token.get_secret_value() == SECRET
    (problem,) = found.problems
    assert "no setting of_tomorrow" in problem.message
    assert not problem.is_error
    assert SECRET not in repr(found)


@pytest.mark.parametrize("key", sorted(NOT_TYPED))
def test_where_things_are_cannot_be_typed_in_stash(tmp_path: Path, key: str) -> None:
    found = loaded(plugin(tmp_path / "data", {key: "1"}))
    assert found.origins[key].source is not Source.STASH
    assert [(problem.key, problem.is_error) for problem in found.problems] == [(key, False)]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"settings": 5}', b"\xff\xfe", b"[" * 100_000, b"null"])
def test_a_damaged_copy_says_nothing(tmp_path: Path, content: bytes) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("stash-settings.json", "connection.json"):
        (data / name).write_bytes(content)
    found = loaded(data)
    assert found.problems == ()
    assert {origin.source for origin in found.origins.values()} == {Source.DEFAULT, Source.ENVIRONMENT}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(Settings.model_fields)) | st.text(), ANYTHING))
def test_whatever_is_typed_is_used_or_named(values: dict[str, object]) -> None:
    merging = layers._Merging(CHECKS)
    empty = layers._Layer({}, lambda _: layers.DEFAULT)
    found = merging.merged((empty, empty), empty, TypedInStash(values), None)
    named = {problem.key for problem in found.problems}
    for key, value in values.items():
        is_taken = key in found.origins and found.origins[key].source is Source.STASH
        assert is_taken or key[:80] in named or meant(key, value) is None


class TestConnection:
    @pytest.mark.parametrize(
        ("host", "url"),
        [
            ("0.0.0.0", URL),
            ("::", URL),
            ("", URL),
            ("nas", "http://nas:9999"),
            ("::1", "http://[::1]:9999"),
            ("[::1]", "http://[::1]:9999"),
        ],
    )
    def test_an_address_to_call(self, tmp_path: Path, host: str, url: str) -> None:
        found = read_connection(plugin(tmp_path / "d", connection=a_connection(host=host)))
        assert found is not None
        assert (found.url, found.cookie) == (url, "crumbs")
        assert "crumbs" not in repr(found)

    @pytest.mark.parametrize(
        "wrong", [{"host": 5}, {"port": "x"}, {"port": None}, {"scheme": "ftp"}, {"host": "a b/../?x=y"}]
    )
    def test_a_wrong_one_says_nothing(self, tmp_path: Path, wrong: dict[str, Any]) -> None:
        data = plugin(tmp_path / "d", connection=a_connection(**wrong))
        assert read_connection(data) is None
        assert loaded(data).origins["stash_url"].source is Source.DEFAULT

    @pytest.mark.parametrize("cookie", ["a b", "a\r\nb", "a;b", "ä", 5, None])
    def test_a_cookie_that_is_no_header_is_none(self, tmp_path: Path, cookie: object) -> None:
        found = read_connection(plugin(tmp_path / "d", connection=a_connection(cookie=cookie)))
        assert found is not None
        assert found.cookie == ""

    def test_the_cookie_goes_to_its_own_stash_only(self, tmp_path: Path) -> None:
        data = plugin(tmp_path / "d", connection=a_connection())
        for url in (URL, "http://localhost:9999", "http://127.0.0.1:9999/stash", "http://[::1]:9999"):
            assert read_cookie(data, url) == "crumbs"
        for url in ("http://127.0.0.1:9998", "https://127.0.0.1:9999", "http://nas:9999", "http://127.evil.org:9999"):
            assert read_cookie(data, url) == ""
        assert is_same_place("http://nas:1/a", "http://nas:1/b")

    def test_the_key_goes_to_its_own_stash_only(self, tmp_path: Path) -> None:
        data = plugin(tmp_path / "d", {"retry_limit": 7}, a_connection(), api_key=SECRET, stash_url=URL)
        assert read_typed(data, URL).api_key == SECRET
        assert loaded(data).settings.stash_api_key.get_secret_value() == SECRET
        other = loaded(data, stash_url="http://elsewhere:9999").settings
        assert (other.stash_api_key.get_secret_value(), other.retry_limit) == ("", 5)
        own = loaded(data, 'stash_api_key = "of-my-own"')
        assert own.settings.stash_api_key.get_secret_value() == "of-my-own"

    def test_a_certificate_on_this_machine_is_not_checked(self, tmp_path: Path) -> None:
        data = plugin(tmp_path / "d", connection=a_connection(scheme="https", host="0.0.0.0"))
        assert not loaded(data).settings.stash_verify_tls
        assert loaded(data, stash_verify_tls="true").settings.stash_verify_tls
        assert loaded(data, stash_url="https://127.0.0.1:9999").settings.stash_verify_tls
        plugin(data, connection=a_connection(scheme="https", host="nas"))
        assert loaded(data).settings.stash_verify_tls


def test_every_secret_is_masked_in_a_repr() -> None:
    values = dict.fromkeys(SECRETS, SECRET)
    assert SECRET not in repr(Settings.model_validate(values))
    assert {"plex_token", "stash_api_key", "service_key"} <= SECRETS
