"""What an event of Stash, or a request of a person, means for the scenes.

Pure: the spool's files are decoded by `engine.spooling`, scenes are looked up by `engine.errands`. The table of all
triggers is in docs/explanation/what-reaches-plex.md.
The invariant: what may concern a scene is never taken for nothing; an unknown trigger of a known kind is a change.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from stashplex.domain.inputs import is_change
from stashplex.domain.scene import SceneId

LONGEST_HOURS = 24 * 366 * 20

_TRIGGER = re.compile(r"([A-Z][A-Za-z]{0,39})\.([A-Z][A-Za-z]{0,39})\.Post")
_LARGEST_ID = 2**63 - 1


class Kind(StrEnum):
    """What scenes refer to. The value of each member is Stash's name in triggers."""

    PERFORMER = "Performer"
    STUDIO = "Studio"
    TAG = "Tag"
    GROUP = "Group"


class Wish(StrEnum):
    """What a person may ask for. The value of each member follows `Request.` in the event."""

    SYNC_ALL = "sync_all"
    SYNC_RECENT = "sync_recent"
    REPUSH_ALL = "repush_all"
    SYNC_MISSING = "sync_missing"
    REBUILD_INDEX = "rebuild_index"
    SYNC_SCENE = "sync_scene"


@dataclass(frozen=True, slots=True)
class OfScene:
    """One scene may differ. `is_asked_for` tells that a person waits for it."""

    scene_id: SceneId
    is_asked_for: bool = False


@dataclass(frozen=True, slots=True)
class OfEntity:
    """All scenes of one performer, studio (and those below it), tag (and those below it) or group may differ."""

    kind: Kind
    id: int


@dataclass(frozen=True, slots=True)
class OfAnybody:
    """Any scene may differ: something is gone, and Stash does not tell whose it was."""


@dataclass(frozen=True, slots=True)
class OfNobody:
    """No scene differs. `is_known` tells that this was decided, and is not for want of knowing better."""

    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """A person asks for something that concerns many scenes. `period` is that of SYNC_RECENT."""

    wish: Wish
    period: timedelta = timedelta()


Meaning = OfScene | OfEntity | OfAnybody | OfNobody | Asked
Errand = OfEntity | OfAnybody | Asked
"""What cannot be marked before Stash was asked which scenes there are."""

KINDS: Mapping[str, Kind] = {kind.value: kind for kind in Kind} | {"Movie": Kind.GROUP}
"""Stash's names. `Movie` is the old one of `Group`: for one change both fire, and mean the same."""

UNRELATED = frozenset({"Gallery", "GalleryChapter", "SceneMarker", "Image"})
"""Nothing that Plex shows comes from these."""


def meaning_of(
    trigger: str,
    number: int,
    fields: Collection[str] = (),
    arguments: Mapping[str, object] | None = None,
    wanted: Collection[str] = (),
) -> Meaning | None:
    """Return what an event means, None when it is none: not spelled like one, or about nothing.

    `wanted` are the inputs that matter because of a setting, see `is_change`.
    """
    if trigger.startswith("Request."):
        return _asked(trigger.removeprefix("Request."), number, arguments or {})
    parts = _TRIGGER.fullmatch(trigger)
    if parts is None or not 0 < number <= _LARGEST_ID:
        return None
    name, what = parts.groups()
    kind = KINDS.get(name)
    if name == "Scene":
        is_work = what != "Update" or is_change(name, fields, wanted)
        return OfScene(SceneId(number)) if is_work else OfNobody()
    if kind is None:
        return OfNobody(is_known=name in UNRELATED)
    if what == "Destroy":
        return OfAnybody()
    is_work = what != "Update" or is_change(kind.value, fields, wanted)
    return OfEntity(kind, number) if is_work else OfNobody()


def _asked(name: str, number: int, arguments: Mapping[str, object]) -> Meaning | None:
    try:
        wish = Wish(name)
    except ValueError:
        return None
    if wish is Wish.SYNC_SCENE:
        return OfScene(SceneId(number), is_asked_for=True) if 0 < number <= _LARGEST_ID else None
    if wish is not Wish.SYNC_RECENT:
        return Asked(wish)
    hours = arguments.get("hours")
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not math.isfinite(hours) or hours <= 0:
        return None
    return Asked(wish, timedelta(hours=min(float(hours), LONGEST_HOURS)))
