"""What a mutation did, and what plugins get to hear of it.

Values only: `mutation` and the jobs hand them from the editing to the hooks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stashplex.sim.stash.model import Scene


@dataclass(slots=True, frozen=True)
class HookEvent:
    """Something that plugins may listen to. Shape: `fields` None means that the key is left out."""

    trigger: str
    id: int
    input: Any = None
    fields: tuple[str, ...] | None = None


@dataclass(slots=True)
class Change:
    """What a mutation did: the events to fire, then the answer, which is read after the hooks ran."""

    answer: Callable[[], Any]
    events: list[HookEvent] = field(default_factory=list)


def destroy_input(scene: Scene, which: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a destroy input as a hook sees it."""
    file = scene.files[0] if scene.files else None
    return {
        **which,
        "delete_file": given.get("delete_file"),
        "delete_generated": given.get("delete_generated"),
        "checksum": (file.fingerprint_of("md5") or "") if file else "",
        "oshash": file.oshash if file else "",
        "path": file.path if file else "",
    }
