"""`stashplex sync`: mark, work until nothing is due, report.

What it prints as JSON is a contract that scripts rely on (tests/unit/cli/test_contract.py).
"""

import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

import click

from stashplex.app import App, open_app
from stashplex.base.config import Settings
from stashplex.base.errors import PlexNotFound, ServerError
from stashplex.cli.notice import note_detours, note_missing_fields, note_nothing_found
from stashplex.cli.progress import Steps, steps
from stashplex.cli.run import (
    Exit,
    common_options,
    exit_code,
    load_settings,
    messages,
    print_json,
    reports_errors,
    results,
    run,
)
from stashplex.cli.scope import Period, SceneList, Scope
from stashplex.domain.entry import State
from stashplex.domain.scene import SceneId
from stashplex.engine.target import Target
from stashplex.engine.worker import Ending, PassReport


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What `sync --json` prints. Shape: `scenes` = `synced` + `unchanged` + `waiting` + `dead`. Units: seconds."""

    scenes: int = 0
    synced: int = 0
    unchanged: int = 0
    waiting: int = 0
    dead: int = 0
    writes: int = 0
    uploads: int = 0
    plex_requests: int = 0
    stash_requests: int = 0
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SyncResult:
    """A report and, when a server failed until the end, its failure."""

    report: SyncReport
    server_error: ServerError | None


@click.command()
@click.option("--scene", "scene_ids", type=SceneList(), default=(), help="Only these scenes, such as 1,2,3.")
@click.option("--since", type=Period(), help="Only scenes that Stash changed within this time, such as 24h or 7d.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 86_400),
    default=60.0,
    show_default=True,
    help="How long to wait, in seconds and in all, for entries that are tried again soon.",
)
@click.option("--accept-smaller", is_flag=True, help="Go on although a Plex library holds far fewer files than before.")
@common_options
@reports_errors
def sync(
    scene_ids: tuple[SceneId, ...],
    since: timedelta | None,
    wait_s: float,
    config_file: Path | None,
    *,
    accept_smaller: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Bring Plex in step with Stash."""
    if scene_ids and since:
        raise click.UsageError("Give --scene or --since, not both.")
    settings = load_settings(config_file, verbose=verbose)
    result = run(lambda: sync_once(settings, Scope(scene_ids, since), wait_s, accepts_smaller=accept_smaller))
    if as_json:
        print_json(asdict(result.report))
    else:
        print_report(result.report)
    if result.server_error is not None:
        messages.print(f"stashplex: {result.server_error}", style="red", markup=False)
        messages.print(f"  hint: {result.server_error.hint or 'Run it again later; nothing is lost.'}", markup=False)
        sys.exit(exit_code(result.server_error))
    if result.report.waiting or result.report.dead:
        sys.exit(Exit.UNFINISHED)


async def sync_once(settings: Settings, scope: Scope, wait_s: float, *, accepts_smaller: bool = False) -> SyncResult:
    """Run one bounded sync. Raises: ConfigError, StoreError, ServerError, SideEmpty."""
    async with open_app(settings) as app:
        with steps(messages, is_shown=messages.is_terminal) as shown:
            return await sync_app(app, scope, wait_s, shown, accepts_smaller=accepts_smaller)


async def sync_app(app: App, scope: Scope, wait_s: float, shown: Steps, *, accepts_smaller: bool = False) -> SyncResult:
    """Run one bounded sync with an open app."""
    started_s = app.clock.monotonic_s()
    await app.probe_held()
    target = await app.connect()
    await note_missing_fields(app)
    note_detours(app)
    tally = _Tally(shown)
    crawler = app.crawler(target, accepts_smaller=accepts_smaller)
    scheduler = app.scheduler(target, crawler, tally.count)
    if scope.is_all:
        await crawler.refresh(lambda seen, total: shown.show("Listing Plex", seen, total))
    marked = await _mark(app, target, scope, shown)
    tally.scenes = marked if isinstance(marked, int) else len(marked)
    tally.show()
    run_report = await scheduler.run_until_idle(0.0)
    if scope.is_all and tally.is_nothing_found:
        _note_nothing_found(app, target)
    if wait_s:
        run_report = await scheduler.run_until_idle(wait_s, lambda: not _count_waiting(app, target, marked))
    if scope.is_all:
        await app.upkeep().run_once()
    waiting = _count_waiting(app, target, marked) - app.store.overview.count_open(target.plex_id, tally.list_done())
    report = replace(
        tally.report(),
        scenes=tally.done + waiting,
        waiting=waiting,
        writes=app.plex.writes,
        uploads=app.plex.uploads,
        plex_requests=app.plex.requests,
        stash_requests=app.stash.requests,
        duration_s=round(app.clock.monotonic_s() - started_s, 3),
    )
    return SyncResult(report, run_report.server_error)


async def _mark(app: App, target: Target, scope: Scope, shown: Steps) -> int | tuple[SceneId, ...]:
    """Mark the scenes of a scope; return them, or how many when it is all."""
    intake = app.intake(target)
    if scope.scene_ids:
        app.store.hand_backs.forget(target.plex_id, scope.scene_ids)
        await intake.mark_scenes(scope.scene_ids)
        return scope.scene_ids
    if scope.since is not None:
        return await intake.mark_since(scope.since, lambda seen: shown.show("Listing Stash", seen, None))
    return await intake.mark_all(lambda seen: shown.show("Listing Stash", seen, None))


def _count_waiting(app: App, target: Target, marked: int | tuple[SceneId, ...]) -> int:
    """Count what is open of that which was marked: what waits besides is none of this run's business."""
    if not isinstance(marked, int):
        return app.store.overview.count_open(target.plex_id, marked)
    counts = app.store.ledger.counts(target.plex_id, now=app.clock.now())
    return counts.pending + counts.leased


def _note_nothing_found(app: App, target: Target) -> None:
    first = app.store.ledger.list_entries(target.plex_id, state=State.PENDING, limit=1)
    if first and first[0].last_error_type == PlexNotFound.__name__:
        note_nothing_found(app, target, first[0].last_error or "")


class _Tally:
    """Adds up the passes of a run. A scene that was marked again meanwhile, by another sync, counts once."""

    def __init__(self, shown: Steps) -> None:
        self._shown = shown
        self._retried = 0
        self._done: dict[SceneId, Ending] = {}
        self.scenes = 0

    def count(self, report: PassReport) -> None:
        """Add one pass."""
        self._retried += report.retried
        for scene_id, ending in report.endings.items():
            if ending in {Ending.RETRIED, Ending.HELD}:
                self._done.pop(scene_id, None)
            elif ending is not Ending.UNCHANGED or scene_id not in self._done:
                self._done[scene_id] = ending
        self.show()

    def report(self) -> SyncReport:
        """Return how the scenes ended that are done."""
        endings = Counter(self._done.values())
        return SyncReport(
            synced=endings[Ending.WRITTEN], unchanged=endings[Ending.UNCHANGED], dead=endings[Ending.DEAD]
        )

    def list_done(self) -> tuple[SceneId, ...]:
        """Return the scenes that are done."""
        return tuple(self._done)

    @property
    def done(self) -> int:
        """How many scenes this run need not look at again."""
        return len(self._done)

    @property
    def is_nothing_found(self) -> bool:
        """Tell whether entries were looked at and each of them waits."""
        return self._retried > 0 and not self.done

    def show(self) -> None:
        """Show how far the run is."""
        self._shown.show("Syncing", self.done, max(self.scenes, self.done))


def print_report(report: SyncReport) -> None:
    """Print a report for people."""
    results.print(
        f"{report.scenes:,} scenes in {report.duration_s:,.1f} s: "
        f"{report.synced:,} synced, {report.unchanged:,} unchanged, {report.waiting:,} waiting, {report.dead:,} dead"
    )
    results.print(
        f"{report.writes:,} edits, {report.uploads:,} posters, "
        f"{report.plex_requests:,} requests to Plex, {report.stash_requests:,} to Stash"
    )
    if report.waiting:
        results.print("Some scenes wait, mostly for Plex to scan their files: stashplex status tells more.")
    if report.dead:
        results.print("Some scenes need a person: stashplex why SCENE tells the reason.")
