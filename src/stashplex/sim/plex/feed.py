"""Notifications: the frames that open sockets receive, and a bounded record of them for tests.

A frame is sent once and never again: who was not connected missed it. Publishing never waits; a listener
that does not read loses frames.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from stashplex.sim.plex.switches import IdStyle, Switches

LIBRARY = "com.plexapp.plugins.library"
BUFFER = 10_000

Frame = dict[str, Any]


@dataclass(slots=True, eq=False)
class Listener:
    """One open socket. Shape: an empty frame on `frames` means only "look at the agenda again"."""

    sender: MemoryObjectSendStream[bytes]
    frames: MemoryObjectReceiveStream[bytes]
    types: frozenset[str] | None
    is_dropped: bool = False


@dataclass(slots=True, eq=False)
class Feed:
    """All listeners, and the newest frames."""

    switches: Switches
    rng: random.Random
    frames: deque[Frame] = field(default_factory=lambda: deque(maxlen=10_000))
    listeners: list[Listener] = field(default_factory=list)

    def open(self, types: frozenset[str] | None) -> Listener:
        """Connect a listener to these types of frames, None for all."""
        sender, frames = anyio.create_memory_object_stream[bytes](BUFFER)
        listener = Listener(sender, frames, types)
        self.listeners.append(listener)
        return listener

    def close(self, listener: Listener) -> None:
        """Forget a listener."""
        if listener in self.listeners:
            self.listeners.remove(listener)
        listener.sender.close()
        listener.frames.close()

    def drop_all(self) -> None:
        """Cut every socket without a word."""
        for listener in self.listeners:
            listener.is_dropped = True
        self.wake()

    def wake(self) -> None:
        """Make every socket look at the agenda again."""
        for listener in self.listeners:
            self._send(listener, b"")

    def publish(self, type_: str, array: str, entry: Frame) -> None:
        """Tell everyone who listens now."""
        frame = {"NotificationContainer": {"type": type_, "size": 1, array: [entry]}}
        self.frames.append(frame)
        if self.switches.mute_notifications or not self.listeners:
            return
        encoded = msgspec.json.encode(frame)
        for listener in self.listeners:
            if listener.types is None or type_ in listener.types:
                self._send(listener, encoded)

    def publish_timeline(self, item: Frame, state: int, *, metadata_state: str = "", updated_at: int) -> None:
        """Tell that an item reached a state: 0 created, 1 to 4 under way, 5 done, 9 deleted."""
        entry: Frame = {
            "identifier": LIBRARY,
            "sectionID": self._spell(item["sectionID"]),
            "itemID": self._spell(item["itemID"]),
            "type": item["type"],
            "title": item["title"],
            "state": state,
            "updatedAt": updated_at,
        }
        if metadata_state:
            entry["metadataState"] = metadata_state
        self.publish("timeline", "TimelineEntry", entry)

    def _spell(self, number: int) -> int | str:
        match self.switches.notification_ids:
            case IdStyle.INT:
                return number
            case IdStyle.STR:
                return str(number)
            case IdStyle.RANDOM:
                return str(number) if self.rng.getrandbits(1) else number

    @staticmethod
    def _send(listener: Listener, frame: bytes) -> None:
        try:
            listener.sender.send_nowait(frame)
        except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
            listener.is_dropped = True
