"""`python -m stashplex.sim`: both simulated servers as a process, for the demo, end-to-end tests and benches.

Not for a network: it listens on this machine only, and its secrets are printed. Invariant: one JSON line on stdout
when everything answers, nothing else; then it serves until SIGTERM, Ctrl-C or (Windows) Ctrl-Break, and exits with 0.
"""

import asyncio
import gc
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import anyio
import click
from starlette.types import ASGIApp

from stashplex.sim.content.catalogue import DATA_COUNT, Catalogue
from stashplex.sim.control import controlled
from stashplex.sim.panel import plex_panel, stash_panel
from stashplex.sim.plex.switches import Switches as PlexSwitches
from stashplex.sim.serve import listen, serving_on
from stashplex.sim.world import LIBRARY, PATH_MAP, Posters, build_plex, build_stash

KEPT_IMAGES: Final = 5_000
"""How many uploaded pictures the process holds: all of the demo's, not all of a bench's."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. Units: milliseconds of latency of each Plex request; ports, 0 to pick one."""

    films: int
    seed: int
    posters: Posters
    only: str
    stash_port: int
    plex_port: int
    plex_latency_ms: float
    parallel_writes: int


@click.command()
@click.option("--films", type=click.IntRange(min=0), default=DATA_COUNT, show_default=True, help="How many films.")
@click.option("--seed", type=int, default=0, show_default=True, help="Other files and casts of the same films.")
@click.option("--posters", type=click.Choice([str(kind) for kind in Posters]), default="drawn", show_default=True)
@click.option("--only", type=click.Choice(["stash", "plex", "both"]), default="both", show_default=True)
@click.option("--stash-port", type=click.IntRange(0, 65_535), default=0, help="0 picks a free one.")
@click.option("--plex-port", type=click.IntRange(0, 65_535), default=0, help="0 picks a free one.")
@click.option("--plex-latency-ms", type=click.FloatRange(min=0), default=0, help="Wait before each Plex answer.")
@click.option("--parallel-writes", type=click.IntRange(min=1), default=1, help="Writes that Plex runs at once.")
def main(posters: str, **options: Any) -> None:
    """Serve a simulated Stash and a simulated Plex on this machine, filled with the same films."""
    anyio.run(_serve, Options(posters=Posters(posters), **options))


async def _serve(options: Options) -> None:
    stopped = anyio.Event()
    with _stopping(stopped):
        told: dict[str, str | None] = dict.fromkeys(("stash_url", "stash_api_key", "plex_url", "plex_token"))
        told |= {"library": LIBRARY, "path_map": PATH_MAP}
        async with AsyncExitStack() as stack:
            for listener, app, known in list(_servers(options)):
                url = await stack.enter_async_context(serving_on(listener, app))
                told |= {name: value or url for name, value in known.items()}
            gc.freeze()  # the films stay for ever: no collection needs to walk them again
            click.echo(json.dumps(told))
            await stopped.wait()


def _servers(options: Options) -> Iterator[tuple[socket.socket, ASGIApp, dict[str, str]]]:
    """Yield for each server its socket, its application, and what a client must know ("" for its address).

    Ports come first: a taken one is told before thousands of films are made.
    """
    stash = _listening(options.stash_port) if options.only != "plex" else None
    plex = _listening(options.plex_port) if options.only != "stash" else None
    catalogue = Catalogue(options.films, options.seed)
    if stash is not None:
        stash_sim = build_stash(catalogue, posters=options.posters, seed=options.seed)
        known = {"stash_url": "", "stash_api_key": stash_sim.settings.api_key}
        yield stash, controlled(stash_sim.app, stash_panel(stash_sim)), known
    if plex is not None:
        plex_sim = build_plex(catalogue, switches=_plex_switches(options), seed=options.seed)
        known = {"plex_url": "", "plex_token": plex_sim.token}
        yield plex, controlled(plex_sim.app, plex_panel(plex_sim)), known


def _listening(port: int) -> socket.socket:
    try:
        return listen(port)
    except OSError as error:
        raise click.ClickException(f"port {port} cannot be used: {error.strerror}") from error


def _plex_switches(options: Options) -> PlexSwitches:
    latency_s = options.plex_latency_ms / 1000
    return PlexSwitches(
        read_latency_s=latency_s,
        write_latency_s=latency_s,
        parallel_writers=options.parallel_writes,
        keep_images=KEPT_IMAGES,
    )


@contextmanager
def _stopping(stopped: anyio.Event) -> Iterator[None]:
    """Let signals set the event. With plain handlers: event loops on Windows take none."""
    loop = asyncio.get_running_loop()
    signals = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        signals.append(signal.SIGBREAK)
    before = {each: signal.signal(each, lambda *_: loop.call_soon_threadsafe(stopped.set)) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


if __name__ == "__main__":
    main()
