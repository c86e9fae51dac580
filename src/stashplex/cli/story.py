"""How one scene, a time and a server are told to people and to scripts; shared by the commands that read the store.

Nothing here asks a server or changes anything.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from stashplex.app import DATABASE_NAME, Store
from stashplex.base.errors import ConfigError
from stashplex.cli.run import results
from stashplex.domain.document import TagField
from stashplex.domain.entry import Entry, State
from stashplex.domain.journal import TAG_SEPARATOR, JournalRow
from stashplex.domain.link import Link
from stashplex.domain.plan import Plan, TagChange, TextChange
from stashplex.store.overview import KnownPlex
from stashplex.web.chip import chip

LONGEST_STORY = 1_000
_LISTS = frozenset(name.value for name in TagField)
_WIDE = 400


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is known of one scene on one Plex server."""

    plex: KnownPlex
    entry: Entry
    links: tuple[Link, ...]
    journal: tuple[JournalRow, ...]


def read_story(store: Store, plex: KnownPlex, entry: Entry) -> Story:
    """Return the story of an entry, the newest part of its journal first."""
    journal = store.journal.list_for_scene(plex.id, entry.scene_id, limit=LONGEST_STORY)
    return Story(plex, entry, store.ledger.links_of(entry.id), journal)


def story_json(story: Story) -> dict[str, object]:
    """Return a story for scripts."""
    return {
        "plex": story.plex.name,
        "entry": {key: value for key, value in asdict(story.entry).items() if key not in {"id", "plex_id"}},
        "links": [
            {
                "item": link.rating_key,
                "library": link.section,
                "evidence": link.evidence.value,
                "file": link.file,
                "is_written": link.base is not None,
            }
            for link in story.links
        ],
        "chip": chip(story.plex, story.entry, story.links),
        "journal": [asdict(row) for row in story.journal],
    }


def print_story(story: Story) -> None:
    """Print a story for people."""
    entry = story.entry
    results.print(f"Scene {entry.scene_id} on Plex {story.plex.name}: {_state(entry)}", markup=False)
    if entry.last_error_type:
        results.print(f"  reason: {entry.last_error_type}: {entry.last_error}", markup=False)
        if entry.state is not State.SYNCED:
            results.print(f"  tried again {entry.retry_count} times since {local(entry.first_failed_at)}", markup=False)
    for link in story.links:
        results.print(f"  item {link.rating_key} by {link.evidence.value}: {link.file}", markup=False)
    if not story.links:
        results.print("  no item in Plex is known for it")
    for row in story.journal:
        results.print(f"  {local(row.at)}  {describe_row(row)}", markup=False)


def local(moment: datetime | None) -> str:
    """Return a time as people read it, in their own time zone."""
    return "-" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def length(period: timedelta) -> str:
    """Return a length of time in its two largest units: `3 d 4 h`, `12 min 5 s`, `0 s`."""
    seconds = max(0, round(period.total_seconds()))
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        parts.append((count, unit))
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    shown = [parts[first], *(part for part in parts[first + 1 : first + 2] if part[0])]
    return " ".join(f"{count} {unit}" for count, unit in shown)


def print_changes(planned: Plan) -> None:
    """Print what would be written to one item."""
    if planned.is_empty:
        results.print("  in step")
    for change in planned.changes:
        match change:
            case TextChange(field, old, new):
                results.print(f"  {field.value}: {old!r} → {new!r}", markup=False)
            case TagChange(field, old, new, _):
                results.print(f"  {field.value}: {', '.join(old) or '-'} → {', '.join(new) or '-'}", markup=False)
    for field in planned.kept:
        results.print(f"  {field.value}: an edit made in Plex is kept", markup=False)


def print_table(table: Table) -> None:
    """Print a table: as wide as the terminal, or with whole lines where something else reads it."""
    console = results if results.is_terminal else Console(width=_WIDE, highlight=False)
    console.print(table)


def require_database(data_dir: Path) -> None:
    """Check that there is a database: reading must not create one. Raises: ConfigError."""
    if not (data_dir / DATABASE_NAME).exists():
        raise ConfigError(
            f"There is no database in {data_dir}.", hint="Run stashplex sync first, or set STASHPLEX_DATA_DIR."
        )


def _state(entry: Entry) -> str:
    match entry.state:
        case State.SYNCED:
            return "in step when last looked at"
        case State.PENDING:
            return f"waits until {local(entry.due_at)}"
        case State.LEASED:
            return "being worked on"
        case State.DEAD:
            return "needs a person"


def describe_row(row: JournalRow) -> str:
    """Return a row of the history as a line."""
    what = row.event.value
    if row.field:
        what += f" {row.field}: {_value(row.field, row.old)} → {_value(row.field, row.new)}"
    return f"{what} ({row.detail})" if row.detail else what


def _value(field: str, text: str | None) -> str:
    """Return a value on one line where it is a list."""
    shown = text or "-"
    return shown.replace(TAG_SEPARATOR, ", ") if field in _LISTS else shown
