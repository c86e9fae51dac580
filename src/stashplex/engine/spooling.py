"""Folds the spool into the ledger: each event file becomes a mark, and is removed when the mark is durable.

It reads what hooks wrote and decides nothing but what to mark. The invariant: a file disappears only after its mark was
committed; one that cannot be understood is set aside with the reason and never stands in the way of the others.
"""

from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG

import msgspec
import structlog

from stashplex.base.clock import Clock
from stashplex.domain.entry import PlexId, Priority
from stashplex.domain.scene import SceneId
from stashplex.store import spool
from stashplex.store.ledger import Ledger

logger = structlog.get_logger()

LARGEST_BYTES = 64 * 1024
"""An event is some hundred bytes; nothing that large was written by the hook."""

BATCH = 500

LEFT_S = 60.0
"""How long a file is left alone that could neither be read nor set aside: a disk may recover, a person may help."""

_LARGEST_ID = 2**63 - 1


class _Event(msgspec.Struct):
    """What the fold needs of an event file."""

    type: str
    id: int


class Spooling:
    """Folds one spool directory for one Plex server."""

    def __init__(self, directory: Path, ledger: Ledger, plex_id: PlexId, clock: Clock) -> None:
        self._directory = directory
        self._ledger = ledger
        self._plex_id = plex_id
        self._clock = clock
        self._left_at_s: dict[str, float] = {}

    def is_empty(self) -> bool:
        """Tell whether no event waits but those that are left alone."""
        return next(self._iter_ready(), None) is None

    def fold(self) -> int:
        """Mark what the waiting events say; return how many files were folded. Raises: StoreError."""
        folded = 0
        batch: dict[Path, SceneId] = {}
        for path in self._iter_ready():
            scene_id = self._read(path)
            if scene_id is None:
                continue
            batch[path] = scene_id
            if len(batch) == BATCH:
                folded += self._mark(batch)
                batch = {}
        return folded + self._mark(batch)

    def _mark(self, batch: dict[Path, SceneId]) -> int:
        if batch:
            scenes = dict.fromkeys(batch.values())
            self._ledger.mark(self._plex_id, scenes, now=self._clock.now(), priority=Priority.INTERACTIVE)
        for path in batch:
            spool.discard(path)
        return len(batch)

    def _iter_ready(self) -> Iterator[Path]:
        now_s = self._clock.monotonic_s()
        self._left_at_s = {name: at_s for name, at_s in self._left_at_s.items() if now_s - at_s < LEFT_S}
        return (path for path in spool.iter_ready(self._directory) if path.name not in self._left_at_s)

    def _read(self, path: Path) -> SceneId | None:
        """Return the scene of an event; set the file aside and return None if it is none that we understand."""
        try:
            return _scene_of(path)
        except _NotUnderstood as reason:
            self._set_aside(path, str(reason))
        except OSError as error:
            self._leave(path, error)
        return None

    def _set_aside(self, path: Path, reason: str) -> None:
        try:
            aside = spool.set_aside(path, reason)
        except OSError as error:
            self._leave(path, error)
        else:
            logger.warning("event_set_aside", file=aside.name, reason=reason)

    def _leave(self, path: Path, error: OSError) -> None:
        """Look at a file again later, unless it is gone: another process was faster."""
        if not isinstance(error, FileNotFoundError):
            self._left_at_s[path.name] = self._clock.monotonic_s()
            logger.warning("event_unreadable", file=path.name, error=error.strerror or type(error).__name__)


class _NotUnderstood(Exception):  # noqa: N818 - errors name the condition
    """A file is no event that we understand; the text says why."""


def _scene_of(path: Path) -> SceneId:
    """Return the scene of an event. Raises: _NotUnderstood, OSError."""
    status = path.lstat()
    if not S_ISREG(status.st_mode):
        raise _NotUnderstood("not a file")
    if status.st_size > LARGEST_BYTES:
        raise _NotUnderstood(f"larger than {LARGEST_BYTES} bytes")
    try:
        event = msgspec.json.decode(path.read_bytes(), type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _NotUnderstood(f"not an event: {error}") from error
    if not event.type.startswith("Scene.") or not 0 < event.id <= _LARGEST_ID:
        raise _NotUnderstood(f"an event of a kind that is not understood: {event.type[:100]!r}")
    return SceneId(event.id)
