"""The two simulated servers, each as a process of its own, and their panels.

Ours and the baselines are measured against servers in the same state: a fresh pair for each run. Counts come from the
servers, not from the clients. Invariant: leaving the context ends both processes.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import Request, urlopen

LATENCY_MS = 10
"""What one request to a slow Plex takes."""

PARALLEL_WRITES = 64
"""More than any run has in flight: how many writes run at once is the client's choice here."""


@dataclass(frozen=True, slots=True)
class Server:
    """One simulated server. `secret` is its API key or token."""

    url: str
    secret: str

    def counts(self) -> dict[str, int]:
        """Return how many requests of each kind the server has seen."""
        return {kind: int(count) for kind, count in json.loads(ask(f"{self.url}/_sim/counts")).items()}

    def requests(self) -> int:
        """Return how many requests the server has seen."""
        return sum(count for kind, count in self.counts().items() if kind != "unscoped_edits")

    def reset_counts(self) -> None:
        """Start counting anew."""
        ask(f"{self.url}/_sim/reset-counts", b"")


@dataclass(frozen=True, slots=True)
class Servers:
    """A filled pair of servers."""

    stash: Server
    plex: Server
    library: str
    path_map: str


@contextmanager
def serving(films: int, *, posters: str, plex_latency_ms: float = 0.0) -> Iterator[Servers]:
    """Run a fresh pair for the time of a context."""
    shared = ["--films", str(films), "--posters", posters]
    plex_only = ["--plex-latency-ms", str(plex_latency_ms), "--parallel-writes", str(PARALLEL_WRITES)]
    with _started([*shared, "--only", "stash"]) as stash, _started([*shared, *plex_only, "--only", "plex"]) as plex:
        stash_told, plex_told = _told(stash), _told(plex)
        yield Servers(
            Server(stash_told["stash_url"], stash_told["stash_api_key"]),
            Server(plex_told["plex_url"], plex_told["plex_token"]),
            plex_told["library"],
            plex_told["path_map"],
        )


def ask(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Return an answer of one of our own servers; a body makes it a POST."""
    with urlopen(Request(url, body, dict(headers or {}))) as answer:  # noqa: S310 - our own server on loopback
        return bytes(answer.read())


@contextmanager
def _started(options: list[str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "stashplex.sim", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _told(process: subprocess.Popen[str]) -> dict[str, str]:
    """Return what a server says of itself as soon as it answers."""
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError("a simulated server did not start")
    return dict(json.loads(line))
