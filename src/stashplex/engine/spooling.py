"""Folds the spool into the ledger: each event file becomes a mark, and is removed when the mark is durable.

It reads what hooks wrote; `domain.event` says what that means. What cannot be marked before Stash was asked waits here,
its files on disk, until `errands` has done it. The invariants: a file disappears only after its mark was committed, or
because a newer file says the same; one that cannot be understood is set aside with the reason; nothing that waits
stands in the way of the events of single scenes.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

import msgspec
import structlog
from anyio.lowlevel import checkpoint

from stashplex.base.clock import Clock
from stashplex.domain.entry import PlexId, Priority
from stashplex.domain.event import Errand, Meaning, OfNobody, OfScene, meaning_of
from stashplex.domain.scene import SceneId
from stashplex.engine.calm import Calm
from stashplex.store import spool
from stashplex.store.ledger import Ledger

logger = structlog.get_logger()

LARGEST_BYTES = 64 * 1024
"""An event is some hundred bytes; nothing that large was written by the hook."""

BATCH = 150
"""Files folded without a pause: some 20 to 40 ms."""

LISTED = 5_000
"""Names kept of one look into the directory: the rest has its turn in the next one."""

MOST_ERRANDS = 50_000
"""Different errands that wait in memory; more are left on disk for a while."""

LEFT_S = 60.0
"""How long a file is left alone that could neither be read nor set aside: a disk may recover, a person may help."""


class _Event(msgspec.Struct):
    """What the fold needs of an event file."""

    type: str
    id: int
    fields: list[str] = []
    args: dict[str, msgspec.Raw] = {}


@dataclass(frozen=True, slots=True)
class Waiting:
    """The newest file that says one thing, and when the first and the last such file were seen (monotonic seconds)."""

    first_s: float
    last_s: float
    name: str


class Spooling:
    """Folds one spool directory for one Plex server."""

    def __init__(
        self, directory: Path, ledger: Ledger, plex_id: PlexId, clock: Clock, wanted: Collection[str] = ()
    ) -> None:
        """`wanted` are inputs of Stash that matter because of a setting."""
        self._wanted = wanted
        self._directory = directory
        self._ledger = ledger
        self._plex_id = plex_id
        self._clock = clock
        self._left_at_s: dict[str, float] = {}
        self._scenes: dict[SceneId, Waiting] = {}
        self._errands: dict[Errand, Waiting] = {}
        self._names: set[str] = set()
        self.calm = Calm()

    def is_empty(self) -> bool:
        """Tell whether no event waits but those that are left alone."""
        return all(name in self._left_at_s for name in spool.iter_names(self._directory))

    def is_waiting(self, scene_id: SceneId) -> bool:
        """Tell whether an event of a scene waits until the scene is left alone."""
        return scene_id in self._scenes

    @property
    def has_errands(self) -> bool:
        """Anything waits until Stash was asked."""
        return bool(self._errands)

    @property
    def errands(self) -> dict[Errand, Waiting]:
        """What Stash must be asked about, in the order in which it was seen. A copy."""
        return dict(self._errands)

    async def fold(self) -> int:
        """Mark what the waiting events of scenes say; return how many scenes were marked. Raises: StoreError, OSError.

        Others get their turn every few files, so that any number of files blocks nobody.
        """
        marked = self._mark_calm()
        while names := await self._list():
            covered: set[SceneId] = set()
            for start in range(0, len(names), BATCH):
                marked += self._fold_batch(names[start : start + BATCH], covered)
                await checkpoint()
            if len(names) < LISTED:
                break
        return marked

    def done(self, errand: Errand, waiting: Waiting) -> None:
        """Remove the file of an errand whose marks are durable, unless a newer one came meanwhile."""
        self.calm.went(errand, self._clock.monotonic_s())
        if self._forget(errand, waiting):
            spool.discard(self._directory / waiting.name)

    def refuse(self, errand: Errand, waiting: Waiting, reason: str) -> None:
        """Set the file of an errand aside that nobody can do."""
        if self._forget(errand, waiting):
            self._set_aside(self._directory / waiting.name, reason)

    def _forget(self, errand: Errand, waiting: Waiting) -> bool:
        if self._errands[errand].name != waiting.name:
            return False
        del self._errands[errand]
        self._names.discard(waiting.name)
        return True

    async def _list(self) -> list[str]:
        """Return the names of the oldest files that were not seen before."""
        now_s = self._clock.monotonic_s()
        self._left_at_s = {name: at_s for name, at_s in self._left_at_s.items() if now_s - at_s < LEFT_S}
        names: list[str] = []
        for number, name in enumerate(spool.iter_names(self._directory)):
            if name not in self._names and name not in self._left_at_s:
                names.append(name)
            if len(names) >= 2 * LISTED:
                names = sorted(names)[:LISTED]
            if number % LISTED == LISTED - 1:
                await checkpoint()
        return sorted(names)[:LISTED]

    def _fold_batch(self, names: list[str], covered: set[SceneId]) -> int:
        """Fold some files of one list. A scene in `covered` was marked after they were listed: its mark is theirs."""
        batch: dict[Path, SceneId] = {}
        for name in names:
            path = self._directory / name
            meaning = self._read(path)
            match meaning:
                case None:
                    pass
                case OfScene(scene_id, is_asked_for):
                    if scene_id in covered:
                        spool.discard(path)
                    elif is_asked_for or self._is_calm(scene_id):
                        batch[path] = scene_id
                    else:
                        self._scenes[scene_id] = self._newest(self._scenes.get(scene_id), name)
                case OfNobody(is_known):
                    if not is_known:
                        logger.info("event_unknown", file=name)
                    spool.discard(path)
                case _:
                    self._wait(meaning, name)
        marked = self._mark(batch)
        covered.update(batch.values())
        return marked

    def _is_calm(self, scene_id: SceneId) -> bool:
        """Tell whether the first event of a scene in this look may go at once."""
        now_s = self._clock.monotonic_s()
        return scene_id not in self._scenes and self.calm.may_go(scene_id, first_s=now_s, last_s=now_s, now_s=now_s)

    def _wait(self, errand: Errand, name: str) -> None:
        if len(self._errands) < MOST_ERRANDS or errand in self._errands:
            self._errands[errand] = self._newest(self._errands.get(errand), name)
        else:
            self._left_at_s[name] = self._clock.monotonic_s()

    def _newest(self, known: Waiting | None, name: str) -> Waiting:
        """Let a file wait in place of an older one, which goes: the newer one says the same."""
        now_s = self._clock.monotonic_s()
        self._names.add(name)
        if known is None:
            return Waiting(now_s, now_s, name)
        self._names.discard(known.name)
        spool.discard(self._directory / known.name)
        return Waiting(known.first_s, now_s, name)

    def _mark_calm(self) -> int:
        """Mark the scenes that were left alone long enough."""
        now_s = self._clock.monotonic_s()
        ready = [
            (scene_id, waiting)
            for scene_id, waiting in self._scenes.items()
            if self.calm.may_go(scene_id, first_s=waiting.first_s, last_s=waiting.last_s, now_s=now_s)
        ][:BATCH]
        marked = self._mark({self._directory / waiting.name: scene_id for scene_id, waiting in ready})
        for scene_id, waiting in ready:
            del self._scenes[scene_id]
            self._names.discard(waiting.name)
        return marked

    def _mark(self, batch: dict[Path, SceneId]) -> int:
        if not batch:
            return 0
        scenes = dict.fromkeys(batch.values())
        self._ledger.mark(self._plex_id, scenes, now=self._clock.now(), priority=Priority.INTERACTIVE)
        now_s = self._clock.monotonic_s()
        for scene_id in scenes:
            self.calm.went(scene_id, now_s)
        for path in batch:
            spool.discard(path)
        return len(scenes)

    def _read(self, path: Path) -> Meaning | None:
        """Return what an event means; set the file aside and return None if it is none that we understand."""
        try:
            return _meaning_of(path, self._wanted)
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


def _meaning_of(path: Path, wanted: Collection[str] = ()) -> Meaning:
    """Return what an event means. Raises: _NotUnderstood, OSError."""
    status = path.lstat()
    if not S_ISREG(status.st_mode):
        raise _NotUnderstood("not a file")
    if status.st_size > LARGEST_BYTES:
        raise _NotUnderstood(f"larger than {LARGEST_BYTES} bytes")
    try:
        event = msgspec.json.decode(path.read_bytes(), type=_Event)
        arguments = dict(_arguments(event))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _NotUnderstood(f"not an event: {error}") from error
    meaning = meaning_of(event.type, event.id, event.fields, arguments, wanted)
    if meaning is None:
        raise _NotUnderstood(f"an event of a kind that is not understood: {event.type[:100]!r}")
    return meaning


def _arguments(event: _Event) -> Iterator[tuple[str, object]]:
    for name, raw in event.args.items():
        yield name, msgspec.json.decode(raw)
