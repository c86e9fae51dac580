"""A bell between the parts of the service: somebody rings, the one who sleeps wakes.

Within one process; what other processes do is looked for by the sleeper itself. The invariant: a ring between two
sleeps ends the next sleep at once, so no wake-up is lost.
"""

import anyio


class Wakeup:
    """One bell with one sleeper."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self) -> None:
        """Wake the sleeper, or keep it from falling asleep."""
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Sleep until the bell rings, at most `timeout_s` seconds; tell whether it rang."""
        with anyio.move_on_after(max(timeout_s, 0.0)):
            await self._event.wait()
        is_rung = self._event.is_set()
        if is_rung:
            self._event = anyio.Event()
        return is_rung
