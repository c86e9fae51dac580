"""The settings of Stash2Plex in our words."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stashplex.base import layers
from stashplex.base.config import Settings
from stashplex.domain.pathmap import parse_path_map
from stashplex.engine.takeover_settings import TakenSettings, map_settings, render_toml

SECRET = "S3cretToken-0123"
GUIDE = Path(__file__).parents[3] / "docs/how-to/move-from-stash2plex.md"

# Every name of version 1.6: those that Stash's page shows, those of the model, those of the provider.
SHOWN = (
    "plex_url plex_token plex_library enabled max_retries poll_interval strict_matching preserve_plex_edits"
    " connect_timeout read_timeout max_tags sync_master sync_studio sync_summary sync_tagline sync_date"
    " sync_performers sync_tags sync_poster sync_background sync_collection trigger_plex_scan skip_not_found"
    " debug_logging obfuscate_paths reconcile_interval reconcile_scope reconcile_missing plex_unmatched_path_map"
)
MODEL = (
    "strict_mode dlq_retention_days reconcile_batch_size stash_url stash_api_key stash_session_cookie"
    " plex_connect_timeout plex_read_timeout"
)
PROVIDER = "provider_port log_level path_rules"


def reasons(taken: TakenSettings) -> dict[str, str]:
    return {one.key: one.reason for one in taken.not_taken}


def test_what_has_a_counterpart_is_taken() -> None:
    taken = map_settings(
        {
            "plex_url": "http://plex:32400/",
            "plex_token": SECRET,
            "plex_library": "Films, More films,",
            "stash_url": "http://stash:9999",
            "stash_api_key": "key",
            "plex_connect_timeout": 7,
            "max_retries": 8.0,
            "dlq_retention_days": "90",
            "skip_not_found": "Yes",
            "read_timeout": "45",
            "plex_unmatched_path_map": "/plex=>/stash; /p2 => /s2",
        }
    )
    assert taken.not_taken == ()
    assert taken.values == {
        "stash_url": "http://stash:9999",
        "stash_api_key": "key",
        "plex_url": "http://plex:32400/",
        "plex_token": SECRET,
        "plex_library": ["Films", "More films"],
        "path_map": "/stash=/plex; /s2=/p2",
        "skip_not_found": True,
        "retry_limit": 8,
        "dead_retention_days": 90,
        "connect_timeout_s": 7.0,
        "read_timeout_s": 45.0,
    }


def test_the_path_map_is_turned_round() -> None:
    taken = map_settings({"plex_unmatched_path_map": "/plex/films=>/stash/films"})
    assert parse_path_map(str(taken.values["path_map"])).to_plex("/stash/films/a.mp4") == "/plex/films/a.mp4"


def test_rules_of_the_provider_are_taken_when_they_are_plain() -> None:
    rule = {"name": "nas", "plex_pattern": "^/plex/media/(.*)$", "stash_pattern": "/stash/media/\\1"}
    assert map_settings({"path_rules": [rule]}).values == {"path_map": "/stash/media=/plex/media"}
    for wrong in (rule | {"plex_pattern": "^/plex/(a|b)/(.*)"}, rule | {"stash_pattern": "/s/\\2/\\1"}, "x", {}):
        assert "by hand" in reasons(map_settings({"path_rules": [wrong]}))["path_rules"]


@pytest.mark.parametrize("key", f"{SHOWN} {MODEL} {PROVIDER}".split())
def test_every_setting_is_taken_or_has_a_reason(key: str) -> None:
    taken = map_settings({key: "x"})
    assert taken.values or "not known" not in reasons(taken)[key]


@pytest.mark.parametrize("key", f"{SHOWN} {MODEL} {PROVIDER}".split())
def test_the_guide_names_every_setting(key: str) -> None:
    assert f"`{key}`" in GUIDE.read_text(encoding="utf-8")


def test_a_setting_that_nobody_knows_is_named_without_its_value() -> None:
    taken = map_settings({"my_secret": SECRET})
    assert reasons(taken) == {"my_secret": "not known as a setting of Stash2Plex 1.6"}
    assert SECRET not in repr(taken)


def test_an_empty_setting_is_left_out() -> None:
    assert map_settings({"plex_library": "", "stash_api_key": None}) == TakenSettings({}, ())


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("plex_url", "plex:32400", "must look like"),
        ("plex_url", f"http://plex:32400/?X-Plex-Token={SECRET}", "must not hold ?"),
        ("plex_url", f"http://me:{SECRET}@plex:32400", "user name"),
        ("plex_url", 17, "no text"),
        ("plex_token", f"{SECRET} x", "blanks"),
        ("read_timeout", -1, "greater than 0"),
        ("read_timeout", "soon", "no number"),
        ("read_timeout", [], ""),
        ("max_retries", 2.5, "whole number"),
        ("max_retries", 1_000, "less than or equal to 100"),
        ("max_retries", float("nan"), "whole number"),
        ("max_retries", float("inf"), "whole number"),
        ("skip_not_found", "perhaps", "neither true nor false"),
        ("plex_unmatched_path_map", "/plex:/stash", "not of the form"),
        ("plex_unmatched_path_map", "plex=>/stash", "relative"),
    ],
)
def test_a_wrong_value_is_named_and_never_shown_when_secret(key: str, value: object, reason: str) -> None:
    taken = map_settings({key: value})
    assert taken.values == {}
    if reason:
        assert reason in reasons(taken)[key]
    assert SECRET not in repr(taken)


def test_secrets_are_in_the_file_only() -> None:
    taken = map_settings({"plex_token": SECRET, "stash_api_key": SECRET, "plex_url": "http://plex:32400"})
    shown = render_toml(taken.values, with_secrets=False)
    assert SECRET not in shown + repr(taken)
    assert tomllib.loads(shown) == {"plex_url": "http://plex:32400"}
    assert tomllib.loads(render_toml(taken.values, with_secrets=True))["plex_token"] == SECRET


def test_what_is_taken_can_be_loaded(tmp_path: Path) -> None:
    taken = map_settings({"plex_token": SECRET, "plex_library": 'A "b"\\, ü', "plex_read_timeout": 45})
    file = tmp_path / "config.toml"
    file.write_text(render_toml(taken.values, with_secrets=True), encoding="utf-8")
    settings = layers.load(file, variables={}).required()
    assert settings.plex_library == ('A "b"\\', "ü")
    assert settings.read_timeout_s == 45.0
    assert settings.plex_token.get_secret_value() == SECRET


@given(
    st.dictionaries(
        st.sampled_from(sorted(Settings.model_fields)),
        st.text() | st.lists(st.text()) | st.floats(0, 9) | st.booleans(),
    )
)
def test_toml_says_what_was_meant(values: dict[str, object]) -> None:
    assert tomllib.loads(render_toml(values, with_secrets=True)) == values
