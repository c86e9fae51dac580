"""I11: an entry that kills its process each time is buried, and comes back only when somebody asks for it.

A death in the pass counts against the scenes that the dead one held for the item; whoever asks gives new tries.
"""

from collections import Counter
from dataclasses import dataclass, field

from simulation.account import Account
from simulation.asking import Asking
from simulation.books import Books
from simulation.life import Life

SPARED = 3
"""Deaths beyond the tries of an entry: the first one, and those in leases with others, which bury none."""


@dataclass
class Poison:
    """The file that kills whoever writes to its item. Shape: `kills` are those since a pass was last survived."""

    books: Books
    asking: Asking
    account: Account
    limit: int
    kills: Counter[int] = field(default_factory=Counter)
    asked: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.books.on_survived = self.survived

    def killed(self, life: Life, scenes: set[int]) -> None:
        """Note a death, and that there are not too many."""
        for row in [self.books.rows[scene] for scene in scenes if scene in self.books.rows]:
            lease = self.books.lease(row)
            if lease is None or lease.life is not life:
                continue
            self.kills[row.scene] += 1
            asked = self.asking.marks.count(row.scene) - self.asked.get(row.scene, 0)
            if self.kills[row.scene] > (self.limit + SPARED) * (asked + 1):
                what = f"scene {row.scene} killed {self.kills[row.scene]} processes, asked for {asked} times"
                self.account.violate("I11", what)

    def survived(self, scene: int) -> None:
        """Count anew once a pass over a scene has ended otherwise than by a death."""
        del self.kills[scene]
        waiting = sum(number == scene for number, _ in self.asking.spooled.values())
        self.asked[scene] = self.asking.marks.count(scene) - waiting
