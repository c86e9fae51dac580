"""`stashplex outages` and `stashplex breaker`: when the servers could not be used, and what stands in the way now.

Both read the store and ask no server; `breaker reset` says that a server is fine, and work goes on. The figures come
from what is stored alone, so they are right across restarts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from stashplex.app import Store, breaker_key, open_store
from stashplex.base.clock import SystemClock
from stashplex.base.config import Settings
from stashplex.base.errors import Server
from stashplex.cli.group import DefaultGroup
from stashplex.cli.run import common_options, load_settings, print_json, reports_errors, results
from stashplex.cli.scope import Period
from stashplex.cli.story import length, local, print_table, require_database
from stashplex.domain.breaker import Breaker, BreakerState, Cause
from stashplex.domain.outage import Availability, Outage, availability

CAUSES = {
    Cause.DOWN: "does not answer",
    Cause.FAILING: "answers with errors",
    Cause.SLOW: "answers too slowly or asks for a pause",
    Cause.MAINTENANCE: "is in maintenance",
    Cause.UNAUTHORISED: "refuses the token or key",
    Cause.LIBRARY_MISSING: "has no such library",
}
STATES = {
    BreakerState.CLOSED: "is used",
    BreakerState.OPEN: "is left alone",
    BreakerState.HALF_OPEN: "is being probed",
}


@dataclass(frozen=True, slots=True)
class NamedBreaker:
    """A breaker with its server as people know it. `is_configured` tells whether the settings name that server."""

    server: str
    url: str
    breaker: Breaker
    is_configured: bool

    @property
    def name(self) -> str:
        """The server as people call it."""
        return server_name(self.server, self.url)


def server_name(server: str, url: str) -> str:
    """Return how people call a server: `Plex http://…`."""
    return f"{server.capitalize()} {url}"


def read_breakers(store: Store, settings: Settings, now: datetime) -> list[NamedBreaker]:
    """Return the breakers of both servers, and of those that were used before."""
    configured = [breaker_key(server, url) for server, url in _configured(settings)]
    others = [key for key in store.breakers.list_servers() if key not in configured]
    return [
        NamedBreaker(*_split(key), store.breakers.get(key, now), key in configured) for key in [*configured, *others]
    ]


def breaker_json(one: NamedBreaker) -> dict[str, object]:
    """Return a breaker for scripts."""
    breaker = one.breaker
    return {
        "server": one.server,
        "url": one.url,
        "is_configured": one.is_configured,
        "state": breaker.state.value,
        "cause": breaker.cause.value if breaker.cause and not breaker.is_closed else None,
        "reason": breaker.reason,
        "since": breaker.opened_at,
        "next_probe_at": breaker.retry_at,
        "failures": breaker.failures,
        "failed_probes": breaker.probes,
    }


def print_breaker(one: NamedBreaker, now: datetime) -> None:
    """Print a breaker for people."""
    breaker = one.breaker
    if breaker.is_closed:
        failing = f", {breaker.failures} failures in a row" if breaker.failures else ""
        results.print(f"{one.name} {STATES[breaker.state]}{failing}.", markup=False)
        return
    cause = CAUSES[breaker.cause or Cause.DOWN]
    since = f"since {local(breaker.opened_at)} ({length(now - (breaker.opened_at or now))})"
    results.print(f"{one.name} {cause} and {STATES[breaker.state]} {since}.", style="yellow", markup=False)
    if breaker.reason:
        results.print(f"  {breaker.reason}", markup=False)
    if breaker.state is BreakerState.OPEN:
        results.print(f"  next probe at {local(breaker.retry_at)}, after {breaker.probes} that failed", markup=False)


@click.command()
@click.option("--since", type=Period(), default="30d", show_default=True, help="How far to look back.")
@common_options
@reports_errors
def outages(since: timedelta, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Show when Plex or Stash could not be used, and how often that is."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    now = SystemClock().now()
    with open_store(settings.data_dir) as store:
        found = store.breakers.list_outages(now - since)
    keys = [breaker_key(server, url) for server, url in _configured(settings)]
    keys += sorted({outage.server for outage in found} - set(keys))
    figures = {key: availability([one for one in found if one.server == key], now - since, now) for key in keys}
    if as_json:
        servers = [_figures_json(key, one) for key, one in figures.items()]
        print_json(
            {"since": now - since, "servers": servers, "outages": [_outage_json(outage, now) for outage in found]}
        )
        return
    _print_outages(found, now)
    for key, one in figures.items():
        _print_figures(key, one, since)


@click.group(cls=DefaultGroup, default="show")
def breaker() -> None:
    """Show which server is left alone after failures, since when and why; or use it again at once.

    Without a command it shows them.
    """


@breaker.command("show")
@common_options
@reports_errors
def show_breakers(config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Show the circuit breaker of each server."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    now = SystemClock().now()
    with open_store(settings.data_dir) as store:
        found = read_breakers(store, settings, now)
    if as_json:
        print_json([breaker_json(one) for one in found])
        return
    for one in found:
        print_breaker(one, now)


@breaker.command("reset")
@click.option("--server", type=click.Choice([server.value for server in Server]), help="Only this one.")
@common_options
@reports_errors
def reset_breaker(server: str | None, config_file: Path | None, *, as_json: bool, verbose: bool) -> None:
    """Use a server again at once, without waiting for a probe."""
    settings = load_settings(config_file, verbose=verbose)
    require_database(settings.data_dir)
    now = SystemClock().now()
    with open_store(settings.data_dir) as store:
        chosen = [one for one in read_breakers(store, settings, now) if server in {None, one.server}]
        changed = [one for one in chosen if not one.breaker.is_closed]
        for one in chosen:
            store.breakers.change(breaker_key(Server(one.server), one.url), now, lambda found: found.reset(now))
        woken = store.waking.wake_held(now) if changed else 0
    if as_json:
        print_json({"reset": [{"server": one.server, "url": one.url} for one in changed], "woken": woken})
        return
    for one in changed:
        results.print(f"{one.name} is used again; if it still fails, it is left alone again.", markup=False)
    if not changed:
        results.print("Nothing to do: no server is left alone.")


def _configured(settings: Settings) -> tuple[tuple[Server, str], ...]:
    return (Server.STASH, settings.stash_url), (Server.PLEX, settings.plex_url)


def _split(key: str) -> tuple[str, str]:
    """Return the kind and the address of a server as the store names it."""
    server, _, url = key.partition(" ")
    return server, url


def _outage_json(outage: Outage, now: datetime) -> dict[str, object]:
    server, url = _split(outage.server)
    return {
        "server": server,
        "url": url,
        "started_at": outage.started_at,
        "ended_at": outage.ended_at,
        "duration_s": ((outage.ended_at or now) - outage.started_at).total_seconds(),
        "cause": outage.cause.value,
        "reason": outage.reason,
        "entries": outage.entries,
    }


def _figures_json(key: str, one: Availability) -> dict[str, object]:
    server, url = _split(key)
    return {
        "server": server,
        "url": url,
        "outages": one.outages,
        "mttr_s": one.mttr_s,
        "mtbf_s": one.mtbf_s,
        "availability": one.share,
    }


def _print_outages(found: tuple[Outage, ...], now: datetime) -> None:
    if not found:
        results.print("No outage.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("began", "ended", "lasted", "server", "cause", "waited", "reason"):
        table.add_column(column)
    for outage in found:
        table.add_row(
            local(outage.started_at),
            local(outage.ended_at) if outage.ended_at else "it lasts",
            length((outage.ended_at or now) - outage.started_at),
            Text(server_name(*_split(outage.server))),
            CAUSES[outage.cause],
            f"{outage.entries:,}" if outage.ended_at else "",
            Text(outage.reason),
        )
    print_table(table)


def _print_figures(key: str, one: Availability, since: timedelta) -> None:
    mttr = "-" if one.mttr_s is None else length(timedelta(seconds=one.mttr_s))
    mtbf = "-" if one.mtbf_s is None else length(timedelta(seconds=one.mtbf_s))
    results.print(
        f"{server_name(*_split(key))} in {length(since)}: {one.share:.3%} available, {one.outages} outages, "
        f"mean time to repair {mttr}, between failures {mtbf}",
        markup=False,
    )
