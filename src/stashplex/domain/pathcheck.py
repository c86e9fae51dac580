"""Whether a path map says the same in both directions, with examples where it does not.

Told to people when they set a path map up, and as a notice when a run begins; nothing is refused here, since two
folders of Stash may well be one in Plex. The invariant: every detour is a real example that anybody can try.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from stashplex.domain.pathmap import PathMap, PathRule

_EXAMPLE = "Example/Film.mp4"


@dataclass(frozen=True, slots=True)
class Detour:
    """A path of Stash that comes back from Plex as another one. Shape: `back` None when no rule leads back."""

    path: str
    there: str
    back: str | None

    @property
    def sentence(self) -> str:
        """What is wrong, in words."""
        if self.back is None:
            return f"{self.path} becomes {self.there} in Plex, and no rule leads back."
        return f"{self.path} becomes {self.there} in Plex, which leads back to {self.back}."


def round_trip(path_map: PathMap, path: str) -> Detour | None:
    """Return how a path of Stash comes back wrong, None when it comes back as it was or no rule fits it."""
    there = path_map.to_plex(path)
    if there is None:
        return None
    back = path_map.to_stash(there)
    is_same = back is not None and path_map.is_same_in_stash(back, path)
    return None if is_same else Detour(path, there, back)


def detours(path_map: PathMap, paths: Iterable[str] = ()) -> tuple[Detour, ...]:
    """Return the detours of real paths, and of an example below each folder of the map, each once."""
    examples = (f"{rule.stash_prefix.rstrip('/')}/{_EXAMPLE}" for rule in path_map.rules if isinstance(rule, PathRule))
    found = (round_trip(path_map, path) for path in (*paths, *examples))
    return tuple(dict.fromkeys(one for one in found if one is not None))
