"""`stashplex outages` and `stashplex breaker`: the history and its figures across restarts, and the reset by hand."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from ledgers import get_entry, lease, mark, settle
from shop import PLEX_URL, STASH_URL, Shop
from stashplex.app import breaker_key
from stashplex.base.errors import Server
from stashplex.cli.outages import CAUSES, STATES
from stashplex.domain.breaker import BreakerRules, BreakerState, Cause, Failure
from stashplex.domain.entry import State, Transition
from stashplex.store.schema import breaker

PLEX = breaker_key(Server.PLEX, PLEX_URL)
STASH = breaker_key(Server.STASH, STASH_URL)
HOUR = timedelta(hours=1)
RULES = BreakerRules()
DOWN = Failure(Cause.MAINTENANCE, "Plex says that it is in maintenance.")


def break_down(shop: Shop, at: datetime, key: str = PLEX, failure: Failure = DOWN) -> None:
    """Open a breaker at a time, as one process would."""
    with shop.store() as store:
        store.breakers.change(key, at, lambda one: one.failed(failure, at, RULES, random.Random(1)))


def come_back(shop: Shop, at: datetime, key: str = PLEX) -> None:
    """Close a breaker by a probe, as another process would."""
    with shop.store() as store:
        store.breakers.change(key, at, lambda one: one.probing(at, "token", RULES))
        after = store.breakers.change(key, at, lambda one: one.succeeded(at, RULES, "token"))
    assert after.is_closed


def figures(shop: Shop, *arguments: str) -> dict[str, Any]:
    (plex,) = [one for one in shop.read("outages", *arguments)["servers"] if one["server"] == "plex"]
    assert isinstance(plex, dict)
    return plex


def test_every_state_and_cause_has_words_for_people() -> None:
    assert set(CAUSES) == set(Cause)
    assert set(STATES) == set(BreakerState)


def test_without_an_outage_everything_was_available(shop: Shop) -> None:
    shop.plex_id()
    told = shop.read("outages")
    assert told["outages"] == []
    assert [(one["url"], one["availability"], one["mttr_s"], one["mtbf_s"]) for one in told["servers"]] == [
        (STASH_URL, 1.0, None, None),
        (PLEX_URL, 1.0, None, None),
    ]
    assert "No outage" in shop.run("outages")


def test_an_outage_spans_processes(shop: Shop) -> None:
    break_down(shop, shop.now - 3 * HOUR)
    come_back(shop, shop.now - HOUR)
    (outage,) = shop.read("outages")["outages"]
    assert (outage["server"], outage["url"], outage["cause"]) == ("plex", PLEX_URL, "maintenance")
    assert (outage["duration_s"], outage["reason"]) == (7_200.0, DOWN.reason)
    shown = shop.run("outages")
    for part in (f"Plex {PLEX_URL}", "2 h", "is in maintenance"):
        assert part in shown


def test_figures_over_a_day(shop: Shop) -> None:
    for begin, end in ((20, 18), (10, 9)):
        break_down(shop, shop.now - begin * HOUR)
        come_back(shop, shop.now - end * HOUR)
    told = figures(shop, "--since", "24h")
    assert told["outages"] == 2
    assert told["mttr_s"] == pytest.approx(1.5 * 3_600)
    assert told["mtbf_s"] == pytest.approx(21 / 2 * 3_600, rel=1e-3)
    assert told["availability"] == pytest.approx(21 / 24, rel=1e-3)


def test_an_outage_that_lasts_counts_until_now(shop: Shop) -> None:
    break_down(shop, shop.now - 6 * HOUR)
    told = figures(shop, "--since", "24h")
    assert told["mttr_s"] is None
    assert told["availability"] == pytest.approx(18 / 24, rel=1e-3)
    (outage,) = shop.read("outages")["outages"]
    assert outage["ended_at"] is None
    assert "it lasts" in shop.run("outages")


def test_an_outage_that_began_before_the_period_counts_in_it(shop: Shop) -> None:
    break_down(shop, shop.now - 48 * HOUR)
    come_back(shop, shop.now - 12 * HOUR)
    told = figures(shop, "--since", "24h")
    assert (told["outages"], told["availability"]) == (1, pytest.approx(0.5, rel=1e-3))


def test_the_servers_do_not_share_outages(shop: Shop) -> None:
    break_down(shop, shop.now - 2 * HOUR, STASH)
    told = {one["server"]: one["outages"] for one in shop.read("outages")["servers"]}
    assert told == {"stash": 1, "plex": 0}


def test_an_outage_counts_who_waited_for_it(shop: Shop) -> None:
    """Due and held entries waited for the server; one that waits for its file would have waited anyway."""
    plex_id = shop.plex_id()
    break_down(shop, shop.now - 3 * HOUR)
    far = shop.now + HOUR
    with shop.store() as store:
        mark(store.ledger, plex_id, 1, 2, 3, 4, now=shop.now - 3 * HOUR)
        held, missing, done = lease(store.ledger, plex_id, now=shop.now - 3 * HOUR, limit=3)
        error = ("m", shop.now, shop.now)
        settle(store.ledger, [held], Transition(State.PENDING, far, 0, "ServerHeld", *error), now=shop.now)
        settle(store.ledger, [missing], Transition(State.PENDING, far, 1, "PlexNotFound", *error), now=shop.now)
        settle(store.ledger, [done], now=shop.now)
    come_back(shop, shop.now - HOUR)
    (outage,) = shop.read("outages")["outages"]
    assert outage["entries"] == 2


def test_breakers_are_closed_until_something_fails(shop: Shop) -> None:
    shop.plex_id()
    assert [(one["server"], one["state"]) for one in shop.read("breaker")] == [("stash", "closed"), ("plex", "closed")]
    assert shop.read("status")["held"] == []


def test_an_open_breaker_is_shown_with_cause_time_and_next_probe(shop: Shop) -> None:
    break_down(shop, shop.now)
    (held,) = shop.read("status")["held"]
    assert (held["server"], held["state"], held["cause"]) == ("plex", "open", "maintenance")
    assert held["next_probe_at"] > held["since"]
    for command in ("status", "breaker"):
        shown = shop.run(command)
        for part in (f"Plex {PLEX_URL} is in maintenance", "is left alone", "next probe at", DOWN.reason):
            assert part in shown


def test_a_server_of_former_settings_is_not_held_against_the_present_one(shop: Shop) -> None:
    break_down(shop, shop.now, breaker_key(Server.PLEX, "http://old:1"))
    assert shop.read("status")["held"] == []
    assert [one["is_configured"] for one in shop.read("breaker")] == [True, True, False]


def test_a_reset_closes_ends_the_outage_and_wakes_what_was_held(shop: Shop) -> None:
    plex_id = shop.plex_id()
    break_down(shop, shop.now - HOUR)
    with shop.store() as store:
        mark(store.ledger, plex_id, 1, now=shop.now)
        held = Transition(State.PENDING, shop.now + HOUR, 0, "ServerUnreachable", "m", shop.now, shop.now)
        settle(store.ledger, lease(store.ledger, plex_id, now=shop.now), held, now=shop.now)
    assert shop.read("breaker", "reset") == {"reset": [{"server": "plex", "url": PLEX_URL}], "woken": 1}
    assert {one["state"] for one in shop.read("breaker")} == {"closed"}
    assert shop.read("outages")["outages"][0]["ended_at"] is not None
    with shop.store() as store:
        due_at = get_entry(store.ledger, plex_id, 1).due_at
    assert due_at is not None
    assert due_at < shop.now + HOUR
    assert shop.read("breaker", "reset") == {"reset": [], "woken": 0}


def test_a_reset_of_one_server_leaves_the_other(shop: Shop) -> None:
    break_down(shop, shop.now)
    break_down(shop, shop.now, STASH)
    shop.run("breaker", "reset", "--server", "stash")
    assert [(one["server"], one["state"]) for one in shop.read("breaker")] == [("stash", "closed"), ("plex", "open")]


@pytest.mark.parametrize("row", [{"state": "ajar"}, {"state": "open", "retry_at": None}, {"cause": "gremlins"}])
def test_a_row_that_says_nothing_sensible_is_shown_and_can_be_reset(shop: Shop, row: dict[str, str | None]) -> None:
    break_down(shop, shop.now)
    with shop.store() as store, store.database.write() as connection:
        connection.execute(update(breaker).values(row))
    (held,) = shop.read("status")["held"]
    assert held["state"] == BreakerState.OPEN
    shop.run("status")
    shop.run("breaker", "reset")
    assert shop.read("status")["held"] == []
