"""What must be written to one item of a scene: a value that planners make and the worker carries out."""

from dataclasses import dataclass

from stashplex.domain.document import Base, Document
from stashplex.domain.item import Item
from stashplex.domain.journal import JournalEvent
from stashplex.domain.matching import Match
from stashplex.domain.plan import Plan
from stashplex.engine.posters import PosterWay


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """One item of a scene: how it was matched, what it shows, what must be written.

    `base` is what is ours so far, `intent` what may be once the write was begun; `poster` is what is to be done about
    the poster.
    """

    match: Match
    item: Item
    plan: Plan
    base: Base | None
    intent: Document
    poster: PosterWay = PosterWay.BRING


@dataclass(frozen=True, slots=True)
class FarewellPlan:
    """What must be written because a person asked for it, or because the scene is gone; not what Stash says.

    Shape: with `lets_go` nothing of the scene is linked afterwards; `event` is for the journal, with `refused`, the
    values that could not be put back; `is_wish` tells that a person asked.
    """

    items: tuple[ItemPlan, ...]
    event: JournalEvent
    lets_go: bool = False
    refused: tuple[str, ...] = ()
    is_wish: bool = True
