"""The settings: one flat model, read from a TOML file and from `STASHPLEX_*`, the environment winning.

The one module that reads the environment. An unknown key, in the file or in the environment, is an error that
names the nearest known key; no message ever shows a secret's value. Every setting has an observable effect.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from stashplex.base.errors import ConfigError

PREFIX = "STASHPLEX_"
CONFIG_VARIABLE = "STASHPLEX_CONFIG"


def default_data_dir() -> Path:
    """Return where the store lives when nothing else is said."""
    return platformdirs.user_data_path("stashplex", appauthor=False)


def default_config_file() -> Path:
    """Return the settings file that is read when it exists and no other is named."""
    return platformdirs.user_config_path("stashplex", appauthor=False) / "config.toml"


def _comma_list(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _server_url(value: str) -> str:
    url = value.strip().rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must look like http://host:port or https://host:port")
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or a password; use the key or token setting")
    if parts.query or parts.fragment:
        raise ValueError("must not hold ? or #; use the key or token setting for secrets")
    if not _is_port_valid(url):
        raise ValueError("has a port that is no number from 1 to 65535")
    return url


def _is_port_valid(url: str) -> bool:
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return port is None or port > 0


def _no_whitespace(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not text.isascii() or any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("holds blanks, line breaks or characters that a key never has; paste it again")
    return SecretStr(text)


def _folder(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.strip():
        raise ValueError("must name a folder")
    try:
        return Path(value.strip()).expanduser()
    except RuntimeError as error:
        raise ValueError("names the home folder of a user that is not known; write the whole path") from error


ServerUrl = Annotated[str, AfterValidator(_server_url)]
Secret = Annotated[SecretStr, AfterValidator(_no_whitespace)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class Settings(BaseModel):
    """All settings. Each key is also an environment variable: `stash_url` is `STASHPLEX_STASH_URL`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    stash_url: ServerUrl = Field("http://localhost:9999", description="Address of Stash.")
    stash_api_key: Secret = Field(
        SecretStr(""), description="API key of Stash (Settings → Security); empty when Stash has no login."
    )
    plex_url: ServerUrl = Field("http://localhost:32400", description="Address of Plex.")
    plex_token: Secret = Field(SecretStr(""), description="Token of the owner of the Plex server.")
    plex_library: Annotated[tuple[str, ...], BeforeValidator(_comma_list)] = Field(
        (), description="Names of the Plex libraries to write to; empty means every film library."
    )
    path_map: str = Field("", description="Where the two servers see the same files: `/stash/prefix=/plex/prefix; …`.")
    data_dir: Annotated[Path, BeforeValidator(_folder)] = Field(
        default_factory=default_data_dir, description="Folder of the database."
    )
    allow_network_store: bool = Field(
        default=False, description="Use a data_dir on a network drive although the database can be damaged there."
    )
    batch_size: int = Field(100, ge=1, le=100, description="Scenes per pass.")
    plex_writes_in_flight: int = Field(1, ge=1, le=64, description="Edits and uploads sent to Plex at once.")
    plex_reads_in_flight: int = Field(2, ge=1, le=64, description="Reads sent to Plex at once.")
    stash_requests_in_flight: int = Field(4, ge=1, le=64, description="Requests sent to Stash at once.")
    scan_on_not_found: bool = Field(
        default=True, description="Ask Plex to scan the folder of a file that it does not have."
    )
    skip_not_found: bool = Field(
        default=False,
        description="The library is a deliberate subset: scenes whose file Plex does not have are skipped.",
    )
    retry_base_s: Seconds = Field(5.0, description="First wait before an ordinary retry, in seconds; it doubles.")
    retry_cap_s: Seconds = Field(80.0, description="Longest wait before an ordinary retry, in seconds.")
    retry_limit: int = Field(5, ge=0, le=100, description="Ordinary retries before a scene needs a person.")
    not_found_base_s: Seconds = Field(
        30.0, description="First wait before looking again for a file that Plex does not have, in seconds."
    )
    not_found_cap_s: Seconds = Field(600.0, description="Longest wait before looking again, in seconds.")
    not_found_limit: int = Field(12, ge=0, le=1000, description="Looks for a missing file before it needs a person.")
    failure_threshold: int = Field(
        5, ge=1, le=1000, description="Failures of a server in a row that open its circuit breaker."
    )
    recovery_timeout_s: Seconds = Field(
        60.0, description="Wait before an open circuit breaker lets a probe pass, in seconds; it grows to 10 minutes."
    )
    success_threshold: int = Field(1, ge=1, le=100, description="Good probes that close a circuit breaker.")
    dead_retention_days: int = Field(
        30, ge=1, le=365, description="How long a dismissed dead letter is kept before it is removed, in days."
    )
    connect_timeout_s: Seconds = Field(5.0, description="Longest wait for a connection, in seconds.")
    read_timeout_s: Seconds = Field(30.0, description="Longest silence while an answer is awaited, in seconds.")
    write_timeout_s: Seconds = Field(60.0, description="Longest time for sending an upload, in seconds.")
    pool_timeout_s: Seconds = Field(30.0, description="Longest wait for a free connection, in seconds.")


def load(config_file: Path | None = None, *, environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings from the file (if any) and the environment.

    Shape: `config_file` None means `STASHPLEX_CONFIG`, else the default file when it exists.
    Raises: ConfigError for a missing or unreadable file, an unknown key, or a wrong value.
    """
    variables = os.environ if environment is None else environment
    named = config_file or (Path(variables[CONFIG_VARIABLE]) if variables.get(CONFIG_VARIABLE) else None)
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for key, value in _from_file(named).items():
        values[key], origins[key] = value, str(named or default_config_file())
    for key, value in _from_environment(variables).items():
        values[key], origins[key] = value, PREFIX + key.upper()
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _explained(error, origins) from None


def _from_file(named: Path | None) -> dict[str, object]:
    path = named or default_config_file()
    if named is None and not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"The settings file {path} cannot be read: {error.strerror}.", hint="Check the path and its permissions."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        position = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8"
        raise ConfigError(f"The settings file {path} is not valid TOML: {position}.", hint="Mend that line.") from None
    for key in values:
        _require_known(key, f"in {path}")
    return values


def _from_environment(variables: Mapping[str, str]) -> dict[str, str]:
    values = {}
    for name, value in variables.items():
        upper = name.upper()
        if upper.startswith(PREFIX) and upper != CONFIG_VARIABLE:
            key = upper.removeprefix(PREFIX).lower()
            _require_known(key, f"(the environment variable {name})")
            values[key] = value
    return values


def _require_known(key: str, where: str) -> None:
    if key in Settings.model_fields:
        return
    near = difflib.get_close_matches(key, Settings.model_fields, n=1)
    hint = f"Did you mean {near[0]}?" if near else "Known settings: " + ", ".join(Settings.model_fields) + "."
    raise ConfigError(f"There is no setting {key} {where}.", hint=hint)


def _explained(error: ValidationError, origins: Mapping[str, str]) -> ConfigError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    key = str(first["loc"][0]) if first["loc"] else "settings"
    reason = first["msg"].removeprefix("Value error, ")
    origin = origins.get(key, key)
    return ConfigError(
        f"The setting {key} ({origin}) {_lower_first(reason)}.", hint=f"{Settings.model_fields[key].description}"
    )


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
