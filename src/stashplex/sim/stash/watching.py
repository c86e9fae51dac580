"""Plays, O's and activity: what watching leaves behind.

Nothing here fires a hook or moves `updated_at`. Histories are UTC texts, newest first; the same second may occur
twice.
"""

from collections.abc import Iterable
from typing import Any, Literal

from stashplex.sim.stash.context import Context
from stashplex.sim.stash.event import Change
from stashplex.sim.stash.timetext import parse_timestamp, utc_text

History = Literal["play_history", "o_history"]


def add(context: Context, scene_id: Any, name: History, times: Iterable[str] | None) -> Change:
    """Add times, or now; nothing is de-duplicated."""
    library = context.library
    activity = library.activity_of(library.scenes.get_known(scene_id))
    now = library.stamper.clock.now()
    new = [utc_text(parse_timestamp(text, now)) for text in times] if times else [utc_text(now)]
    setattr(activity, name, tuple(sorted((*getattr(activity, name), *new), reverse=True)))
    return _answer(activity, name)


def delete(context: Context, scene_id: Any, name: History, times: Iterable[str] | None) -> Change:
    """Remove times by their exact second, or the newest."""
    library = context.library
    activity = library.activity_of(library.scenes.get_known(scene_id))
    history = list(getattr(activity, name))
    now = library.stamper.clock.now()
    wanted = [utc_text(parse_timestamp(text, now)) for text in times] if times else history[:1]
    for text in wanted:
        if text in history:
            history.remove(text)
    setattr(activity, name, tuple(history))
    return _answer(activity, name)


def reset(context: Context, scene_id: Any, name: History) -> Change:
    """Remove all times."""
    library = context.library
    setattr(library.activity_of(library.scenes.get_known(scene_id)), name, ())
    return Change(lambda: 0)


def save(context: Context, scene_id: Any, resume_time: float | None, play_duration: float | None) -> Change:
    """Note where playing stopped, and add to how long it was played."""
    library = context.library
    activity = library.activity_of(library.scenes.get_known(scene_id))
    if resume_time is not None:
        activity.resume_time = resume_time
    activity.play_duration += play_duration or 0.0
    return Change(lambda: True)


def forget(context: Context, scene_id: Any, *, resume: bool, duration: bool) -> Change:
    """Set activity back to nothing."""
    library = context.library
    activity = library.activity_of(library.scenes.get_known(scene_id))
    if resume:
        activity.resume_time = 0.0
    if duration:
        activity.play_duration = 0.0
    return Change(lambda: True)


def _answer(activity: Any, name: History) -> Change:
    return Change(lambda: {"count": len(getattr(activity, name)), "history": getattr(activity, name)})
