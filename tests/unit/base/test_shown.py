"""The settings on Stash's page: all that people need, with defaults that its page cannot show otherwise."""

from stashplex.base.config import Settings
from stashplex.base.shown import _NAMES, SHOWN_IN_STASH, Kind
from stashplex.base.typed import NOT_TYPED

HIDDEN = {
    "batch_size": "right without tuning",
    "stash_requests_in_flight": "right without tuning",
    "success_threshold": "right without tuning",
    "library": "a table, which only the file can hold",
    "listen": "belongs to the machine on which the service runs",
} | dict.fromkeys(NOT_TYPED, "must be known before Stash is asked")


def test_every_setting_is_shown_or_hidden_for_a_reason() -> None:
    shown = {one.key for one in SHOWN_IN_STASH}
    assert shown | HIDDEN.keys() == Settings.model_fields.keys()
    assert not shown & HIDDEN.keys()
    assert _NAMES.keys() - shown == set()


def test_a_switch_that_was_never_touched_looks_off_and_is() -> None:
    for one in SHOWN_IN_STASH:
        if one.kind is Kind.BOOLEAN:
            assert Settings.model_fields[one.key].default is False
        assert "Default: " in one.description


def test_kinds_names_and_defaults() -> None:
    known = {one.key: one for one in SHOWN_IN_STASH}
    assert known["plex_token"].kind is Kind.STRING
    assert known["plex_library"].description.endswith("Default: empty.")
    assert known["retry_limit"].kind is Kind.STRING
    assert known["retry_limit"].description.endswith("Default: 5.")
    assert known["skip_not_found"].kind is Kind.BOOLEAN
    assert known["scan_on_not_found"].kind is Kind.STRING
    assert len({one.display_name for one in SHOWN_IN_STASH}) == len(SHOWN_IN_STASH)
