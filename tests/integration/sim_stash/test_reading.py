"""What finds and single reads answer (facts 7-16)."""

from datetime import UTC, datetime

import pytest

from integration.sim_stash.caller import Caller, HandClock
from stashplex.sim.stash.app import StashSim

pytestmark = pytest.mark.anyio

FIND = """query($f: FindFilterType, $s: SceneFilterType, $ids: [ID!]) {
  findScenes(filter: $f, scene_filter: $s, ids: $ids) { count scenes { id title } } }"""


async def ids(caller: Caller, **variables: object) -> list[int]:
    found = (await caller.ask(FIND, **variables))["findScenes"]
    return [int(scene["id"]) for scene in found["scenes"]]


def fill(sim: StashSim, count: int) -> list[int]:
    return [sim.add_scene(title=f"scene {number}") for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ({}, list(range(1, 26))),
        ({"per_page": 0}, []),
        ({"per_page": -1}, list(range(1, 31))),
        ({"page": 0, "per_page": 3}, [1, 2, 3]),
        ({"page": 2, "per_page": 3}, [4, 5, 6]),
        ({"page": 11, "per_page": 3}, []),
    ],
)
async def test_pages(sim: StashSim, caller: Caller, page: dict[str, int], shown: list[int]) -> None:
    # fact 7
    fill(sim, 30)
    found = (await caller.ask(FIND, f=page))["findScenes"]
    assert [int(scene["id"]) for scene in found["scenes"]] == shown
    assert found["count"] == 30


async def test_a_page_by_id_starts_behind_the_last_one(sim: StashSim, caller: Caller) -> None:
    fill(sim, 10)
    sim.destroy_scene(5)
    behind = {"id": {"modifier": "GREATER_THAN", "value": 3}}
    page = {"per_page": 3, "sort": "id", "direction": "ASC"}
    assert await ids(caller, f=page, s=behind) == [4, 6, 7]
    both = {**behind, "AND": {"title": {"modifier": "EQUALS", "value": "scene 9"}}}
    assert await ids(caller, f=page, s=both) == [9]
    assert await ids(caller, f={"per_page": -1}, s={**behind, "OR": {"id": {"modifier": "EQUALS", "value": 1}}}) == [
        1,
        *range(4, 5),
        *range(6, 11),
    ]


async def test_ids_keep_their_order_and_override_the_page(sim: StashSim, caller: Caller) -> None:
    # fact 8
    fill(sim, 5)
    assert await ids(caller, ids=[4, 2, 5], f={"per_page": 1}) == [4, 2, 5]


@pytest.mark.parametrize("wanted", [[1, 99], [1, 1]])
async def test_one_unknown_or_repeated_id_fails_the_whole_query(
    sim: StashSim, caller: Caller, wanted: list[int]
) -> None:
    # fact 8
    fill(sim, 2)
    assert await caller.errors(FIND, ids=wanted)


async def test_no_ids_at_all_means_everything(sim: StashSim, caller: Caller) -> None:
    # fact 8
    fill(sim, 3)
    assert await ids(caller, ids=[]) == [1, 2, 3]


async def test_an_unknown_scene_is_null_without_an_error(caller: Caller) -> None:
    # fact 8
    assert await caller.scene(99, "id") is None


async def test_ids_are_never_used_twice(sim: StashSim, caller: Caller) -> None:
    # fact 8
    fill(sim, 3)
    sim.destroy_scene(3)
    assert sim.add_scene(title="new") == 4


async def test_an_empty_queue_is_null(caller: Caller) -> None:
    # fact 9
    assert (await caller.ask("{ jobQueue { id } }"))["jobQueue"] is None


@pytest.mark.parametrize(
    ("zone", "moment", "stored"),
    [
        ("Europe/Berlin", datetime(2026, 7, 1, 10, 0, 0, 999999, tzinfo=UTC), "2026-07-01T12:00:00+02:00"),
        ("Europe/Berlin", datetime(2026, 1, 1, 10, tzinfo=UTC), "2026-01-01T11:00:00+01:00"),
        ("UTC", datetime(2026, 1, 1, 10, tzinfo=UTC), "2026-01-01T10:00:00Z"),
        ("America/St_Johns", datetime(2026, 1, 1, 10, tzinfo=UTC), "2026-01-01T06:30:00-03:30"),
    ],
)
async def test_times_are_whole_seconds_with_the_servers_offset(zone: str, moment: datetime, stored: str) -> None:
    # fact 10
    sim = StashSim(clock=HandClock(moment), zone=zone)
    scene = sim.add_scene(title="a")
    assert (await Caller(sim).scene(scene, "updated_at"))["updated_at"] == stored


async def test_plays_are_utc(sim: StashSim, caller: Caller) -> None:
    # fact 10
    scene = sim.add_scene(title="a")
    await caller.ask("mutation($id: ID!) { sceneAddPlay(id: $id) { count } }", id=scene)
    seen = await caller.scene(scene, "play_history last_played_at")
    assert seen == {"play_history": ["2026-07-01T10:00:00Z"], "last_played_at": "2026-07-01T10:00:00Z"}


async def test_time_filters_compare_text(sim: StashSim, caller: Caller) -> None:
    # fact 11
    scene = sim.add_scene(title="a")  # 2026-07-01T12:00:00+02:00, which is 10:00Z
    later_as_text = {"updated_at": {"modifier": "GREATER_THAN", "value": "2026-07-01T11:30:00Z"}}
    same_instant = {"updated_at": {"modifier": "EQUALS", "value": "2026-07-01T10:00:00Z"}}
    just_a_year = {"updated_at": {"modifier": "GREATER_THAN", "value": "2026"}}
    assert await ids(caller, s=later_as_text) == [scene]
    assert await ids(caller, s=same_instant) == []
    assert await ids(caller, s=just_a_year) == [scene]


async def test_after_the_clocks_went_back_a_later_edit_sorts_first(clock: HandClock, caller: Caller) -> None:
    # fact 11
    sim = caller.sim
    clock.present = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
    earlier = sim.add_scene(title="02:50+02:00")
    clock.present = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    later = sim.add_scene(title="02:10+01:00")
    assert await ids(caller, f={"sort": "updated_at", "direction": "ASC"}) == [later, earlier]


async def test_unset_texts_are_empty_and_unset_values_null(sim: StashSim, caller: Caller) -> None:
    # fact 12
    scene = sim.add_scene(files=[("/media/a.mp4", 1, 2.0, "0" * 16)])
    fields = "title details code director date rating100 o_counter play_count last_played_at studio { id }"
    assert await caller.scene(scene, fields) == {
        **dict.fromkeys(("title", "details", "code", "director"), ""),
        **dict.fromkeys(("date", "rating100", "last_played_at", "studio")),
        **dict.fromkeys(("o_counter", "play_count"), 0),
    }


async def test_the_first_file_is_the_primary_one(sim: StashSim, caller: Caller) -> None:
    # fact 13
    scene = sim.add_scene(files=[("/media/a.mp4", 1, 2.5, "aa"), ("/media/b.mp4", 3, 4.0, "bb")])
    fields = "files { id path basename size duration parent_folder { path } fingerprints { type value } }"
    files = (await caller.scene(scene, fields))["files"]
    assert files[0] == {
        "id": "1",
        "path": "/media/a.mp4",
        "basename": "a.mp4",
        "size": 1,
        "duration": 2.5,
        "parent_folder": {"path": "/media"},
        "fingerprints": [{"type": "oshash", "value": "aa"}],
    }
    await caller.update(scene, primary_file_id=files[1]["id"])
    assert [f["basename"] for f in (await caller.scene(scene, "files { basename }"))["files"]] == ["b.mp4", "a.mp4"]


async def test_a_scene_without_files_has_an_empty_list(sim: StashSim, caller: Caller) -> None:
    # fact 13
    assert (await caller.scene(sim.add_scene(title="a"), "files { id }"))["files"] == []


async def test_equals_is_like(sim: StashSim, caller: Caller) -> None:
    # fact 14
    for number in range(9):
        sim.add_scene(files=[(f"/Seed/seed{number}.MP4", 1, 1.0, f"{number}")])
    like = {"path": {"modifier": "EQUALS", "value": "/seed/seed_.mp4"}}
    percent = {"path": {"modifier": "EQUALS", "value": "/seed/%3.mp4"}}
    assert len(await ids(caller, s=like)) == 9
    assert await ids(caller, s=percent) == [4]


async def test_includes_splits_on_blanks_unless_quoted(sim: StashSim, caller: Caller) -> None:
    # fact 14
    one, two = sim.add_scene(title="red house"), sim.add_scene(title="house on red hill")
    assert await ids(caller, s={"title": {"modifier": "INCLUDES", "value": "red hill"}}) == [one, two]
    assert await ids(caller, s={"title": {"modifier": "INCLUDES", "value": '"red hill"'}}) == [two]


async def test_regular_expressions_mind_case_and_look_anywhere(sim: StashSim, caller: Caller) -> None:
    # fact 14
    scene = sim.add_scene(title="Red house")
    assert await ids(caller, s={"title": {"modifier": "MATCHES_REGEX", "value": "d h"}}) == [scene]
    assert await ids(caller, s={"title": {"modifier": "MATCHES_REGEX", "value": "red"}}) == []


async def test_a_related_filter_under_or_drops_rows(sim: StashSim, caller: Caller) -> None:
    # fact 15
    lonely = sim.add_scene(title="without performers")
    crowded = sim.add_scene(title="with", performers=["Ann"])
    since = {"modifier": "GREATER_THAN", "value": "2026-01-01"}
    assert await ids(caller, s={"updated_at": since}) == [lonely, crowded]
    assert await ids(caller, s={"updated_at": since, "OR": {"performers_filter": {"updated_at": since}}}) == [crowded]
    assert await ids(caller, s={"updated_at": since, "OR": {"studios_filter": {"updated_at": since}}}) == [
        lonely,
        crowded,
    ]


async def test_a_page_is_no_snapshot(sim: StashSim, caller: Caller) -> None:
    # fact 16
    fill(sim, 3)
    sim.between_rows = lambda scene_id: sim.update_scene(3, title="changed") if scene_id == 2 else None
    scenes = (await caller.ask(FIND))["findScenes"]["scenes"]
    assert [scene["title"] for scene in scenes] == ["scene 1", "scene 2", "changed"]


@pytest.mark.parametrize(
    ("scene_filter", "cause"),
    [
        ({"updated_at": {"modifier": "INCLUDES", "value": "2026"}}, "unsupported date modifier type"),
        ({"id": {"modifier": "INCLUDES", "value": 1}}, "unsupported numeric modifier type INCLUDES"),
        ({"title": {"modifier": "GREATER_THAN", "value": "a"}}, "unsupported string filter modifier"),
    ],
)
async def test_a_modifier_that_does_not_fit_is_an_internal_error(
    caller: Caller, scene_filter: dict[str, object], cause: str
) -> None:
    assert await caller.errors(FIND, s=scene_filter) == [f"Internal system error. Error <{cause}>"]


async def test_a_modifier_that_does_not_fit_links_is_ignored(sim: StashSim, caller: Caller) -> None:
    fill(sim, 3)
    found = await caller.ask(FIND, s={"tags": {"modifier": "GREATER_THAN", "value": ["1"]}})
    assert len(found["findScenes"]["scenes"]) == 3


async def test_and_excludes_or(caller: Caller) -> None:
    title = {"title": {"modifier": "EQUALS", "value": "a"}}
    assert await caller.errors(FIND, s={"AND": title, "OR": title}) == ["cannot have AND and OR in the same filter"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["1", "99"], "scene with id 99 not found"),
        (["1", "1"], "validating ids: duplicate id found: 1"),
        (["x"], 'converting ids: strconv.Atoi: parsing "x": invalid syntax'),
        (["9" * 20], f'converting ids: strconv.Atoi: parsing "{"9" * 20}": value out of range'),
    ],
)
async def test_an_id_that_does_not_fit_says_how(sim: StashSim, caller: Caller, ids: list[str], message: str) -> None:
    fill(sim, 3)
    assert await caller.errors("query($i: [ID!]) { findScenes(ids: $i) { count } }", i=ids) == [message]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2021-03-04", "2021-03-04"), ("2021-03", "2021-03"), ("2021", "2021"), ("0000", "0000"), ("", None),
        ("2021-03-04T10:00:00Z", "2021-03-04"), ("2021-03-04 10:00:00", "2021-03-04"),
    ],
)  # fmt: skip
async def test_a_date_may_be_partial_and_has_no_time(
    sim: StashSim, caller: Caller, given: str, kept: str | None
) -> None:
    scene = sim.add_scene(title="a", date="1999")
    await caller.update(scene, date=given)
    assert (await caller.scene(scene, "date"))["date"] == kept


@pytest.mark.parametrize("given", ["2021-3", "2021-02-30", "2021-13", " 2021", "12345", "2021-00-00", "soon"])
async def test_what_is_no_date_is_refused(sim: StashSim, caller: Caller, given: str) -> None:
    scene = sim.add_scene(title="a", date="1999")
    mutation = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"
    (message,) = await caller.errors(mutation, input={"id": scene, "date": given})
    assert message.startswith(f'converting date: failed to parse date "{given}"')


async def test_an_unknown_sort_is_an_error(caller: Caller) -> None:
    assert await caller.errors(FIND, f={"sort": "rating100"})


async def test_a_filter_that_is_not_played_says_so(caller: Caller) -> None:
    (message,) = await caller.errors(FIND, s={"duplicated": {"duplicated": True}})
    assert "duplicated" in message


async def test_families_of_tags_and_studios(sim: StashSim, caller: Caller) -> None:
    sim.studio("child", parent="parent")
    below, top = sim.add_scene(title="a", studio="child"), sim.add_scene(title="b", studio="parent")
    parent = sim.studio("parent")
    alone = {"studios": {"value": [parent], "modifier": "INCLUDES"}}
    whole = {"studios": {"value": [parent], "modifier": "INCLUDES", "depth": -1}}
    assert await ids(caller, s=alone) == [top]
    assert await ids(caller, s=whole) == [below, top]


async def test_multi_criteria(sim: StashSim, caller: Caller) -> None:
    first = sim.add_scene(title="a", performers=["Ann", "Bob"], tags=["red"])
    second = sim.add_scene(title="b", performers=["Ann"])
    ann, bob = sim.performer("Ann"), sim.performer("Bob")

    async def with_performers(modifier: str, value: list[int], **more: object) -> list[int]:
        return await ids(caller, s={"performers": {"modifier": modifier, "value": value, **more}})

    assert await with_performers("INCLUDES", [ann, bob]) == [first, second]
    assert await with_performers("INCLUDES_ALL", [ann, bob]) == [first]
    assert await with_performers("EXCLUDES", [bob]) == [second]
    assert await with_performers("INCLUDES", [ann], excludes=[bob]) == [second]
    assert await ids(caller, s={"is_missing": "tags"}) == [second]
    assert await ids(caller, s={"tags": {"modifier": "NOT_NULL"}}) == [first]


async def test_search_words(sim: StashSim, caller: Caller) -> None:
    one = sim.add_scene(title="Red house", files=[("/media/x/Blue.mp4", 1, 1.0, "aa")])
    two = sim.add_scene(title="Red hill")
    assert await ids(caller, f={"q": "red"}) == [one, two]
    assert await ids(caller, f={"q": "red blue"}) == [one]
    assert await ids(caller, f={"q": "red -house"}) == [two]


async def test_a_scene_by_its_hash(sim: StashSim, caller: Caller) -> None:
    scene = sim.add_scene(title="a", files=[("/media/a.mp4", 1, 1.0, "feed")])
    query = "query($h: SceneHashInput!) { findSceneByHash(input: $h) { id } }"
    assert (await caller.ask(query, h={"oshash": "feed"}))["findSceneByHash"] == {"id": str(scene)}
    assert (await caller.ask(query, h={"oshash": "none"}))["findSceneByHash"] is None


async def test_entities_are_found_by_time_and_by_alias(sim: StashSim, clock: HandClock, caller: Caller) -> None:
    sim.performer("Ann", alias_list=["Annie"])
    clock.move(hours=1)
    sim.performer("Bob")
    query = """query($q: String, $s: PerformerFilterType) {
      findPerformers(filter: {q: $q, per_page: -1}, performer_filter: $s) { count performers { name scene_count } } }"""
    by_alias = (await caller.ask(query, q="annie"))["findPerformers"]
    assert by_alias == {"count": 1, "performers": [{"name": "Ann", "scene_count": 0}]}
    since = {"updated_at": {"modifier": "GREATER_THAN", "value": "2026-07-01T12:30:00"}}
    assert [p["name"] for p in (await caller.ask(query, s=since))["findPerformers"]["performers"]] == ["Bob"]


async def test_introspection_lists_the_fields_of_this_version(sim: StashSim, caller: Caller) -> None:
    query = '{ __type(name: "Scene") { fields { name } } }'
    names = {field["name"] for field in (await caller.ask(query))["__type"]["fields"]}
    assert {"code", "rating100", "files", "paths"} <= names
    assert "custom_fields" not in names
    sim.switches.hidden = frozenset({"Scene.code", "SceneFilterType.files_filter"})
    names = {field["name"] for field in (await caller.ask(query))["__type"]["fields"]}
    assert "code" not in names
    assert (await caller.reply("{ findScenes { scenes { id code } } }")).status == 422
    assert (await caller.reply("{ findScenes(scene_filter: {files_filter: {}}) { count } }")).status == 422


@pytest.mark.parametrize("status", ["SETUP", "NEEDS_MIGRATION"])
async def test_without_a_database_data_queries_fail(sim: StashSim, caller: Caller, status: str) -> None:
    sim.switches.status = status
    assert (await caller.ask("{ systemStatus { status } version { version } }"))["systemStatus"]["status"] == status
    nothing = ["Internal system error. Error <runtime error: invalid memory address or nil pointer dereference>"]
    assert await caller.errors(FIND) == nothing
    assert await caller.errors('mutation { tagCreate(input: {name: "a"}) { id } }') == nothing
    assert await caller.ask('{ __type(name: "Scene") { name } }') == {"__type": {"name": "Scene"}}
    picture = await caller.call("GET", "/scene/1/screenshot?t=1")
    assert (picture.status, picture.body) == (500, b"")


async def test_statistics_count(sim: StashSim, caller: Caller) -> None:
    sim.add_scene(title="a", studio="S", performers=["Ann"], tags=["x", "y"], files=[("/a.mp4", 10, 2.0, "aa")])
    query = "{ stats { scene_count scenes_size scenes_duration performer_count studio_count tag_count } }"
    assert (await caller.ask(query))["stats"] == {
        "scene_count": 1,
        "scenes_size": 10.0,
        "scenes_duration": 2.0,
        "performer_count": 1,
        "studio_count": 1,
        "tag_count": 2,
    }
