"""What the plugin's part of the data folder tells of Stash: settings typed on its page, its key, how to reach it.

`stash-settings.json` is a copy of what Stash holds, made by `engine.preferences`; `connection.json` is written by the
plugin's hook and tasks. Both are caches: one that is missing or damaged tells nothing, and is written again.
Invariant: a key or a cookie that one Stash gave is never offered to another address.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TypeGuard
from urllib.parse import urlsplit

from pydantic import ValidationError

from stashplex.base.config import Settings

STASH_SETTINGS_NAME = "stash-settings.json"
CONNECTION_NAME = "connection.json"
MAX_BYTES = 1 << 20

NOT_TYPED = frozenset({"data_dir", "allow_network_store", "stash_url", "stash_api_key"})
"""What must be known before Stash can be asked, or comes from Stash by itself; typed there it has no effect."""


@dataclass(frozen=True, slots=True)
class TypedInStash:
    """What a person typed on Stash's page. Shape: `last_good` holds only keys whose present value is wrong."""

    settings: Mapping[str, object] = field(default_factory=dict, repr=False)
    last_good: Mapping[str, object] = field(default_factory=dict, repr=False)
    api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """How the plugin was told to reach Stash. Shape: `cookie` empty when it was given none."""

    url: str
    cookie: str = field(default="", repr=False)


def read_typed(data_dir: Path, stash_url: str) -> TypedInStash:
    """Return what was typed in the Stash at this address; nothing when the copy is missing or of another one."""
    found = _read(data_dir / STASH_SETTINGS_NAME)
    if found.get("stash_url", stash_url) != stash_url:
        return TypedInStash()
    api_key = found.get("api_key")
    return TypedInStash(
        _mapping(found.get("settings")), _mapping(found.get("last_good")), api_key if _is_header(api_key) else ""
    )


def render_typed(typed: TypedInStash, stash_url: str) -> bytes:
    """Return the content of the copy."""
    told = {
        "stash_url": stash_url,
        "settings": dict(typed.settings),
        "last_good": dict(typed.last_good),
        "api_key": typed.api_key,
    }
    return json.dumps(told, indent=2, sort_keys=True).encode()


def read_connection(data_dir: Path) -> Connection | None:
    """Return how to reach Stash as the plugin was told, or None."""
    found = _read(data_dir / CONNECTION_NAME)
    host = found.get("host")
    if not isinstance(host, str):
        return None
    host = _LOOPBACKS.get(host.strip("[]"), host.strip("[]"))
    name = f"[{host}]" if ":" in host else host
    try:
        url = Settings.model_validate({"stash_url": f"{found.get('scheme')}://{name}:{found.get('port')}"}).stash_url
    except ValidationError:
        return None
    cookie = found.get("cookie")
    return Connection(url, cookie if _is_header(cookie) and ";" not in cookie else "")


def read_cookie(data_dir: Path, stash_url: str) -> str:
    """Return the session cookie that Stash gave the plugin, if it is this Stash's; else an empty text."""
    connection = read_connection(data_dir)
    return connection.cookie if connection is not None and is_same_place(connection.url, stash_url) else ""


def want_connection(data_dir: Path) -> None:
    """Have the next event of the plugin note afresh how to reach Stash, and with which session.

    The hook keeps what is young; its age is all that is changed, as the address in it goes on to count.
    """
    with suppress(OSError):
        os.utime(data_dir / CONNECTION_NAME, (0, 0))


def is_same_place(one: str, other: str) -> bool:
    """Tell whether two addresses lead to one port of one machine. Every name of this machine is the same machine."""
    (first, second) = (urlsplit(one), urlsplit(other))
    if (first.scheme, first.port) != (second.scheme, second.port):
        return False
    return first.hostname == second.hostname or (is_loopback(one) and is_loopback(other))


def is_loopback(url: str) -> bool:
    """Tell whether an address is this machine by its spelling."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def meant(key: str, value: object) -> object:
    """Return a typed value as `Settings` takes it, None when it means that nothing is set.

    Shape: blank text is not set; 0 is not set where it cannot be meant, since Stash's page has no other way to empty
    a number. Raises: ValueError for a value of the wrong kind.
    """
    kind = Settings.model_fields[key].annotation
    if isinstance(value, str):
        return value.strip() or None
    if value is None:
        return None
    if kind in {int, float}:
        return _number(key, value)
    if kind is bool:
        return value
    return _text(value)


def _number(key: str, value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")  # noqa: TRY004 - one kind of error for every wrong value
    try:
        Settings.model_validate({key: value})
    except ValidationError:
        return None if value == 0 else value
    return value


def _text(value: object) -> object:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be text")  # noqa: TRY004 - one kind of error for every wrong value
    return f"{value:.0f}" if float(value).is_integer() else str(value)


def _read(path: Path) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            return _mapping(json.loads(file.read(MAX_BYTES)))
    except (OSError, ValueError, RecursionError):
        return {}


def _mapping(value: object) -> Mapping[str, object]:
    return {str(key): inner for key, inner in value.items()} if isinstance(value, dict) else {}


def _is_header(value: object) -> TypeGuard[str]:
    """Tell whether a value can be the text of a header."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and not any(map(str.isspace, value))


_LOOPBACKS = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "": "127.0.0.1"}  # noqa: S104 - what is not dialled
"""A server that listens everywhere tells where it listens, which is no address to call."""
