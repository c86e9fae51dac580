"""What people should know although a run goes on: said on standard error, with a hint, and never in a result.

Not errors: those end a command (`cli/run`).
"""

from stashplex.app import App
from stashplex.cli.run import messages
from stashplex.domain.pathcheck import detours
from stashplex.engine.rules import match_rules
from stashplex.engine.target import Target

_PATHS = (
    "Correct STASHPLEX_PATH_MAP, which must turn the folder that Stash shows into the one that Plex shows, or let Plex "
    "scan its library."
)


def note(message: str, hint: str) -> None:
    """Say something that people should know."""
    messages.print(f"stashplex: {message}", style="yellow", markup=False)
    messages.print(f"  hint: {hint}", markup=False)


async def note_missing_fields(app: App) -> None:
    """Say which fields of a scene this Stash does not know, if any. Raises: ConfigError, ServerError."""
    missing = (await app.stash.schema()).missing_fields
    if missing:
        note(
            f"This Stash does not know {', '.join(missing)} of a scene; what Plex shows there is left as it is.",
            "Update Stash, then everything is kept in step.",
        )


def note_detours(app: App) -> None:
    """Say with an example which paths the path map does not lead back, if any."""
    found = detours(match_rules(app.settings).path_map)
    if found:
        note(
            f"The path map does not lead back: {found[0].sentence}",
            "Two films below one folder of Plex cannot be told apart by their paths then; stashplex paths test PATH "
            "tries the map.",
        )


def note_nothing_found(app: App, target: Target, example: str) -> None:
    """Say that no scene at all is in Plex. Shape: `example` tells which files one of them has."""
    file = app.store.overview.find_file(target.plex_id)
    shown = f" Plex shows for example {file}." if file else ""
    note(f"None of the scenes was found in Plex. {example}{shown}", _PATHS)
