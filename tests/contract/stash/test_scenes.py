"""An independent client works with scenes: create, find, page, update, merge, destroy."""

from collections.abc import Callable
from typing import Any

import pytest
from stashapi.stashapp import StashInterface

from contract.stash.conftest import PREFIX
from stashplex.sim.stash.app import StashSim

Make = Callable[..., str]


def titled(title: str) -> dict[str, Any]:
    return {"title": {"value": PREFIX + title, "modifier": "EQUALS"}}


def test_a_created_scene_is_found_with_all_its_default_fields(client: StashInterface, made: Make) -> None:
    scene_id = made("one", details="words", code="c-1", date="2020-02-03", rating100=80, urls=["https://a.test/1"])
    scene = client.find_scene(int(scene_id))
    assert scene["title"] == PREFIX + "one"
    assert (scene["details"], scene["code"], scene["date"], scene["rating100"]) == ("words", "c-1", "2020-02-03", 80)
    assert scene["urls"] == ["https://a.test/1"]
    assert scene["files"] == []
    assert scene["paths"]["screenshot"].split("?")[0].endswith(f"/scene/{scene_id}/screenshot")
    assert scene["o_counter"] == 0
    assert scene["director"] in {"", None}


def test_scenes_are_filtered_and_counted(client: StashInterface, made: Make) -> None:
    scene_id = made("counted", rating100=33)
    made("other")
    count, scenes = client.find_scenes(f=titled("counted"), get_count=True)
    assert count == 1
    assert [scene["id"] for scene in scenes] == [scene_id]
    both = {**titled("counted"), "AND": {"rating100": {"value": 40, "modifier": "GREATER_THAN"}}}
    assert client.find_scenes(f=both) == []


def test_pages_by_id_meet_every_scene_once(client: StashInterface, made: Make) -> None:
    ids = [made(f"page {number}") for number in range(5)]
    seen: list[str] = []
    last = int(ids[0]) - 1
    while True:
        scenes = client.find_scenes(
            f={"id": {"value": last, "modifier": "GREATER_THAN"}},
            filter={"per_page": 2, "sort": "id", "direction": "ASC"},
            fragment="id",
        )
        if not scenes:
            break
        seen += [scene["id"] for scene in scenes]
        last = int(scenes[-1]["id"])
    assert [each for each in seen if each in ids] == ids


def test_an_update_is_sparse(client: StashInterface, made: Make, made_entity: Callable[..., Any]) -> None:
    scene_id = made("sparse", details="kept", code="old")
    tag = made_entity("tag", "sparse tag")
    assert client.update_scene({"id": scene_id, "code": "new", "tag_ids": [tag["id"]]}) == scene_id
    scene = client.find_scene(int(scene_id), fragment="details code tags { id }")
    assert scene == {"details": "kept", "code": "new", "tags": [{"id": tag["id"]}]}
    client.update_scene({"id": scene_id, "code": None, "tag_ids": []})
    scene = client.find_scene(int(scene_id), fragment="code tags { id }")
    assert scene["code"] in {"", None}
    assert scene["tags"] == []


@pytest.mark.parametrize(
    ("mode", "left"), [("SET", ["b"]), ("ADD", ["a", "b"]), ("REMOVE", ["a"])], ids=["set", "add", "remove"]
)
def test_a_bulk_update_sets_adds_and_removes(
    client: StashInterface, made: Make, made_entity: Callable[..., Any], mode: str, left: list[str]
) -> None:
    tags = {name: made_entity("tag", f"bulk {name}")["id"] for name in "ab"}
    before = ["a", "b"] if mode == "REMOVE" else ["a"]
    scenes = [made(f"bulk {number}", tag_ids=[tags[name] for name in before]) for number in range(2)]
    client.update_scenes({"ids": scenes, "organized": True, "tag_ids": {"ids": [tags["b"]], "mode": mode}})
    for scene_id in scenes:
        scene = client.find_scene(int(scene_id), fragment="organized tags { id }")
        assert scene["organized"] is True
        assert sorted(tag["id"] for tag in scene["tags"]) == sorted(tags[name] for name in left)


def test_a_merge_keeps_the_destination(client: StashInterface, made: Make) -> None:
    source, destination = made("source"), made("destination")
    client.merge_scenes(source, destination, {"code": "merged"})
    assert client.find_scene(int(source), fragment="id") is None
    assert client.find_scene(int(destination), fragment="code")["code"] == "merged"


def test_destroyed_scenes_are_gone(client: StashInterface, made: Make) -> None:
    one, two, three = made("one"), made("two"), made("three")
    assert client.destroy_scene(one) is True
    assert client.destroy_scenes([two, three]) is True
    assert [client.find_scene(int(each), fragment="id") for each in (one, two, three)] == [None] * 3


def test_plays_do_not_move_the_time_of_the_last_edit(client: StashInterface, made: Make) -> None:
    scene_id = made("played")
    before = client.find_scene(int(scene_id), fragment="updated_at")
    client.call_GQL("mutation($id: ID!) { sceneAddPlay(id: $id) { count } }", {"id": scene_id})
    after = client.find_scene(int(scene_id), fragment="updated_at play_count last_played_at")
    assert after["play_count"] == 1
    assert after["last_played_at"].endswith("Z")
    assert after["updated_at"] == before["updated_at"]


def test_markers_live_and_die(client: StashInterface, made: Make, made_entity: Callable[..., Any]) -> None:
    scene_id, tag = made("marked"), made_entity("tag", "marker tag")
    created = client.create_scene_marker(
        {"title": "here", "seconds": 12.5, "scene_id": scene_id, "primary_tag_id": tag["id"], "tag_ids": []}
    )
    (marker,) = client.get_scene_markers(scene_id)
    assert (marker["id"], marker["title"], marker["seconds"]) == (created["id"], "here", 12.5)
    client.update_scene_marker({"id": marker["id"], "title": "there"})
    assert client.get_scene_markers(scene_id, fragment="title") == [{"title": "there"}]
    client.destroy_scene_marker(marker["id"])
    assert client.get_scene_markers(scene_id, fragment="id") == []


def test_files_come_with_all_their_default_fields(client: StashInterface, sim: StashSim) -> None:
    scene_id = sim.add_scene(title="with a file", files=[("/media/a b.mp4", 123, 60.5, "0123456789abcdef")])
    (file,) = client.find_scene(scene_id)["files"]
    assert (file["path"], file["basename"], file["size"], file["duration"]) == ("/media/a b.mp4", "a b.mp4", 123, 60.5)
    assert file["fingerprints"] == [{"type": "oshash", "value": "0123456789abcdef"}]
    found = client.find_scene_by_hash({"oshash": "0123456789abcdef"}, fragment="id")
    assert found == {"id": str(scene_id)}
    sim.destroy_scene(scene_id)


def test_a_busy_database_makes_the_client_raise(client: StashInterface, sim: StashSim, made: Make) -> None:
    scene_id = made("busy")
    sim.switches.locked = 1
    with pytest.raises(Exception, match="query failed"):
        client.update_scene({"id": scene_id, "code": "x"})
    client.update_scene({"id": scene_id, "code": "x"})
