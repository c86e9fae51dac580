"""Installations of Stash2Plex, made as it makes them: persist-queue for the queue, SQLite and JSON for the rest."""

import hashlib
import json
import pickle
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import persistqueue

ENQUEUED_AT = 1_741_000_000.5

_DEAD_LETTERS = """
    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT, job_id INTEGER, scene_id INTEGER, job_data BLOB,
        error_type TEXT, error_message TEXT, stack_trace TEXT, retry_count INTEGER,
        failed_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
    )
"""


@dataclass(frozen=True)
class Peer:
    """The data folder of one installation."""

    data: Path

    @contextmanager
    def queue(self, *, auto_resume: bool = False) -> Iterator[persistqueue.SQLiteAckQueue]:
        """Open the queue as Stash2Plex does."""
        queue = persistqueue.SQLiteAckQueue(
            str(self.data / "queue"), auto_commit=True, multithreading=True, auto_resume=auto_resume
        )
        try:
            yield queue
        finally:
            queue.close()

    def put(self, *jobs: object) -> None:
        with self.queue() as queue:
            for job in jobs:
                queue.put(job)

    def put_raw(self, raw: object, status: int | None = 1) -> None:
        """Put a row with any content into the queue's table."""
        with self.queue():
            pass
        self.execute(
            "queue/data.db", "INSERT INTO ack_queue_default (data, timestamp, status) VALUES (?, 1, ?)", raw, status
        )

    def bury(
        self,
        scene_id: int | None,
        error_type: str | None = "PlexPermanentError",
        message: object = "Bad request to Plex: no",
        *,
        retry_count: int = 0,
        failed_at: str | None = "2025-03-03 10:00:00",
        raw: object = None,
    ) -> None:
        """Write a dead letter."""
        self.data.mkdir(parents=True, exist_ok=True)
        data = pickle.dumps(a_job(scene_id or 1)) if raw is None else raw
        with closing(sqlite3.connect(self.data / "dlq.db")) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_schema").fetchall():
                connection.execute(_DEAD_LETTERS)
            connection.execute(
                "INSERT INTO dead_letters"
                " (job_id, scene_id, job_data, error_type, error_message, stack_trace, retry_count, failed_at)"
                " VALUES (1, ?, ?, ?, ?, 'Traceback', ?, ?)",
                (scene_id, data, error_type, message, retry_count, failed_at),
            )
            connection.commit()

    def execute(self, name: str, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.data / name)) as connection:
            connection.execute(statement, values)
            connection.commit()

    def write(self, name: str, content: object) -> Path:
        """Write a file of the data folder; what is no text becomes JSON."""
        self.data.mkdir(parents=True, exist_ok=True)
        path = self.data / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def digest(self) -> Mapping[str, str]:
        """Return what is in the folder, byte by byte."""
        return {
            str(path.relative_to(self.data)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.data.rglob("*"))
            if path.is_file()
        }


def a_job(scene_id: object, **more: Any) -> dict[str, object]:
    """Return a job as Stash2Plex puts it, with retry metadata where that is given."""
    return {
        "job_id": 7,
        "scene_id": scene_id,
        "update_type": "metadata",
        "data": {"title": "Tïtle", "performers": ["Ann"], "rating100": None, "path": "/data/a.mp4"},
        "enqueued_at": ENQUEUED_AT,
        "job_key": f"scene_{scene_id}",
        **more,
    }
