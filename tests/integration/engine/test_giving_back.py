"""Items that are given back, put back, or whose scene is gone: seen in Plex, through the ordinary pass."""

from datetime import timedelta
from pathlib import Path

import pytest

from asgi import AsgiTransport
from stashplex.base.transport import Request
from stashplex.cli.giving_back import release_scene, undo_app
from stashplex.domain.handback import HandBack, Parting
from stashplex.domain.scene import SceneId
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.plex.item import Item
from worlds import PLEX_URL, World, a_world

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


def shown(world: World, number: int = 1) -> Item:
    """Return the item of a film, from inside the simulated server."""
    return world.section.items[int(world.item_of(Catalogue().film(number)))]


def tags(world: World, kind: str, number: int = 1) -> list[str]:
    return sorted(tagging.tag.text for tagging in shown(world, number).tags.get(kind, []))


async def person_edits(world: World, query: str, number: int = 1) -> None:
    """Edit an item as Plex's own page would."""
    key = world.item_of(Catalogue().film(number))
    url = f"{PLEX_URL}/library/sections/{world.section.id}/all?type=1&id={key}&{query}"
    answer = await AsgiTransport(world.plex.app).send(Request("PUT", url, {"X-Plex-Token": world.plex.token}))
    assert answer.status == 200


async def release(world: World, number: int = 1, *, restore: bool = False) -> bool:
    wish = HandBack(Parting.RESTORE if restore else Parting.RELEASE)
    with world.app() as app:
        _, is_done = await release_scene(app, await app.connect(), scene_id=SceneId(number), wish=wish)
    return is_done


async def undo(world: World, *numbers: int, is_trial: bool = False) -> tuple[list[str], int]:
    """Undo the last day; return what was refused, and how many scenes had something to put back."""
    with world.app() as app:
        scenes = tuple(map(SceneId, numbers))
        looked, waiting = await undo_app(app, await app.connect(), since=DAY, scene_ids=scenes, is_trial=is_trial)
    assert not waiting
    return [reason for one in looked for reason in one.refused], sum(one.is_something for one in looked)


async def test_a_released_item_is_unlocked_and_left_alone_until_its_sync(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2)
    world.stash.update_scene(1, title="Ours")
    await world.sync()
    assert await release(world)
    assert not shown(world).locks
    assert shown(world).fields["title"] == "Ours"
    with world.app() as app:
        target = await app.connect()
        assert SceneId(1) not in app.store.overview.links_for(target.plex_id, [SceneId(1)])
    world.stash.update_scene(1, title="Later")
    for _ in range(2):
        assert (await world.sync()).writes == 0
    assert shown(world).fields["title"] == "Ours"
    assert shown(world, 2).locks
    assert (await world.sync(1)).writes > 0
    assert shown(world).fields["title"] == "Later"


async def test_a_restored_item_shows_what_it_did_before_we_came(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1, posters=False)
    world.stash.update_scene(1, title="Ours", details="Ours", tags=["A", "B"], studio="Acme")
    await person_edits(world, "summary.value=Theirs&summary.locked=0&genre%5B0%5D.tag.tag=Own&genre.locked=0")
    before = dict(shown(world).fields), tags(world, "genre")
    await world.sync()
    world.stash.update_scene(1, title="Again", tags=["B", "C"])
    await world.sync()
    await person_edits(
        world, "genre%5B0%5D.tag.tag=Own&genre%5B1%5D.tag.tag=B&genre%5B2%5D.tag.tag=C&genre%5B3%5D.tag.tag=New"
    )
    assert await release(world, restore=True)
    after = shown(world)
    assert (after.fields.get("title"), after.fields["summary"]) == (before[0].get("title"), "Theirs")
    assert tags(world, "genre") == ["New", "Own"]
    assert not after.locks


async def test_a_value_that_a_person_changed_is_not_restored(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1, posters=False)
    world.stash.update_scene(1, title="Ours", details="Ours")
    await world.sync()
    await person_edits(world, "summary.value=Theirs")
    assert await release(world, restore=True)
    assert shown(world).fields["summary"] == "Theirs"
    assert shown(world).fields["title"] != "Ours"


async def test_a_release_while_plex_is_down_is_done_by_the_next_sync(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    await world.sync()
    with world.app() as app:
        target = await app.connect()
        app.store.hand_backs.ask(target.plex_id, [SceneId(1)], HandBack(Parting.RELEASE), app.clock.now())
    await world.sync()
    assert not shown(world).locks
    assert (await world.sync()).writes == 0


async def test_an_undo_puts_old_values_back_and_they_stay_until_stash_changes(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2, posters=False)
    before = [dict(shown(world, number).fields) for number in (1, 2)]
    world.stash.update_scene(1, title="Ours", tags=["A", "B"])
    await world.sync()
    assert await undo(world, 1, is_trial=True) == ([], 1)
    assert shown(world).fields["title"] == "Ours"
    assert await undo(world, 1) == ([], 1)
    assert shown(world).fields.get("title") == before[0].get("title")
    assert tags(world, "genre") == []
    assert shown(world, 2).fields != before[1]
    for _ in range(2):
        assert (await world.sync()).writes == 0
    world.stash.update_scene(1, title="Later")
    await world.sync()
    assert shown(world).fields["title"] == "Later"


async def test_an_undo_refuses_what_was_changed_since(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1, posters=False)
    world.stash.update_scene(1, title="Ours", details="Ours")
    await world.sync()
    await person_edits(world, "title.value=Theirs")
    refused, found = await undo(world)
    assert sorted(refused) == ["title: it was changed since", "titleSort: it was changed since"]
    assert found == 1
    assert shown(world).fields["title"] == "Theirs"
    assert shown(world).fields.get("summary", "") != "Ours"


@pytest.mark.parametrize(
    ("way", "labels", "is_locked"), [("leave", [], True), ("release", [], False), ("label", ["stash: gone"], True)]
)
async def test_a_destroyed_scene(tmp_path: Path, way: str, labels: list[str], is_locked: bool) -> None:
    world = a_world(tmp_path, 2)
    world.settings["destroyed"] = way
    await world.sync()
    world.stash.destroy_scene(1)
    await world.sync(2)
    with world.app() as app:
        target = await app.connect()
        app.store.ledger.mark(target.plex_id, [SceneId(1)], now=app.clock.now())
    await world.sync()
    assert tags(world, "label") == labels
    assert bool(shown(world).locks) == is_locked
    assert "label" not in shown(world).locks
    assert (await world.sync()).writes == 0


@pytest.mark.parametrize("way", ["leave", "release", "label"])
async def test_a_scene_that_was_merged_ends_quietly_and_the_survivor_is_written(tmp_path: Path, way: str) -> None:
    world = a_world(tmp_path, 2, posters=False)
    world.settings["destroyed"] = way
    world.stash.update_scene(1, tags=["Source"])
    await world.sync()
    scenes = world.stash.library.scenes
    scenes[2].files = scenes[1].files
    world.stash.destroy_scene(1)
    world.stash.update_scene(2, title="Survivor", tags=["Both"])
    with world.app() as app:
        target = await app.connect()
        app.store.ledger.mark(target.plex_id, [SceneId(1)], now=app.clock.now())
    await world.sync()
    assert (shown(world).fields["title"], tags(world, "genre")) == ("Survivor", ["Both"])
    assert (tags(world, "label"), "title" in shown(world).locks) == ([], True)
    assert (await world.sync()).writes == 0


async def test_the_label_of_a_deleted_scene_goes_when_its_file_has_a_scene_again(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2, posters=False)
    world.settings["destroyed"] = "label"
    await world.sync()
    await person_edits(world, "label%5B0%5D.tag.tag=Own&label.locked=0")
    files = world.stash.library.scenes[1].files
    world.stash.destroy_scene(1)
    with world.app() as app:
        target = await app.connect()
        app.store.ledger.mark(target.plex_id, [SceneId(1)], now=app.clock.now())
    await world.sync()
    assert tags(world, "label") == ["Own", "stash: gone"]
    world.stash.library.scenes[2].files = files
    world.stash.update_scene(2, title="Back")
    await world.sync()
    assert (shown(world).fields["title"], tags(world, "label")) == ("Back", ["Own"])
    assert (await world.sync()).writes == 0
