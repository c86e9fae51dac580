"""What happened in one run: the log that must be the same for the same seed, the states that were reached, the verdict.

Every part of the simulation writes here and nobody reads it to decide anything. A violation ends the run at once.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable

TAIL = 60
SECRETS = ("plex-token", "stash-key")


class Violation(AssertionError):  # noqa: N818 - it names what was found
    """An invariant does not hold. Shape: `invariant` is its number or a short name."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


class Account:
    """The account of one run."""

    def __init__(self, time_s: Callable[[], float]) -> None:
        self._time_s = time_s
        self._digest = hashlib.sha256()
        self.lines = 0
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.everything: list[str] | None = None
        self.reached: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.on_violation: Callable[[], None] = lambda: None

    def note(self, line: str) -> None:
        """Write one line."""
        text = f"{self._time_s():12.3f} {line}"
        self._digest.update(text.encode())
        self.lines += 1
        self.tail.append(text)
        if self.everything is not None:
            self.everything.append(text)

    def reach(self, state: str) -> None:
        """Count a state that a set of runs must reach."""
        self.reached[state] += 1

    def violate(self, invariant: str, what: str) -> None:
        """Record a violation and end the run; the checker goes on, so that nothing of ours hides it."""
        if len(self.violations) < 5:
            self.violations.append(Violation(invariant, what))
            self.note(f"VIOLATION {invariant}: {what}")
        self.on_violation()

    def keep_secrets(self, where: str, text: str | None) -> None:
        """I14: no secret in anything that is kept or told."""
        if text and any(secret in text for secret in SECRETS):
            self.violate("I14", f"a secret in {where}: {text[:300]}")

    @property
    def digest(self) -> str:
        """A hash over all lines."""
        return self._digest.hexdigest()
