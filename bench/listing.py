"""Listing a large Plex library into the path index, against plexapi reading the files of the same pages.

Ours is what a sync does before it writes: the crawler, the client, the index on disk with every page committed. plexapi
fetches pages of the same size and reads the path of each file; it keeps nothing. Each runs in a process of its own.
The library is one that was synced before: its items have titles, summaries, genres and casts, as those of people have.
"""

import sys
from functools import partial
from pathlib import Path

import anyio
from pydantic import SecretStr

from bench.plexapi_loop import plexapi_server
from bench.process import Ended, run_python
from bench.result import Result, Row
from bench.servers import Servers, serving
from bench.sync import a_store, run_sync
from stashplex.app import open_app
from stashplex.base.clock import SystemClock
from stashplex.base.config import Settings

NAME = "listing"
ITEMS = 100_000
QUICK_ITEMS = 10_000
PAGE = 500
"""The default of `PlexClient.iter_parts`."""
TIME_TARGET = 1 / 20
MEMORY_TARGET_BYTES = 150_000_000


def measure(is_quick: bool) -> Result:
    """List a library both ways."""
    items = QUICK_ITEMS if is_quick else ITEMS
    with serving(items, posters="none") as servers, a_store() as synced, a_store() as folder:
        run_sync(servers, synced, writes_in_flight=16)
        client_s, client = _run("client", servers, str(folder))
        ours_s, ours = _run("ours", servers, str(folder))
        plexapi_s, plexapi = _run("plexapi", servers, str(items))
    share = ours_s / plexapi_s
    rows = (
        Row(
            f"listing {items:,} Plex items into the index, share of plexapi's time",
            "≤ 1/20",
            f"1/{plexapi_s / ours_s:.1f} ({ours_s:.1f} s)",
            f"plexapi: {plexapi_s:.1f} s",
            share <= TIME_TARGET,
        ),
        Row(
            f"memory of the process while listing {items:,} items",
            "< 150 MB",
            f"{ours.peak_bytes / 1e6:.0f} MB",
            f"plexapi: {plexapi.peak_bytes / 1e6:.0f} MB",
            ours.peak_bytes < MEMORY_TARGET_BYTES,
        ),
    )
    table = (
        ("who", "seconds", "processor seconds of its process", "peak memory"),
        (
            "our client alone, nothing stored",
            f"{client_s:.1f}",
            f"{client.cpu_s:.1f}",
            f"{client.peak_bytes / 1e6:.0f} MB",
        ),
        ("ours, into the index", f"{ours_s:.1f}", f"{ours.cpu_s:.1f}", f"{ours.peak_bytes / 1e6:.0f} MB"),
        ("plexapi, file paths read", f"{plexapi_s:.1f}", f"{plexapi.cpu_s:.1f}", f"{plexapi.peak_bytes / 1e6:.0f} MB"),
    )
    how = (
        f"{items:,} items of a library that was synced before, in pages of {PAGE}. All times include what the "
        "simulated server needs to make the pages."
    )
    return Result(NAME, "Listing a large library", how, rows, table)


def _run(who: str, servers: Servers, argument: str) -> tuple[float, Ended]:
    told = [servers.stash.url, servers.stash.secret, servers.plex.url, servers.plex.secret]
    ended = run_python(["-m", "bench.listing", who, *told, argument], {})
    return float(ended.output), ended


async def _list_ours(stash: str, key: str, plex: str, token: str, folder: str) -> float:
    async with open_app(_settings(stash, key, plex, token, folder)) as app:
        crawler = app.crawler(await app.connect())
        started_s = app.clock.monotonic_s()
        await crawler.refresh(lambda _seen, _total: None)
        return app.clock.monotonic_s() - started_s


async def _list_client(stash: str, key: str, plex: str, token: str, folder: str) -> float:
    async with open_app(_settings(stash, key, plex, token, folder)) as app:
        target = await app.connect()
        started_s = app.clock.monotonic_s()
        async for _page in app.plex.iter_parts(target.sections[0].key):
            pass
        return app.clock.monotonic_s() - started_s


def _settings(stash: str, key: str, plex: str, token: str, folder: str) -> Settings:
    return Settings(
        stash_url=stash,
        stash_api_key=SecretStr(key),
        plex_url=plex,
        plex_token=SecretStr(token),
        data_dir=Path(folder),
    )


def _list_plexapi(_stash: str, _key: str, plex: str, token: str, items: str) -> float:
    clock = SystemClock()
    section = plexapi_server(plex, token).library.sections()[0]
    started_s = clock.monotonic_s()
    files = 0
    for start in range(0, int(items), PAGE):
        page = section.fetchItems(
            f"/library/sections/{section.key}/all?type=1&sort=id",
            container_start=start,
            container_size=PAGE,
            maxresults=PAGE,
        )
        files += sum(bool(part.file) for item in page for media in item.media for part in media.parts)
    if files < int(items):
        raise RuntimeError(f"plexapi listed {files} files of {items}")
    return clock.monotonic_s() - started_s


def _main(who: str, *told: str) -> None:
    match who:
        case "ours":
            print(anyio.run(partial(_list_ours, *told)))
        case "client":
            print(anyio.run(partial(_list_client, *told)))
        case _:
            print(_list_plexapi(*told))


if __name__ == "__main__":
    _main(*sys.argv[1:])
