"""`stashplex dead`: the scenes that need a person: list them, read their story, try them again, dismiss them.

It reads and marks the store and asks no server; a running service or the next `sync` does the work. The invariant: a
scene that is no dead letter is never touched.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
from rich.table import Table
from rich.text import Text

from stashplex.app import Store, open_store
from stashplex.base.clock import SystemClock
from stashplex.base.errors import ConfigError
from stashplex.cli.group import DefaultGroup
from stashplex.cli.run import common_options, load_settings, print_json, reports_errors, results
from stashplex.cli.scope import Period
from stashplex.cli.story import length, local, print_story, print_table, read_story, require_database, story_json
from stashplex.domain.entry import Priority
from stashplex.domain.scene import SceneId
from stashplex.store.dead_letters import DeadLetter, Filter
from stashplex.store.overview import KnownPlex

P = ParamSpec("P")
T = TypeVar("T")

CHUNK = 1_000
"""Scenes marked or dismissed in one transaction."""


@click.group(cls=DefaultGroup, default="list")
def dead() -> None:
    """Show the scenes that need a person, try them again or dismiss them.

    Without a command it lists them.
    """


def _server_option(command: Callable[P, T]) -> Callable[P, T]:
    return click.option("--server", "server_url", help="Only those of the Plex server with this address.")(command)


def _choosing(command: Callable[P, T]) -> Callable[P, T]:
    """Add what `retry` and `dismiss` choose by."""
    options: list[Callable[[Callable[P, T]], Callable[P, T]]] = [
        click.argument("scenes", nargs=-1, type=click.IntRange(min=1)),
        click.option("--reason", metavar="TYPE", help="All with this reason, such as PlexNotFound."),
        click.option("--all", "is_all", is_flag=True, help="All of them."),
        _server_option,
        common_options,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@dead.command("list")
@click.option("--reason", metavar="TYPE", help="Only those with this reason, such as PlexNotFound.")
@click.option("--older-than", type=Period(), help="Only those that died longer ago, such as 24h or 7d.")
@click.option("--newer-than", type=Period(), help="Only those that died since, such as 24h or 7d.")
@_server_option
@common_options
@reports_errors
def list_letters(
    reason: str | None,
    older_than: timedelta | None,
    newer_than: timedelta | None,
    server_url: str | None,
    config_file: Path | None,
    *,
    as_json: bool,
    verbose: bool,
) -> None:
    """List the scenes that need a person, those that died last at the end."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    now = SystemClock().now()
    wanted = Filter(reason, now - newer_than if newer_than else None, now - older_than if older_than else None)
    with open_store(settings.data_dir) as store:
        found = [
            (known, letter)
            for known in _servers(store, server_url)
            for letter in store.dead_letters.iter_open(known.id, wanted)
        ]
    found.sort(key=lambda one: (one[1].entry.last_failed_at or now, one[1].entry.id))
    if as_json:
        print_json([_letter_json(known, letter) for known, letter in found])
    else:
        _print_letters(found, now)


@dead.command("show")
@click.argument("scene", type=click.IntRange(min=1))
@_server_option
@common_options
@reports_errors
def show_letter(scene: int, server_url: str | None, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Show all that is known of one SCENE that needs a person."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    with open_store(settings.data_dir) as store:
        found = _letters_of(store, _servers(store, server_url), [SceneId(scene)])
        stories = [(read_story(store, known, letter.entry), letter.dismissed_at) for known, letter in found]
    if as_json:
        print_json([{**story_json(story), "dismissed_at": dismissed_at} for story, dismissed_at in stories])
        return
    for story, dismissed_at in stories:
        print_story(story)
        if dismissed_at is not None:
            results.print(f"  dismissed on {local(dismissed_at)}: it is not listed any more")


@dead.command("retry")
@_choosing
@reports_errors
def retry_letters(
    scenes: tuple[int, ...],
    reason: str | None,
    server_url: str | None,
    config_file: Path | None,
    *,
    is_all: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Try SCENES again now, with what Stash says then; with --reason or --all, many at once."""
    _require_one_choice(scenes, reason, is_all=is_all)
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    now = SystemClock().now()
    priority = Priority.INTERACTIVE if scenes else Priority.BULK
    count = 0
    with open_store(settings.data_dir) as store:
        for known, scene_ids in _chosen(store, scenes, reason, server_url):
            count += store.ledger.mark(known.id, scene_ids, now=now, priority=priority)
    if as_json:
        print_json({"retried": count})
    else:
        results.print(f"{count:,} scenes are tried again, by the running service or by the next stashplex sync.")


@dead.command("dismiss")
@_choosing
@reports_errors
def dismiss_letters(
    scenes: tuple[int, ...],
    reason: str | None,
    server_url: str | None,
    config_file: Path | None,
    *,
    is_all: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Take SCENES off the list: nothing is to be done about them; with --reason or --all, many at once.

    A later change of the scene in Stash, or dead retry, tries it again; a full sync leaves it alone.
    """
    _require_one_choice(scenes, reason, is_all=is_all)
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    now = SystemClock().now()
    count = 0
    with open_store(settings.data_dir) as store:
        for known, scene_ids in _chosen(store, scenes, reason, server_url):
            count += store.dead_letters.dismiss(known.id, scene_ids, now)
    if as_json:
        print_json({"dismissed": count})
    else:
        days = settings.dead_retention_days
        results.print(f"{count:,} scenes are dismissed, and forgotten after {days} days.")


def _require_one_choice(scenes: Sequence[int], reason: str | None, *, is_all: bool) -> None:
    if [bool(scenes), reason is not None, is_all].count(True) != 1:
        raise click.UsageError("Give either scene numbers, or --reason, or --all.")


def _servers(store: Store, server_url: str | None) -> list[KnownPlex]:
    """Return the Plex servers that are meant. Raises: ConfigError for one that is not known."""
    known = store.overview.list_plex()
    if server_url is None:
        return list(known)
    wanted = server_url.strip().rstrip("/").casefold()
    found = [server for server in known if server.name.casefold() == wanted]
    if not found:
        names = ", ".join(server.name for server in known) or "none"
        raise ConfigError(f"No Plex server with the address {server_url} is known.", hint=f"Known servers: {names}.")
    return found


def _letters_of(
    store: Store, servers: Sequence[KnownPlex], scene_ids: Sequence[SceneId]
) -> list[tuple[KnownPlex, DeadLetter]]:
    """Return the dead letters of some scenes, dismissed ones too. Raises: ConfigError naming those that are none."""
    found = [
        (known, letter)
        for known in servers
        for start in range(0, len(scene_ids), CHUNK)
        for letter in store.dead_letters.list_for_scenes(known.id, scene_ids[start : start + CHUNK])
    ]
    dead_ids = {letter.entry.scene_id for _, letter in found}
    alive = [str(scene_id) for scene_id in scene_ids if scene_id not in dead_ids]
    if alive:
        raise ConfigError(
            f"No dead letter: scene {', '.join(alive)}.",
            hint="stashplex dead lists them all, stashplex why SCENE shows where a scene stands.",
        )
    return found


def _chosen(
    store: Store, scenes: Sequence[int], reason: str | None, server_url: str | None
) -> Iterator[tuple[KnownPlex, list[SceneId]]]:
    """Yield the scenes that are meant, some at a time. Raises: ConfigError."""
    servers = _servers(store, server_url)
    if scenes:
        found = _letters_of(store, servers, [SceneId(scene) for scene in dict.fromkeys(scenes)])
        for known in servers:
            yield known, [letter.entry.scene_id for plex, letter in found if plex == known]
        return
    for known in servers:
        letters = store.dead_letters.iter_open(known.id, Filter(reason))
        while chunk := [letter.entry.scene_id for letter in islice(letters, CHUNK)]:
            yield known, chunk


def _letter_json(known: KnownPlex, letter: DeadLetter) -> dict[str, object]:
    entry = letter.entry
    return {
        "plex": known.name,
        "scene_id": entry.scene_id,
        "last_error_type": entry.last_error_type,
        "last_error": entry.last_error,
        "retry_count": entry.retry_count,
        "first_failed_at": entry.first_failed_at,
        "last_failed_at": entry.last_failed_at,
    }


def _print_letters(found: Sequence[tuple[KnownPlex, DeadLetter]], now: datetime) -> None:
    if not found:
        results.print("No dead letters: no scene needs a person.")
        return
    has_many_servers = len({known.id for known, _ in found}) > 1
    table = Table(box=None, pad_edge=False)
    for column in ("scene", "reason", "age", "tries", *(("Plex",) if has_many_servers else ()), "message"):
        table.add_column(column, justify="right" if column in {"scene", "tries"} else "left")
    for known, letter in found:
        entry = letter.entry
        age = length(now - (entry.last_failed_at or now))
        server = (known.name,) if has_many_servers else ()
        tries = str(entry.retry_count + 1)
        table.add_row(str(entry.scene_id), entry.last_error_type, age, tries, *server, _text(entry.last_error))
    print_table(table)
    results.print(
        f"{len(found):,} dead letters. stashplex dead show SCENE tells more, stashplex dead retry tries again."
    )


def _text(message: str | None) -> Text:
    """Return a message on one line, as it is: no markup, nothing that moves a terminal's cursor."""
    shown = "".join(character if character.isprintable() else " " for character in message or "")
    return Text(" ".join(shown.split()))
