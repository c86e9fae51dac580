"""What Plex tells by itself: that an item has come. Source: plex-wire.md 7.4.

Hints only: nothing is replayed. Our own edits are told too, as items that were processed; only what was created counts.
The invariant: whatever else comes over the line is passed over.
"""

from collections.abc import AsyncGenerator, Mapping

import msgspec

from stashplex.base.feed import Call, Feed

PATH = "/:/websockets/notifications?filters=timeline"
_CREATED = 0
_MOVIE = 1


class _Timeline(msgspec.Struct):
    state: int | str = -1
    type: int | str = -1
    metadata_state: str = msgspec.field(name="metadataState", default="")


class _Container(msgspec.Struct):
    entries: list[_Timeline] = msgspec.field(name="TimelineEntry", default_factory=list)


class _Frame(msgspec.Struct):
    container: _Container = msgspec.field(name="NotificationContainer", default_factory=_Container)


async def iter_arrivals(feed: Feed, base_url: str, headers: Mapping[str, str]) -> AsyncGenerator[None]:
    """Yield once the line is open, and then whenever a film has come. Raises: FeedFailed."""
    async with feed.open(Call(f"{base_url}{PATH}", headers)) as line:
        yield
        while True:
            if _tells_of_arrival(await line.receive()):
                yield


def _tells_of_arrival(text: str) -> bool:
    try:
        frame = msgspec.json.decode(text, type=_Frame)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return any(
        str(entry.type) == str(_MOVIE) and (str(entry.state) == str(_CREATED) or entry.metadata_state == "created")
        for entry in frame.container.entries
    )
