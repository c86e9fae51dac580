"""A trial of the settings: both servers are asked who they are, and whether they see the same files.

Used by `stashplex config check`. It opens no store, writes nothing, and goes on after a failure, so that one trial
tells all that is wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stashplex.app import open_clients
from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError, StashplexError, StoreError
from stashplex.base.layers import Loaded, Source
from stashplex.base.typed import is_loopback
from stashplex.cli.run import Exit, exit_code
from stashplex.domain.item import Section
from stashplex.domain.pathcheck import detours
from stashplex.domain.pathmap import PathMap, path_key
from stashplex.engine.rules import match_rules
from stashplex.engine.target import choose_sections
from stashplex.plex.client import PlexClient
from stashplex.stash.client import StashClient

_WHERE_TO_SET = "Set plex_token in Stash (Settings, Plugins), or STASHPLEX_PLEX_TOKEN, to that of the server's owner."


@dataclass(frozen=True, slots=True)
class Side:
    """How one server took it. Shape: `error` and `hint` are empty when it is good."""

    url: str
    version: str = ""
    is_good: bool = False
    error: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came out. `libraries` are those that would be written to; `hints` are no failures."""

    stash: Side
    plex: Side
    libraries: tuple[str, ...]
    hints: tuple[str, ...]
    exit_code: int


async def try_out(loaded: Loaded, unasked: StashplexError | None) -> Trial:
    """Try the settings. `unasked` is why what was typed in Stash could not be fetched, if so."""
    settings = loaded.settings
    async with open_clients(settings) as (stash, plex):
        stash_side, folders, stash_error = await _try_stash(stash, settings)
        plex_side, sections, plex_error = await _try_plex(plex, settings)
    errors = [error for error in (stash_error, plex_error) if error is not None]
    hints = list(_access_hints(loaded)) if stash_error is None else []
    if isinstance(unasked, StoreError):
        hints.append(f"{unasked} {unasked.hint}")
    hints += _path_hints(settings, folders, sections)
    codes = {exit_code(error) for error in errors}
    code = next((one for one in (Exit.CONFIG, Exit.SERVER, Exit.UNFINISHED) if one in codes), Exit.OK)
    return Trial(stash_side, plex_side, tuple(section.title for section in sections), tuple(hints), code)


async def _try_stash(stash: StashClient, settings: Settings) -> tuple[Side, tuple[str, ...], StashplexError | None]:
    try:
        identity = await stash.check()
        await stash.schema()
        folders = (await stash.configuration()).folders
    except StashplexError as error:
        return Side(settings.stash_url, error=str(error), hint=error.hint), (), error
    return Side(settings.stash_url, identity.version, is_good=True), folders, None


async def _try_plex(plex: PlexClient, settings: Settings) -> tuple[Side, tuple[Section, ...], StashplexError | None]:
    try:
        if not settings.plex_token:
            raise ConfigError("There is no Plex token.", hint=_WHERE_TO_SET)
        identity = await plex.identity()
        sections = choose_sections(await plex.sections(), settings.plex_library)
    except StashplexError as error:
        return Side(settings.plex_url, error=str(error), hint=error.hint), (), error
    return Side(settings.plex_url, identity.version, is_good=True), sections, None


def _access_hints(loaded: Loaded) -> Iterator[str]:
    """Yield what works now and may not for long."""
    settings = loaded.settings
    if loaded.origins["stash_url"].source is Source.CONNECTION and not settings.stash_api_key:
        yield (
            "Stash has no API key. When it has a login, generate one (Settings, Security): without it access ends "
            "an hour after the last save."
        )
    for name, url, verifies in (
        ("stash", settings.stash_url, settings.stash_verify_tls),
        ("plex", settings.plex_url, settings.plex_verify_tls),
    ):
        if url.startswith("https:") and not verifies and not is_loopback(url):
            yield f"The certificate of {url} is not checked: {name}_verify_tls is off."


def _path_hints(settings: Settings, folders: Sequence[str], sections: Sequence[Section]) -> Iterator[str]:
    """Yield a hint for each folder of Stash that is in no folder of the Plex libraries."""
    locations = [location for section in sections for location in section.locations]
    if not locations:
        return
    try:
        path_map = match_rules(settings).path_map
    except ConfigError:
        return
    for detour in detours(path_map, folders):
        yield f"The path map does not lead back: {detour.sentence}"
    for folder in folders:
        if not _is_seen(folder, path_map, locations):
            mapped = path_map.to_plex(folder)
            spelt = f", which the path map spells {mapped}," if mapped else ""
            guess = next((one for one in locations if _last(one) == _last(folder)), locations[0])
            yield (
                f"Stash's folder {folder}{spelt} is in no folder of the Plex libraries ({', '.join(locations)}). "
                f"If both see the same files, path_map needs a rule such as {folder}={guess}."
            )


def _is_seen(folder: str, path_map: PathMap, locations: Sequence[str]) -> bool:
    """Tell whether a folder is within one of Plex's, or one of Plex's is within it."""
    own = _as_folder(path_map.to_plex(folder) or folder)
    known = [_as_folder(location) for location in locations]
    if any(own.startswith(one) or one.startswith(own) for one in known):
        return True
    below = [path_map.to_stash(location) for location in locations]
    return any(_as_folder(one).startswith(_as_folder(folder)) for one in below if one)


def _as_folder(path: str) -> str:
    return path_key(path).rstrip("/") + "/"


def _last(path: str) -> str:
    return path_key(path).rpartition("/")[2].casefold()
