"""The simulated server's own log, and the feeds that carry news to subscribers.

Entries are kept for tests and the `logs` query; a feed hands every piece of news to whoever listens at that moment
and forgets it, and a slow listener loses some.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from stashplex.sim.stash.timetext import Stamper

LEVELS = {"t": "Trace", "d": "Debug", "i": "Info", "w": "Warning", "e": "Error", "p": "Progress"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    time: str
    level: str
    message: str


class Feed:
    """News for subscribers."""

    def __init__(self) -> None:
        self._listeners: list[MemoryObjectSendStream[Any]] = []

    def publish(self, news: Any) -> None:
        """Hand news to all listeners; who is behind by a hundred loses it."""
        for listener in list(self._listeners):
            try:
                listener.send_nowait(news)
            except anyio.WouldBlock:
                continue

    @contextmanager
    def listening(self) -> Iterator[MemoryObjectReceiveStream[Any]]:
        """Listen until the block ends."""
        send, receive = anyio.create_memory_object_stream[Any](100)
        self._listeners.append(send)
        try:
            yield receive
        finally:
            self._listeners.remove(send)
            send.close()
            receive.close()


class Log:
    """The last thousand lines."""

    def __init__(self, stamper: Stamper) -> None:
        self.entries: deque[Entry] = deque(maxlen=1000)
        self.feed = Feed()
        self._stamper = stamper

    def write(self, level: str, message: str) -> None:
        """Add a line. Shape: `level` is one of the values of LEVELS."""
        entry = Entry(self._stamper.precise(self._stamper.clock.now()), level, message)
        self.entries.append(entry)
        self.feed.publish([entry])

    def messages(self, level: str | None = None) -> list[str]:
        """Return the messages, oldest first."""
        return [entry.message for entry in self.entries if level in (None, entry.level)]
