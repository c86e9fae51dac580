"""`stashplex release`, `history` and `undo`: what was written, and how it is taken back.

A wish is stored first and then fulfilled by an ordinary pass, here or in a service that runs: with its lease, its
read-back and its row in the history. The invariant: what somebody changed since is never written over.
"""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

from stashplex.app import App, open_app, open_store
from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError
from stashplex.cli.run import Exit, common_options, load_settings, print_json, reports_errors, results, run
from stashplex.cli.scope import Period, SceneList
from stashplex.cli.story import describe_row, local, print_changes, require_database
from stashplex.domain.entry import Priority
from stashplex.domain.handback import HandBack, Parting
from stashplex.domain.plan import Plan
from stashplex.domain.scene import SceneId
from stashplex.engine.target import Target

_T = TypeVar("_T")
_SCENE = click.IntRange(min=1)
_LOOKS = 2
"""Passes: one may be lost to a service that had the scene in work."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be written for one scene, and the values that cannot be put back."""

    scene: SceneId
    plans: tuple[Plan, ...]
    refused: tuple[str, ...]

    @property
    def is_something(self) -> bool:
        """Something would be written."""
        return any(not plan.is_empty for plan in self.plans)


@click.command()
@click.argument("scene", type=_SCENE)
@click.option(
    "--restore", is_flag=True, help="Put back what Plex showed before the first write, as far as it is known."
)
@common_options
@reports_errors
def release(scene: int, config_file: Path | None, *, restore: bool, as_json: bool, verbose: bool) -> None:
    """Give the items of a SCENE back to Plex: unlock what is ours, and write nothing until `sync --scene`."""
    settings = load_settings(config_file, verbose=verbose)
    wish = HandBack(Parting.RESTORE if restore else Parting.RELEASE)
    looked, is_done = run(lambda: _with_target(settings, partial(release_scene, scene_id=SceneId(scene), wish=wish)))
    if as_json:
        print_json({"scene": scene, "is_done": is_done, **_outlook_json(looked)})
    else:
        _print_outlook(looked)
        results.print(
            f"Scene {scene} is left alone from now on; stashplex sync --scene {scene} takes it back."
            if is_done
            else f"Scene {scene} is given back as soon as its items can be written: see stashplex why {scene}."
        )
    if not is_done:
        sys.exit(Exit.UNFINISHED)


@click.command()
@click.argument("scene", type=_SCENE)
@common_options
@reports_errors
def history(scene: int, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Show what was written for a SCENE, the newest first. Asks no server."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    with open_store(settings.data_dir) as store:
        known = store.overview.list_plex()
        rows = [
            (one, row) for one in known for row in store.journal.list_for_scene(one.id, SceneId(scene), limit=1_000)
        ]
    if as_json:
        print_json([{"plex": one.name, **asdict(row)} for one, row in rows])
        return
    for _, row in rows:
        item = f"  item {row.rating_key}" if row.rating_key else ""
        results.print(f"{local(row.at)}{item}  {describe_row(row)}", markup=False)
    if not rows:
        results.print(f"Nothing was ever written for scene {scene}.")


@click.command()
@click.option("--since", type=Period(), required=True, help="What was written within this time, such as 2h or 7d.")
@click.option("--scene", "scene_ids", type=SceneList(), default=(), help="Only these scenes, such as 1,2,3.")
@click.option("--dry-run", is_flag=True, help="Show what would be put back, without writing.")
@common_options
@reports_errors
def undo(
    since: timedelta,
    scene_ids: tuple[SceneId, ...],
    config_file: Path | None,
    *,
    dry_run: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Put back the values that were written over since a time. What was changed since then stays."""
    settings = load_settings(config_file, verbose=verbose)
    looked, waiting = run(lambda: undo_once(settings, since, scene_ids, is_trial=dry_run))
    if as_json:
        print_json({"waiting": waiting, "scenes": [{"scene": one.scene, **_outlook_json(one)} for one in looked]})
    else:
        for one in looked:
            results.print(f"Scene {one.scene}", markup=False)
            _print_outlook(one)
        found = sum(one.is_something for one in looked)
        results.print(f"{found:,} scenes {'would be' if dry_run else 'are'} put back.")
    if waiting:
        if not as_json:
            results.print(f"{waiting:,} of them wait: see stashplex status.")
        sys.exit(Exit.UNFINISHED)


async def _with_target(settings: Settings, act: Callable[[App, Target], Awaitable[_T]]) -> _T:
    async with open_app(settings) as app:
        return await act(app, await app.connect())


async def release_scene(app: App, target: Target, *, scene_id: SceneId, wish: HandBack) -> tuple[Outlook, bool]:
    """Give the items of one scene back; tell whether that is done. Raises: ConfigError for a scene never written."""
    if app.store.ledger.find(target.plex_id, scene_id) is None:
        raise ConfigError(
            f"Scene {scene_id} was never synced.", hint="Check the number; stashplex ignore leaves it alone."
        )
    looked = await _look(app, target, scene_id, wish)
    waiting = await _fulfil(app, target, [scene_id], wish)
    return looked, not waiting


async def undo_once(
    settings: Settings, since: timedelta, scene_ids: Sequence[SceneId], *, is_trial: bool
) -> tuple[list[Outlook], int]:
    """Put back what was written since a time; return what that is for each scene, and how many wait."""
    return await _with_target(settings, partial(undo_app, since=since, scene_ids=scene_ids, is_trial=is_trial))


async def undo_app(
    app: App, target: Target, *, since: timedelta, scene_ids: Sequence[SceneId], is_trial: bool
) -> tuple[list[Outlook], int]:
    """Put back with an open app. A scene that was given back is left alone."""
    start = app.clock.now() - since
    written = app.store.journal.scenes_written(target.plex_id, start)
    chosen = [scene for scene in written if not scene_ids or scene in set(scene_ids)]
    released = app.store.hand_backs.of(target.plex_id, chosen)
    wish = HandBack(Parting.UNDO, start)
    looked = [await _look(app, target, scene, wish) for scene in chosen if scene not in released]
    todo = [one.scene for one in looked if one.is_something]
    waiting = 0 if is_trial else await _fulfil(app, target, todo, wish)
    return looked, waiting


async def _look(app: App, target: Target, scene_id: SceneId, wish: HandBack) -> Outlook:
    entry = app.store.ledger.find(target.plex_id, scene_id)
    links = () if entry is None else app.store.ledger.links_of(entry.id)
    planned = await app.farewell(target).wished(scene_id, links, wish)
    return Outlook(scene_id, tuple(item.plan for item in planned.items), planned.refused)


async def _fulfil(app: App, target: Target, scene_ids: Sequence[SceneId], wish: HandBack) -> int:
    """Store a wish about scenes and let a pass fulfil it; return of how many it is not fulfilled yet."""
    store, plex_id = app.store, target.plex_id
    if not scene_ids:
        return 0
    store.hand_backs.ask(plex_id, scene_ids, wish, app.clock.now())
    scheduler = app.scheduler(target, app.crawler(target), lambda _: None)
    for _ in range(_LOOKS):
        open_ones = _open(app, target, scene_ids)
        if not open_ones:
            return 0
        store.ledger.mark(plex_id, open_ones, now=app.clock.now(), priority=Priority.INTERACTIVE)
        await scheduler.run_until_idle(0.0)
    return len(_open(app, target, scene_ids))


def _open(app: App, target: Target, scene_ids: Sequence[SceneId]) -> list[SceneId]:
    wishes = app.store.hand_backs.of(target.plex_id, scene_ids)
    return [scene for scene in scene_ids if scene in wishes and not wishes[scene].is_done]


def _outlook_json(looked: Outlook) -> dict[str, object]:
    return {
        "items": [
            {
                "item": plan.rating_key,
                "library": plan.section,
                "changes": [{"field": one.field.value, "old": one.old, "new": one.new} for one in plan.changes],
                "unlocked": sorted(plan.unlocks),
            }
            for plan in looked.plans
        ],
        "refused": list(looked.refused),
    }


def _print_outlook(looked: Outlook) -> None:
    for plan in looked.plans:
        print_changes(plan)
        if plan.unlocks:
            results.print(f"  unlocked: {', '.join(sorted(plan.unlocks))}", markup=False)
    for reason in looked.refused:
        results.print(f"  not put back: {reason}", markup=False)
    if not looked.plans:
        results.print("  no item in Plex is known for it")
