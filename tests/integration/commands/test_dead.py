"""`stashplex dead`: what is listed, what a retry and a dismissal do, and when a dismissed scene is forgotten."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from ledgers import lease, mark, settle
from shop import PLEX_URL, Shop
from stashplex.domain.entry import State
from stashplex.domain.scene import SceneId
from stashplex.store import dead_letters
from worlds import a_world

OTHER_URL = "http://other.test:32400"


def scenes(listed: list[dict[str, object]]) -> list[object]:
    return [row["scene_id"] for row in listed]


def test_nothing_dead_is_an_empty_list(shop: Shop) -> None:
    shop.plex_id()
    assert shop.read("dead") == []
    assert "No dead letters" in shop.run("dead")


def test_the_list_tells_what_each_scene_died_of(shop: Shop) -> None:
    shop.bury(7, days_ago=2)
    (row,) = shop.read("dead", "list")
    assert row["scene_id"] == 7
    assert (row["plex"], row["last_error_type"], row["retry_count"]) == (PLEX_URL, "MatchAmbiguous", 3)
    assert row["first_failed_at"] < row["last_failed_at"]


def test_people_see_scene_reason_age_tries_and_message(shop: Shop) -> None:
    shop.bury(7, days_ago=2)
    shown = shop.run("dead")
    for part in ("7", "MatchAmbiguous", "2 d", "4", "[bold]of[/bold]", "some kind.", "1 dead letters"):
        assert part in shown


def test_a_message_cannot_move_the_cursor(shop: Shop) -> None:
    shop.bury(7)
    assert "\x1b" not in shop.run("dead")


def test_the_last_to_die_stands_last(shop: Shop) -> None:
    shop.bury(1, days_ago=1)
    shop.bury(2, days_ago=3)
    shop.bury(3, days_ago=2)
    assert scenes(shop.read("dead")) == [2, 3, 1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [1, 2, 3]),
        (("--reason", "PlexNotFound"), [2]),
        (("--reason", "plexnotfound"), [2]),
        (("--reason", "Nothing"), []),
        (("--older-than", "7d"), [1, 2]),
        (("--newer-than", "7d"), [3]),
        (("--newer-than", "15d", "--older-than", "7d"), [2]),
        (("--server", f"{PLEX_URL}/"), [1, 2]),
        (("--server", OTHER_URL), [3]),
    ],
)
def test_filters(shop: Shop, arguments: tuple[str, ...], expected: list[int]) -> None:
    shop.bury(1, days_ago=20)
    shop.bury(2, days_ago=10, reason="PlexNotFound")
    shop.bury(3, days_ago=1, url=OTHER_URL)
    assert scenes(shop.read("dead", *arguments)) == expected


def test_an_unknown_server_is_said_with_those_that_are_known(shop: Shop) -> None:
    shop.bury(1)
    assert PLEX_URL in shop.run("dead", "--server", "http://nowhere", code=2)


def test_reading_creates_no_database(shop: Shop) -> None:
    for command in (["dead"], ["outages"], ["breaker"], ["dead", "retry", "--all"], ["breaker", "reset"]):
        assert "There is no database" in shop.run(*command, code=2)
    assert not shop.database.exists()


def test_one_is_shown_in_full(shop: Shop) -> None:
    shop.bury(7)
    (story,) = shop.read("dead", "show", "7")
    assert story["entry"]["state"] == "dead"
    assert [row["event"] for row in story["journal"]] == ["entry_buried"]
    assert "entry_buried" in shop.run("dead", "show", "7")


@pytest.mark.parametrize("command", ["show", "retry", "dismiss"])
def test_a_scene_that_is_no_dead_letter_is_said_and_nothing_is_done(shop: Shop, command: str) -> None:
    shop.bury(7)
    wanted = ("8",) if command == "show" else ("7", "8")
    assert "scene 8" in shop.run("dead", command, *wanted, code=2)
    assert scenes(shop.read("dead")) == [7]


@pytest.mark.parametrize("command", ["retry", "dismiss"])
@pytest.mark.parametrize("arguments", [(), ("7", "--all"), ("--reason", "X", "--all")])
def test_exactly_one_choice(shop: Shop, command: str, arguments: tuple[str, ...]) -> None:
    shop.bury(7)
    assert "either" in shop.run("dead", command, *arguments, code=2)


def test_a_retry_is_a_fresh_start_due_now(shop: Shop) -> None:
    shop.bury(7, 8)
    assert shop.read("dead", "retry", "7") == {"retried": 1}
    assert scenes(shop.read("dead")) == [8]
    plex_id = shop.plex_id()
    with shop.store() as store:
        entry = store.ledger.find(plex_id, SceneId(7))
    assert entry is not None
    assert (entry.state, entry.retry_count, entry.last_error_type) == (State.PENDING, 0, None)
    assert (entry.generation, entry.last_failed_at) == (2, None)
    assert entry.due_at is not None
    assert shop.now <= entry.due_at <= shop.now + timedelta(minutes=1)


def test_many_are_retried_at_once(shop: Shop) -> None:
    shop.bury(*range(1, 3_001), reason="PlexNotFound")
    shop.bury(4_000)
    assert shop.read("dead", "retry", "--reason", "plexnotfound") == {"retried": 3_000}
    assert scenes(shop.read("dead")) == [4_000]


def test_all_of_one_server_are_retried(shop: Shop) -> None:
    shop.bury(1)
    shop.bury(2, url=OTHER_URL)
    assert shop.read("dead", "retry", "--all", "--server", OTHER_URL) == {"retried": 1}
    assert scenes(shop.read("dead")) == [1]


def test_a_dismissed_one_is_not_listed_and_not_counted_but_kept(shop: Shop) -> None:
    shop.bury(7, 8)
    assert shop.read("dead", "dismiss", "7") == {"dismissed": 1}
    assert scenes(shop.read("dead")) == [8]
    (server,) = shop.read("status")["servers"]
    assert (server["dead"], server["dismissed"], [row["entries"] for row in server["errors"]]) == (1, 1, [1])
    assert "dismissed" in shop.run("status")
    (story,) = shop.read("dead", "show", "7")
    assert story["dismissed_at"]


def test_dismissing_all_and_by_reason(shop: Shop) -> None:
    shop.bury(1, 2)
    shop.bury(3, reason="SceneInvalid")
    assert shop.read("dead", "dismiss", "--reason", "SceneInvalid") == {"dismissed": 1}
    assert shop.read("dead", "dismiss", "--all") == {"dismissed": 2}
    assert shop.read("dead", "dismiss", "--all") == {"dismissed": 0}
    assert shop.read("dead") == []


def test_retry_all_leaves_dismissed_ones_alone(shop: Shop) -> None:
    shop.bury(1, 2)
    shop.run("dead", "dismiss", "1")
    assert shop.read("dead", "retry", "--all") == {"retried": 1}


@pytest.mark.parametrize("how", ["by hand", "a change in Stash"])
def test_a_mark_revives_a_dismissed_one(shop: Shop, how: str) -> None:
    shop.bury(7)
    shop.run("dead", "dismiss", "7")
    plex_id = shop.plex_id()
    if how == "by hand":
        shop.run("dead", "retry", "7")
    with shop.store() as store:
        if how != "by hand":
            mark(store.ledger, plex_id, 7, now=shop.now)
        assert store.dead_letters.count_dismissed(plex_id) == 0
        later = shop.now + timedelta(hours=1)
        settle(store.ledger, lease(store.ledger, plex_id, now=later), now=later)
        assert store.ledger.counts(plex_id, now=later).synced == 1


def test_a_retried_one_that_succeeds_disappears_by_itself(shop: Shop) -> None:
    shop.bury(7)
    shop.run("dead", "retry", "7")
    plex_id = shop.plex_id()
    later = shop.now + timedelta(hours=1)
    with shop.store() as store:
        settle(store.ledger, lease(store.ledger, plex_id, now=later), now=later)
    assert shop.read("dead") == []
    assert "no dead letter" in shop.run("dead", "show", "7", code=2).lower()


@pytest.mark.anyio
async def test_a_dismissed_one_is_removed_after_the_retention_and_no_other(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    world.settings["dead_retention_days"] = 3
    shop = Shop(tmp_path, world.clock.now())
    shop.bury(1, 2, 3, days_ago=400)
    with world.app() as app:
        plex_id = app.store.ledger.plex_id(PLEX_URL, PLEX_URL)
        app.store.dead_letters.dismiss(plex_id, [SceneId(1)], shop.now - timedelta(days=3, seconds=1))
        app.store.dead_letters.dismiss(plex_id, [SceneId(2)], shop.now - timedelta(days=2, hours=23))
        assert (await app.upkeep().run_once()).dead_letters == 1
        left = app.store.dead_letters.list_for_scenes(plex_id, [SceneId(scene) for scene in (1, 2, 3)])
        assert [letter.entry.scene_id for letter in left] == [2, 3]


@pytest.mark.parametrize(
    ("statement", "index"), [(dead_letters._PAGE, "ix_entry_dead"), (dead_letters._REMOVE, "ix_entry_dismissed")]
)
def test_entries_that_live_cost_nothing(shop: Shop, statement: ClauseElement, index: str) -> None:
    compiled = statement.compile(dialect=SQLiteDialect_pysqlite(paramstyle="named"))
    shop.bury(1)
    with shop.store() as store, store.database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", dict.fromkeys(compiled.params, 1)).all()
    steps = [row[3] for row in plan if " entry " in f"{row[3]} "]
    assert any(index in step for step in steps)
    assert "SCAN entry" not in steps
