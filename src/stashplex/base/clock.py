"""Time, as the rest of the program sees it.

The one module that asks the operating system what time it is. The engine is handed a `Clock`; the domain
takes `now` as an argument. Wall time only for what is stored, monotonic seconds only for durations.
"""

import time
from datetime import UTC, datetime
from typing import Protocol

from typing_extensions import override


class Clock(Protocol):
    """What the engine asks for time."""

    def now(self) -> datetime:
        """Return the wall time, aware and in UTC."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back. Only differences mean anything."""


class SystemClock(Clock):
    """The operating system's clock."""

    @override
    def now(self) -> datetime:
        return datetime.now(UTC)

    @override
    def monotonic_s(self) -> float:
        return time.monotonic()
