"""The baseline: what a short script with `plexapi` does, one item at a time.

For each scene: find the item by title, look whether it has the file, edit the texts, then genres, actors, collection
and poster, each with a call of its own. `python -m bench.plexapi_loop` prints how many it did. It is no straw man: it
asks Stash for 100 scenes at once, sends all texts in one edit, and searches by what the item is called now.
"""

import json
import sys
from pathlib import PurePosixPath
from typing import Any

import msgspec
from plexapi.server import PlexServer

from bench.process import Ended, run_python
from bench.servers import Servers, ask
from stashplex.base.clock import SystemClock

PAGE = 100
_QUERY = """query ($page: Int!, $n: Int!) { findScenes(filter: {page: $page, per_page: $n, sort: "id"}) { scenes {
  id title details date rating100 files { path } studio { name } performers { name } tags { name }
  paths { screenshot } } } }"""


class Looped(msgspec.Struct, frozen=True):
    """What the loop did. Units: seconds."""

    scenes: int
    duration_s: float


def run_loop(servers: Servers, *, with_posters: bool) -> tuple[Looped, Ended]:
    """Run the loop over everything in a process of its own."""
    stash, plex = servers.stash, servers.plex
    told = [stash.url, stash.secret, plex.url, plex.secret, servers.library, servers.path_map]
    ended = run_python(["-m", "bench.plexapi_loop", *told, "posters" if with_posters else "texts"], {})
    return msgspec.json.decode(ended.output, type=Looped), ended


def plexapi_server(url: str, token: str) -> Any:
    """Return plexapi's view of a server, which has no types."""
    return PlexServer(url, token)  # type: ignore[no-untyped-call]


def _main(stash: str, key: str, plex: str, token: str, library: str, path_map: str, what: str) -> None:  # noqa: PLR0917 - the command line
    clock = SystemClock()
    started_s = clock.monotonic_s()
    section = plexapi_server(plex, token).library.section(library)
    stash_root, _, plex_root = path_map.partition("=")
    page, done = 1, 0
    while scenes := _scenes(stash, key, page):
        for scene in scenes:
            item = _found(section, scene, plex_root + scene["files"][0]["path"].removeprefix(stash_root))
            _write(item, scene)
            if what == "posters" and scene["paths"]["screenshot"]:
                item.uploadPoster(filepath=ask(scene["paths"]["screenshot"], headers={"ApiKey": key}))
            done += 1
        page += 1
    print(msgspec.json.encode(Looped(done, clock.monotonic_s() - started_s)).decode())


def _scenes(url: str, key: str, page: int) -> list[dict[str, Any]]:
    body = json.dumps({"query": _QUERY, "variables": {"page": page, "n": PAGE}}).encode()
    answer = json.loads(ask(f"{url}/graphql", body, {"ApiKey": key, "Content-Type": "application/json"}))
    return list(answer["data"]["findScenes"]["scenes"])


def _found(section: Any, scene: dict[str, Any], path: str) -> Any:
    """Return the item that holds the file: by its first title, the file's name, or by the one it was given."""
    for title in (PurePosixPath(path).stem, scene["title"]):
        for item in section.search(title=title) if title else ():
            if path in item.locations:
                return item
    raise LookupError(path)


def _write(item: Any, scene: dict[str, Any]) -> None:
    texts = {
        "title": scene["title"],
        "summary": scene["details"],
        "originallyAvailableAt": scene["date"] if len(scene["date"] or "") == len("2024-05-06") else None,
        "studio": (scene["studio"] or {}).get("name"),
    }
    item.edit(**{f"{name}.{part}": value for name, text in texts.items() if text for part, value in _locked(text)})
    if scene["rating100"] is not None:
        item.rate(scene["rating100"] / 10)
    if scene["tags"]:
        item.addGenre([tag["name"] for tag in scene["tags"]])
    if scene["performers"]:
        item.editTags("actor", [performer["name"] for performer in scene["performers"]])
    if texts["studio"]:
        item.addCollection(texts["studio"])


def _locked(text: str) -> tuple[tuple[str, object], ...]:
    return ("value", text), ("locked", 1)


if __name__ == "__main__":
    _main(*sys.argv[1:])
