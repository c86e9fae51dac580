"""How people ask for a sync: events that hooks leave in the spool, and a `sync` by hand from another process.

It also knows what was asked for, so that an event that disappears without its mark is noticed (I12).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from simulation.account import Account
from simulation.books import EPOCH, Books
from simulation.life import Life, WatchedDatabase
from simulation.virtual import VirtualClock
from stashplex.app import open_store
from stashplex.domain.entry import PlexId, Priority
from stashplex.domain.scene import SceneId

SPOOL = "spool"


@dataclass
class Asking:
    """Everybody who asks. Shape: `marks` holds a scene once for each time that it was asked for."""

    books: Books
    account: Account
    clock: VirtualClock
    data_dir: Path
    events: int = 0
    by_hand: int = 0
    spooled: dict[str, tuple[int, int]] = field(default_factory=dict)
    marks: list[int] = field(default_factory=list)

    def mark(self, number: int) -> None:
        """Leave an event in the spool, as the hook does."""
        self.events += 1
        self._note([number])
        folder = self.data_dir / SPOOL
        folder.mkdir(exist_ok=True)
        micros = (self.clock.now() - EPOCH) // timedelta(microseconds=1)
        event = {"type": "Scene.Update.Post", "id": number, "at": self.clock.now().isoformat(), "fields": []}
        name = f"{micros:016d}-{self.events:08d}.json"
        row = self.books.rows.get(number)
        self.spooled[name] = (number, row.generation if row else 0)
        (folder / name).write_text(json.dumps(event), encoding="utf-8")

    def sync(self, numbers: Sequence[int]) -> None:
        """Mark scenes as a person's `sync` does: by another process, and behind what was just edited."""
        if not self.books.rows:
            return
        self.by_hand += 1
        self.account.note(f"people: sync of {numbers}")
        self._note(numbers)
        with open_store(self.data_dir) as store:
            life = Life(f"h{self.by_hand}", -1, lambda *_: False, on_commit=self.books.look)
            WatchedDatabase.of(store.database, life)
            store.ledger.mark(PlexId(1), map(SceneId, numbers), now=self.clock.now(), priority=Priority.BULK)

    def is_asked_for(self, number: int) -> bool:
        """Tell whether an event of a scene may still be in the spool."""
        return any(one[0] == number for one in self.spooled.values())

    def is_unheard(self) -> bool:
        """Tell whether an event is still in the spool: a scene that was just edited often is let rest a while."""
        return any((self.data_dir / SPOOL).glob("*.json"))

    def check_spool(self) -> None:
        """I12: an event disappears only when its mark is durable, or when a later one of its scene is there."""
        left = {path.name for path in (self.data_dir / SPOOL).glob("*.json")}
        latest = {self.spooled[name][0]: name for name in sorted(left & self.spooled.keys())}
        for name, (number, generation) in list(self.spooled.items()):
            if name <= latest.get(number, ""):
                continue
            del self.spooled[name]
            row = self.books.rows.get(number)
            if row is None or row.generation <= generation:
                self.account.violate("I12", f"the event {name} of scene {number} is gone without a mark: {row}")

    def _note(self, numbers: Sequence[int]) -> None:
        self.marks += numbers
        self.books.marked.update(numbers)
