"""What Stash tells by itself: that a scan or another job has ended. Source: stash-wire.md 5.9.

Hints only: news are throttled and lost under load. The invariant: whatever else comes over the line is passed over.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec

from stashplex.base.feed import Call, Feed, FeedFailed

PROTOCOL = "graphql-transport-ws"
_SUBSCRIPTIONS = {
    "scans": "subscription { scanCompleteSubscribe }",
    "jobs": "subscription { jobsSubscribe { type job { id status } } }",
}


class _Message(msgspec.Struct):
    type: str = ""
    payload: Any = None


async def iter_endings(feed: Feed, base_url: str, headers: Mapping[str, str]) -> AsyncGenerator[None]:
    """Yield once the line is open, and then whenever something has ended in Stash. Raises: FeedFailed."""
    async with feed.open(Call(f"{base_url}/graphql", headers, (PROTOCOL,))) as line:
        await line.send(_told("connection_init"))
        while _read(await line.receive()).type != "connection_ack":
            pass
        for number, document in _SUBSCRIPTIONS.items():
            await line.send(_told("subscribe", number, {"query": document}))
        yield
        while True:
            message = _read(await line.receive())
            if message.type == "ping":
                await line.send(_told("pong"))
            elif message.type == "error":
                raise FeedFailed("Stash does not know what was subscribed to")
            elif message.type == "next" and _is_ending(message.payload):
                yield


def _told(kind: str, number: str = "", payload: object = None) -> str:
    message: dict[str, object] = {"type": kind}
    if number:
        message |= {"id": number, "payload": payload}
    return msgspec.json.encode(message).decode()


def _read(text: str) -> _Message:
    try:
        return msgspec.json.decode(text, type=_Message)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return _Message()


def _is_ending(payload: object) -> bool:
    """Tell whether news say that a scan, a clean or a job has ended."""
    data = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(data, dict):
        return False
    job = data.get("jobsSubscribe")
    return data.get("scanCompleteSubscribe") is True or (isinstance(job, dict) and job.get("type") == "REMOVE")
