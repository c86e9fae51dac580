"""An independent client works with performers, studios, tags and groups."""

from collections.abc import Callable
from typing import Any

from stashapi.stashapp import StashInterface

from contract.stash.conftest import PREFIX

MakeEntity = Callable[..., Any]


def test_a_performer_is_found_by_name_and_by_alias(client: StashInterface, made_entity: MakeEntity) -> None:
    made = made_entity("performer", "Ann Lee", alias_list=[PREFIX + "Annie"], gender="FEMALE", country="DE")
    by_name = client.find_performer(PREFIX + "Ann Lee")
    by_alias = client.find_performer({"name": PREFIX + "Annie"})
    assert by_name["id"] == by_alias["id"] == made["id"]
    assert (by_name["gender"], by_name["country"], by_name["scene_count"]) == ("FEMALE", "DE", 0)
    assert "default=true" in by_name["image_path"]


def test_a_performer_is_updated(client: StashInterface, made_entity: MakeEntity) -> None:
    made = made_entity("performer", "Bob", details="kept")
    client.update_performer({"id": made["id"], "rating100": 70})
    found = client.find_performer(int(made["id"]), fragment="rating100 details")
    assert found == {"rating100": 70, "details": "kept"}
    client.destroy_performer([int(made["id"])])
    assert client.find_performer(int(made["id"]), fragment="id") is None


def test_a_studio_has_a_parent(client: StashInterface, made_entity: MakeEntity) -> None:
    parent = made_entity("studio", "Parent")
    child = made_entity("studio", "Child", parent_id=parent["id"])
    found = client.find_studio(int(child["id"]), fragment="name parent_studio { id }")
    assert found == {"name": PREFIX + "Child", "parent_studio": {"id": parent["id"]}}
    assert client.find_studio_root(int(child["id"]), fragment="id")["id"] == parent["id"]
    client.update_studio({"id": child["id"], "name": PREFIX + "Kid"})
    assert client.find_studio(PREFIX + "Kid")["id"] == child["id"]


def test_a_tag_is_found_or_made(client: StashInterface, made_entity: MakeEntity) -> None:
    made = made_entity("tag", "Red", aliases=[PREFIX + "Rouge"])
    assert client.find_tag(PREFIX + "Red")["id"] == made["id"]
    assert client.find_tag(PREFIX + "Rouge", fragment="id") == {"id": made["id"]}
    assert client.find_tag(PREFIX + "Nothing") is None
    client.update_tag({"id": made["id"], "description": "a colour"})
    assert client.find_tag(int(made["id"]), fragment="description")["description"] == "a colour"


def test_tags_have_families(client: StashInterface, made_entity: MakeEntity) -> None:
    parent = made_entity("tag", "Colours")
    child = made_entity("tag", "Green", parent_ids=[parent["id"]])
    assert client.find_tag(int(parent["id"]), fragment="children { id }")["children"] == [{"id": child["id"]}]
    below = {"parents": {"value": [parent["id"]], "modifier": "INCLUDES", "depth": -1}}
    assert [tag["id"] for tag in client.find_tags(f=below, fragment="id")] == [child["id"]]


def test_merged_tags_become_one(client: StashInterface, made_entity: MakeEntity) -> None:
    source, destination = made_entity("tag", "Source"), made_entity("tag", "Destination")
    client.merge_tags([source["id"]], destination["id"])
    found = client.find_tag(int(destination["id"]), fragment="aliases")
    assert found["aliases"] == [PREFIX + "Source"]
    assert client.find_tag(int(source["id"]), fragment="id") is None


def test_all_lists_can_be_read_with_their_default_fields(client: StashInterface, made_entity: MakeEntity) -> None:
    for kind in ("performer", "studio", "tag"):
        made_entity(kind, f"Listed {kind}")
    named = {"name": {"value": f'"{PREFIX}Listed"', "modifier": "INCLUDES"}}
    assert len(client.find_performers(f=named)) == 1
    assert len(client.find_studios(f=named)) == 1
    assert len(client.find_tags(f=named)) == 1


def test_a_group_is_made_found_and_changed(client: StashInterface) -> None:
    made = client.create_group({"name": PREFIX + "Group", "synopsis": "words"})
    try:
        assert client.find_group(int(made["id"]))["synopsis"] == "words"
        assert client.update_group({"id": made["id"], "director": "D"})["director"] == "D"
        paths = client.find_group(int(made["id"]), fragment="front_image_path back_image_path")
        assert paths["front_image_path"].endswith("&default=true")
        assert paths["back_image_path"] is None
    finally:
        client.call_GQL("mutation($id: ID!) { groupDestroy(input: {id: $id}) }", {"id": made["id"]})
