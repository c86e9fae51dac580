"""What is wrong with a store, looked for everywhere: pages, references between rows, the invariants of each table.

For `stashplex store check`. It reads one snapshot and changes nothing; what it costs grows with the file (about 3 s for
1 GB). The constraints of the tables are read by SQLite's own integrity check.
"""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

import msgspec
from sqlalchemy import Connection

from stashplex.store.database import Database
from stashplex.store.header import RESTORE
from stashplex.store.schema import parse_base, parse_intent

MOST_FINDINGS = 20
_LAST_YEAR = 253_402_300_799_000_000
"""Microseconds since the epoch at the end of the year 9999."""

_REPORT = "Report this as a bug, with the message; stashplex sync mends what is due."
_UPDATE = "Update SQLite (the operating system's, or Python itself)."


class Level(StrEnum):
    """How bad a finding is."""

    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be. Shape: `hint` is one imperative sentence."""

    level: Level
    message: str
    hint: str


_QUESTIONS = (
    ("{} dismissed entries are not dead", "entry WHERE dismissed_at IS NOT NULL AND state <> 'dead'"),
    (
        "{} servers have more than one outage that goes on",
        "(SELECT server FROM outage WHERE ended_at IS NULL GROUP BY server HAVING count(*) > 1)",
    ),
    ("{} circuit breakers are in a state that is none", "breaker WHERE state NOT IN ('closed', 'open', 'half_open')"),
)

_TIMES = {
    "entry": ("due_at", "first_failed_at", "last_failed_at", "dismissed_at"),
    "journal": ("at",),
    "breaker": ("opened_at", "retry_at", "closed_at"),
    "outage": ("started_at", "ended_at"),
}


def check(database: Database) -> tuple[Finding, ...]:
    """Return what is wrong, the worst first. Raises: StoreError."""
    with database.read() as connection:
        found = [*_damages(connection), *_broken_rules(connection), *_unreadable(connection)]
    if has_checkpoint_race(sqlite3.sqlite_version_info):
        message = (
            f"SQLite {sqlite3.sqlite_version} can damage a file that another program writes, too; stashplex itself "
            "takes turns"
        )
        found.append(Finding(Level.WARNING, message, _UPDATE))
    return tuple(found)


def has_checkpoint_race(version: tuple[int, ...]) -> bool:
    """Tell whether a SQLite has the race between a commit and a checkpoint.

    Source: https://www.sqlite.org/wal.html#walresetbug: 3.7.0 to 3.51.2, but not 3.44.6 and 3.50.7 and their fixes.
    """
    if version[:2] in {(3, 44), (3, 50)}:
        return version < ((3, 44, 6) if version[1] == 44 else (3, 50, 7))
    return (3, 7, 0) <= version < (3, 51, 3)


def _damages(connection: Connection) -> list[Finding]:
    lines = connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_FINDINGS})").scalars().all()
    found = [Finding(Level.ERROR, f"damaged: {line}", RESTORE) for line in lines if line != "ok"]
    for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MOST_FINDINGS):
        found.append(Finding(Level.ERROR, f"row {row} of {table} belongs to no row of {parent}", RESTORE))
    return found


def _broken_rules(connection: Connection) -> list[Finding]:
    questions = dict(_QUESTIONS)
    for table, columns in _TIMES.items():
        is_absurd = " OR ".join(f"{column} < 0 OR {column} > {_LAST_YEAR}" for column in columns)
        questions[f"{{}} rows of {table} hold a time that is none"] = f"{table} WHERE {is_absurd}"
    found = []
    for message, rows in questions.items():
        count = connection.exec_driver_sql(f"SELECT count(*) FROM {rows}").scalar_one()  # noqa: S608 - constants
        if count:
            found.append(Finding(Level.ERROR, message.format(count), _REPORT))
    return found


def _unreadable(connection: Connection) -> list[Finding]:
    found: list[Finding] = []
    for name, base, intent in connection.exec_driver_sql("SELECT id, base, intent FROM link"):
        try:
            parse_base(base)
            parse_intent(intent)
        except msgspec.MsgspecError as error:
            found.append(Finding(Level.ERROR, f"what was written to link {name} cannot be read: {error}", RESTORE))
            if len(found) == MOST_FINDINGS:
                break
    return found
