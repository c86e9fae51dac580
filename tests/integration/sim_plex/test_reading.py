"""Facts 23 to 26: whole items, many at once."""

import pytest

from integration.sim_plex.caller import Caller, HandClock, locks
from stashplex.sim.plex.app import PlexSim

pytestmark = pytest.mark.anyio


async def test_batch_skips_unknown_ids_and_is_404_when_all_are_unknown(sim: PlexSim, plex: Caller) -> None:
    # fact 23
    found = await plex.rows("/library/metadata/3,99,1?skipRefresh=1")
    assert {item["ratingKey"] for item in found} == {"3", "1"}
    assert (await plex.send("GET", "/library/metadata/98,99")).status == 404
    sim.switches.missing_id_fails_batch = True
    assert (await plex.send("GET", "/library/metadata/3,99,1")).status == 404


async def test_batch_comes_in_any_order(sim: PlexSim, plex: Caller) -> None:
    # fact 23
    sim.switches.shuffle_batch = True
    orders = set()
    for _ in range(20):
        orders.add(tuple(item["ratingKey"] for item in await plex.rows("/library/metadata/1,2,3,4,5")))
    assert len(orders) > 3


async def test_batch_can_be_paged(plex: Caller) -> None:
    # fact 23
    query = {"X-Plex-Container-Start": 1, "X-Plex-Container-Size": 2}
    container = await plex.get("/library/metadata/1,2,3,4", **query)
    assert [item["ratingKey"] for item in container["Metadata"]] == ["2", "3"]
    assert container["totalSize"] == 4


async def test_whole_items_carry_full_tags_and_only_locked_fields(plex: Caller) -> None:
    # fact 24
    await plex.edit("1", **{"title.value": "New", "summary.value": "s", "summary.locked": 0})
    await plex.edit("1", **{"actor[0].tag.tag": "Ann", "actor[0].tagging.text": "Herself"})
    await plex.edit("1", **{"actor[0].tag.tag": "Ann", "actor[0].tag.thumb": "https://i.example/a.jpg"})
    await plex.edit("1", **{"actor[0].tag.tag": "Ann", "actor[0].tag.tagKey": "5d77"})
    item = await plex.item("1")
    (role,) = item["Role"]
    assert role.pop("id") == int(role.pop("filter").removeprefix("actor="))
    assert role == {"tag": "Ann", "role": "Herself", "thumb": "https://i.example/a.jpg", "tagKey": "5d77"}
    assert [genre["filter"] for genre in item["Genre"]] == [f"genre={genre['id']}" for genre in item["Genre"]]
    assert [genre["tag"] for genre in item["Genre"]] == ["Drama", "Outdoor", "Silent"]
    assert locks(item) == {"title", "actor"}
    assert item["librarySectionID"] == 1
    assert item["Media"][0]["Part"][0]["Stream"]


async def test_excluded_parts_are_left_out_if_the_server_feels_like_it(sim: PlexSim, plex: Caller) -> None:
    # fact 25
    query = "?excludeElements=Media,Genre&excludeFields=summary,tagline"
    (item,) = await plex.rows(f"/library/metadata/1{query}")
    assert not item.keys() & {"Media", "Genre", "summary"}
    assert "Role" in item
    sim.switches.honour_excludes = False
    (item,) = await plex.rows(f"/library/metadata/1{query}")
    assert item.keys() >= {"Media", "Genre", "summary"}


async def test_plain_get_may_move_updated_at(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    # fact 26 (its latency: test_time.py)
    before = (await plex.item("1"))["updatedAt"]
    sim.switches.plain_get_touches = True
    clock.move(10)
    assert (await plex.item("1"))["updatedAt"] == before
    await plex.rows("/library/metadata/1")
    assert (await plex.item("1"))["updatedAt"] == before + 110
