"""`stashplex support`: one file with what somebody who helps needs to see, and no secret in it.

It reads the data folder and asks no server. Invariant: every text goes through `Redaction` before it is written: known
secrets, whatever file holds them, become `***`, and without `--paths` paths of files become `<path>`.
"""

import html
import json
import platform
import re
import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import click
import msgspec

from stashplex.app import DATABASE_NAME, Store, open_store
from stashplex.base import log
from stashplex.base.clock import SystemClock
from stashplex.base.config import Settings, secrets_of
from stashplex.base.errors import ConfigError
from stashplex.base.layers import Loaded
from stashplex.cli.config import problem_json, shown
from stashplex.cli.outages import breaker_json, read_breakers
from stashplex.cli.run import common_options, load_layers, print_json, reports_errors, results
from stashplex.store import folder
from stashplex.version import __version__
from stashplex.web.facts import count_files, server_status

LOG_BYTES = 300_000
MOST_LETTERS = 500
LOOK_BACK = timedelta(days=30)
HOLDERS = ("connection.json", "service.json", "service-elsewhere.json", "stash-settings.json")
"""Files of the data folder that hold secrets: read for what must not be shown, never shown themselves."""

_SECRET_NAMES = ("key", "token", "cookie", "password", "secret")
_PATH = re.compile(r"(?<![\w:/<])(?:[A-Za-z]:[\\/]|[\\/]{1,2})[^\"'\n]*[\\/][^\"'\n]*")


class Redaction:
    """Takes secrets, and paths unless they are wanted, out of texts."""

    def __init__(self, secrets: Iterator[str], *, keeps_paths: bool) -> None:
        spellings = {one for secret in secrets if len(secret) > 3 for one in _spellings(secret)}
        self._spellings = sorted(spellings, key=len, reverse=True)
        self._keeps_paths = keeps_paths

    def text(self, text: str) -> str:
        """Return a text as it may be shown."""
        for secret in self._spellings:
            text = text.replace(secret, log.MASK)
        return text if self._keeps_paths else _PATH.sub("<path>", text)

    def value(self, value: object) -> object:
        """Return JSON data as it may be shown."""
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(one) for one in value]
            case dict():
                return {key: self.value(one) for key, one in value.items()}
            case _:
                return value


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="The file to write; default: in the data folder.")
@click.option("--paths", "keeps_paths", is_flag=True, help="Show the paths of files, too.")
@common_options
@reports_errors
def support(out: Path | None, config_file: Path | None, *, keeps_paths: bool, as_json: bool, verbose: bool) -> None:
    """Pack versions, settings, states and the last log lines, without secrets, for somebody who helps."""
    loaded = load_layers(config_file)
    settings = loaded.settings
    log.configure(is_verbose=verbose, secrets=secrets_of(settings))
    now = SystemClock().now()
    target = out or settings.data_dir / "support" / f"stashplex-support-{now:%Y%m%d-%H%M%S}.zip"
    redaction = Redaction(_secrets(settings), keeps_paths=keeps_paths)
    try:
        folder.make(target.parent)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
            for name, value in _contents(loaded, now):
                text = json.dumps(redaction.value(json.loads(msgspec.json.encode(value))), indent=2)
                bundle.writestr(f"{name}.json", text)
            for name in ("service.log.1", "service.log"):
                bundle.writestr(name, redaction.text(_tail(settings.data_dir / name)))
        target.chmod(0o600)
    except OSError as error:
        raise ConfigError(
            f"The file {target} cannot be written: {error.strerror}.", hint="Name another one with --out."
        ) from error
    if as_json:
        print_json({"file": str(target)})
    else:
        results.print(f"Packed, without secrets; look at it before you hand it on: {target}", markup=False)


def _contents(loaded: Loaded, now: datetime) -> Iterator[tuple[str, object]]:
    settings = loaded.settings
    yield (
        "about",
        {
            "stashplex": __version__,
            "python": sys.version,
            "system": platform.platform(),
            "made_at": now,
            "spool": count_files(settings.data_dir / "spool"),
            "files": [{"name": one.name, "bytes": one.lstat().st_size} for one in _files(settings.data_dir)],
        },
    )
    yield (
        "settings",
        {
            "settings": {
                key: {"value": shown(settings, key), "origin": origin.source.value}
                for key, origin in loaded.origins.items()
            },
            "problems": [problem_json(problem) for problem in loaded.problems],
        },
    )
    if (settings.data_dir / DATABASE_NAME).exists():
        with open_store(settings.data_dir) as store:
            yield "store", _store_json(store, settings, now)


def _store_json(store: Store, settings: Settings, now: datetime) -> dict[str, object]:
    known = store.overview.list_plex()
    return {
        "servers": [server_status(store.ledger, store.overview, one, now) for one in known],
        "breakers": [breaker_json(one) for one in read_breakers(store, settings, now)],
        "outages": [
            {"server": one.server, "started_at": one.started_at, "ended_at": one.ended_at, "cause": one.cause.value}
            for one in store.breakers.list_outages(now - LOOK_BACK)
        ],
        "dead": [
            {"scene": one.entry.scene_id, "error_type": one.entry.last_error_type, "error": one.entry.last_error}
            for plex in known
            for one in islice(store.dead_letters.iter_open(plex.id), MOST_LETTERS)
        ],
    }


def _files(data_dir: Path) -> list[Path]:
    return sorted(data_dir.iterdir()) if data_dir.is_dir() else []


def _tail(path: Path) -> str:
    try:
        return path.read_bytes()[-LOG_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""


def _secrets(settings: Settings) -> Iterator[str]:
    """Yield everything secret that the settings or a file of the data folder hold."""
    yield from secrets_of(settings)
    for name in HOLDERS:
        try:
            yield from _secret_texts(json.loads((settings.data_dir / name).read_text("utf-8")))
        except (OSError, ValueError, RecursionError):
            continue


def _secret_texts(value: object, name: str = "") -> Iterator[str]:
    """Yield the texts below names that sound secret."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _secret_texts(one, str(key).lower())
    elif isinstance(value, str) and any(part in name for part in _SECRET_NAMES):
        yield value


def _spellings(secret: str) -> tuple[str, ...]:
    return secret, quote(secret, safe=""), quote(secret), html.escape(secret), json.dumps(secret)[1:-1]
