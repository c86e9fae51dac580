"""Who wins, seen in Plex: edits by people, first contact, locks, fields that are switched off."""

from pathlib import Path

import pytest

from asgi import AsgiTransport
from stashplex.base.errors import ConfigError
from stashplex.base.transport import Request
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.content.poster import poster_cheap
from stashplex.sim.plex.item import Item
from worlds import PLEX_URL, World, a_world

pytestmark = pytest.mark.anyio

FIELDS = {"title", "titleSort", "summary", "studio", "originallyAvailableAt", "genre", "actor", "thumb"}


def shown(world: World, number: int = 1) -> Item:
    """Return the item of a film, from inside the simulated server."""
    return world.section.items[int(world.item_of(Catalogue().film(number)))]


def genres(world: World) -> list[str]:
    return [tagging.tag.text for tagging in shown(world).tags.get("genre", [])]


async def person_edits(world: World, query: str, number: int = 1) -> None:
    """Edit an item as Plex's own page would."""
    key = world.item_of(Catalogue().film(number))
    url = f"{PLEX_URL}/library/sections/{world.section.id}/all?type=1&id={key}&{query}"
    answer = await AsgiTransport(world.plex.app).send(Request("PUT", url, {"X-Plex-Token": world.plex.token}))
    assert answer.status == 200


@pytest.mark.parametrize(
    ("policy", "kept", "later"),
    [
        ("follow", "Mine", "Later"),
        ("stash", "First", "Later"),
        ("plex", "Mine", "Mine"),
        ("stash, title=plex", *["Mine"] * 2),
    ],
)
async def test_a_title_that_a_person_changed(tmp_path: Path, policy: str, kept: str, later: str) -> None:
    world = a_world(tmp_path, 1, posters=False)
    world.settings["edits_by_people"] = policy
    world.stash.update_scene(1, title="First")
    await world.sync()
    await person_edits(world, "title.value=Mine&title.locked=1")
    await world.sync()
    assert shown(world).fields["title"] == kept
    assert (await world.sync()).writes == 0
    world.stash.update_scene(1, title="Later")
    await world.sync()
    assert shown(world).fields["title"] == later


@pytest.mark.parametrize(("policy", "after"), [("follow", ["B"]), ("stash", ["A", "B"]), ("plex", ["B"])])
async def test_a_genre_that_a_person_removed(tmp_path: Path, policy: str, after: list[str]) -> None:
    world = a_world(tmp_path, 1, posters=False)
    world.settings["edits_by_people"] = policy
    world.stash.update_scene(1, tags=["A", "B"])
    await world.sync()
    await person_edits(world, "genre%5B%5D.tag.tag-=A")
    await world.sync()
    assert sorted(genres(world)) == after


async def test_an_adopted_item_is_written_when_stash_changes(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    world.settings["first_contact"] = "adopt"
    before = dict(shown(world).fields)
    for _ in range(3):
        report = await world.sync()
        assert (report.writes, report.uploads, report.waiting) == (0, 0, 0)
    assert (dict(shown(world).fields), shown(world).locks) == (before, set())
    world.stash.update_scene(1, title="Later")
    report = await world.sync()
    assert (report.writes, report.uploads) == (1, 0)
    assert shown(world).fields["title"] == "Later"
    assert shown(world).locks == {"title", "titleSort"}


async def test_only_what_is_empty_is_filled(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1, posters=False)
    world.settings["first_contact"] = "fill"
    world.stash.update_scene(1, title="Stash's", details="Stash's", tags=["A"])
    await person_edits(world, "title.value=Mine&genre%5B0%5D.tag.tag=Own")
    await world.sync()
    assert (shown(world).fields["title"], shown(world).fields["summary"]) == ("Mine", "Stash's")
    assert genres(world) == ["Own"]
    assert (await world.sync()).writes == 0


async def test_without_locks_none_is_left_and_edits_by_people_stay(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    world.settings["lock_fields"] = False
    await world.sync()
    assert not shown(world).locks
    assert (await world.sync()).writes == 0
    await person_edits(world, "title.value=Mine&title.locked=1")
    assert (await world.sync()).writes == 0
    world.stash.update_scene(1, details="Later")
    await world.sync()
    assert (shown(world).fields["title"], shown(world).fields["summary"]) == ("Mine", "Later")
    assert shown(world).locks == {"title"}


@pytest.mark.parametrize(("respect", "title"), [(True, "Mine"), (False, "Stash's")])
async def test_what_people_locked_before_is_respected_if_asked_for(tmp_path: Path, respect: bool, title: str) -> None:
    world = a_world(tmp_path, 1, posters=False)
    world.settings["respect_locks"] = respect
    world.stash.update_scene(1, title="Stash's", details="Stash's")
    await person_edits(world, "title.value=Mine&title.locked=1")
    for _ in range(2):
        await world.sync()
    assert (shown(world).fields["title"], shown(world).fields["summary"]) == (title, "Stash's")
    world.stash.update_scene(1, title="Later", details="Later")
    await world.sync()
    assert shown(world).fields["summary"] == "Later"
    assert shown(world).fields["title"] == ("Mine" if respect else "Later")


async def test_a_field_that_is_switched_off_is_unlocked_once(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2)
    await world.sync()
    assert {"summary", "genre", "thumb"} <= shown(world).locks
    world.settings["fields_off"] = "summary, genres, poster"
    report = await world.sync()
    assert (report.writes, report.uploads) == (2, 0)
    assert not {"summary", "genre", "thumb"} & shown(world).locks
    assert "title" in shown(world).locks
    assert (await world.sync()).writes == 0
    world.stash.update_scene(1, details="Later")
    await world.sync()
    assert shown(world).fields["summary"] != "Later"


async def test_three_more_syncs_write_nothing_and_a_changed_cover_is_one_upload(tmp_path: Path) -> None:
    world = a_world(tmp_path, 3)
    await world.sync()
    for _ in range(3):
        report = await world.sync()
        assert (report.writes, report.uploads) == (0, 0)
    world.stash.update_scene(3, cover=poster_cheap(Catalogue().film(99)))
    assert (await world.sync()).uploads == 1
    assert (await world.sync()).uploads == 0


async def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    world.settings |= {"first_contact": "adopt", "edits_by_people": "follow, title=stash"}
    with pytest.raises(ConfigError, match="contradict"):
        await world.sync()
