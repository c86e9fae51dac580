"""The poster of one item: fetched from Stash only when it may have changed, uploaded only when Plex lacks the bytes.

Compares stamps first (no request), then the ETag (a conditional request), then the SHA-1 of the bytes. A cover that
Stash does not have is left alone in Plex, and asked for again when the scene changes. The invariant: an unchanged cover
causes no upload and no request to Plex.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto

from stashplex.domain.document import Base, Poster
from stashplex.domain.item import Item
from stashplex.domain.policy import FirstContact, MergeRules
from stashplex.plex.client import PlexClient
from stashplex.plex.images import PosterAction, put_poster
from stashplex.stash.client import StashClient
from stashplex.stash.cover import NotModified, cover_stamp

THUMB = "thumb"
"""Plex's name for the poster and its lock."""


RACY_S = 2
"""Stash's stamps have whole seconds (stash-wire.md 5.5): one as young as this may hide a later change of the cover."""


_NOTHING = Poster("", "", "", "")
"""Remembered for a scene without a cover: no bytes of ours, and the state of the scene that had none."""


class PosterWay(Enum):
    """What is to be done about the poster of one item.

    `ADOPT` takes the cover of the scene for written; `HAND_BACK` leaves the poster and unlocks it.
    """

    BRING = auto()
    ADOPT = auto()
    LEAVE = auto()
    HAND_BACK = auto()


def poster_way(item: Item, base: Base | None, rules: MergeRules, *, has_poster: bool, is_begun: bool) -> PosterWay:
    """Return what is to be done about the poster of an item with a trusted base.

    `has_poster` tells that the poster is switched on, `is_begun` that a write may have been under way before.
    """
    if not has_poster:
        is_ours = base is not None and base.poster is not None and bool(base.poster.sha1) and THUMB in item.locked
        return PosterWay.HAND_BACK if is_ours else PosterWay.LEAVE
    if base is not None or is_begun:
        return PosterWay.BRING
    if rules.first_contact is FirstContact.ADOPT:
        return PosterWay.ADOPT
    is_careful = rules.respects_locks or rules.first_contact is FirstContact.FILL
    return PosterWay.LEAVE if is_careful and THUMB in item.locked else PosterWay.BRING


@dataclass(frozen=True, slots=True)
class PosterResult:
    """What became of the poster of one item. `poster` is what to remember; its `plex_thumb` is the one before."""

    poster: Poster | None
    is_written: bool


async def bring_poster(
    stash: StashClient,
    plex: PlexClient,
    cover_url: str | None,
    item: Item,
    known: Poster | None,
    *,
    way: PosterWay = PosterWay.BRING,
    now: datetime,
    may_send: Callable[[], None],
    before_another: Callable[[], None],
) -> PosterResult:
    """Make Plex show the cover of a scene. Raises: ServerError, EntryError, EntryRejected.

    An item whose poster is locked may hold an upload of ours that we forgot; only then is Plex asked what it has.
    `may_send` is asked again before anything is sent to Plex, as the cover may have taken its time; `before_another`
    is called before another poster than the known one is sent.
    """
    if cover_url is None or way in {PosterWay.LEAVE, PosterWay.HAND_BACK}:
        return PosterResult(known, is_written=False)
    stamp = _trusted(cover_stamp(cover_url), now)
    if known is not None and stamp and known.stash_stamp == stamp:
        return PosterResult(known, is_written=False)
    cover = await stash.cover(cover_url, etag=known.etag if known else None)
    if cover is None or isinstance(cover, NotModified):
        before = known or (_NOTHING if cover is None else None)
        return PosterResult(before and replace(before, stash_stamp=stamp), is_written=False)
    if known is not None and cover.sha1 == known.sha1:
        return PosterResult(replace(known, etag=cover.etag, stash_stamp=stamp), is_written=False)
    if way is PosterWay.ADOPT:
        return PosterResult(Poster(cover.sha1, cover.etag, stamp, item.thumb), is_written=False)
    may_send()
    is_another = known is not None and bool(known.sha1)
    if is_another:
        before_another()
    may_be_there = not is_another and THUMB in item.locked
    action = await put_poster(plex, item, cover.body, may_be_there=may_be_there, admit=may_send)
    poster = Poster(cover.sha1, cover.etag, stamp, item.thumb)
    return PosterResult(poster, is_written=action is not PosterAction.PRESENT)


def _trusted(stamp: str, now: datetime) -> str:
    """Return a stamp that can be compared later, or `""` if it is too young: then the ETag is asked next time."""
    is_old = stamp.isascii() and stamp.isdigit() and int(stamp) < now.timestamp() - RACY_S
    return stamp if is_old else ""
