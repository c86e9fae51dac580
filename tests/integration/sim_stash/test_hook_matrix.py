"""What moves a scene's `updated_at` and what plugins hear (facts 22-24, 37-41, 44; the matrix of section 3.7).

Hooks are seen through a plugin that notes its stdin; one process runs per event.
"""

from typing import Any

import pytest

from integration.sim_stash.caller import Caller, HandClock, Workshop
from stashplex.sim.stash.app import StashSim

pytestmark = pytest.mark.anyio

KINDS = ("Scene", "SceneMarker", "Performer", "Studio", "Tag", "Group", "Movie", "Gallery")
ALL = ", ".join([f"{kind}.{event}.Post" for kind in KINDS for event in ("Create", "Update", "Destroy")])
TRIGGERS = f"{ALL}, Tag.Merge.Post, No.Such.Trigger"


class World:
    """A server with one scene that refers to one of everything, and a plugin that hears everything."""

    def __init__(self, sim: StashSim, client: Caller, workshop: Workshop, clock: HandClock) -> None:
        workshop.plugin("ears", "note(given)", triggers=TRIGGERS)
        sim.reload_plugins()
        self.sim, self.client, self.workshop, self.clock = sim, client, workshop, clock
        self.scene = sim.add_scene(
            title="old",
            studio="S",
            performers=["Ann", "Bob"],
            tags=["red", "blue"],
            groups=["G"],
            files=[("/media/Ann in red/a.mp4", 10, 60.0, "aa")],
        )
        self.other = sim.add_scene(title="other")
        clock.move(minutes=1)

    async def heard(self, mutation: str, **variables: Any) -> tuple[list[tuple[str, int | None]], bool]:
        """Return (trigger, id) of the hooks that a mutation caused, and whether the scene was stamped."""
        before = len(self.workshop.noted())
        stamp = await self._stamp()
        await self.client.ask(mutation, **variables)
        contexts = self.workshop.contexts()[before:]
        return [(each["type"], each.get("id")) for each in contexts], await self._stamp() != stamp

    async def _stamp(self) -> str | None:
        seen = await self.client.scene(self.scene, "updated_at")
        return None if seen is None else str(seen["updated_at"])

    def last(self) -> Any:
        """Return the context of the last hook."""
        return self.workshop.contexts()[-1]


@pytest.fixture
def world(plugged: StashSim, client: Caller, workshop: Workshop, clock: HandClock) -> World:
    return World(plugged, client, workshop, clock)


UPDATE = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id title } }"


async def test_create_tells_nothing_but_the_id(world: World) -> None:
    # fact 22
    heard, _ = await world.heard('mutation { sceneCreate(input: {title: "new"}) { id } }')
    assert heard == [("Scene.Create.Post", 3)]
    assert world.last() == {"id": 3, "type": "Scene.Create.Post", "input": None}


async def test_update_tells_every_key_and_the_given_ones_in_no_order(world: World) -> None:
    # fact 22
    orders = set()
    for _ in range(4):
        given = {"id": world.scene, "title": "new", "code": "c", "details": None, "rating100": 5}
        heard, is_stamped = await world.heard(UPDATE, input=given)
        world.clock.move(seconds=1)
        assert (heard, is_stamped) == ([("Scene.Update.Post", world.scene)], True)
        assert sorted(world.last()["inputFields"]) == sorted(given)
        orders.add(tuple(world.last()["inputFields"]))
    told = world.last()["input"]
    assert told["id"] == str(world.scene)
    assert told["title"] == "new"
    assert told["details"] is None
    assert "play_count" in told
    assert told["organized"] is None
    assert len(orders) > 1


async def test_an_update_without_a_difference_stamps_and_fires(world: World) -> None:
    # fact 41
    assert await world.heard(UPDATE, input={"id": world.scene}) == ([("Scene.Update.Post", world.scene)], True)


async def test_scenes_update_tells_each_call_the_whole_list(world: World) -> None:
    # fact 23
    mutation = "mutation($input: [SceneUpdateInput!]!) { scenesUpdate(input: $input) { id } }"
    given = [{"id": world.scene, "title": "x"}, {"id": world.other, "code": "y"}]
    heard, is_stamped = await world.heard(mutation, input=given)
    assert heard == [("Scene.Update.Post", world.scene), ("Scene.Update.Post", world.other)]
    assert is_stamped
    first, second = world.workshop.contexts()
    assert first["input"] == second["input"]
    assert [each["id"] for each in first["input"]] == [str(world.scene), str(world.other)]
    assert sorted(first["inputFields"]) == ["id", "title"]
    assert sorted(second["inputFields"]) == ["code", "id"]


async def test_bulk_update_tells_each_call_the_same_sparse_input(world: World) -> None:
    # facts 23, 32
    mutation = "mutation($input: BulkSceneUpdateInput!) { bulkSceneUpdate(input: $input) { id } }"
    given = {"ids": [world.scene, world.other], "tag_ids": {"ids": [1], "mode": "REMOVE"}}
    heard, is_stamped = await world.heard(mutation, input=given)
    assert heard == [("Scene.Update.Post", world.scene), ("Scene.Update.Post", world.other)]
    assert is_stamped
    for context in world.workshop.contexts():
        assert context["input"] == {
            "ids": [str(world.scene), str(world.other)],
            "tag_ids": {"ids": ["1"], "mode": "REMOVE"},
        }
        assert sorted(context["inputFields"]) == ["ids", "tag_ids"]
    assert (await world.client.scene(world.scene, "tags { name }"))["tags"] == [{"name": "blue"}]


async def test_destroy_tells_the_path(world: World) -> None:
    mutation = "mutation($id: ID!) { sceneDestroy(input: {id: $id}) }"
    heard, _ = await world.heard(mutation, id=world.scene)
    assert heard == [("Scene.Destroy.Post", world.scene)]
    assert world.last()["input"] == {
        "id": str(world.scene),
        "delete_file": None,
        "delete_generated": None,
        "checksum": "",
        "oshash": "aa",
        "path": "/media/Ann in red/a.mp4",
    }
    assert "inputFields" not in world.last()


async def test_destroying_several_tells_all_ids_each_time(world: World) -> None:
    mutation = "mutation($ids: [ID!]!) { scenesDestroy(input: {ids: $ids}) }"
    heard, _ = await world.heard(mutation, ids=[world.other, world.scene])
    assert heard == [("Scene.Destroy.Post", world.other), ("Scene.Destroy.Post", world.scene)]
    assert world.last()["input"]["ids"] == [str(world.other), str(world.scene)]


async def test_a_merge_stamps_the_destination_and_fires_nothing(world: World) -> None:
    # fact 38
    mutation = "mutation($s: [ID!]!, $d: ID!) { sceneMerge(input: {source: $s, destination: $d}) { id } }"
    assert await world.heard(mutation, s=[world.other], d=world.scene) == ([], True)
    assert await world.client.scene(world.other, "id") is None


async def test_a_performer_merge_fires_nothing_and_stamps_no_scene(world: World) -> None:
    # fact 38
    ann, bob = world.sim.performer("Ann"), world.sim.performer("Bob")
    mutation = "mutation($s: [ID!]!, $d: ID!) { performerMerge(input: {source: $s, destination: $d}) { id } }"
    assert await world.heard(mutation, s=[bob], d=ann) == ([], False)
    assert (await world.client.scene(world.scene, "performers { name }"))["performers"] == [{"name": "Ann"}]


async def test_a_generated_screenshot_stamps_and_fires_nothing(world: World) -> None:
    # fact 38
    mutation = "mutation($id: ID!) { sceneGenerateScreenshot(id: $id) }"
    assert await world.heard(mutation, id=world.scene) == ([], True)


@pytest.mark.parametrize("kind", ["performer", "studio", "tag"])
async def test_a_renamed_entity_fires_its_own_hook_only(world: World, kind: str) -> None:
    # fact 39
    name = {"performer": "Ann", "studio": "S", "tag": "red"}[kind]
    thing = getattr(world.sim, kind)(name)
    mutation = f'mutation($id: ID!) {{ {kind}Update(input: {{id: $id, name: "new"}}) {{ id }} }}'
    assert await world.heard(mutation, id=thing) == ([(f"{kind.title()}.Update.Post", thing)], False)
    assert world.last()["input"] == {"id": str(thing), "name": "new"}
    assert sorted(world.last()["inputFields"]) == ["id", "name"]


@pytest.mark.parametrize("kind", ["performer", "studio", "tag"])
async def test_a_destroyed_entity_leaves_its_scenes_silently(world: World, kind: str) -> None:
    # fact 39
    name = {"performer": "Ann", "studio": "S", "tag": "red"}[kind]
    thing = getattr(world.sim, kind)(name)
    mutation = f"mutation($id: ID!) {{ {kind}Destroy(input: {{id: $id}}) }}"
    assert await world.heard(mutation, id=thing) == ([(f"{kind.title()}.Destroy.Post", thing)], False)
    assert world.last()["input"] == {"id": str(thing)}
    seen = await world.client.scene(world.scene, "studio { name } performers { name } tags { name }")
    assert name not in str(seen)


async def test_destroying_several_tags_tells_a_list(world: World) -> None:
    red, blue = world.sim.tag("red"), world.sim.tag("blue")
    heard, _ = await world.heard("mutation($ids: [ID!]!) { tagsDestroy(ids: $ids) }", ids=[red, blue])
    assert heard == [("Tag.Destroy.Post", red), ("Tag.Destroy.Post", blue)]
    assert world.last()["input"] == [str(red), str(blue)]


async def test_merged_tags_fire_one_merge_hook(world: World) -> None:
    # fact 39
    red, blue = world.sim.tag("red"), world.sim.tag("blue")
    mutation = "mutation($s: [ID!]!, $d: ID!) { tagsMerge(input: {source: $s, destination: $d}) { id aliases } }"
    assert await world.heard(mutation, s=[red], d=blue) == ([("Tag.Merge.Post", blue)], False)
    assert world.last()["input"] == {"source": [str(red)], "destination": str(blue)}
    assert (await world.client.scene(world.scene, "tags { name aliases }"))["tags"] == [
        {"name": "blue", "aliases": ["red"]}
    ]


async def test_a_group_fires_under_both_names(world: World) -> None:
    # fact 44
    group = world.sim.group("G")
    mutation = 'mutation($id: ID!) { groupUpdate(input: {id: $id, name: "new"}) { id } }'
    assert await world.heard(mutation, id=group) == (
        [("Group.Update.Post", group), ("Movie.Update.Post", group)],
        False,
    )


async def test_markers_fire_their_own_hooks(world: World) -> None:
    # facts 24, 39
    red = world.sim.tag("red")
    create = """mutation($s: ID!, $t: ID!) {
      sceneMarkerCreate(input: {title: "m", seconds: 1.5, scene_id: $s, primary_tag_id: $t}) { id } }"""
    assert await world.heard(create, s=world.scene, t=red) == ([("SceneMarker.Create.Post", 1)], False)
    assert world.last()["input"]["scene_id"] == str(world.scene)
    update = 'mutation { sceneMarkerUpdate(input: {id: 1, title: "n"}) { id } }'
    assert await world.heard(update) == ([("SceneMarker.Update.Post", 1)], False)
    assert world.last()["input"] == {"id": "1", "title": "n"}
    destroy = "mutation { sceneMarkerDestroy(id: 1) }"
    assert await world.heard(destroy) == ([("SceneMarker.Destroy.Post", 1)], False)
    assert world.last()["input"] == ["1"]
    assert "inputFields" not in world.last()


@pytest.mark.parametrize(
    "mutation",
    [
        "sceneAddPlay(id: $id) { count }",
        "sceneDeletePlay(id: $id) { count }",
        "sceneResetPlayCount(id: $id)",
        "sceneAddO(id: $id) { count }",
        "sceneDeleteO(id: $id) { count }",
        "sceneResetO(id: $id)",
        "sceneSaveActivity(id: $id, resume_time: 3, playDuration: 4)",
        "sceneResetActivity(id: $id, reset_resume: true)",
    ],
)
async def test_watching_leaves_no_trace(world: World, mutation: str) -> None:
    # fact 40
    assert await world.heard(f"mutation($id: ID!) {{ {mutation} }}", id=world.scene) == ([], False)


async def test_plays_and_activity_are_kept(world: World) -> None:
    play = "mutation($id: ID!, $t: [Timestamp!]) { sceneAddPlay(id: $id, times: $t) { count history } }"
    same = "2026-06-01T10:00:00+02:00"
    answer = await world.client.ask(play, id=world.scene, t=[same, same, "<4h"])
    history = ["2026-07-01T06:01:00Z", "2026-06-01T08:00:00Z", "2026-06-01T08:00:00Z"]
    assert answer["sceneAddPlay"] == {"count": 3, "history": history}
    delete = "mutation($id: ID!, $t: [Timestamp!]) { sceneDeletePlay(id: $id, times: $t) { count } }"
    assert (await world.client.ask(delete, id=world.scene, t=[same]))["sceneDeletePlay"] == {"count": 2}
    save = "mutation($id: ID!) { sceneSaveActivity(id: $id, resume_time: 3, playDuration: 4) }"
    await world.client.ask(save, id=world.scene)
    await world.client.ask(save, id=world.scene)
    seen = await world.client.scene(world.scene, "resume_time play_duration play_count")
    assert seen == {"resume_time": 3.0, "play_duration": 8.0, "play_count": 2}


@pytest.mark.parametrize(
    "mutation",
    [
        'moveFiles(input: {ids: [1], destination_folder: "/media/new"})',
        "sceneAssignFile(input: {scene_id: 1, file_id: 1})",
        "deleteFiles(ids: [1])",
    ],
)
async def test_files_move_without_the_scene_noticing(world: World, mutation: str) -> None:
    assert await world.heard(f"mutation {{ {mutation} }}") == ([], False)


async def test_a_gallery_takes_scenes_silently(world: World) -> None:
    created = await world.client.ask('mutation { galleryCreate(input: {title: "g"}) { id } }')
    mutation = "mutation($id: ID!, $s: [ID!]) { galleryUpdate(input: {id: $id, scene_ids: $s}) { id } }"
    heard, is_stamped = await world.heard(mutation, id=created["galleryCreate"]["id"], s=[world.scene])
    assert (heard, is_stamped) == ([("Gallery.Update.Post", 1)], False)
    assert (await world.client.scene(world.scene, "galleries { title }"))["galleries"] == [{"title": "g"}]


async def test_update_is_sparse(world: World) -> None:
    assert (await world.client.ask(UPDATE, input={"id": world.scene, "code": "c"}))["sceneUpdate"]["title"] == "old"
    await world.client.update(world.scene, code=None, studio_id=None, performer_ids=[], date="2020", play_count=9)
    seen = await world.client.scene(world.scene, "code studio { id } performers { id } date play_count tags { name }")
    assert seen == {
        "code": "",
        "studio": None,
        "performers": [],
        "date": "2020",
        "play_count": 0,
        "tags": [{"name": "red"}, {"name": "blue"}],
    }
