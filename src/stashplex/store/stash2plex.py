"""What Stash2Plex left on disk: its queue, its dead letters, its sync timestamps, its settings.

Formats of version 1.6, read only, through copies (`foreign`) and without trust (`pickles`). It decides nothing: which
entry becomes of a row is `engine.takeover`. Metadata in the jobs is not even looked at: this program reads values when
it writes them.
Invariant: every row that may hold work is in the result once, as a job, a dead letter, a scene or a refusal.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import yaml

from stashplex.base.errors import ConfigError, StoreError
from stashplex.domain.scene import SceneId
from stashplex.store import pickles
from stashplex.store.foreign import list_tables, open_copy, quoted
from stashplex.store.pickles import PickleRefused

QUEUE, DEAD_LETTERS, TIMESTAMPS = "queue/data.db", "dlq.db", "sync_timestamps.json"
SETTINGS, PROVIDER_SETTINGS = "config.json", "provider.yml"
STATE_FILES = (
    "circuit_breaker.json",
    "recovery_state.json",
    "outage_history.json",
    "reconciliation_state.json",
    "stats.json",
    "device_id.json",
)

MAX_SETTINGS_BYTES = 1024 * 1024
MAX_TIMESTAMPS_BYTES = 256 * 1024 * 1024
MAX_TEXT_CHARS = 4_000
MAX_SCENE_ID = 2**63 - 1

_QUEUE_PREFIX = "ack_queue_"
_QUEUE_COLUMNS = frozenset({"_id", "data", "timestamp", "status"})
_DEAD_COLUMNS = frozenset({"id", "scene_id", "job_data", "error_type", "error_message", "retry_count", "failed_at"})
_TAKEN = 2
_OPEN = (0, 1, _TAKEN)
_FINISHED = (5, 9)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
_FOLDER = "Name the folder that holds queue/, dlq.db or sync_timestamps.json, such as …/plugins/Stash2Plex/data."
_OTHER_FORM = "Move it out of the folder to take over the rest; it was not written by Stash2Plex 1.x."


class RowRefused(ValueError):  # noqa: N818 - errors name the condition (style.md)
    """A row is not what Stash2Plex writes. Never leaves this module: `Refused` tells of it."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that waits, or that was taken and never finished.

    Shape: `retry_count` 0 and None elsewhere for one that never failed. Units: times are aware UTC; `stored_at` is when
    this copy of the job was put into the queue, which for a retried one is its last failure.
    """

    scene_id: SceneId
    is_taken: bool
    stored_at: datetime | None
    retry_count: int = 0
    next_retry_at: datetime | None = None
    last_error_type: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that was given up. Shape: `error_type` is a Python class name; texts are as they were, or empty."""

    scene_id: SceneId
    error_type: str
    message: str
    retry_count: int
    failed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not read, where it stands and why. Shape: `table` names file and table."""

    table: str
    row: str
    reason: str


@dataclass(slots=True)
class Installation:
    """All that was read. Shape: rows in the order in which they were written; `settings` hold secrets."""

    directory: Path
    jobs: list[Job] = field(default_factory=list)
    finished: int = 0
    dead_letters: list[DeadLetter] = field(default_factory=list)
    synced_at: dict[SceneId, datetime] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict, repr=False)
    refused: list[Refused] = field(default_factory=list)
    state_files: tuple[str, ...] = ()


def read(directory: Path) -> Installation:
    """Read the data folder of Stash2Plex, or the plugin's folder with `data` in it. Nothing is written there.

    Raises: ConfigError when it is no such folder; StoreError when one of its files cannot be read.
    """
    with _readable(directory):
        data = _data_folder(directory)
        found = Installation(data)
        if (data / QUEUE).is_file():
            _read_queue(data / QUEUE, found)
        if (data / DEAD_LETTERS).is_file():
            _read_dead_letters(data / DEAD_LETTERS, found)
        if (data / TIMESTAMPS).is_file():
            _read_timestamps(data / TIMESTAMPS, found)
        for folder in dict.fromkeys((directory, data)):
            _read_settings(folder, found)
        found.state_files = tuple(name for name in STATE_FILES if (data / name).is_file())
    return found


def _data_folder(directory: Path) -> Path:
    if not directory.is_dir():
        raise ConfigError(f"There is no folder {directory}.", hint=_FOLDER)
    for data in (directory, directory / "data"):
        if any((data / name).is_file() for name in (QUEUE, DEAD_LETTERS, TIMESTAMPS)):
            return data
    raise ConfigError(f"{directory} is not a data folder of Stash2Plex.", hint=_FOLDER)


def _read_queue(path: Path, found: Installation) -> None:
    with open_copy(path) as connection:
        tables = list_tables(connection)
        queues = sorted(name for name in tables if name.startswith(_QUEUE_PREFIX))
        if tables and not queues:
            raise StoreError(f"{path} holds no queue", hint=_OTHER_FORM)
        for name in queues:
            _require_columns(path, name, tables[name], _QUEUE_COLUMNS)
            _read_queue_table(connection, name, found)


def _read_queue_table(connection: sqlite3.Connection, name: str, found: Installation) -> None:
    table = f"{QUEUE}: {name}"
    (finished,) = connection.execute(
        f"SELECT count(*) FROM {quoted(name)} WHERE status IN (?, ?)",  # noqa: S608 - a quoted name, no value
        _FINISHED,
    ).fetchone()
    found.finished += finished
    rows = connection.execute(
        f"""
        SELECT _id, status, timestamp, typeof(data), length(data),
        CASE WHEN typeof(data) = 'blob' AND length(data) <= ? THEN data END
        FROM {quoted(name)} WHERE status IS NULL OR status NOT IN (?, ?) ORDER BY _id
        """,  # noqa: S608 - as above
        (pickles.MAX_BYTES, *_FINISHED),
    )
    for row, status, timestamp, kind, length, data in rows:
        try:
            found.jobs.append(_job(_fields(kind, length, data), status, timestamp))
        except RowRefused as error:
            found.refused.append(Refused(table, str(row), str(error)))


def _job(fields: Mapping[object, object], status: object, timestamp: object) -> Job:
    if status not in _OPEN:
        raise RowRefused("its status is none that a queue has")
    return Job(
        scene_id=_scene_id(fields.get("scene_id")),
        is_taken=status == _TAKEN,
        stored_at=_moment(timestamp),
        retry_count=_count(fields.get("retry_count")),
        next_retry_at=_moment(fields.get("next_retry_at")),
        last_error_type=_text(fields.get("last_error_type")) or None,
    )


def _read_dead_letters(path: Path, found: Installation) -> None:
    with open_copy(path) as connection:
        tables = list_tables(connection)
        if not tables:
            return
        if "dead_letters" not in tables:
            raise StoreError(f"{path} holds no dead letters", hint=_OTHER_FORM)
        _require_columns(path, "dead_letters", tables["dead_letters"], _DEAD_COLUMNS)
        rows = connection.execute(
            "SELECT id, scene_id, typeof(job_data), length(job_data),"
            " CASE WHEN typeof(job_data) = 'blob' AND length(job_data) <= ? THEN job_data END,"
            " substr(error_type, 1, ?), substr(error_message, 1, ?), retry_count, failed_at"
            " FROM dead_letters ORDER BY id",
            (pickles.MAX_BYTES, MAX_TEXT_CHARS, MAX_TEXT_CHARS),
        )
        for row, scene_id, kind, length, data, error_type, message, retry_count, failed_at in rows:
            try:
                fields = {} if kind == "null" else _fields(kind, length, data)
                letter = DeadLetter(
                    scene_id=_scene_id(fields.get("scene_id") if scene_id is None else scene_id),
                    error_type=_text(error_type),
                    message=_text(message),
                    retry_count=_count(retry_count),
                    failed_at=_utc(failed_at),
                )
                found.dead_letters.append(letter)
            except RowRefused as error:
                found.refused.append(Refused(f"{DEAD_LETTERS}: dead_letters", str(row), str(error)))


def _require_columns(path: Path, table: str, columns: frozenset[str], needed: frozenset[str]) -> None:
    if missing := sorted(needed - columns):
        raise StoreError(f"{path}: the table {table} has no column {', '.join(missing)}", hint=_OTHER_FORM)


def _read_timestamps(path: Path, found: Installation) -> None:
    try:
        rows = msgspec.json.decode(_bytes(path, MAX_TIMESTAMPS_BYTES), type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(path, "JSON") from error
    for key, raw in rows.items():
        try:
            found.synced_at[_scene_id(key)] = _get_moment(msgspec.json.decode(raw, type=float))
        except RowRefused as error:
            found.refused.append(Refused(TIMESTAMPS, key[:40], str(error)))
        except msgspec.MsgspecError:
            found.refused.append(Refused(TIMESTAMPS, key[:40], "its time is no number"))


def _read_settings(folder: Path, found: Installation) -> None:
    """Read what there is of settings; the plugin's own go before those of its metadata provider."""
    for name, kind in ((PROVIDER_SETTINGS, "YAML"), (SETTINGS, "JSON")):
        path = folder / name
        if not path.is_file():
            continue
        raw = _bytes(path, MAX_SETTINGS_BYTES)
        try:
            values = msgspec.json.decode(raw) if kind == "JSON" else yaml.safe_load(raw)
        except (msgspec.MsgspecError, yaml.YAMLError, UnicodeDecodeError, RecursionError):
            raise _unreadable(path, kind) from None  # the cause may show a secret
        if not isinstance(values, dict):
            raise _unreadable(path, kind)
        found.settings |= {str(key): value for key, value in values.items()}


def _bytes(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise StoreError(f"{path} is longer than {limit:,} bytes", hint="Move it out of the folder to go on without.")
    return raw


def _unreadable(path: Path, kind: str) -> StoreError:
    hint = "Mend the file, or move it out of the folder to go on without."
    return StoreError(f"{path} is damaged: it is not the {kind} that Stash2Plex writes", hint=hint)


@contextmanager
def _readable(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or directory
        reason = error.strerror or type(error).__name__
        raise StoreError(f"{where} cannot be read: {reason}", hint="Give this user read access to it.") from error


def _fields(kind: str, length: int | None, data: bytes | None) -> Mapping[object, object]:
    """Return the dict in a pickled column. Raises: RowRefused."""
    if kind != "blob":
        raise RowRefused("it holds no pickle")
    if data is None:
        raise RowRefused(f"the pickle is {length or 0:,} bytes long, the limit is {pickles.MAX_BYTES:,}")
    try:
        fields = pickles.load(data)
    except PickleRefused as error:
        raise RowRefused(str(error)) from error
    if not isinstance(fields, dict):
        raise RowRefused("it is not a job of Stash2Plex")
    return fields


def _scene_id(value: object) -> SceneId:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if type(value) is not int or not 0 < value <= MAX_SCENE_ID:
        raise RowRefused("it names no scene")
    return SceneId(value)


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _text(value: object) -> str:
    return value[:MAX_TEXT_CHARS] if isinstance(value, str) else ""


def _get_moment(seconds: object) -> datetime:
    moment = _moment(seconds)
    if moment is None:
        raise RowRefused("its time is none")
    return moment


def _moment(seconds: object) -> datetime | None:
    """Return a time given in seconds since the epoch, None when it is none (0 stands for none)."""
    if not isinstance(seconds, int | float):
        return None
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None
    return moment if _EPOCH < moment < _LATEST else None


def _utc(value: object) -> datetime | None:
    """Return a time as SQLite's CURRENT_TIMESTAMP writes it."""
    try:
        moment = datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment if _EPOCH < moment < _LATEST else None
