"""What becomes of the rows that Stash2Plex left: which scenes wait, which are dead letters, which are looked at once.

Pure: it is handed what `store.stash2plex` read and returns what `Ledger.adopt` takes. The rules and their reasons stand
in docs/how-to/move-from-stash2plex.md. A wrong guess costs one look at a scene, as values are read when they are
written; so whatever another look may settle is looked at, and only what needs a person stays dead.
Invariant: each scene is adopted once, whatever number of rows speak of it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from stashplex.domain.entry import State, Transition
from stashplex.domain.retry import rule_for
from stashplex.domain.scene import SceneId
from stashplex.store.ledger import Adoption
from stashplex.store.stash2plex import DeadLetter, Installation, Job

MAX_MESSAGE_CHARS = 1_000

_OUTAGES = frozenset(
    {"PlexServerDown", "PlexTemporaryError", "TransientError", "ConnectionError", "ConnectTimeout", "ReadTimeout"}
    | {"Timeout", "TimeoutError", "ConnectionRefusedError", "ConnectionResetError", "ChunkedEncodingError", "OSError"}
)
"""Stash2Plex's words for a server that failed; a connection, a time limit, a 5xx, a library that was not listed."""

_NOT_FOUND = "PlexNotFound"
_UNDECIDED = "low confidence match"
_OF_THE_SERVER = ("none of the configured libraries", "authentication failed", "unauthorized", "(401)", "(403)")
_OF_THE_JOB = ("missing file path",)

_SECRET = re.compile(r"(?i)(x-plex-token|api_?key|token|password|session)([\"']?\s*[=:]\s*[\"']?|%3d)[^\s&\"',;)\]}]+")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_MASK = "***"


class Fate(StrEnum):
    """What a scene becomes."""

    WAITING = "waiting"
    RETRIED = "retried"
    DEAD = "dead"
    COMPARED = "compared"


@dataclass(frozen=True, slots=True)
class Takeover:
    """What is to be adopted. Shape: `fates` counts every fate, the sum is the number of adoptions."""

    adoptions: tuple[Adoption, ...]
    fates: Mapping[Fate, int]


def decide(found: Installation, now: datetime) -> Takeover:
    """Return what becomes of every scene: a waiting job goes before a dead letter, that before a sync timestamp."""
    adoptions: dict[SceneId, Adoption] = {}
    fates = dict.fromkeys(Fate, 0)
    for fate, adoption in _decisions(found, now):
        if adoption.scene_id not in adoptions:
            adoptions[adoption.scene_id] = adoption
            fates[fate] += 1
    return Takeover(tuple(adoptions.values()), fates)


def _decisions(found: Installation, now: datetime) -> Iterator[tuple[Fate, Adoption]]:
    jobs: dict[SceneId, list[Job]] = defaultdict(list)
    for job in found.jobs:
        jobs[job.scene_id].append(job)
    letters: dict[SceneId, list[DeadLetter]] = defaultdict(list)
    for letter in found.dead_letters:
        letters[letter.scene_id].append(letter)
    secrets = tuple(
        value for key, value in found.settings.items() if _is_secret(key) and isinstance(value, str) and len(value) > 3
    )
    for scene_id, waiting in jobs.items():
        yield Fate.WAITING, _waiting(scene_id, waiting, now)
    for scene_id, dead in letters.items():
        yield _buried(scene_id, dead, found.synced_at.get(scene_id), secrets, now)
    for scene_id in found.synced_at:
        yield Fate.COMPARED, Adoption(scene_id, _fresh(now))


def _waiting(scene_id: SceneId, jobs: Sequence[Job], now: datetime) -> Adoption:
    """Return one entry for all waiting jobs of a scene: due with the first, failed as often as the worst.

    A wait longer than our own longest is cut: it comes from a clock that was wrong.
    """
    worst = max(jobs, key=lambda job: job.retry_count)
    rule = rule_for(worst.last_error_type)
    latest = now + timedelta(seconds=rule.cap_s)
    due_at = min(min(max(job.next_retry_at or now, now), latest) for job in jobs)
    kind = clean(worst.last_error_type or "")
    if not worst.retry_count or not kind or kind == "PlexServerDown":
        return Adoption(scene_id, Transition(State.PENDING, due_at, 0, None, None, None))
    count = min(worst.retry_count, rule.limit)
    failed_at = min(worst.stored_at or now, now)
    message = f"Stash2Plex tried it {worst.retry_count} times; it kept no message."
    return Adoption(
        scene_id, Transition(State.PENDING, due_at, count, kind, message, failed_at), f"Stash2Plex: {kind}. {message}"
    )


def _buried(
    scene_id: SceneId, letters: Sequence[DeadLetter], synced_at: datetime | None, secrets: Sequence[str], now: datetime
) -> tuple[Fate, Adoption]:
    """Return what becomes of the dead letters of one scene; the last one tells the story."""
    last = letters[-1]
    kind = clean(last.error_type) or "unknown"
    message = clean(last.message, secrets) or "no message"
    failed = [min(letter.failed_at, now) for letter in letters if letter.failed_at is not None]
    story = f"Stash2Plex gave up after {last.retry_count} retries: {kind}: {message}"
    if synced_at is not None and failed and synced_at >= max(failed):
        return Fate.COMPARED, Adoption(scene_id, _fresh(now), f"{story} (it was synced since)")
    if may_settle_itself(last):
        return Fate.RETRIED, Adoption(scene_id, _fresh(now), story)
    count = min(last.retry_count, rule_for(kind).limit)
    dead = Transition(State.DEAD, None, count, kind, message, min(failed, default=now))
    return Fate.DEAD, Adoption(scene_id, dead, story)


def may_settle_itself(letter: DeadLetter) -> bool:
    """Tell whether another look may settle a dead letter: a server failed, or the file was not in Plex yet.

    An undecided match, a request that Plex refused and whatever is unknown need a person.
    """
    message = letter.message.lower()
    if _UNDECIDED in message:
        return False
    if letter.error_type in _OUTAGES or letter.error_type == _NOT_FOUND:
        return True
    return any(words in message for words in (*_OF_THE_SERVER, *_OF_THE_JOB))


def clean(text: str, secrets: Sequence[str] = ()) -> str:
    """Return a foreign text as it may be stored and shown: one line, no secrets, no control characters, clipped."""
    for secret in secrets:
        text = text.replace(secret, _MASK)
    text = _LOGIN.sub(f"{_MASK}@", _SECRET.sub(rf"\1\2{_MASK}", text))
    text = _CONTROL.sub(" ", text).strip()
    return text if len(text) <= MAX_MESSAGE_CHARS else text[: MAX_MESSAGE_CHARS - 1] + "…"


def _is_secret(key: str) -> bool:
    return any(word in key.lower() for word in ("token", "key", "cookie", "password"))


def _fresh(now: datetime) -> Transition:
    return Transition(State.PENDING, now, 0, None, None, None)
