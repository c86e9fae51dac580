"""`stashplex plan`: what a sync would do, and the differences of any scene. Writes nothing to Plex."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
from rich.table import Table

from stashplex.app import App, open_app
from stashplex.base.config import Settings
from stashplex.cli.notice import note_detours, note_missing_fields, note_nothing_found
from stashplex.cli.progress import Steps, steps
from stashplex.cli.run import common_options, load_settings, messages, print_json, reports_errors, results, run
from stashplex.cli.scope import Period, SceneList, Scope
from stashplex.cli.story import print_changes
from stashplex.domain.plan import Plan
from stashplex.domain.scene import SceneId
from stashplex.engine.attempt import Failed
from stashplex.engine.intake import require_scenes, stash_is_empty
from stashplex.engine.itemplan import FarewellPlan
from stashplex.engine.planner import Planned, SceneGone, ScenePlan
from stashplex.engine.survey import SceneClass, Survey, classify, survey_batch

_BATCH = 100

_MEANING = {
    SceneClass.IN_STEP: "nothing to write",
    SceneClass.NEVER_WRITTEN: "would be written for the first time",
    SceneClass.DIFFERENT: "would be written again",
    SceneClass.NOT_FOUND: "Plex does not have the file (yet)",
    SceneClass.AMBIGUOUS: "fits several items: a person is needed",
    SceneClass.INVALID: "has no file",
    SceneClass.FAILED: "could not be planned",
    SceneClass.GONE: "is not in Stash any more",
    SceneClass.IGNORED: "is left alone, as somebody decided",
    SceneClass.FILTERED: "is left alone, as a filter says",
}


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A survey, and the plans of the scenes that were asked for by number."""

    survey: Survey
    scenes: dict[SceneId, Planned]


@click.command()
@click.option("--scene", "scene_ids", type=SceneList(), default=(), help="Only these scenes, with their differences.")
@click.option("--since", type=Period(), help="Only scenes that Stash changed within this time, such as 24h or 7d.")
@common_options
@reports_errors
def plan(
    scene_ids: tuple[SceneId, ...],
    since: timedelta | None,
    config_file: Path | None,
    *,
    as_json: bool,
    verbose: bool,
) -> None:
    """Show what a sync would write, without writing."""
    if scene_ids and since:
        raise click.UsageError("Give --scene or --since, not both.")
    settings = load_settings(config_file, verbose=verbose)
    result = run(lambda: plan_once(settings, Scope(scene_ids, since)))
    if as_json:
        print_json(_as_json(result))
        return
    _print_survey(result.survey)
    for scene_id, planned in result.scenes.items():
        _print_scene(scene_id, planned)


async def plan_once(settings: Settings, scope: Scope) -> PlanResult:
    """Survey the scenes of a scope. Raises: ConfigError, StoreError, ServerError, SideEmpty."""
    async with open_app(settings) as app:
        with steps(messages, is_shown=messages.is_terminal) as shown:
            return await plan_app(app, scope, shown)


async def plan_app(app: App, scope: Scope, shown: Steps) -> PlanResult:
    """Survey the scenes of a scope with an open app."""
    target = await app.connect()
    await note_missing_fields(app)
    note_detours(app)
    crawler = app.crawler(target)
    if scope.is_all:
        await crawler.refresh(lambda seen, total: shown.show("Listing Plex", seen, total))
    planner = app.planner(target, crawler)
    survey, scenes = Survey(), dict[SceneId, Planned]()
    async with aclosing(_batches(app, scope)) as pages:
        async for batch in pages:
            links = app.store.overview.links_for(target.plex_id, batch)
            planned = await survey_batch(planner, batch, links, survey)
            shown.show("Planning", survey.scenes, None)
            if scope.scene_ids:
                scenes |= planned
    if scope.is_all and not survey.scenes:
        raise stash_is_empty(had_scenes=bool(app.store.ledger.list_entries(target.plex_id, limit=1)))
    if 0 < survey.scenes == survey.classes[SceneClass.NOT_FOUND]:
        note_nothing_found(app, target, survey.reasons[SceneClass.NOT_FOUND])
    return PlanResult(survey, scenes)


async def _batches(app: App, scope: Scope) -> AsyncGenerator[list[SceneId]]:
    """Yield the scenes of a scope in batches of at most 100."""
    if scope.scene_ids:
        await require_scenes(app.stash, scope.scene_ids)
        for start in range(0, len(scope.scene_ids), _BATCH):
            yield list(scope.scene_ids[start : start + _BATCH])
        return
    since = app.clock.now() - scope.since if scope.since else None
    async with aclosing(app.stash.iter_scene_ids(updated_since=since)) as pages:
        async for page in pages:
            ids = [row.id for row in page]
            for start in range(0, len(ids), _BATCH):
                yield ids[start : start + _BATCH]


def _as_json(result: PlanResult) -> dict[str, object]:
    return {
        "scenes": result.survey.scenes,
        "classes": {found.value: result.survey.classes.get(found, 0) for found in SceneClass},
        "fields": dict(result.survey.fields.most_common()),
        "details": [_scene_json(scene_id, planned) for scene_id, planned in result.scenes.items()],
    }


def _scene_json(scene_id: SceneId, planned: Planned) -> dict[str, object]:
    found: dict[str, object] = {"scene": scene_id, "class": classify(planned).value}
    match planned:
        case SceneGone():
            return found
        case Failed(error):
            return found | {"reason": str(error)}
        case FarewellPlan(items):
            return found | {"items": [_item_json(item.plan, item.match.evidence, item.match.file) for item in items]}
        case ScenePlan(_, items, problem, refused, _):
            reason = {"reason": str(problem) if problem is not None else refused} if problem or refused else {}
            return found | {
                "items": [_item_json(item.plan, item.match.evidence, item.match.file) for item in items],
                **reason,
            }


def _item_json(planned: Plan, evidence: str, file: str) -> dict[str, object]:
    return {
        "item": planned.rating_key,
        "library": planned.section,
        "evidence": evidence,
        "file": file,
        "changes": [{"field": change.field.value, "old": change.old, "new": change.new} for change in planned.changes],
        "kept": [field.value for field in planned.kept],
    }


def _print_survey(survey: Survey) -> None:
    table = Table(title=f"{survey.scenes:,} scenes", title_justify="left", box=None, pad_edge=False)
    table.add_column("scenes", justify="right")
    table.add_column("class")
    table.add_column("meaning")
    for found in SceneClass:
        if survey.classes.get(found):
            table.add_row(f"{survey.classes[found]:,}", found.value, _MEANING[found])
    results.print(table)
    if survey.fields:
        changes = ", ".join(f"{name} {count:,}" for name, count in survey.fields.most_common())
        results.print(f"\nFields that would be written: {changes}", markup=False)
    for found, reason in survey.reasons.items():
        results.print(f"\nFirst {found.value}: {reason}", markup=False)


def _print_scene(scene_id: SceneId, planned: Planned) -> None:
    match planned:
        case SceneGone():
            results.print(f"\nScene {scene_id} is not in Stash any more.")
        case FarewellPlan(items):
            results.print(f"\nScene {scene_id} is given back, or put back to what it was.")
            for item in items:
                print_changes(item.plan)
        case Failed(error):
            results.print(f"\nScene {scene_id}: {type(error).__name__}: {error}", markup=False)
        case ScenePlan(scene, items, problem, refused, _):
            if refused:
                results.print(f"\nScene {scene_id} is left alone: {refused}", markup=False)
            elif not items:
                results.print(f"\nScene {scene_id} is left alone: see stashplex unignore.")
            if problem is not None:
                results.print(f"\nScene {scene_id}: {type(problem).__name__}: {problem}", markup=False)
            for item in items:
                results.print(
                    f"\nScene {scene_id} {scene.title!r} is item {item.item.rating_key} (by {item.match.evidence}: "
                    f"{item.match.file})",
                    markup=False,
                )
                print_changes(item.plan)
