"""`stashplex match`, `pin`, `ignore`, `unmatched` and their opposites: which item a scene is, and who said so.

What a person decides is stored before anything else happens, and the scene is then marked, so that the service or the
next sync acts on it. Nothing here writes to Plex.
"""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from sys import exit as end

import click
from rich.table import Table

from stashplex.app import App
from stashplex.base.errors import ConfigError, StashplexError
from stashplex.cli.paths import listed, with_app
from stashplex.cli.progress import Steps
from stashplex.cli.run import Exit, common_options, load_settings, print_json, reports_errors, results, run
from stashplex.domain.entry import Priority
from stashplex.domain.item import IndexedPart, RatingKey
from stashplex.domain.matching import Candidate, Judgement, ListedScene
from stashplex.domain.pin import Pin
from stashplex.domain.scene import Scene, SceneId
from stashplex.engine.attempt import Failed
from stashplex.engine.intake import require_scenes
from stashplex.engine.target import Target

SCENE = click.IntRange(min=1)


@dataclass(frozen=True, slots=True)
class Picture:
    """What belongs to a scene, and everything that was weighed. `titles` names the libraries."""

    scene: Scene
    candidates: list[Candidate]
    judged: Judgement | Failed
    is_ignored: bool
    titles: dict[str, str]

    @property
    def problems(self) -> tuple[Exception, ...]:
        """What is in the way."""
        return (self.judged.error,) if isinstance(self.judged, Failed) else self.judged.problems

    def verdict(self, one: Candidate) -> str:
        """Return what became of a candidate."""
        if one.objection:
            return f"no: {one.objection}"
        if isinstance(self.judged, Judgement) and one.match in self.judged.matches:
            return "this is it"
        if one.rivals:
            return "fits just as well: " + ", ".join(f"scene {rival}" for rival in one.rivals)
        taken = () if isinstance(self.judged, Failed) else self.judged.matches
        if any((found.section, found.rating_key) == (one.section, one.rating_key) for found in taken):
            return "the same item"
        return "there is stronger evidence" if any(found.section == one.section for found in taken) else "fits"


@click.command()
@click.argument("scene", type=SCENE)
@common_options
@reports_errors
def match(scene: int, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Show which Plex items belong to a SCENE, which others were weighed, and why."""
    settings = load_settings(config_file, verbose=verbose)
    picture = run(lambda: with_app(settings, partial(picture_of, scene_id=SceneId(scene))))
    if as_json:
        print_json(_picture_json(picture))
    else:
        _print_picture(picture)
    if picture.problems:
        end(Exit.UNFINISHED)


@click.command()
@click.argument("scene", type=SCENE)
@click.argument("item")
@common_options
@reports_errors
def pin(scene: int, item: str, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Decide that a SCENE is the Plex ITEM with this rating key, whatever its file is called."""
    settings = load_settings(config_file, verbose=verbose)
    pinned, title = run(
        lambda: with_app(settings, partial(pin_scene, scene_id=SceneId(scene), rating_key=RatingKey(item)))
    )
    if as_json:
        print_json({"scene": scene, "item": pinned.rating_key, "library": pinned.section, "files": list(pinned.files)})
        return
    results.print(
        f"Scene {scene} is item {pinned.rating_key} of {title!r} from now on: {pinned.files[0]}", markup=False
    )
    _print_next(scene)


@click.command()
@click.argument("scene", type=SCENE)
@common_options
@reports_errors
def unpin(scene: int, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Take the pins of a SCENE back: it is matched by its files again."""
    settings = load_settings(config_file, verbose=verbose)
    removed = run(lambda: with_app(settings, partial(unpin_scene, scene_id=SceneId(scene))))
    if as_json:
        print_json({"scene": scene, "unpinned": removed})
        return
    results.print(f"Scene {scene} was not pinned." if not removed else f"Scene {scene} is matched by its files again.")
    _print_next(scene)


@click.command()
@click.argument("scene", type=SCENE)
@common_options
@reports_errors
def ignore(scene: int, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Leave a SCENE alone: it is not matched and nothing of it is written. What Plex shows stays as it is."""
    _set_ignored(scene, config_file, is_ignored=True, as_json=as_json, verbose=verbose)


@click.command()
@click.argument("scene", type=SCENE)
@common_options
@reports_errors
def unignore(scene: int, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Take care of a SCENE again that was left alone."""
    _set_ignored(scene, config_file, is_ignored=False, as_json=as_json, verbose=verbose)


@click.command()
@click.option("--side", type=click.Choice(["stash", "plex"]), default="stash", help="Scenes, or items of Plex.")
@common_options
@reports_errors
def unmatched(side: str, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """List the scenes without an item and why, or the Plex items that belong to no scene."""
    settings = load_settings(config_file, verbose=verbose)
    if side == "stash":
        rows = run(lambda: with_app(settings, lonely_scenes))
        if as_json:
            print_json(rows)
            return
        _print_scenes(rows)
        return
    items = run(lambda: with_app(settings, lonely_items))
    if as_json:
        print_json([{"item": part.rating_key, "library": part.section, "file": part.file} for part in items])
        return
    for part in items:
        results.print(f"item {part.rating_key} of library {part.section}: {part.file}", markup=False)
    results.print(f"{len(items):,} items belong to no scene.")


async def picture_of(app: App, shown: Steps, *, scene_id: SceneId) -> Picture:
    """Return everything that may belong to a scene. Raises: ConfigError (no such scene), ServerError, SideEmpty."""
    target = await listed(app, shown)
    await require_scenes(app.stash, [scene_id])
    scene = (await app.stash.scenes([scene_id]))[scene_id]
    matcher = app.matcher(target)
    candidates, judged = await matcher.weigh(scene)
    titles: dict[str, str] = {section.key: section.title for section in target.sections}
    return Picture(scene, candidates, judged, bool(matcher.ignored([scene_id])), titles)


async def pin_scene(app: App, shown: Steps, *, scene_id: SceneId, rating_key: RatingKey) -> tuple[Pin, str]:
    """Pin a scene to an item as it is now; return the pin and the library's title. Raises: ConfigError, ServerError."""
    target = await listed(app, shown)
    await require_scenes(app.stash, [scene_id])
    if not (rating_key.isascii() and rating_key.isdecimal()):
        raise ConfigError(
            f"{rating_key!r} is no rating key of Plex.",
            hint="Take the number from stashplex match, or from Plex's page.",
        )
    item = (await app.plex.items([rating_key])).get(rating_key)
    if item is None or not item.files:
        raise ConfigError(
            f"Plex has no item {rating_key} with a file.", hint="Take the number from stashplex unmatched --side plex."
        )
    title = next((one.title for one in target.sections if one.key == item.section), None)
    if title is None:
        raise ConfigError(
            f"Item {rating_key} is in library {item.section}, which is not kept in step.",
            hint="Add that library to plex_library, or pin an item of another one.",
        )
    chosen = Pin(scene_id, item.section, rating_key, item.files)
    app.store.pins.put(target.plex_id, chosen, app.clock.now())
    _mark(app, target, scene_id)
    return chosen, title


async def unpin_scene(app: App, _shown: Steps, *, scene_id: SceneId) -> int:
    """Take a scene's pins back; return how many there were. Raises: ConfigError, ServerError."""
    target = await app.connect()
    removed = app.store.pins.remove(target.plex_id, scene_id)
    if removed:
        _mark(app, target, scene_id)
    return removed


async def ignore_scene(app: App, _shown: Steps, *, scene_id: SceneId, is_ignored: bool) -> bool:
    """Leave a scene alone, or no longer; tell whether that changed anything. Raises: ConfigError, ServerError."""
    target = await app.connect()
    if is_ignored:
        await require_scenes(app.stash, [scene_id])
        is_new = app.store.pins.ignore(target.plex_id, scene_id, app.clock.now())
    else:
        is_new = app.store.pins.heed(target.plex_id, scene_id)
    if is_new:
        _mark(app, target, scene_id)
    return is_new


async def lonely_scenes(app: App, shown: Steps) -> list[dict[str, object]]:
    """Return the scenes that lack an item in some way, with the reason. Raises: ConfigError, ServerError, SideEmpty."""
    target = await listed(app, shown)
    ignored = frozenset(app.store.pins.list_ignored(target.plex_id))
    rows: list[dict[str, object]] = []
    async with aclosing(_each_judged(app, target)) as pages:
        async for scene, judged in pages:
            problems = (judged.error,) if isinstance(judged, Failed) else judged.problems
            told: dict[str, object] = {"scene": scene.id, "file": scene.files[0].path if scene.files else None}
            if scene.id in ignored:
                rows.append(told | {"reason": "ignored", "message": "A person wants it left alone.", "hint": ""})
            else:
                rows += [told | _problem_json(problem) for problem in problems]
    return rows


async def lonely_items(app: App, shown: Steps) -> list[IndexedPart]:
    """Return the first file of each item that no scene is matched to. Raises: ConfigError, ServerError, SideEmpty."""
    target = await listed(app, shown)
    matched: set[RatingKey] = set()
    async with aclosing(_each_judged(app, target)) as pages:
        async for _scene, judged in pages:
            matched |= {found.rating_key for found in (judged.matches if isinstance(judged, Judgement) else ())}
    first: dict[RatingKey, IndexedPart] = {}
    for part in app.store.index.iter_parts(target.plex_id, [section.key for section in target.sections]):
        if part.rating_key not in matched:
            first.setdefault(part.rating_key, part)
    return list(first.values())


def _mark(app: App, target: Target, scene_id: SceneId) -> None:
    """Let a decision, which is stored by now, be acted on."""
    app.store.ledger.mark(target.plex_id, [scene_id], now=app.clock.now(), priority=Priority.INTERACTIVE)


def _set_ignored(scene: int, config_file: Path | None, *, is_ignored: bool, as_json: bool, verbose: bool) -> None:
    settings = load_settings(config_file, verbose=verbose)
    is_new = run(lambda: with_app(settings, partial(ignore_scene, scene_id=SceneId(scene), is_ignored=is_ignored)))
    if as_json:
        print_json({"scene": scene, "ignored": is_ignored, "changed": is_new})
    elif is_ignored:
        results.print(f"Scene {scene} is left alone{'' if is_new else ', as it was before'}.")
    else:
        results.print(f"Scene {scene} is taken care of{' again' if is_new else ', as it was before'}.")
        _print_next(scene)


async def _each_judged(app: App, target: Target) -> AsyncGenerator[tuple[ListedScene, Judgement | Failed]]:
    """Judge every scene of Stash; those that are left alone are judged too."""
    matcher = app.matcher(target)
    async with aclosing(app.stash.iter_files()) as pages:
        async for page in pages:
            for start in range(0, len(page), 100):
                batch = page[start : start + 100]
                judged = await matcher.judge_all(batch)
                for scene in batch:
                    yield scene, judged[scene.id]


def _problem_json(problem: Exception) -> dict[str, object]:
    hint = problem.hint if isinstance(problem, StashplexError) else ""
    return {"reason": type(problem).__name__, "message": str(problem), "hint": hint}


def _picture_json(picture: Picture) -> dict[str, object]:
    matches = () if isinstance(picture.judged, Failed) else picture.judged.matches
    return {
        "scene": picture.scene.id,
        "title": picture.scene.title,
        "files": [file.path for file in picture.scene.files],
        "ignored": picture.is_ignored,
        "matches": [
            {"item": one.rating_key, "library": one.section, "evidence": one.evidence.value, "file": one.file}
            for one in matches
        ],
        "candidates": [
            {
                "item": one.rating_key,
                "library": one.section,
                "evidence": one.evidence.value,
                "file": one.file,
                "scene_file": one.scene_file,
                "verdict": picture.verdict(one),
            }
            for one in picture.candidates
        ],
        "problems": [_problem_json(problem) for problem in picture.problems],
    }


def _print_picture(picture: Picture) -> None:
    results.print(f"Scene {picture.scene.id} {picture.scene.title!r}", markup=False)
    for file in picture.scene.files:
        results.print(f"  {file.path}", markup=False)
    if picture.is_ignored:
        results.print("It is left alone: stashplex unignore takes care of it again.")
    table = Table(box=None, pad_edge=False)
    for column in ("item", "library", "evidence", "file in Plex", "verdict"):
        table.add_column(column, overflow="fold")
    for one in picture.candidates:
        title = picture.titles.get(one.section, one.section)
        table.add_row(one.rating_key, title, one.evidence.value, one.file, picture.verdict(one))
    if picture.candidates:
        results.print(table, markup=False)
    for problem in picture.problems:
        results.print(f"{type(problem).__name__}: {problem}", markup=False)
        if isinstance(problem, StashplexError) and problem.hint:
            results.print(f"  hint: {problem.hint}", markup=False)


def _print_scenes(rows: list[dict[str, object]]) -> None:
    for row in rows:
        results.print(f"scene {row['scene']}: {row['file']}\n  {row['reason']}: {row['message']}", markup=False)
    counts = Counter(str(row["reason"]) for row in rows)
    told = ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common())
    results.print(f"{len(rows):,} without an item{f': {told}' if told else ''}.")


def _print_next(scene: int) -> None:
    results.print(f"The service acts on it now; without it, run stashplex sync --scene {scene}.")
