"""`stashplex config`: what is set and where, whether it works, and a fresh copy of what was typed in Stash.

`check` is the "Test connection" of the plugin. It writes nothing to Plex and looks at everything before it judges, so
that one run names all that is wrong. What it prints as JSON is a contract. Invariant: no value of a secret is shown.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from stashplex.base import log
from stashplex.base.config import SECRETS, Settings, secrets_of
from stashplex.base.errors import StashplexError
from stashplex.base.layers import Loaded, Problem, Source
from stashplex.cli.group import DefaultGroup
from stashplex.cli.reload import ask_stash
from stashplex.cli.run import Exit, common_options, load_layers, print_json, reports_errors, results, run
from stashplex.cli.trial import Trial, try_out

NAMES = {
    Source.ENVIRONMENT: "environment",
    Source.STASH: "Stash",
    Source.FILE: "file",
    Source.CONNECTION: "plugin",
    Source.DEFAULT: "default",
}


@click.group("config", cls=DefaultGroup, default="show")
def config_group() -> None:
    """Show the settings and where each comes from; test them; fetch what was typed in Stash.

    Without a command it shows them.
    """


@config_group.command("show")
@common_options
@reports_errors
def show_config(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Show each setting, its value and where it comes from. Secrets are masked."""
    loaded = _loaded(config_file, verbose=verbose)
    if as_json:
        print_json(
            {
                "settings": [
                    {
                        "key": key,
                        "value": shown(loaded.settings, key),
                        "is_secret": key in SECRETS,
                        "origin": origin.source.value,
                        "where": origin.where,
                    }
                    for key, origin in loaded.origins.items()
                ],
                "problems": [problem_json(problem) for problem in loaded.problems],
            }
        )
    else:
        width = max(map(len, loaded.origins))
        for key, origin in loaded.origins.items():
            value = _text(shown(loaded.settings, key))
            style = "" if origin.source is not Source.DEFAULT else "dim"
            results.print(f"{key:<{width}}  {value:<28}  {origin.where}", markup=False, style=style)
        print_problems(loaded.problems)
    if any(problem.is_error for problem in loaded.problems):
        sys.exit(Exit.CONFIG)


@config_group.command("refresh")
@common_options
@reports_errors
def refresh_config(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Fetch what was typed in Stash, and Stash's API key."""
    before = _loaded(config_file, verbose=verbose)
    run(lambda: ask_stash(before))
    after = _loaded(config_file, verbose=verbose)
    typed = [key for key, origin in after.origins.items() if origin.source is Source.STASH]
    if as_json:
        print_json({"from_stash": typed, "problems": [problem_json(problem) for problem in after.problems]})
        return
    results.print(f"From Stash: {', '.join(typed) or 'nothing'}.", markup=False)
    print_problems(after.problems)


@config_group.command("check")
@common_options
@reports_errors
def check_config(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Test the settings and the connection to both servers."""
    loaded = _loaded(config_file, verbose=verbose)
    unasked: StashplexError | None = None
    try:
        run(lambda: ask_stash(loaded))
        loaded = _loaded(config_file, verbose=verbose)
    except StashplexError as error:
        unasked = error  # the trial meets it again where it belongs, unless only the copy could not be written
    trial = run(lambda: try_out(loaded, unasked))
    if as_json:
        print_json(_trial_json(loaded, trial))
    else:
        _print_trial(loaded, trial)
    code = Exit(trial.exit_code)
    if any(problem.is_error for problem in loaded.problems):
        code = Exit.CONFIG
    if code is not Exit.OK:
        sys.exit(code)


def shown(settings: Settings, key: str) -> object:
    """Return the value of a setting as it may be shown. Shape: a secret is `***` or an empty text."""
    value = getattr(settings, key)
    if key in SECRETS:
        return log.MASK if value else ""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


def problem_json(problem: Problem) -> dict[str, object]:
    """Return a problem for scripts."""
    return {
        "key": problem.key,
        "origin": problem.origin.source.value,
        "where": problem.origin.where,
        "message": problem.message,
        "hint": problem.hint,
        "is_error": problem.is_error,
    }


def print_problems(problems: tuple[Problem, ...]) -> None:
    """Print what is wrong, for people."""
    for problem in problems:
        _print_wrong(problem.message, problem.hint, is_error=problem.is_error)
        if problem.is_covered:
            results.print("  until it is corrected, a running service uses the last good value", markup=False)


def _print_wrong(message: str, hint: str, *, is_error: bool = True) -> None:
    results.print(message, markup=False, style="red" if is_error else "yellow")
    if hint:
        results.print(f"  hint: {hint}", markup=False)


def _trial_json(loaded: Loaded, trial: Trial) -> dict[str, object]:
    return {
        "is_good": trial.exit_code == Exit.OK and not any(problem.is_error for problem in loaded.problems),
        "problems": [problem_json(problem) for problem in loaded.problems],
        "stash": asdict(trial.stash),
        "plex": asdict(trial.plex),
        "libraries": list(trial.libraries),
        "hints": list(trial.hints),
    }


def _print_trial(loaded: Loaded, trial: Trial) -> None:
    print_problems(loaded.problems)
    for name, side in (("Stash", trial.stash), ("Plex", trial.plex)):
        if side.is_good:
            results.print(f"{name} {side.version} answers at {side.url}.", markup=False)
        else:
            _print_wrong(side.error, side.hint)
    if trial.libraries:
        results.print(f"Plex libraries: {', '.join(trial.libraries)}.", markup=False)
    for hint in trial.hints:
        results.print(f"hint: {hint}", markup=False, style="yellow")
    if trial.exit_code == Exit.OK and not any(problem.is_error for problem in loaded.problems):
        results.print("Everything that was tested works.")


def _loaded(config_file: Path | None, *, verbose: bool) -> Loaded:
    loaded = load_layers(config_file)
    log.configure(is_verbose=verbose, secrets=secrets_of(loaded.settings))
    return loaded


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return str(value) if value != "" else "-"
