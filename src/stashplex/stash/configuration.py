"""What Stash holds for us in its own configuration: the settings typed on the plugin's page, the API key, its folders.

Asked in one request of its own. Invariant: the key is never in a repr.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

PLUGIN_ID = "stashplex"
CONFIGURATION_DOCUMENT = """query Configuration($plugins: [ID!]) {
  configuration { general { apiKey stashes { path } } plugins(include: $plugins) }
}"""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Shape: `api_key` empty when Stash has none; `typed` as Stash holds it; `folders` are those of its library."""

    api_key: str = field(repr=False)
    typed: Mapping[str, object] = field(repr=False)
    folders: tuple[str, ...]


class _Folder(msgspec.Struct):
    path: str = ""


class _General(msgspec.Struct, rename="camel"):
    api_key: str | None = None
    stashes: list[_Folder] | None = None


class _Configuration(msgspec.Struct):
    general: _General | None = None
    plugins: dict[str, object] | None = None


class _Data(msgspec.Struct):
    configuration: _Configuration


class _Reply(msgspec.Struct):
    data: _Data


_DECODER = msgspec.json.Decoder(_Reply, strict=False)


def parse_configuration(body: bytes) -> Configuration:
    """Return what Stash holds for us. Raises: msgspec.DecodeError."""
    found = _DECODER.decode(body).data.configuration
    general = found.general or _General()
    folders = tuple(folder.path for folder in general.stashes or () if folder.path)
    typed = (found.plugins or {}).get(PLUGIN_ID)
    return Configuration(general.api_key or "", typed if isinstance(typed, dict) else {}, folders)
