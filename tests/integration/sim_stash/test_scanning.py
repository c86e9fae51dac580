"""Scan, clean, auto-tag, generate: what they change and what plugins hear (facts 24, 34-38)."""

from typing import Any

import anyio
import pytest

from integration.sim_stash.caller import Caller, HandClock, Workshop
from stashplex.sim.stash.app import StashSim

pytestmark = pytest.mark.anyio

SCAN = "mutation($input: ScanMetadataInput!) { job: metadataScan(input: $input) }"
CLEAN = "mutation($input: CleanMetadataInput!) { job: metadataClean(input: $input) }"
ALL = "Scene.Create.Post, Scene.Update.Post, Scene.Destroy.Post"


async def run(client: Caller, mutation: str, **given: Any) -> None:
    await client.wait_for_job((await client.ask(mutation, input=given))["job"])


@pytest.fixture
def ears(plugged: StashSim, workshop: Workshop) -> StashSim:
    """The server, with a plugin that notes all that scenes fire."""
    workshop.plugin("ears", "note(given)", triggers=ALL)
    plugged.reload_plugins()
    return plugged


def told(workshop: Workshop) -> list[tuple[str, int]]:
    return [(context["type"], context["id"]) for context in workshop.contexts()]


async def test_a_new_file_becomes_a_scene_and_a_second_scan_is_silent(
    ears: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 22
    ears.disk.put("/media/new.mp4", 5, 60.0)
    async with ears.running():
        await run(client, SCAN)
        await run(client, SCAN)
    assert workshop.contexts() == [{"id": 1, "type": "Scene.Create.Post", "input": None}]
    seen = await client.scene(1, "title files { path size }")
    assert seen == {"title": "", "files": [{"path": "/media/new.mp4", "size": 5}]}


async def test_the_create_hook_runs_before_the_cover_which_stamps_silently(
    plugged: StashSim, client: Caller, workshop: Workshop, clock: HandClock
) -> None:
    # fact 34
    workshop.plugin("gate", "note(1)\nwait_for('open')", triggers=ALL)
    plugged.reload_plugins()
    plugged.disk.put("/media/new.mp4")
    async with plugged.running():
        job = (await client.ask(SCAN, input={"scanGenerateCovers": True}))["job"]
        await workshop.until_noted(1)
        before = (await client.scene(1, "updated_at"))["updated_at"]
        picture = await client.call("GET", "/scene/1/screenshot")
        assert picture.headers["content-type"] == "image/svg+xml"
        clock.move(seconds=5)
        workshop.open_gate("open")
        await client.wait_for_job(job)
    assert (await client.scene(1, "updated_at"))["updated_at"] > before
    assert (await client.call("GET", "/scene/1/screenshot")).headers["content-type"] == "image/png"
    assert workshop.noted() == [1]


async def test_a_scan_runs_as_many_hooks_at_once_as_it_has_workers(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 34
    workshop.plugin("gate", "note(1)\nwait_for('open')", triggers=ALL)
    plugged.reload_plugins()
    plugged.settings.parallel_tasks = 2
    for number in range(5):
        plugged.disk.put(f"/media/{number}.mp4")
    async with plugged.running():
        job = (await client.ask(SCAN, input={}))["job"]
        await workshop.until_noted(2)
        for _ in range(20):
            await anyio.sleep(0.005)
            assert len(plugged.starter.running) == 2
        assert len(workshop.noted()) == 2
        workshop.open_gate("open")
        await client.wait_for_job(job)
    assert len(workshop.noted()) == 5


async def test_a_cancelled_scan_kills_the_hook_and_never_fires_for_it_again(
    plugged: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 35
    workshop.plugin("gate", "note(args['hookContext']['id'])\nwait_for('open')", triggers=ALL)
    plugged.reload_plugins()
    plugged.disk.put("/media/1.mp4")
    plugged.disk.put("/media/2.mp4")
    async with plugged.running():
        job = (await client.ask(SCAN, input={}))["job"]
        await workshop.until_noted(1)
        (process,) = plugged.starter.running
        await client.ask("mutation($id: ID!) { stopJob(job_id: $id) }", id=job)
        await client.wait_for_job(job, "CANCELLED")
        assert process.returncode == -9
        assert await client.scene(1, "id") == {"id": "1"}
        workshop.open_gate("open")
        await run(client, SCAN)
    assert workshop.noted() == [1, 2]


async def test_a_rescan_fires_for_every_scene_and_stamps_none(
    ears: StashSim, client: Caller, workshop: Workshop, clock: HandClock
) -> None:
    # fact 36
    scenes = [ears.add_scene(files=[(f"/media/{n}.mp4", 1, 1.0, f"{n}")]) for n in range(3)]
    ears.add_scene(title="without files")
    before = await client.scene(1, "updated_at")
    file_before = await client.scene(1, "files { updated_at }")
    clock.move(minutes=1)
    async with ears.running():
        await run(client, SCAN, rescan=True)
    assert told(workshop) == [("Scene.Update.Post", scene) for scene in scenes]
    assert workshop.contexts()[0]["input"] is None
    assert await client.scene(1, "updated_at") == before
    assert await client.scene(1, "files { updated_at }") != file_before


async def test_a_renamed_folder_changes_paths_and_nothing_else(
    ears: StashSim, client: Caller, workshop: Workshop, clock: HandClock
) -> None:
    # fact 37
    scene = ears.add_scene(files=[("/media/old/deep/a.mp4", 1, 1.0, "aa")])
    before = await client.scene(scene, "updated_at files { updated_at mod_time }")
    clock.move(minutes=1)
    ears.disk.move_folder("/media/old", "/media/new")
    async with ears.running():
        await run(client, SCAN)
    assert (await client.scene(scene, "files { path }"))["files"] == [{"path": "/media/new/deep/a.mp4"}]
    assert await client.scene(scene, "updated_at files { updated_at mod_time }") == before
    assert told(workshop) == []


async def test_a_renamed_file_stamps_the_file_and_fires(
    ears: StashSim, client: Caller, workshop: Workshop, clock: HandClock
) -> None:
    scene = ears.add_scene(files=[("/media/a.mp4", 1, 1.0, "aa")])
    before = await client.scene(scene, "updated_at files { updated_at }")
    clock.move(minutes=1)
    ears.move_file("/media/a.mp4", "/media/sub/b.mp4")
    async with ears.running():
        await run(client, SCAN)
    after = await client.scene(scene, "updated_at files { updated_at }")
    assert after["updated_at"] == before["updated_at"]
    assert after["files"] != before["files"]
    assert (await client.scene(scene, "files { path }"))["files"] == [{"path": "/media/sub/b.mp4"}]
    assert told(workshop) == [("Scene.Update.Post", scene)]


async def test_a_touched_file_stamps_the_file_and_fires(
    ears: StashSim, client: Caller, workshop: Workshop, clock: HandClock
) -> None:
    scene = ears.add_scene(files=[("/media/a.mp4", 1, 1.0, "aa")])
    before = await client.scene(scene, "updated_at")
    clock.move(minutes=1)
    ears.disk.touch("/media/a.mp4", "2026-07-01T12:00:30+02:00")
    async with ears.running():
        await run(client, SCAN)
    assert await client.scene(scene, "updated_at") == before
    assert (await client.scene(scene, "files { mod_time }"))["files"][0]["mod_time"] == "2026-07-01T12:00:30+02:00"
    assert told(workshop) == [("Scene.Update.Post", scene)]


async def test_the_same_content_joins_the_existing_scene(
    ears: StashSim, client: Caller, workshop: Workshop, clock: HandClock
) -> None:
    scene = ears.add_scene(files=[("/media/a.mp4", 1, 1.0, "aa")])
    before = await client.scene(scene, "updated_at")
    clock.move(minutes=1)
    ears.disk.put("/media/copy.mp4", 1, 1.0, "aa")
    async with ears.running():
        await run(client, SCAN)
    files = (await client.scene(scene, "files { basename }"))["files"]
    assert [file["basename"] for file in files] == ["a.mp4", "copy.mp4"]
    assert await client.scene(scene, "updated_at") != before
    assert told(workshop) == [("Scene.Update.Post", scene)]


async def test_a_scan_looks_only_where_it_is_told_to(ears: StashSim, client: Caller) -> None:
    ears.disk.put("/media/in/a.mp4")
    ears.disk.put("/media/out/b.mp4")
    async with ears.running():
        await run(client, SCAN, paths=["/media/in"])
        assert (await client.ask("{ findScenes { count } }"))["findScenes"]["count"] == 1
        await run(client, SCAN)
    assert (await client.ask("{ findScenes { count } }"))["findScenes"]["count"] == 2


async def test_clean_destroys_what_is_gone_with_an_empty_id_in_its_input(
    ears: StashSim, client: Caller, workshop: Workshop
) -> None:
    # fact 24
    gone = ears.add_scene(files=[("/media/a.mp4", 1, 1.0, "aa")])
    kept = ears.add_scene(files=[("/media/b.mp4", 1, 1.0, "bb")])
    ears.disk.remove("/media/a.mp4")
    async with ears.running():
        await run(client, SCAN)
        assert told(workshop) == []
        await run(client, CLEAN, dryRun=True)
        assert told(workshop) == []
        await run(client, CLEAN, dryRun=False)
    assert told(workshop) == [("Scene.Destroy.Post", gone)]
    context = workshop.contexts()[0]
    assert (context["input"]["id"], context["input"]["path"]) == ("", "/media/a.mp4")
    assert "inputFields" not in context
    assert await client.scene(gone, "id") is None
    assert await client.scene(kept, "id") is not None


async def test_clean_of_one_of_two_files_stamps_and_is_silent(
    ears: StashSim, client: Caller, workshop: Workshop, clock: HandClock
) -> None:
    scene = ears.add_scene(files=[("/media/a.mp4", 1, 1.0, "aa"), ("/media/b.mp4", 1, 1.0, "bb")])
    before = await client.scene(scene, "updated_at")
    clock.move(minutes=1)
    ears.disk.remove("/media/a.mp4")
    async with ears.running():
        await run(client, CLEAN, dryRun=False)
    assert await client.scene(scene, "updated_at") != before
    assert (await client.scene(scene, "files { basename }"))["files"] == [{"basename": "b.mp4"}]
    assert told(workshop) == []


async def test_auto_tag_changes_and_stamps_silently(
    ears: StashSim, client: Caller, workshop: Workshop, clock: HandClock
) -> None:
    # fact 38
    scene = ears.add_scene(files=[("/media/Big Studio/ann.lee - red.mp4", 1, 1.0, "aa")])
    other = ears.add_scene(files=[("/media/annabel lee.mp4", 1, 1.0, "bb")])
    ears.performer("Ann Lee")
    ears.studio("Big Studio")
    ears.tag("Red")
    before = await client.scene(scene, "updated_at")
    clock.move(minutes=1)
    mutation = "mutation($input: AutoTagMetadataInput!) { job: metadataAutoTag(input: $input) }"
    async with ears.running():
        await run(client, mutation, performers=["*"], studios=["*"], tags=["*"])
    seen = await client.scene(scene, "performers { name } studio { name } tags { name }")
    assert seen == {"performers": [{"name": "Ann Lee"}], "studio": {"name": "Big Studio"}, "tags": [{"name": "Red"}]}
    assert (await client.scene(other, "performers { name }"))["performers"] == []
    assert await client.scene(scene, "updated_at") != before
    assert told(workshop) == []


async def test_generated_covers_stamp_and_generated_hashes_do_not(
    ears: StashSim, client: Caller, workshop: Workshop, clock: HandClock
) -> None:
    # fact 38
    scene = ears.add_scene(files=[("/media/a.mp4", 1, 1.0, "aa")])
    mutation = "mutation($input: GenerateMetadataInput!) { job: metadataGenerate(input: $input) }"
    before = await client.scene(scene, "updated_at")
    clock.move(minutes=1)
    async with ears.running():
        await run(client, mutation, phashes=True)
        prints = (await client.scene(scene, 'files { fingerprint(type: "phash") }'))["files"][0]["fingerprint"]
        assert prints
        assert await client.scene(scene, "updated_at") == before
        await run(client, mutation, covers=True)
    assert await client.scene(scene, "updated_at") != before
    assert told(workshop) == []
