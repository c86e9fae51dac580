"""The settings: one flat model, the same for the environment, Stash's page, the file and the manifest of the plugin.

The one module that reads the environment; `base.layers` puts together what is set where. Every setting has an
observable effect, and no message ever shows a secret's value.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from stashplex.base.mapping_settings import MappingSettings, Tables, comma_list, lines
from stashplex.base.merging_settings import MergingSettings

PREFIX = "STASHPLEX_"
CONFIG_VARIABLE = "STASHPLEX_CONFIG"
LARGEST_PORT = 65_535


def environment() -> Mapping[str, str]:
    """Return the environment variables of this process."""
    return os.environ


def default_data_dir() -> Path:
    """Return where the store lives when nothing else is said."""
    return platformdirs.user_data_path("stashplex", appauthor=False)


def data_dir_of_process() -> Path:
    """Return the data folder that the environment names, else the default: for what must work without settings."""
    named = environment().get(f"{PREFIX}DATA_DIR", "").strip()
    return Path(named).expanduser() if named else default_data_dir()


def default_config_file() -> Path:
    """Return the settings file that is read when it exists and no other is named."""
    return platformdirs.user_config_path("stashplex", appauthor=False) / "config.toml"


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


def _optional_url(value: str) -> str:
    return _server_url(value) if value.strip() else ""


def _listen(value: str) -> str:
    host, _, port = value.strip().rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > LARGEST_PORT:
        raise ValueError("must look like 127.0.0.1:9998")
    return f"{host}:{int(port)}"


def _poll_interval(value: float) -> float:
    if 0 < value < 5:
        raise ValueError("must be 0 or at least 5")
    return value


ServerUrl = Annotated[str, AfterValidator(_server_url)]
OptionalUrl = Annotated[str, AfterValidator(_optional_url)]
Listen = Annotated[str, AfterValidator(_listen)]
Secret = Annotated[SecretStr, AfterValidator(_no_whitespace)]
PollInterval = Annotated[float, AfterValidator(_poll_interval), Field(ge=0, le=86_400, allow_inf_nan=False)]
PathCase = Literal["auto", "exact", "ignore"]
SweepSchedule = Literal["never", "hourly", "daily", "weekly"]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class ServerSettings(BaseModel):
    """The settings about servers and about how the work is done."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    stash_url: ServerUrl = Field("http://localhost:9999", description="Address of Stash.")
    stash_api_key: Secret = Field(
        SecretStr(""), description="API key of Stash (Settings → Security); empty when Stash has no login."
    )
    plex_url: ServerUrl = Field("http://localhost:32400", description="Address of Plex.")
    plex_token: Secret = Field(SecretStr(""), description="Token of the owner of the Plex server.")
    stash_verify_tls: bool = Field(
        default=True, description="Check the certificate of Stash; off for one that is self-signed."
    )
    plex_verify_tls: bool = Field(
        default=True, description="Check the certificate of Plex; off for one that is self-signed."
    )
    plex_library: Annotated[tuple[str, ...], BeforeValidator(comma_list)] = Field(
        (), description="Names of the Plex libraries to write to; empty means every film library."
    )
    path_map: Annotated[str, BeforeValidator(lines)] = Field(
        "", description="Where the two servers see the same files: `/stash/prefix=/plex/prefix; …`."
    )
    stash_path_case: PathCase = Field(
        "auto", description="Case in Stash's paths: `exact`, `ignore`, or `auto`, which ignores it on Windows drives."
    )
    plex_path_case: PathCase = Field("auto", description="The same for Plex's paths.")
    match_by_name: bool = Field(
        default=False,
        description="Match by file name alone where only one file on each side has it. Names are weak evidence.",
    )
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
    poll_interval_s: PollInterval = Field(
        60.0,
        description="Wait between two looks for changes in Stash that no event told of, in seconds; 0 is never.",
    )
    sweep_schedule: SweepSchedule = Field(
        "daily",
        description="How often the service looks at every scene, for what Stash neither tells nor stamps: "
        "never, hourly, daily or weekly.",
    )
    live_hints: bool = Field(
        default=True,
        description="Listen to Stash and Plex over websockets, so that the end of a scan is noticed at once.",
    )
    listen: Listen = Field(
        "127.0.0.1:0",
        description="Where the service listens for the plugin, `address:port`; port 0 picks a free one. "
        "For a plugin on another machine `0.0.0.0:9998`, which needs a service_key.",
    )
    service_key: Secret = Field(
        SecretStr(""), description="Key of the service; needed when service and plugin run on different machines."
    )
    service_url: OptionalUrl = Field(
        "", description="Address of a service on another machine, `http://host:9998`; empty when it runs beside Stash."
    )
    watch_tasks: bool = Field(
        default=False, description="Tasks in Stash wait until the work is done and show its progress."
    )
    connect_timeout_s: Seconds = Field(5.0, description="Longest wait for a connection, in seconds.")
    read_timeout_s: Seconds = Field(30.0, description="Longest silence while an answer is awaited, in seconds.")
    write_timeout_s: Seconds = Field(60.0, description="Longest time for sending an upload, in seconds.")


class Settings(MappingSettings, MergingSettings, ServerSettings):
    """All settings. Each key is also an environment variable: `stash_url` is `STASHPLEX_STASH_URL`."""

    library: Tables = Field(
        default_factory=dict,
        description='What goes where in one library: a table `[library."Films"]` in the file with settings about that.',
    )

    def of_library(self, title: str) -> MappingSettings:
        """Return what goes where in a library."""
        own = MappingSettings.model_fields
        values = {key: getattr(self, key) for key in own}
        return MappingSettings.model_validate({**values, **self.library.get(title, {})})


SECRETS = frozenset(key for key, known in Settings.model_fields.items() if known.annotation is SecretStr)
"""The settings whose values nobody is shown."""


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Return the values that must never be shown. Shape: no empty text."""
    values: list[SecretStr] = [getattr(settings, key) for key in sorted(SECRETS)]
    return tuple(value.get_secret_value() for value in values if value)
