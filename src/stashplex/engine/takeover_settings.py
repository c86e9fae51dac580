"""The settings of Stash2Plex in our words, and why the others have none.

Pure: a table, the checks that `base.config` makes anyway, and TOML. It knows the names of version 1.6: those that
Stash's page shows, those of the model behind it, and those of the metadata provider.
Invariant: every setting that was found is taken or named with a reason, and no value of a secret is in a message.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from stashplex.base.config import SECRETS, Settings
from stashplex.base.errors import ConfigError
from stashplex.domain.pathmap import parse_path_map

_TOML_ESCAPES = {ord('"'): '\\"', ord("\\"): "\\\\"} | {code: f"\\u{code:04x}" for code in (*range(32), 127)}
_PLAIN_RULE = re.compile(r"\^?(?P<plex>[\w /.:-]*?)/?\(\.[*+]\??\)\$?")


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A setting that has no counterpart, and why."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class TakenSettings:
    """Settings in our words. Shape: `values` are text, numbers, switches and lists of text, with secrets."""

    values: Mapping[str, object] = field(repr=False)
    not_taken: tuple[NotTaken, ...]


class NotUsableError(ValueError):
    """A value that cannot be said in our words. Never leaves this module."""


def map_settings(found: Mapping[str, object]) -> TakenSettings:
    """Return the settings in our words. A setting that is empty is left out; a wrong one is named."""
    values: dict[str, object] = {}
    not_taken: list[NotTaken] = []
    for theirs, (ours, convert) in _TAKEN.items():
        if found.get(theirs) in (None, "", []):
            continue
        try:
            values[ours] = _checked(ours, convert(found[theirs]))
        except NotUsableError as error:
            not_taken.append(NotTaken(theirs, str(error)))
    others = sorted(found.keys() - _TAKEN.keys())
    not_taken += [NotTaken(key[:80], _REASONS.get(key, "not known as a setting of Stash2Plex 1.6")) for key in others]
    return TakenSettings({key: values[key] for key in Settings.model_fields if key in values}, tuple(not_taken))


def render_toml(values: Mapping[str, object], *, with_secrets: bool) -> str:
    """Return a settings file; without secrets, a comment stands in the place of each."""
    lines = []
    for key, value in values.items():
        if key in SECRETS and not with_secrets:
            lines.append(f"# {key} is not shown here: --write-config FILE writes it into a file of your own")
        else:
            lines.append(f"{key} = {_toml(value)}")
    return "".join(f"{line}\n" for line in lines)


def _toml(value: object) -> str:
    match value:
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case _:
            return '"' + str(value).translate(_TOML_ESCAPES) + '"'


def _checked(key: str, value: object) -> object:
    """Return a value that our settings accept."""
    try:
        Settings.model_validate({key: value})
        if key == "path_map":
            parse_path_map(str(value))
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False, include_context=False)[0]["msg"]
        raise NotUsableError(f"its value cannot be used for {key}: {reason.removeprefix('Value error, ')}") from None
    except ConfigError as error:
        raise NotUsableError(f"its value cannot be used for {key}: {error}") from error
    return value


def _text(value: object) -> object:
    if not isinstance(value, str) or any("\ud800" <= character <= "\udfff" for character in value):
        raise NotUsableError("its value is no text")
    return value.strip()


def _names(value: object) -> object:
    return [part.strip() for part in str(_text(value)).split(",") if part.strip()]


def _number(value: object) -> object:
    try:
        return float(value) if isinstance(value, int | float | str) else float("nan")
    except ValueError:
        raise NotUsableError("its value is no number") from None


def _whole(value: object) -> object:
    number = _number(value)
    if not isinstance(number, float) or not number.is_integer():
        raise NotUsableError("its value is no whole number")
    return int(number)


def _switch(value: object) -> object:
    """Return a switch as Stash2Plex understands it."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in words:
        raise NotUsableError("its value is neither true nor false")
    return words[str(value).lower()]


def _turned_rules(value: object) -> object:
    """Turn `/plex=>/stash; …` into `/stash=/plex; …`."""
    rules = [rule.partition("=>") for rule in str(_text(value)).split(";") if rule.strip()]
    if any(not arrow for _, arrow, _ in rules):
        raise NotUsableError("it is not of the form /plex/folder=>/stash/folder")
    return "; ".join(f"{stash.strip()}={plex.strip()}" for plex, _, stash in rules)


def _plain_rules(value: object) -> object:
    r"""Turn rules of the form `^/plex/(.*)` and `/stash/\1` into a path map. Other expressions have no counterpart."""
    rules = []
    for rule in value if isinstance(value, list) else [value]:
        plex = _PLAIN_RULE.fullmatch(str(rule.get("plex_pattern", ""))) if isinstance(rule, dict) else None
        stash = str(rule.get("stash_pattern", "")) if isinstance(rule, dict) else ""
        if plex is None or not stash.endswith("\\1") or "\\" in stash[:-2]:
            raise NotUsableError("it holds regular expressions: write the folders into path_map by hand")
        rules.append(f"{stash[:-2].rstrip('/') or '/'}={plex['plex'] or '/'}")
    return "; ".join(rules)


# A later line wins over an earlier one with the same name of ours.
_TAKEN: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "stash_url": ("stash_url", _text),
    "stash_api_key": ("stash_api_key", _text),
    "plex_url": ("plex_url", _text),
    "plex_token": ("plex_token", _text),
    "plex_library": ("plex_library", _names),
    "path_rules": ("path_map", _plain_rules),
    "plex_unmatched_path_map": ("path_map", _turned_rules),
    "max_retries": ("retry_limit", _whole),
    "dlq_retention_days": ("dead_retention_days", _whole),
    "skip_not_found": ("skip_not_found", _switch),
    "connect_timeout": ("connect_timeout_s", _number),
    "plex_connect_timeout": ("connect_timeout_s", _number),
    "read_timeout": ("read_timeout_s", _number),
    "plex_read_timeout": ("read_timeout_s", _number),
}

_POLICY = "comes with settings for single fields; until then every field is kept in step"
_SWEEP = "replaced by stashplex sync, which compares everything and writes what differs"
_REASONS: Mapping[str, str] = {
    "enabled": "replaced by the switch of the plugin in Stash; what is off does nothing",
    "poll_interval": "not needed: an entry has a time at which it is due",
    "strict_matching": "replaced by the matching itself: where two items fit equally well, a person is asked, always",
    "strict_mode": "not needed: it had no effect",
    "preserve_plex_edits": "replaced by a three-way comparison: what people changed in Plex stays",
    "max_tags": _POLICY,
    "trigger_plex_scan": "replaced by scan_on_not_found, which is on; it had no effect in Stash2Plex",
    "debug_logging": "replaced by the option --verbose",
    "obfuscate_paths": "comes with settings for the log",
    "stash_session_cookie": "not needed: the plugin finds its way into Stash, and stash_api_key does not expire",
    "provider_port": "comes with the metadata provider",
    "log_level": "replaced by the option --verbose",
    "reconcile_batch_size": "replaced by batch_size, which is right without tuning",
} | {
    **dict.fromkeys(("reconcile_interval", "reconcile_scope", "reconcile_missing"), _SWEEP),
    **{f"sync_{name}": _POLICY for name in ("master", "studio", "summary", "tagline", "date", "performers", "tags")},
    **{f"sync_{name}": _POLICY for name in ("poster", "background", "collection")},
}
