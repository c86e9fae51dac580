"""`stashplex paths`: which path map explains both sides' files, and what the one in use makes of a path.

Neither changes a setting: the line to set is printed, and a person decides.
"""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

import click

from stashplex.app import DATABASE_NAME, App, open_app, open_store
from stashplex.base.config import Settings
from stashplex.cli.progress import Steps, steps
from stashplex.cli.run import common_options, load_settings, messages, print_json, reports_errors, results, run
from stashplex.domain.item import IndexedPart
from stashplex.domain.pathcheck import Detour, detours, round_trip
from stashplex.domain.pathmap import PathMap
from stashplex.domain.pathpattern import PathPattern
from stashplex.domain.suggesting import KnownFile, Proposal, propose
from stashplex.engine.rules import match_rules
from stashplex.engine.target import Target

T = TypeVar("T")

_SHOWN = 5


@click.group()
def paths() -> None:
    """Find and try out the path map: where the two servers see the same files."""


@paths.command()
@common_options
@reports_errors
def suggest(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Compare the files of both servers and print the path map that explains most of them."""
    settings = load_settings(config_file, verbose=verbose)
    proposal = run(lambda: with_app(settings, suggest_app))
    if as_json:
        print_json(proposal_json(proposal))
        return
    _print_proposal(proposal, settings)


@paths.command("test")
@click.argument("path")
@click.option("--side", type=click.Choice(["stash", "plex"]), default="stash", help="Whose path it is.")
@common_options
@reports_errors
def try_path(path: str, side: str, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Show what the path map makes of a PATH, whether it leads back, and whether Plex has that file."""
    settings = load_settings(config_file, verbose=verbose)
    path_map = match_rules(settings).path_map
    there = path_map.place_of(path) if side == "stash" else path
    back = path_map.to_stash(there)
    detour = round_trip(path_map, path) if side == "stash" else None
    known = _known_at(settings, path_map, there)
    if as_json:
        print_json(
            {
                "stash": path if side == "stash" else back,
                "plex": there,
                "rule": _rule_for(path_map, path if side == "stash" else back),
                "comes_back": detour is None,
                "problem": None if detour is None else detour.sentence,
                "items": [{"item": part.rating_key, "library": part.section, "file": part.file} for part in known],
            }
        )
        return
    rule = _rule_for(path_map, path if side == "stash" else back)
    results.print(f"in Stash: {path if side == 'stash' else back or 'no rule leads back'}", markup=False)
    results.print(f"in Plex:  {there}", markup=False)
    results.print(f"by:       {rule or 'no rule: the path is looked for as it is'}", markup=False)
    if detour is not None:
        results.print(f"careful:  {detour.sentence}", markup=False)
    for part in known:
        results.print(f"has it:   item {part.rating_key} of library {part.section}", markup=False)
    if not known:
        results.print("has it:   no item that the last look at Plex saw", markup=False)


async def with_app(settings: Settings, act: Callable[[App, Steps], Awaitable[T]]) -> T:
    """Do something with both servers and the store open. Raises: ConfigError, StoreError."""
    async with open_app(settings) as app:
        with steps(messages, is_shown=messages.is_terminal) as shown:
            return await act(app, shown)


async def listed(app: App, shown: Steps) -> Target:
    """Connect and bring the index of Plex in step. Raises: ConfigError, ServerError, SideEmpty."""
    target = await app.connect()
    await app.crawler(target).refresh(lambda seen, total: shown.show("Listing Plex", seen, total))
    return target


async def suggest_app(app: App, shown: Steps) -> Proposal:
    """Read the files of both sides and propose a path map. Raises: ConfigError, ServerError, SideEmpty."""
    target = await listed(app, shown)
    async with aclosing(app.stash.iter_files()) as pages:
        stash = [KnownFile(file.path, file.size) async for page in pages for one in page for file in one.files]
    shown.show("Comparing", len(stash), len(stash))
    parts = app.store.index.iter_parts(target.plex_id, [section.key for section in target.sections])
    return propose(stash, [KnownFile(part.file, part.size) for part in parts])


def proposal_json(proposal: Proposal) -> dict[str, object]:
    """Return a proposal as scripts read it."""
    return {
        "path_map": proposal.setting,
        "rules": [
            {"stash": rule.stash_prefix, "plex": rule.plex_prefix, "explains": count}
            for rule, count in zip(proposal.rules, proposal.explained, strict=True)
        ],
        "stash_files": proposal.stash_files,
        "plex_files": proposal.plex_files,
        "found_without": proposal.found_before,
        "found_with": proposal.found,
        "witnesses": proposal.witnesses,
        "unexplained": proposal.unexplained,
        "examples": [{"stash": here, "plex": there} for here, there in proposal.examples],
        "doubts": [{"stash": here, "plex": there} for here, there in proposal.doubts],
        "detours": [_detour_json(one) for one in _detours(proposal)],
    }


def _print_proposal(proposal: Proposal, settings: Settings) -> None:
    total = proposal.stash_files or 1
    results.print(f"{proposal.stash_files:,} files in Stash, {proposal.plex_files:,} in Plex.")
    results.print(
        f"{proposal.witnesses:,} files have one name and size on both sides; the map explains "
        f"{proposal.witnesses - proposal.unexplained:,} of them."
    )
    if not proposal.rules:
        results.print(
            f"No path map is needed: {proposal.found:,} files ({proposal.found / total:.1%}) have the same path."
            if proposal.found
            else "No rule was found: the two sides have too few files in common. Has Plex scanned the library?"
        )
    else:
        results.print(f"Found by path: {proposal.found_before:,} without the map, {proposal.found:,} with it ")
        results.print(f"({proposal.found / total:.1%} of Stash's files).")
        for rule, count in zip(proposal.rules, proposal.explained, strict=True):
            results.print(f"  {count:>9,}  {rule.stash_prefix} = {rule.plex_prefix}", markup=False)
        results.print("\nExamples:")
        for here, there in proposal.examples:
            results.print(f"  {here}\n    {there}", markup=False)
    if proposal.doubts:
        results.print(f"\nNot explained ({proposal.unexplained:,}), for instance:")
        for here, there in proposal.doubts[:_SHOWN]:
            results.print(f"  {here}\n    {there}", markup=False)
    for detour in _detours(proposal)[:_SHOWN]:
        results.print(f"Careful: {detour.sentence}", markup=False)
    if proposal.rules and proposal.setting != settings.path_map:
        results.print("\nNothing was changed. To use it, set path_map in Stash (Settings, Plugins), in the file, or:")
        results.print(f"  STASHPLEX_PATH_MAP='{proposal.setting}'", markup=False)


def _detours(proposal: Proposal) -> tuple[Detour, ...]:
    return detours(PathMap(proposal.rules))


def _detour_json(detour: Detour) -> dict[str, object]:
    return {"stash": detour.path, "plex": detour.there, "back": detour.back}


def _rule_for(path_map: PathMap, path: str | None) -> str | None:
    """Return the rule that decides a path of Stash, as it is written."""
    if path is None:
        return None
    for rule in path_map.rules:
        if PathMap((rule,), path_map.stash_case, path_map.plex_case).to_plex(path) is not None:
            if isinstance(rule, PathPattern):
                return f"re:{rule.pattern}={rule.replacement}"
            return f"{rule.stash_prefix}={rule.plex_prefix}"
    return None


def _known_at(settings: Settings, path_map: PathMap, there: str) -> list[IndexedPart]:
    """Return the parts that the last look at Plex saw at a path, none when there was no look yet."""
    if not (settings.data_dir / DATABASE_NAME).exists():
        return []
    with open_store(settings.data_dir) as store:
        return [
            part
            for known in store.overview.list_plex()
            for part in store.index.find_anywhere(known.id, there)
            if path_map.is_same_in_plex(part.file, there)
        ]
