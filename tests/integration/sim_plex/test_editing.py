"""Facts 27 to 41: selectors, values, locks, tags, people, collections, refresh, ratings, stamps."""

from urllib.parse import quote

import pytest

from integration.sim_plex.caller import Caller, HandClock, locks, tags
from stashplex.sim.plex.app import PlexSim
from stashplex.sim.plex.section import Section
from stashplex.sim.plex.switches import TagMode

pytestmark = pytest.mark.anyio

ALL = "/library/sections/1/all?type=1"


async def test_edit_without_ids_edits_every_item_of_its_type(sim: PlexSim, plex: Caller, films: Section) -> None:
    # fact 27
    other = sim.add_item(sim.world.sections[2], [("D:\\Other\\a.mp4", 1, 1)])
    assert sim.unscoped_edits == 0
    for query in ("", "&id="):
        assert (await plex.send("PUT", f"{ALL}{query}&tagline.value=x{len(query)}")).status == 200
        assert {item.fields["tagline"] for item in films.items.values()} == {f"x{len(query)}"}
    assert "tagline" not in sim.item(other).fields
    assert sim.unscoped_edits == 2


async def test_edit_takes_the_filters_of_a_listing_as_selector(sim: PlexSim, plex: Caller) -> None:
    # fact 27
    await plex.send("PUT", f"{ALL}&title%3D=Film%202&tagline.value=x")
    assert [key for key in "12345" if "tagline" in sim.item(key).fields] == ["3"]


async def test_unknown_filter_in_a_selector_means_every_item(sim: PlexSim, plex: Caller) -> None:
    # facts 19 and 27
    await plex.send("PUT", f"{ALL}&shoeSize=42&tagline.value=x")
    assert all("tagline" in sim.item(key).fields for key in "12345")
    sim.switches.unknown_filter_is_error = True
    assert (await plex.send("PUT", f"{ALL}&shoeSize=42&tagline.value=y")).status == 400
    edit = f"{ALL}&id=1&tagline.value=y&genre[0].tag.tag=A&actor[0].tag.thumb=t&label[].tag.tag-=B&title.locked=1"
    assert (await plex.send("PUT", edit)).status == 200


async def test_value_locks_unless_told_not_to_and_lock_alone_changes_only_the_lock(plex: Caller) -> None:
    # fact 28
    await plex.edit("1", **{"title.value": "A"})
    assert locks(await plex.item("1")) == {"title"}
    await plex.edit("1", **{"title.value": "B", "title.locked": 0})
    item = await plex.item("1")
    assert (item["title"], locks(item)) == ("B", set())
    assert "Field" not in item
    await plex.edit("1", **{"title.locked": 1, "thumb.locked": 1})
    item = await plex.item("1")
    assert (item["title"], locks(item)) == ("B", {"title", "thumb"})


async def test_empty_value_removes_the_attribute(plex: Caller) -> None:
    # fact 29
    await plex.edit("1", **{"studio.value": "S", "originallyAvailableAt.value": "2020-02-03", "rating.value": 7})
    item = await plex.item("1")
    assert (item["studio"], item["originallyAvailableAt"], item["year"], item["rating"]) == ("S", "2020-02-03", 2020, 7)
    await plex.edit("1", **{"studio.value": "", "originallyAvailableAt.value": "", "rating.value": ""})
    assert not (await plex.item("1")).keys() & {"studio", "originallyAvailableAt", "year", "rating"}


async def test_one_put_applies_fields_tags_and_locks_together(plex: Caller) -> None:
    # fact 30
    edit = {"title.value": "T", "summary.value": "S", "summary.locked": 0, "studio.locked": 1}
    edit |= {"genre[0].tag.tag": "G", "label[0].tag.tag": "L", "actor[0].tag.tag": "P", "userRating.value": 9}
    await plex.edit("1", **edit)
    item = await plex.item("1")
    assert (item["title"], item["summary"], item["userRating"]) == ("T", "S", 9)
    assert (tags(item, "Genre"), tags(item, "Label"), tags(item, "Role")) == (["G"], ["L"], ["P"])
    assert locks(item) == {"title", "studio", "genre", "label", "actor", "userRating"}


async def test_wrong_value_refuses_the_whole_edit(plex: Caller) -> None:
    # fact 30
    for wrong in ("rating.value=high", "originallyAvailableAt.value=03.02.2020", "userRating.value=11"):
        assert (await plex.send("PUT", f"{ALL}&id=1&title.value=T&{wrong}")).status == 400
    assert (await plex.item("1"))["title"] == "Film 0"


async def test_many_ids_get_the_same_values(plex: Caller) -> None:
    # fact 31
    await plex.edit("1,3,5", **{"title.value": "Same"})
    assert [item["title"] for item in await plex.rows(f"{ALL}&sort=id")] == ["Same", "Film 1", "Same", "Film 3", "Same"]
    assert (await plex.send("PUT", "/library/metadata/2,4?title.value=Pair")).status == 200
    assert (await plex.item("4"))["title"] == "Pair"
    assert (await plex.send("PUT", "/library/metadata/2,99?title.value=None")).status == 404


async def test_edit_of_unknown_ids_is_404_or_nothing(sim: PlexSim, plex: Caller) -> None:
    # fact 31
    assert (await plex.send("PUT", f"{ALL}&id=98,99&title.value=X")).status == 404
    assert (await plex.send("PUT", f"{ALL}&id=1,99&title.value=X")).status == 200
    sim.switches.edit_of_missing_status = 200
    assert (await plex.send("PUT", f"{ALL}&id=98,99&title.value=Y")).status == 200
    assert (await plex.item("2"))["title"] == "Film 1"


@pytest.mark.parametrize(
    ("mode", "ids", "result"),
    [
        (TagMode.REPLACE, "1", ["New"]),
        (TagMode.ADD, "1", ["Drama", "Outdoor", "Silent", "New"]),
        (TagMode.REPLACE, "1,2", ["Drama", "Outdoor", "Silent", "New"]),
        (TagMode.ADD, "1,2", ["Drama", "Outdoor", "Silent", "New"]),
    ],
)
async def test_indexed_list_replaces_or_adds_but_always_adds_to_many(
    sim: PlexSim, plex: Caller, mode: TagMode, ids: str, result: list[str]
) -> None:
    # fact 32
    sim.switches.tag_mode = mode
    await plex.edit(ids, **{"genre[0].tag.tag": "New"})
    assert tags(await plex.item("1"), "Genre") == result


async def test_tags_are_removed_by_name_or_all_at_once(sim: PlexSim, plex: Caller) -> None:
    # fact 32
    await plex.edit("1", **{"genre[].tag.tag-": "Drama,Silent,Unknown"})
    assert tags(await plex.item("1"), "Genre") == ["Outdoor"]
    await plex.edit("1", **{"genre[].tag": ""})
    assert "Genre" not in await plex.item("1")
    sim.switches.remove_first_only = True
    await plex.edit("2", **{"genre[].tag.tag-": "Drama,Silent"})
    assert tags(await plex.item("2"), "Genre") == ["Outdoor", "Silent"]


async def test_removal_list_is_split_at_commas_then_decoded_once_more(plex: Caller) -> None:
    # fact 32
    await plex.edit("1", **{"label[0].tag.tag": "A, B", "label[1].tag.tag": "50%", "label[2].tag.tag": "C"})
    await plex.edit("1", **{"label[].tag.tag-": "A, B"})
    assert tags(await plex.item("1"), "Label") == ["A, B", "50%", "C"]
    await plex.edit("1", **{"label[].tag.tag-": ",".join(quote(text, safe="") for text in ("A, B", "50%"))})
    assert tags(await plex.item("1"), "Label") == ["C"]


async def test_one_request_clears_then_removes_then_adds(sim: PlexSim, plex: Caller) -> None:
    # fact 33
    sim.switches.tag_mode = TagMode.ADD
    await plex.edit("1", **{"genre[0].tag.tag": "B", "genre[1].tag.tag": "A", "genre[].tag": ""})
    assert tags(await plex.item("1"), "Genre") == ["B", "A"]
    await plex.edit("1", **{"genre[0].tag.tag": "A", "genre[].tag.tag-": "A,B"})
    assert tags(await plex.item("1"), "Genre") == ["A"]


async def test_cast_comes_in_the_order_of_its_indexes(plex: Caller) -> None:
    # fact 34
    cast = {f"actor[{number}].tag.tag": f"P{number}" for number in (10, 2, 0, 1)}
    await plex.edit("1", **cast)
    assert tags(await plex.item("1"), "Role") == ["P0", "P1", "P2", "P10"]


async def test_role_is_the_items_and_the_face_is_everyones(plex: Caller) -> None:
    # fact 34
    person = {"actor[0].tag.tag": "Ann", "actor[0].tagging.text": "Queen", "actor[0].tag.thumb": "https://i.example/a"}
    await plex.edit("1", **person)
    first, second = (await plex.item("1"))["Role"], (await plex.item("2"))["Role"]
    assert (first[0]["tag"], first[0]["role"], first[0]["thumb"]) == ("Ann", "Queen", "https://i.example/a")
    assert (second[0]["tag"], second[0]["thumb"]) == ("Ann", "https://i.example/a")
    assert "role" not in second[0]
    assert locks(await plex.item("1")) == {"actor"}


async def test_studio_is_no_tag(plex: Caller) -> None:
    # fact 35
    await plex.edit("1", **{"studio.value": "Acme"})
    before = await plex.item("1")
    await plex.edit("1", **{"studio[0].tag.tag": "Other", "nonsense[0].tag.tag": "x", "nonsense.value": "y"})
    assert await plex.item("1") == before


async def test_collection_tag_makes_fills_and_ends_a_collection(sim: PlexSim, plex: Caller) -> None:
    # fact 36
    async def shelves() -> dict[str, int]:
        return {row["title"]: row["childCount"] for row in await plex.rows("/library/sections/1/collections")}

    await plex.edit("1,2", **{"collection[0].tag.tag": "Shelf"})
    assert await shelves() == {"Shelf": 2}
    item = await plex.item("1")
    (collection,) = await plex.rows("/library/sections/1/all?type=18")
    assert collection["index"] == item["Collection"][0]["id"]
    assert collection["guid"] == item["Collection"][0]["guid"]
    assert [row["ratingKey"] for row in await plex.rows(collection["key"])] == ["1", "2"]
    await plex.edit("1", **{"collection[].tag.tag-": "Shelf"})
    assert await shelves() == {"Shelf": 1}
    sim.remove_item("2")
    assert await shelves() == {}
    sim.switches.empty_collection_vanishes = False
    await plex.edit("3", **{"collection[0].tag.tag": "Shelf"})
    await plex.edit("3", **{"collection[].tag": ""})
    assert await shelves() == {"Shelf": 0}


async def test_collection_endpoints_fill_by_uri_and_take_nothing_unknown(sim: PlexSim, plex: Caller) -> None:
    # fact 36
    uri = f"server://{sim.world.machine_id}/com.plexapp.plugins.library/library/metadata"
    made = await plex.send("POST", "/library/collections?type=1&smart=0&sectionId=1", title="Shelf", uri=uri)
    assert made.status == 200
    (shelf,) = await plex.rows("/library/sections/1/collections")
    assert (shelf["title"], shelf["childCount"]) == ("Shelf", 0)
    items = f"/library/collections/{shelf['ratingKey']}/items"
    assert (await plex.send("PUT", items, uri=f"{uri}/1,99")).status == 404
    assert await plex.rows(items) == []
    assert (await plex.send("PUT", items, uri=f"{uri}/1,2")).status == 200
    assert tags(await plex.item("2"), "Collection") == ["Shelf"]
    assert (await plex.send("DELETE", f"{items}/1")).status == 200
    assert [row["ratingKey"] for row in await plex.rows(items)] == ["2"]


async def test_locked_fields_survive_a_refresh_and_agent_tags_join(
    sim: PlexSim, plex: Caller, clock: HandClock
) -> None:
    # fact 37
    path = "/data/films/0/Film 0.mkv"
    sim.set_agent(
        path, fields={"title": "Agent", "summary": "Agent's"}, tags={"genre": ["Comedy"], "director": ["Eve"]}
    )
    await plex.edit("1", **{"title.value": "Mine", "summary.value": "Mine", "summary.locked": 0})
    await plex.edit("1", **{"director[0].tag.tag": "Mine", "director.locked": 1})
    await plex.send("PUT", "/library/metadata/1/refresh")
    clock.move(5)
    item = await plex.item("1")
    assert (item["title"], item["summary"]) == ("Mine", "Agent's")
    assert tags(item, "Genre") == ["Drama", "Outdoor", "Silent", "Comedy"]
    assert tags(item, "Director") == ["Mine"]
    await plex.edit("1", **{"title.locked": 0})
    assert (await plex.item("1"))["title"] == "Mine"
    await plex.send("GET", "/library/sections/1/refresh?force=1")
    clock.move(5)
    assert (await plex.item("1"))["title"] == "Agent"


async def test_edition_title_needs_a_plex_pass(sim: PlexSim, plex: Caller) -> None:
    # fact 38
    edit = f"{ALL}&id=1&title.value=T&editionTitle.value=Cut"
    sim.switches.plex_pass = False
    assert (await plex.send("PUT", edit)).status == 400
    assert (await plex.item("1"))["title"] == "Film 0"
    sim.switches.plex_pass = True
    assert (await plex.send("PUT", edit)).status == 200
    assert (await plex.item("1"))["editionTitle"] == "Cut"


async def test_collection_cannot_take_anothers_name(sim: PlexSim, plex: Caller, films: Section) -> None:
    # fact 39
    await plex.edit("1", **{"collection[0].tag.tag": "A", "collection[1].tag.tag": "B"})
    first = sim.collections(films)["A"].key
    rename = f"/library/sections/1/all?type=18&id={first}&title.value="
    assert (await plex.send("PUT", f"{rename}B")).status == 409
    assert (await plex.send("PUT", f"{rename}A")).status == 200
    assert (await plex.send("PUT", f"{rename}C")).status == 200
    assert tags(await plex.item("1"), "Collection") == ["C", "B"]


async def test_rating_is_set_cleared_and_checked(plex: Caller) -> None:
    # fact 40
    rate = "/:/rate?identifier=com.plexapp.plugins.library&key=1"
    assert (await plex.send("PUT", f"{rate}&rating=7.5")).status == 200
    assert (await plex.item("1"))["userRating"] == 7.5
    for wrong in ("&rating=11", "&rating=-2", "", "&rating=x", "&rating=5&ratedAt=99999999999"):
        assert (await plex.send("PUT", rate + wrong)).status == 400
    assert (await plex.send("PUT", "/:/rate?key=99&rating=5")).status == 404
    assert (await plex.item("1"))["userRating"] == 7.5
    assert (await plex.send("PUT", f"{rate}&rating=-1")).status == 200
    assert "userRating" not in await plex.item("1")


async def test_edit_moves_the_stamp_and_is_announced(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    # fact 41
    before = await plex.item("1")
    clock.move(10)
    heard = len(sim.notifications)
    await plex.edit("1", **{"tagline.value": "x"})
    after = await plex.item("1")
    assert after["updatedAt"] > before["updatedAt"]
    assert after["thumb"] != before["thumb"]
    (notice,) = sim.notifications[heard:]
    entry = notice["TimelineEntry"][0]  # type: ignore[index]
    assert (str(entry["itemID"]), entry["state"]) == ("1", 5)


@pytest.mark.parametrize("touches", [False, True])
async def test_edit_that_changes_nothing_may_move_the_stamp(
    sim: PlexSim, plex: Caller, clock: HandClock, touches: bool
) -> None:
    # fact 41
    sim.switches.noop_edit_touches = touches
    await plex.edit("1", **{"tagline.value": "x", "genre[0].tag.tag": "G"})
    before = (await plex.item("1"))["updatedAt"]
    clock.move(10)
    await plex.edit("1", **{"tagline.value": "x", "genre[0].tag.tag": "G"})
    assert ((await plex.item("1"))["updatedAt"] > before) is touches


async def test_case_variants_are_one_tag_if_so_switched(sim: PlexSim, plex: Caller) -> None:
    await plex.edit("1", **{"genre[0].tag.tag": "drama"})
    assert tags(await plex.item("1"), "Genre") == ["drama"]
    sim.switches.tags_fold_case = True
    await plex.edit("2", **{"label[0].tag.tag": "Synced"})
    await plex.edit("3", **{"label[0].tag.tag": "SYNCED"})
    assert tags(await plex.item("3"), "Label") == ["Synced"]


async def test_year_follows_the_date_unless_it_may_be_set(sim: PlexSim, plex: Caller) -> None:
    await plex.edit("1", **{"year.value": 1999, "originallyAvailableAt.value": "2020-01-01"})
    assert (await plex.item("1"))["year"] == 2020
    sim.switches.accept_year = True
    await plex.edit("1", **{"year.value": 1999})
    assert (await plex.item("1"))["year"] == 1999
