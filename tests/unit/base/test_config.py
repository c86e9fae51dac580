"""Settings: where they come from, and what a person reads when one is wrong."""

from pathlib import Path

import pytest

from stashplex.base import layers
from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError

ABSURD_SECONDS = ("0", "-5", "nan", "inf", "1e9", "soon", "")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path / "none"))


def load(config_file: Path | None = None, *, variables: dict[str, str]) -> Settings:
    return layers.load(config_file, variables=variables).required()


def a_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_environment_alone_is_enough() -> None:
    settings = load(
        variables={
            "STASHPLEX_STASH_URL": "http://nas:9999/",
            "STASHPLEX_STASH_API_KEY": "stash-secret",
            "STASHPLEX_PLEX_URL": "https://plex.example:32400",
            "STASHPLEX_PLEX_TOKEN": "plex-secret",
            "STASHPLEX_PLEX_LIBRARY": "Films, Clips",
            "STASHPLEX_PATH_MAP": "/data=/mnt",
            "STASHPLEX_DATA_DIR": "/var/lib/stashplex",
            "PATH": "/usr/bin",
        }
    )
    assert settings.stash_url == "http://nas:9999"
    assert settings.stash_api_key.get_secret_value() == "stash-secret"
    assert settings.plex_library == ("Films", "Clips")
    assert settings.data_dir == Path("/var/lib/stashplex")


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = a_file(tmp_path, 'plex_url = "http://file:1"\nstash_url = "http://file:2"\n')
    settings = load(path, variables={"STASHPLEX_PLEX_URL": "http://env:1"})
    assert (settings.plex_url, settings.stash_url) == ("http://env:1", "http://file:2")


def test_the_file_can_be_named_by_the_environment(tmp_path: Path) -> None:
    path = a_file(tmp_path, 'plex_library = ["Films"]\n')
    assert load(variables={"STASHPLEX_CONFIG": str(path)}).plex_library == ("Films",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('plex_tokn = "x"', "no setting plex_tokn"),
        ("plex_url = 5", "plex_url"),
        ('plex_url = "plex:32400"', "must look like http://host:port"),
        ("batch_size = 0", "batch_size"),
        ("read_timeout_s = -1", "read_timeout_s"),
        ("read_timeout_s = nan", "read_timeout_s"),
        ("plex_url = ", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_a_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(a_file(tmp_path, text), variables={})
    assert message in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("STASHPLEX_PLEX_TOKN", "x", "no setting plex_tokn"),
        ("STASHPLEX_PLEX_URL", "htp://plex:32400", "must look like"),
        ("STASHPLEX_PLEX_URL", "http://", "must look like"),
        ("STASHPLEX_PLEX_URL", "http://plex:port", "port"),
        ("STASHPLEX_STASH_URL", "http://user:pass@nas:9999", "user name"),
        ("STASHPLEX_STASH_URL", "http://nas:9999/?apikey=abc", "must not hold ?"),
        ("STASHPLEX_BATCH_SIZE", "many", "batch_size"),
    ],
)
def test_a_wrong_variable_is_a_clear_error(name: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(variables={name: value})
    assert message in str(caught.value)
    assert caught.value.hint


def test_a_typo_gets_the_nearest_setting() -> None:
    with pytest.raises(ConfigError) as caught:
        load(variables={"STASHPLEX_PLEX_TOKN": "x"})
    assert caught.value.hint == "Did you mean plex_token?"


@pytest.mark.parametrize(
    ("name", "value"), [("STASHPLEX_PLEX_TOKEN", "my\nsecret"), ("STASHPLEX_STASH_API_KEY", "my secret")]
)
def test_a_wrong_secret_is_never_shown(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(variables={name: value})
    assert "secret" not in str(caught.value).replace("secrets", "")
    assert value not in repr(caught.value)


def test_secrets_are_hidden_when_settings_are_printed() -> None:
    settings = load(variables={"STASHPLEX_PLEX_TOKEN": "abc123", "STASHPLEX_STASH_API_KEY": "def456"})
    assert "abc123" not in repr(settings) + str(settings)
    assert "def456" not in repr(settings) + str(settings)


def test_a_missing_named_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml", variables={})


def test_a_folder_may_start_with_a_tilde() -> None:
    assert load(variables={"STASHPLEX_DATA_DIR": " ~/kept "}).data_dir == Path.home() / "kept"


def test_an_empty_folder_is_not_the_present_one() -> None:
    with pytest.raises(ConfigError, match="must name a folder"):
        load(variables={"STASHPLEX_DATA_DIR": " "})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[
            (key, value)
            for key in ("retry_base_s", "not_found_cap_s", "recovery_timeout_s")
            for value in ABSURD_SECONDS
        ],
        *[(key, value) for key in ("retry_limit", "not_found_limit") for value in ("-1", "1001", "2.5", "many")],
        *[(key, value) for key in ("failure_threshold", "success_threshold") for value in ("0", "-1", "1001")],
        *[("dead_retention_days", value) for value in ("0", "366", "-30", "0.5")],
    ],
)
def test_absurd_retry_settings_are_refused_by_name(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=key):
        load(variables={f"STASHPLEX_{key.upper()}": value})
