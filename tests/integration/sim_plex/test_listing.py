"""Facts 13 to 22: sections, paging, what a listing shows, filters, versions, paths."""

import json

import pytest

from integration.sim_plex.caller import Caller, HandClock, tags
from stashplex.sim.plex.app import PlexSim
from stashplex.sim.plex.section import Section

pytestmark = pytest.mark.anyio

ALL = "/library/sections/1/all?type=1"


def page(start: int, size: int) -> dict[str, object]:
    return {"X-Plex-Container-Start": start, "X-Plex-Container-Size": size}


async def keys(plex: Caller, query: str = "") -> list[str]:
    return [item["ratingKey"] for item in await plex.rows(ALL + query)]


async def test_sections_tell_what_they_are(plex: Caller) -> None:
    # fact 13
    films, other = (await plex.get("/library/sections"))["Directory"]
    assert films["key"] == "1"
    assert (films["type"], films["agent"], films["scanner"]) == ("movie", "tv.plex.agents.movie", "Plex Movie")
    assert films["refreshing"] is False
    assert films["Location"] == [{"id": 100, "path": "/data/films"}]
    assert (other["agent"], other["language"]) == ("com.plexapp.agents.none", "xn")


async def test_content_counter_moves_with_every_change_and_is_no_time(sim: PlexSim, plex: Caller) -> None:
    # fact 13
    async def counters() -> list[int]:
        return [section["contentChangedAt"] for section in (await plex.get("/library/sections"))["Directory"]]

    first, other = await counters()
    await plex.edit("1", **{"title.value": "New"})
    second, same = await counters()
    await plex.send("POST", "/library/metadata/1/posters", b"image")
    third, _ = await counters()
    sim.remove_item("2")
    fourth, _ = await counters()
    assert first < second < third < fourth
    assert other == same
    assert first < sim.world.now // 10


async def test_page_needs_both_headers_and_tells_where_it_is(plex: Caller) -> None:
    # fact 14
    answer = await plex.send("GET", ALL, **page(2, 2))
    container = json.loads(answer.body)["MediaContainer"]
    assert (container["offset"], container["size"], container["totalSize"]) == (2, 2, 5)
    assert answer.headers["x-plex-container-start"] == "2"
    assert answer.headers["x-plex-container-total-size"] == "5"
    whole = await plex.get(ALL, **{"X-Plex-Container-Size": 2})
    assert whole["size"] == 5
    assert "totalSize" not in whole


async def test_start_past_the_end_is_empty_and_size_zero_tells_the_total(plex: Caller) -> None:
    # fact 14
    beyond = await plex.get(ALL, **page(50, 10))
    assert (beyond["size"], beyond["totalSize"]) == (0, 5)
    assert "Metadata" not in beyond
    none = await plex.get(ALL, **page(0, 0))
    assert (none["size"], none["totalSize"]) == (0, 5)


async def test_server_may_return_fewer_than_asked(sim: PlexSim, plex: Caller) -> None:
    # fact 14
    sim.switches.page_cap = 2
    container = await plex.get(ALL, **page(0, 100))
    assert (container["size"], container["totalSize"]) == (2, 5)


async def test_limit_hides_the_total(plex: Caller) -> None:
    # fact 14
    container = await plex.get(ALL + "&limit=3", **page(0, 2))
    assert (container["size"], container["totalSize"]) == (2, 3)


async def test_total_counts_collections_unless_told_not_to(sim: PlexSim, plex: Caller, films: Section) -> None:
    # fact 15
    sim.add_item(films, [("/data/films/6.mkv", 1, 1)], tags={"collection": ["Shelf", "Other shelf"]})
    assert (await plex.get(ALL, **page(0, 0)))["totalSize"] == 8
    assert (await plex.get(ALL + "&includeCollections=0", **page(0, 0)))["totalSize"] == 6
    assert (await plex.get(ALL, **page(0, 100)))["size"] == 6
    mixed = await plex.get(ALL + "&includeCollections=1", **page(0, 100))
    assert [row["type"] for row in mixed["Metadata"]] == ["movie"] * 6 + ["collection"] * 2
    sim.switches.total_counts_collections = False
    assert (await plex.get(ALL, **page(0, 0)))["totalSize"] == 6


async def test_list_items_show_few_tags_and_no_locks(plex: Caller) -> None:
    # fact 16
    people = {f"{name}[{n}].tag.tag": f"{name} {n}" for name in ("director", "writer", "country") for n in range(3)}
    await plex.edit("1", **people, **{"label[0].tag.tag": "L", "collection[0].tag.tag": "C"})
    await plex.edit("1", **{"producer[0].tag.tag": "P", "rating.value": 7.5})
    item = (await plex.rows(ALL))[0]
    assert tags(item, "Genre") == ["Drama", "Outdoor"]
    assert tags(item, "Role") == ["Ann", "Bob", "Cid"]
    assert [len(item[array]) for array in ("Director", "Writer", "Country")] == [2, 2, 2]
    assert not item.keys() & {"Field", "Label", "Collection", "Producer", "Rating", "Guid"}
    assert "Stream" not in item["Media"][0]["Part"][0]
    item = (await plex.rows(ALL + "&includeGuids=1"))[0]
    assert item["Guid"] == [{"id": "imdb://tt0"}]


async def test_list_items_show_files_stamps_and_images(plex: Caller) -> None:
    # fact 17
    item = (await plex.rows(ALL))[1]
    part = item["Media"][0]["Part"][0]
    assert (part["file"], part["size"], part["duration"]) == ("/data/films/1/Film 1.mkv", 1_000_001, 60_000)
    assert item["thumb"] == f"/library/metadata/2/thumb/{item['updatedAt']}"
    assert item["art"] == f"/library/metadata/2/art/{item['updatedAt']}"
    assert {image["type"]: image["url"] for image in item["Image"]} == {
        "coverPoster": item["thumb"],
        "background": item["art"],
    }


async def test_unset_attributes_are_absent(plex: Caller) -> None:
    # fact 18
    item = await plex.item("1")
    absent = {"titleSort", "viewCount", "userRating", "studio", "contentRating", "tagline", "year", "lastViewedAt"}
    assert not item.keys() & absent
    assert item["summary"] == ""
    await plex.edit("1", **{"titleSort.value": "Film 0"})
    assert "titleSort" not in await plex.item("1")
    await plex.edit("1", **{"titleSort.value": "0"})
    assert (await plex.item("1"))["titleSort"] == "0"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("&id=2,4,99", ["2", "4"]),
        ("&title=ilm%201", ["2"]),
        ("&title!=ilm%201", ["1", "3", "4", "5"]),
        ("&title%3D=film%202", ["3"]),
        ("&title%3C=fil", ["1", "2", "3", "4", "5"]),
        ("&title%3E=4", ["5"]),
        ("&year=2001,2003", ["2", "4"]),
        ("&year%3E%3E=2002", ["4", "5"]),
        ("&year%3C%3C=2001", ["1"]),
        ("&year!=2001", ["1", "3", "4", "5"]),
        ("&year%3E%3E=2000&year%3C%3C=2003", ["2", "3"]),
        ("&originallyAvailableAt%3E%3E=2003-01-01", ["4", "5"]),
        ("&addedAt%3E%3E=2026-02-28", ["1", "2", "3", "4", "5"]),
        ("&addedAt%3C%3C=-1d", []),
        ("&originallyAvailableAt=2003-06-01", ["4"]),
        ("&originallyAvailableAt!=2003-06-01", ["1", "2", "3", "5"]),
        ("&unmatched=1", ["3"]),
        ("&guid=imdb%3A%2F%2Ftt3", ["4"]),
        ("&contentRating=XXX", ["5"]),
        ("&push=1&title=1&or=1&title=2&pop=1&year%3E%3E=2001", ["3"]),
        ("&sort=year:desc", ["5", "4", "3", "2", "1"]),
        ("&sort=id:desc", ["5", "4", "3", "2", "1"]),
    ],
)
async def test_filters_and_their_operators(sim: PlexSim, plex: Caller, query: str, found: list[str]) -> None:
    # fact 19
    for number in range(5):
        await plex.edit(str(number + 1), **{"originallyAvailableAt.value": f"{2000 + number}-06-01"})
    await plex.edit("5", **{"contentRating.value": "XXX"})
    await plex.send("PUT", "/library/metadata/3/unmatch")
    assert await keys(plex, query) == found


async def test_tag_filters_take_tag_ids(plex: Caller) -> None:
    # fact 19
    await plex.edit("2,4", **{"label[0].tag.tag": "Synced"})
    (row,) = (await plex.get("/library/sections/1/label"))["Directory"]
    assert row["title"] == "Synced"
    assert await keys(plex, f"&label={row['key']}") == ["2", "4"]
    assert await keys(plex, f"&label!={row['key']}") == ["1", "3", "5"]


@pytest.mark.parametrize(("includes_equal", "found"), [(False, ["4"]), (True, ["2", "4"])])
async def test_updated_after_finds_later_changes(
    sim: PlexSim, plex: Caller, clock: HandClock, includes_equal: bool, found: list[str]
) -> None:
    # fact 19
    sim.switches.date_after_includes_equal = includes_equal
    await plex.edit("2", **{"tagline.value": "x"})
    stamp = (await plex.item("2"))["updatedAt"]
    clock.move(10)
    await plex.edit("4", **{"tagline.value": "x"})
    assert await keys(plex, f"&updatedAt%3E%3E={stamp}") == found


async def test_unknown_filter_is_ignored_or_refused(sim: PlexSim, plex: Caller) -> None:
    # fact 19
    assert len(await keys(plex, "&shoeSize=42")) == 5
    sim.switches.unknown_filter_is_error = True
    assert (await plex.send("GET", ALL + "&shoeSize=42")).status == 400
    assert len(await keys(plex, "&includeGuids=1&excludeFields=summary&checkFiles=0&X-Plex-Language=en")) == 5


async def test_items_that_come_and_go_shift_the_pages(sim: PlexSim, plex: Caller, films: Section) -> None:
    # fact 20
    first = await plex.rows(ALL, **page(0, 2))
    sim.add_item(films, [("/data/films/A.mkv", 1, 1)], title="A comes first")
    second = await plex.rows(ALL, **page(2, 2))
    assert [row["ratingKey"] for row in first + second] == ["1", "2", "2", "3"]
    sim.remove_item("1")
    sim.remove_item("2")
    assert [row["ratingKey"] for row in await plex.rows(ALL, **page(0, 2))] == ["6", "3"]


async def test_new_title_moves_an_item_in_the_default_order(plex: Caller) -> None:
    # fact 20
    await plex.edit("1", **{"title.value": "Zulu"})
    await plex.edit("5", **{"titleSort.value": "Alpha"})
    assert await keys(plex) == ["5", "2", "3", "4", "1"]


async def test_filtered_listing_never_shows_what_was(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    # fact 20: filtered listings are kept between pages, but not beyond a change
    assert await keys(plex, "&title=Film&sort=year") == ["1", "2", "3", "4", "5"]
    await plex.edit("2", **{"title.value": "Other"})
    assert await keys(plex, "&title=Film&sort=year") == ["1", "3", "4", "5"]
    assert await keys(plex, "&unwatched=1&sort=id") == ["1", "2", "3", "4", "5"]
    await plex.send("PUT", "/:/scrobble?key=4")
    assert await keys(plex, "&unwatched=1&sort=id") == ["1", "2", "3", "5"]
    assert await keys(plex, "&updatedAt%3E%3E=-1m") == ["2"]
    clock.move(100)
    assert await keys(plex, "&updatedAt%3E%3E=-1m") == []


async def test_versions_stacks_editions_and_optimized_copies(sim: PlexSim, plex: Caller, films: Section) -> None:
    # fact 21
    versions = [[("/data/films/v/a.mkv", 1, 1)], [("/data/films/v/cd1.avi", 1, 5), ("/data/films/v/cd2.avi", 1, 7)]]
    key = sim.add_item(films, versions=versions, optimized=[("/data/films/v/o.mp4", 1, 1)])
    medias = (await plex.item(key))["Media"]
    assert [[part["file"] for part in media["Part"]] for media in medias] == [
        ["/data/films/v/a.mkv"],
        ["/data/films/v/cd1.avi", "/data/films/v/cd2.avi"],
        ["/data/films/v/o.mp4"],
    ]
    assert [media.get("proxyType") for media in medias] == [None, None, 42]
    assert medias[1]["duration"] == 12
    cuts = [sim.add_item(films, [(f"/data/films/{cut}.mkv", 1, 1)], edition=cut, guid="plex://movie/1") for cut in "AB"]
    shown = [await plex.item(cut) for cut in cuts]
    assert [item["editionTitle"] for item in shown] == ["A", "B"]
    assert len({item["ratingKey"] for item in shown}) == 2
    assert {item["guid"] for item in shown} == {"plex://movie/1"}


async def test_trashed_item_is_listed_and_not_found(sim: PlexSim, plex: Caller) -> None:
    # fact 21
    sim.trash_item("3")
    listed = {item["ratingKey"]: item for item in await plex.rows(ALL)}
    assert listed["3"]["deletedAt"] == sim.world.now
    assert "deletedAt" not in listed["2"]
    assert (await plex.send("GET", "/library/metadata/3")).status == 404
    assert await keys(plex, "&trash=1") == ["3"]
    await plex.send("PUT", "/library/sections/1/emptyTrash")
    assert await keys(plex) == ["1", "2", "4", "5"]


async def test_libraries_have_paths_of_either_style(sim: PlexSim, plex: Caller) -> None:
    # fact 22
    sim.add_item(sim.world.sections[2], [("D:\\Other\\a b\\Clip.mp4", 5, 5)])
    (item,) = await plex.rows("/library/sections/2/all?type=1")
    assert item["Media"][0]["Part"][0]["file"] == "D:\\Other\\a b\\Clip.mp4"
    assert item["title"] == "Clip"
    assert item["guid"].startswith("com.plexapp.agents.none://")
    assert (await plex.get("/library/sections/2/location"))["Directory"][0]["title"] == "D:\\Other\\a b"


async def test_rebuilt_library_has_the_same_files_under_new_keys(sim: PlexSim, plex: Caller, films: Section) -> None:
    await plex.edit("1", **{"title.value": "Edited"})
    before = {item["Media"][0]["Part"][0]["file"]: item["ratingKey"] for item in await plex.rows(ALL)}
    sim.rebuild(films)
    after = {item["Media"][0]["Part"][0]["file"]: item["ratingKey"] for item in await plex.rows(ALL)}
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())
    assert "Edited" not in {item["title"] for item in await plex.rows(ALL)}


async def test_collections_and_sections_are_listed_across(sim: PlexSim, plex: Caller) -> None:
    sim.add_item(sim.world.sections[2], [("D:\\Other\\Clip.mp4", 5, 5)])
    assert len(await plex.rows("/library/all?type=1")) == 6
    assert await plex.rows("/library/sections/1/all?type=2") == []
