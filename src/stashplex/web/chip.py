"""Where one scene stands, in the words of the chip on a scene's page in Stash.

Pure: entry, links and server in, a JSON object out. Shared by the API and by `stashplex why --json`, so that both say
the same. The words are a contract (docs/reference/api.md).
"""

from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import quote

from stashplex.domain.entry import Entry, State
from stashplex.domain.link import Link
from stashplex.domain.outcome import HELD
from stashplex.domain.scene import SceneId
from stashplex.store.overview import KnownPlex


class Standing(StrEnum):
    """What the chip says."""

    IN_STEP = "in_step"
    WAITING = "waiting"
    RETRYING = "retrying"
    NEEDS_YOU = "needs_you"
    UNKNOWN = "unknown"


def chip(plex: KnownPlex, entry: Entry, links: Sequence[Link]) -> dict[str, object]:
    """Return where an entry stands. Shape: `at` is set for `retrying` alone, `reason` where there is one."""
    standing = _standing(entry)
    return {
        "scene": entry.scene_id,
        "state": standing.value,
        "at": entry.due_at if standing is Standing.RETRYING else None,
        "error_type": entry.last_error_type,
        "reason": entry.last_error,
        "plex": plex.name,
        "links": [
            {
                "url": item_url(plex.name, plex.machine_identifier, link.rating_key),
                "item": link.rating_key,
                "library": link.section,
                "file": link.file,
            }
            for link in links
        ],
    }


def unknown_chip(scene_id: SceneId, plex_url: str) -> dict[str, object]:
    """Return the chip of a scene that was never marked."""
    reason = "Nothing is known of this scene yet."
    return {
        "scene": scene_id,
        "state": Standing.UNKNOWN.value,
        "at": None,
        "error_type": None,
        "reason": reason,
        "plex": plex_url,
        "links": [],
    }


def item_url(plex_url: str, machine_identifier: str, rating_key: str) -> str:
    """Return the address of an item in Plex's own web application."""
    key = quote(f"/library/metadata/{rating_key}", safe="")
    return f"{plex_url}/web/index.html#!/server/{quote(machine_identifier, safe='')}/details?key={key}"


def _standing(entry: Entry) -> Standing:
    match entry.state:
        case State.SYNCED:
            return Standing.IN_STEP
        case State.DEAD:
            return Standing.NEEDS_YOU
        case State.LEASED:
            return Standing.WAITING
        case State.PENDING:
            is_retry = entry.last_error_type is not None and entry.last_error_type not in HELD
            return Standing.RETRYING if is_retry else Standing.WAITING
