"""`stashplex demo`: two simulated servers on loopback, a first sync, an edit arriving, a sync that writes nothing.

Everything goes through real sockets and through the same code as `stashplex sync`; only the servers are simulated, in a
process of their own. Nothing of the user's settings is read, and the demo's database is removed at the end.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import click
from pydantic import SecretStr

from stashplex.app import open_app
from stashplex.base import log
from stashplex.base.config import Settings
from stashplex.base.errors import Server, ServerUnreachable
from stashplex.base.transport import Request
from stashplex.cli.progress import steps
from stashplex.cli.run import Exit, messages, reports_errors, results, run
from stashplex.cli.scope import Scope
from stashplex.cli.sync import SyncReport, SyncResult, sync_app
from stashplex.domain.item import Item, RatingKey
from stashplex.domain.scene import SceneId

SHOWN = (SceneId(11), SceneId(27), SceneId(64))
"""Scenes that are shown before and after: a plain one and two with a long cast."""

EDITED = SHOWN[0]
EDIT = {"id": str(EDITED), "title": "Edited in Stash a moment ago", "rating100": 95}
EDIT_DOCUMENT = "mutation Edit($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the simulated servers are."""

    stash_url: str
    stash_api_key: str
    plex_url: str
    plex_token: str
    path_map: str


@click.command()
@click.option("--films", type=click.IntRange(100, 1_000_000), default=3_201, show_default=True, help="How many films.")
@click.option("--keep", is_flag=True, help="Leave the servers up afterwards and print their addresses.")
@reports_errors
def demo(films: int, *, keep: bool) -> None:
    """Watch films go from a simulated Stash into a simulated Plex."""
    log.configure(is_verbose=False)
    results.print(f"Starting a simulated Stash and a simulated Plex with {films:,} real films …")
    with (
        tempfile.TemporaryDirectory(prefix="stashplex-demo-", ignore_cleanup_errors=True) as folder,
        _serving(films) as servers,
    ):
        results.print(f"  Stash {servers.stash_url}   Plex {servers.plex_url}\n", markup=False)
        is_in_step = run(lambda: _show(_settings(servers, Path(folder))))
        if keep:
            _keep(servers)
    if not is_in_step:
        sys.exit(Exit.UNFINISHED)


async def _show(settings: Settings) -> bool:
    """Run the whole demo; tell whether everything ended in step."""
    before = await _items(settings)
    results.print("First sync:")
    first = await _sync(settings, Scope())
    _print_report(first.report)
    _print_changes(before, await _items(settings))
    results.print(
        f"\nSomebody edits scene {EDITED} in Stash: {EDIT['title']!r}, rating {EDIT['rating100']}", markup=False
    )
    await _edit(settings)
    edit = await _sync(settings, Scope(scene_ids=(EDITED,)))
    item = (await _items(settings))[EDITED]
    results.print(
        f"  in Plex after {edit.report.duration_s:.2f} s and {edit.report.writes} edit: "
        f"{item.title!r}, rating {item.user_rating}",
        markup=False,
    )
    results.print("\nSecond sync of everything:")
    second = await _sync(settings, Scope())
    _print_report(second.report)
    return first.report.synced == first.report.scenes and second.report.unchanged == second.report.scenes


async def _sync(settings: Settings, scope: Scope) -> SyncResult:
    async with open_app(settings) as app:
        with steps(messages, is_shown=messages.is_terminal) as shown:
            result = await sync_app(app, scope, 0.0, shown)
    if result.server_error is not None:
        raise result.server_error
    return result


async def _edit(settings: Settings) -> None:
    """Edit one scene as Stash's own page does."""
    async with open_app(settings) as app:
        headers = {"ApiKey": settings.stash_api_key.get_secret_value(), "Content-Type": "application/json"}
        body = json.dumps({"query": EDIT_DOCUMENT, "variables": {"input": EDIT}}).encode()
        await app.seams.stash.send(Request("POST", f"{settings.stash_url}/graphql", headers, body))


async def _items(settings: Settings) -> dict[SceneId, Item]:
    """Read the shown scenes' items from Plex, found by their paths."""
    async with open_app(settings) as app:
        target = await app.connect()
        crawler = app.crawler(target)
        await crawler.refresh(lambda _seen, _total: None)
        planned = await app.planner(target, crawler).matches(SHOWN)
        keys: dict[SceneId, RatingKey] = {scene_id: matches[0].rating_key for scene_id, matches in planned.items()}
        items = await app.plex.items(keys.values())
        return {scene_id: items[key] for scene_id, key in keys.items()}


def _print_report(report: SyncReport) -> None:
    rate = report.scenes / report.duration_s if report.duration_s else 0.0
    requests = (report.plex_requests - report.uploads) / report.scenes if report.scenes else 0.0
    results.print(
        f"  {report.scenes:,} scenes in {report.duration_s:.1f} s ({rate:,.0f} scenes/s): {report.synced:,} synced, "
        f"{report.unchanged:,} unchanged, {report.waiting:,} waiting, {report.dead:,} dead"
    )
    results.print(
        f"  {report.writes:,} edits, {report.uploads:,} posters; "
        f"{requests:.3f} requests to Plex per scene, the posters not counted"
    )


def _print_changes(before: dict[SceneId, Item], after: dict[SceneId, Item]) -> None:
    results.print("\nThree of them in Plex, before and after:")
    for scene_id in SHOWN:
        old, new = before[scene_id], after[scene_id]
        results.print(f"\n  scene {scene_id}, {new.files[0]}", markup=False)
        for name, was, is_now in (
            ("title", old.title, new.title),
            ("studio", old.studio, new.studio),
            ("date", old.originally_available_at, new.originally_available_at),
            ("rating", old.user_rating, new.user_rating),
            ("genres", ", ".join(old.genres), ", ".join(new.genres)),
            ("actors", ", ".join(old.actors), ", ".join(new.actors)),
            ("poster", old.thumb and "a still of the video", new.thumb and "the cover in Stash"),
        ):
            if was != is_now:
                results.print(f"    {name:<7} {was or '-'}  →  {is_now or '-'}", markup=False)


def _settings(servers: Servers, folder: Path) -> Settings:
    return Settings(
        stash_url=servers.stash_url,
        stash_api_key=SecretStr(servers.stash_api_key),
        plex_url=servers.plex_url,
        plex_token=SecretStr(servers.plex_token),
        path_map=servers.path_map,
        data_dir=folder,
        plex_writes_in_flight=4,
    )


@contextmanager
def _serving(films: int) -> Iterator[Servers]:
    """Run the simulated servers in a process of their own."""
    command = [sys.executable, "-m", "stashplex.sim", "--films", str(films)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:  # noqa: S603 - our own module
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise ServerUnreachable(
                    Server.STASH, "The simulated servers did not start.", hint="Look above for why."
                )
            told = json.loads(line)
            yield Servers(**{name: told[name] for name in Servers.__slots__})
        finally:
            process.terminate()
            process.wait()  # leaving the context waits for a moment only when Ctrl-C was pressed


def _keep(servers: Servers) -> None:
    results.print("\nThe servers stay up until you press Ctrl-C. To sync by hand, in another terminal:\n")
    for name in Servers.__slots__:
        results.print(f"  export STASHPLEX_{name.upper()}='{getattr(servers, name)}'", markup=False)
    results.print("  export STASHPLEX_DATA_DIR=./demo-data\n  stashplex sync", markup=False)
    with suppress(KeyboardInterrupt):
        anyio.run(anyio.sleep_forever)
