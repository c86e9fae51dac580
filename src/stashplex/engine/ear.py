"""Listens to one server's news and rings a bell; comes back after every failure, for ever, and disturbs nobody.

A part of the service that it does not need: whatever is told here is found by looking, a little later. The invariants:
while the server is held nothing is opened; a line that cannot be opened is no failure of the server.
"""

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial

import anyio
import structlog

from stashplex.base.feed import Feed, FeedFailed
from stashplex.engine.gate import Gate
from stashplex.engine.wakeup import Wakeup
from stashplex.plex.client import PlexClient
from stashplex.stash.client import StashClient

logger = structlog.get_logger()

FIRST_BACKOFF_S = 2.0
LONGEST_BACKOFF_S = 300.0


Ears = tuple["Ear | None", "Ear | None"]
"""Those of Stash and of Plex."""


def ears_for(
    stash: StashClient,
    plex: PlexClient,
    feeds: tuple[Feed | None, Feed | None],
    gates: tuple[Gate, Gate],
    chance: random.Random,
) -> Ears:
    """Return an ear for each server that has a feed. Shape: Stash first, then Plex."""
    of_stash, of_plex = feeds
    return (
        None if of_stash is None else Ear(partial(stash.endings, of_stash), gates[0], chance),
        None if of_plex is None else Ear(partial(plex.arrivals, of_plex), gates[1], chance),
    )


class Ear:
    """Hears one server. `open_news` yields once when the line stands, and then for each piece of news."""

    def __init__(self, open_news: Callable[[], AsyncGenerator[None]], gate: Gate, chance: random.Random) -> None:
        self._open_news = open_news
        self._gate = gate
        self._chance = chance

    async def run(self, bell: Wakeup) -> None:
        """Listen until cancelled. The bell rings when a line stands again, too: something may have been missed."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            if self._gate.breaker().is_closed:
                try:
                    async with aclosing(self._open_news()) as news:
                        async for _ in news:
                            backoff_s = FIRST_BACKOFF_S
                            bell.ring()
                except FeedFailed as error:
                    logger.debug("feed_lost", server=self._gate.server.value, error=str(error))
            await anyio.sleep(self._chance.uniform(backoff_s / 2, backoff_s))
            backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
