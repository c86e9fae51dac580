"""What the API tells of the store: where all scenes stand, where one stands, which server is left alone.

Reads only, in short reads; it asks no server. The invariant: nothing here holds a secret.
"""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from stashplex.domain.breaker import Breaker
from stashplex.domain.scene import SceneId
from stashplex.store.breakers import Breakers
from stashplex.store.ledger import Ledger
from stashplex.store.overview import KnownPlex, Overview
from stashplex.version import __version__
from stashplex.web.chip import chip, unknown_chip


@dataclass(frozen=True, slots=True)
class Facts:
    """The readable side of an open store. Shape: `servers` are names of breakers by the name that people use."""

    ledger: Ledger
    overview: Overview
    breakers: Breakers
    spool: Path
    plex_url: str
    stash_url: str
    servers: Mapping[str, str]

    def status(self, now: datetime) -> dict[str, object]:
        """Return where everything stands."""
        breakers = {name: self.breakers.get(key, now) for name, key in self.servers.items()}
        return {
            "version": __version__,
            "now": now,
            "plex_url": self.plex_url,
            "stash_url": self.stash_url,
            "spool": count_files(self.spool),
            "held": [_held(name, one) for name, one in breakers.items() if not one.is_closed],
            "servers": [server_status(self.ledger, self.overview, known, now) for known in self.overview.list_plex()],
        }

    def scene(self, scene_id: SceneId) -> dict[str, object]:
        """Return where a scene stands on the Plex server that is configured, or on another that knows it."""
        known = sorted(self.overview.list_plex(), key=lambda one: one.name != self.plex_url)
        for plex in known:
            entry = self.ledger.find(plex.id, scene_id)
            if entry is not None:
                return chip(plex, entry, self.ledger.links_of(entry.id))
        return unknown_chip(scene_id, self.plex_url)


def server_status(ledger: Ledger, overview: Overview, known: KnownPlex, now: datetime) -> dict[str, object]:
    """Return where all scenes stand on one Plex server."""
    errors = overview.count_errors(known.id)
    return {
        "plex": known.name,
        "machine_identifier": known.machine_identifier,
        **asdict(ledger.counts(known.id, now=now)),
        "next_due_at": ledger.next_due_at(known.id),
        "errors": [{"state": row.state, "error_type": row.error_type, "entries": row.entries} for row in errors],
    }


def count_files(spool: Path) -> int:
    """Return how many whole events wait in a spool."""
    try:
        with os.scandir(spool) as found:
            return sum(1 for each in found if each.name.endswith(".json") and not each.name.startswith("."))
    except FileNotFoundError:
        return 0


def _held(name: str, breaker: Breaker) -> dict[str, object]:
    return {
        "server": name,
        "state": breaker.state.value,
        "cause": breaker.cause.value if breaker.cause else None,
        "reason": breaker.reason,
        "since": breaker.opened_at,
        "next_probe_at": breaker.retry_at,
    }
