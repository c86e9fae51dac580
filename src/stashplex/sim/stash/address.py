"""Absolute addresses of pictures and streams, as each caller sees them.

The base follows the request's Host and forwarding headers, so that the same scene has different addresses for
different callers. `t` is the owner's `updated_at`, not the age of the picture.
"""

from collections.abc import Mapping

from stashplex.sim.stash.model import Group, Marker, Performer, Scene, Studio, Tag
from stashplex.sim.stash.timetext import unix_s


def base_of(headers: Mapping[str, str], scheme: str) -> str:
    """Return the base that a request was sent to. Shape: header names are lower-case."""
    proto = headers.get("x-forwarded-proto", scheme)
    return f"{proto}://{headers.get('host', 'localhost')}{headers.get('x-forwarded-prefix', '').rstrip('/')}"


def scene_paths(scene: Scene, base: str, api_key: str | None) -> dict[str, str | None]:
    """Return the paths of a scene. Only the stream carries the key."""
    root = f"{base}/scene/{scene.id}"
    key = f"?apikey={api_key}" if api_key else ""
    return {
        "screenshot": f"{root}/screenshot?t={unix_s(scene.updated_at)}",
        "preview": f"{root}/preview",
        "stream": f"{root}/stream{key}",
        "webp": f"{root}/webp",
        "vtt": f"{root}_thumbs.vtt",
        "sprite": f"{root}_sprite.jpg",
        "funscript": f"{root}/funscript",
        "interactive_heatmap": f"{root}/interactive_heatmap",
        "caption": f"{root}/caption",
    }


def marker_path(marker: Marker, base: str, what: str) -> str:
    """Return an address below a marker."""
    return f"{base}/scene/{marker.scene.id}/scene_marker/{marker.id}/{what}"


def image_path(owner: Performer | Studio | Tag, base: str) -> str:
    """Return a portrait's address; `default=true` tells that there is no portrait."""
    kind = type(owner).__name__.lower()
    default = "&default=true" if owner.image is None else ""
    return f"{base}/{kind}/{owner.id}/image?t={unix_s(owner.updated_at)}{default}"


def group_path(group: Group, base: str, side: str) -> str | None:
    """Return the address of a group's front or back. Without a picture the front says so, and the back is None."""
    has_image = getattr(group, f"{side}_image") is not None
    if side == "back" and not has_image:
        return None
    default = "" if has_image else "&default=true"
    return f"{base}/group/{group.id}/{side}image?t={unix_s(group.updated_at)}{default}"
