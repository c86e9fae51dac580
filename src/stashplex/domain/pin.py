"""What a person decided about a match: this scene is that item.

Kept by `store/pins`, read by `matching`. A pin names files, not only a rating key: a rebuilt library gives the key to
another film, and then the pin must not follow it.
"""

from dataclasses import dataclass

from stashplex.domain.item import RatingKey, SectionKey
from stashplex.domain.scene import SceneId


@dataclass(frozen=True, slots=True)
class Pin:
    """One item of one scene, chosen by hand. Shape: `files` are the paths that the item showed then, not empty."""

    scene_id: SceneId
    section: SectionKey
    rating_key: RatingKey
    files: tuple[str, ...]
