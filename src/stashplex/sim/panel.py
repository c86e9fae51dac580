"""What the panels of the two simulated servers offer, and one number for the end state of Plex.

Not a client: it looks at the servers from inside. Invariant: the digest depends on what a viewer sees and on locks,
not on ids, times or the order of writes, so two runs that end alike have the same.
"""

from collections.abc import Mapping
from dataclasses import fields
from hashlib import sha256
from typing import Any

import msgspec

from stashplex.sim.control import ChangeRefused, Panel, check_changes
from stashplex.sim.plex.app import PlexSim
from stashplex.sim.plex.item import Collection, Item
from stashplex.sim.stash.app import StashSim

MAINTENANCE = "maintenance"
_ENCODER = msgspec.json.Encoder(order="deterministic")


def plex_panel(sim: PlexSim) -> Panel:
    """Return the panel of a Plex. Shape: changes are switches by name, and `maintenance` as a boolean."""

    def counts() -> dict[str, int]:
        return {**{str(kind): count for kind, count in sim.counts.items()}, "unscoped_edits": sim.unscoped_edits}

    def turn(changes: Mapping[str, Any]) -> None:
        rest = dict(changes)
        wanted = rest.pop(MAINTENANCE, None)
        if wanted is not None and not isinstance(wanted, bool):
            raise ChangeRefused(f"{MAINTENANCE}: Expected `bool`")
        _turn(sim.switches, rest)
        if wanted is True:
            sim.start_maintenance()
        elif wanted is False:
            sim.end_maintenance()

    return Panel("plex", counts, sim.forget_requests, turn, lambda: digest_of(sim))


def stash_panel(sim: StashSim) -> Panel:
    """Return the panel of a Stash. Shape: changes are switches by name."""

    def counts() -> dict[str, int]:
        return {field.name: getattr(sim.counts, field.name) for field in fields(sim.counts)}

    def reset_counts() -> None:
        for field in fields(sim.counts):
            setattr(sim.counts, field.name, 0)
        sim.requests.clear()

    return Panel("stash", counts, reset_counts, lambda changes: _turn(sim.switches, changes))


def digest_of(sim: PlexSim) -> str:
    """Return a hash over the values of all items and collections. Units: 100,000 items take a third of a second."""
    total = sha256()
    for section in sim.world.sections.values():
        lines = sorted(_ENCODER.encode(_item_values(item)) for item in section.items.values())
        lines += sorted(_ENCODER.encode(_collection_values(each)) for each in section.collections.values())
        total.update(b"\n".join((section.title.encode(), *lines)))
    return total.hexdigest()


def _turn(switches: Any, changes: Mapping[str, Any]) -> None:
    for name, value in check_changes(switches, changes).items():
        setattr(switches, name, value)


def _item_values(item: Item) -> list[Any]:
    return [
        [file.path for file in item.files],
        item.fields,
        {kind: [(tagging.tag.text, tagging.role) for tagging in taggings] for kind, taggings in item.tags.items()},
        sorted(item.locks),
        {kind: gallery.selected for kind, gallery in item.galleries.items()},
        item.deleted_at is not None,
    ]


def _collection_values(collection: Collection) -> list[Any]:
    members = sorted(member.files[0].path if member.files else member.title for member in collection.members.values())
    return [collection.title, members, *_item_values(collection)]
