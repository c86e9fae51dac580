"""Why something may have to be written: what people did, what became of an item, which faults struck it.

A repair without any reason means that a bug is hidden by the read-back or by the sweep: it fails the run. Everybody who
changes the world says so here; nobody reads it to decide anything but that.
"""

from collections.abc import Iterable

from simulation.account import Account
from simulation.books import Lease
from simulation.life import Life


class Reasons:
    """Per scene and item, the number of the line of the account at which something happened."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._disturbed_at: dict[int, int] = {}
        self._struck_at: dict[int, int] = {}
        self._in_step_at: dict[tuple[int, str], int] = {}
        self._all_at = 0
        self.repairs = 0

    def disturb(self, scenes: Iterable[int]) -> None:
        """Say that scenes or what Plex shows of them changed otherwise than by their holder."""
        self._disturbed_at.update(dict.fromkeys(scenes, self._account.lines + 1))

    def disturb_all(self) -> None:
        """Say that anything may have changed."""
        self._all_at = self._account.lines + 1

    def strike(self, scenes: Iterable[int]) -> None:
        """Say that a fault was injected into a request about these scenes."""
        self._struck_at.update(dict.fromkeys(scenes, self._account.lines + 1))

    def settle(self, scene: int, keys: Iterable[str], lease: Lease) -> None:
        """Say that a scene was settled as in step with these items: as they were at some time during the lease."""
        for key in keys:
            self._in_step_at[scene, key] = lease.at_line

    def check_write(self, scene: int, key: str, text: str) -> None:
        """Let nobody write to an item that was in step and that nobody has disturbed since."""
        in_step_at = self._in_step_at.get((scene, key))
        if in_step_at is None or max(self._disturbed_at.get(scene, 0), self._all_at) >= in_step_at:
            return
        self._account.violate("repair", f"scene {scene} was in step with item {key}, nothing happened, and now: {text}")

    def check_not_taken(self, life: Life, scene: int, lease: Lease) -> None:
        """Let no read-back show another value than the one written, unless a fault or a person is the reason."""
        self.repairs += 1
        since = max(self._struck_at.get(scene, 0), self._disturbed_at.get(scene, 0), self._all_at)
        if since >= lease.at_line:
            self._account.reach("a repair by read-back, explained")
            return
        self._account.violate(
            "repair", f"{life.name}: a write for scene {scene} was not taken, and no fault explains it"
        )
