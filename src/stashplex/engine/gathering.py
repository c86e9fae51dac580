"""How the engine learns of changes: events of the spool, errands to Stash, polls; built together, as they share much.

Nothing but their assembly, for the composition root. The invariant: one spool has one `Spooling`, since errands wait in
its memory.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from stashplex.base.clock import Clock
from stashplex.engine.crawl import Crawler
from stashplex.engine.errands import Errands
from stashplex.engine.intake import Intake
from stashplex.engine.poll import Poll
from stashplex.engine.recheck import Recheck
from stashplex.engine.spooling import Spooling
from stashplex.engine.sweep import Sweep
from stashplex.engine.target import Target
from stashplex.engine.wakeup import Wakeup
from stashplex.engine.wishes import Wishes
from stashplex.stash.client import StashClient
from stashplex.store.afresh import Afresh
from stashplex.store.cursors import Cursors
from stashplex.store.ledger import Ledger
from stashplex.store.waking import Waking


@dataclass(frozen=True, slots=True)
class Memory:
    """What of the store they need."""

    ledger: Ledger
    afresh: Afresh
    waking: Waking
    cursors: Cursors


@dataclass(frozen=True, slots=True)
class Gathering:
    """The parts. Units: `poll_interval_s` 0 is never."""

    spooling: Spooling
    errands: Errands
    poll: Poll
    poll_interval_s: float
    sweep: Sweep


def gather(
    spool: Path,
    *,
    stash: StashClient,
    memory: Memory,
    target: Target,
    crawler: Crawler,
    clock: Clock,
    wakeup: Wakeup,
    poll_interval_s: float,
    sweep_every: timedelta | None,
    wanted: Collection[str] = (),
) -> Gathering:
    """Return the parts for one spool, one Stash and one Plex server.

    `wakeup` rings when scenes were marked; `wanted` are inputs of Stash that matter because of a setting.
    """
    plex_id = target.plex_id
    spooling = Spooling(spool, memory.ledger, plex_id, clock, wanted)
    intake = Intake(stash, memory.ledger, plex_id, clock)
    recheck = Recheck(stash, intake, memory.cursors, plex_id)
    wishes = Wishes(
        stash=stash,
        intake=intake,
        ledger=memory.ledger,
        afresh=memory.afresh,
        waking=memory.waking,
        crawler=crawler,
        plex_id=plex_id,
        clock=clock,
    )
    errands = Errands(spooling=spooling, intake=intake, recheck=recheck, wishes=wishes, clock=clock, wakeup=wakeup)
    poll = Poll(
        stash=stash,
        intake=intake,
        recheck=recheck,
        cursors=memory.cursors,
        plex_id=plex_id,
        clock=clock,
        is_waiting=spooling.is_waiting,
    )
    sweep = Sweep(recheck, memory.cursors, plex_id, clock, sweep_every)
    return Gathering(spooling, errands, poll, poll_interval_s, sweep)
