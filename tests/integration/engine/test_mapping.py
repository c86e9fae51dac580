"""Rules against both simulators: what is set is what Plex shows, what a filter keeps out is not touched."""

from pathlib import Path

import anyio
import pytest
import trio

from stage import Stage, entry_of, play
from stashplex.base.errors import ConfigError
from stashplex.domain.entry import State
from stashplex.domain.filtering import FILTERED
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.stash.model import StashID
from worlds import World, a_world


def fields_of(world: World, scene: int = 1) -> dict[str, object]:
    """Return the texts of an item in Plex."""
    return dict(world.plex.item(world.item_of(Catalogue().film(scene))).fields)


def tags_of(world: World, kind: str, scene: int = 1) -> list[str]:
    """Return a list of an item in Plex."""
    return world.plex.tag_texts(world.item_of(Catalogue().film(scene)), kind)


def identified(world: World, scene: int) -> None:
    """Give a scene a stash id."""
    world.stash.update_scene(scene, stash_ids=(StashID("https://box.test", "u", "2026-01-01T00:00:00Z"),))


def test_every_text_and_list_arrives_and_stays(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    world.settings |= {
        "title_template": "{studio} - {title}",
        "original_title_template": "{code}",
        "tagline_template": "{parent_studio}",
        "content_rating": "XXX",
        "rating_to": "both",
        "label_organized": "organized",
        "label_stash_id": "identified",
        "writer_field": "director",
        "collection_from": "studio, parent_studio, groups, rating",
        "collection_prefix": "groups=Group:",
        "genre_parents": "add",
        "genre_rename": "animal=Animals",
        "actor_favorites_first": True,
        "summary_links": "urls, stash",
    }
    stash = world.stash
    studio, dog, animal = stash.studio("Acme East", parent="Acme"), stash.tag("Dog"), stash.tag("Animal")
    stash.library.tags[dog].parents = (stash.library.tags[animal],)
    stash.performer("Bob", favorite=True)
    stash.update_scene(1, title="T", code="C-1", director="Jane Roe", rating100=75, organized=True, studio=studio)
    stash.update_scene(
        1, tags=["Dog"], groups=["Trilogy"], performers=["Zoe", "Bob"], details="D", urls=["http://u.test"]
    )
    identified(world, 1)
    first = anyio.run(world.sync)
    shown = fields_of(world)
    assert shown["title"] == "Acme East - T"
    assert (shown["originalTitle"], shown["tagline"], shown["contentRating"]) == ("C-1", "Acme", "XXX")
    assert shown["rating"] == 7.5
    assert shown["summary"] == "D\n\nhttp://u.test\nhttp://stash.test:9999/scenes/1"
    assert tags_of(world, "genre") == ["Dog", "Animals"]
    assert tags_of(world, "actor") == ["Bob", "Zoe"]
    assert tags_of(world, "writer") == ["Jane Roe"]
    assert sorted(tags_of(world, "label")) == ["identified", "organized"]
    assert sorted(tags_of(world, "collection")) == ["4 stars", "Acme", "Acme East", "Group: Trilogy"]
    with world.app() as app:
        assert entry_of(app, 1).last_error is None
    assert first.synced == 1
    world.plex.forget_requests()
    again = anyio.run(world.sync)
    assert (again.synced, again.unchanged) == (0, 1)
    assert not [seen for seen in world.plex.requests if seen.method in {"PUT", "POST"}]


def test_labels_and_collections_of_people_stay(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    world.settings |= {"label_tags": "re:.", "collection_from": "groups"}
    world.stash.update_scene(1, tags=["a", "b"], groups=["One"])
    anyio.run(world.sync)
    key = world.item_of(Catalogue().film(1))
    world.plex._set_tags(world.plex.item(key), {"label": ["a", "b", "Mine"], "collection": ["One", "Theirs"]})
    world.stash.update_scene(1, tags=["b"], groups=["Two"])
    anyio.run(world.sync)
    assert sorted(tags_of(world, "label")) == ["Mine", "b"]
    assert sorted(tags_of(world, "collection")) == ["Theirs", "Two"]


def test_what_a_filter_keeps_out_is_settled_with_its_reason_and_not_touched(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2)
    for scene in (1, 2):
        world.stash.update_scene(scene, title=f"T{scene}", organized=True)
    anyio.run(world.sync)
    world.settings["filter_organized"] = True
    world.stash.update_scene(1, title="Another", organized=False)
    world.plex.forget_requests()
    report = anyio.run(world.sync)
    assert (report.synced, report.unchanged) == (0, 2)
    assert fields_of(world, 1)["title"] == "T1"
    assert not [seen for seen in world.plex.requests if seen.method in {"PUT", "POST"}]
    with world.app() as app:
        entry = entry_of(app, 1)
        assert (entry.state, entry.last_error_type) == (State.SYNCED, FILTERED)
        assert entry.last_error == "It is not organized (the setting filter_organized)."
        assert app.store.ledger.links_of(entry.id)
        assert entry_of(app, 2).last_error_type is None
    world.stash.update_scene(1, organized=True)
    assert anyio.run(world.sync).synced == 1
    assert fields_of(world, 1)["title"] == "Another"
    with world.app() as app:
        assert entry_of(app, 1).last_error_type is None


def test_a_filtered_scene_whose_file_plex_lacks_needs_nobody(tmp_path: Path) -> None:
    world = a_world(tmp_path, 2)
    world.plex.remove_item(world.item_of(Catalogue().film(1)))
    identified(world, 2)
    world.settings["filter_stash_id"] = True
    report = anyio.run(world.sync)
    assert (report.synced, report.unchanged, report.dead) == (1, 1, 0)


def test_a_library_of_its_own_rules_keeps_what_was_written_in_the_other(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    film = Catalogue().film(1)
    other = world.plex.add_section("Clips", locations=["/mnt/clips"])
    world.plex.add_item(other, [(film.plex_path, film.size, 1000)])
    world.settings |= {"library": {"Clips": {"title_template": "Clip: {title}"}}}
    world.stash.update_scene(1, title="T", organized=False)
    anyio.run(world.sync)
    (clip,) = other.items.values()
    assert (fields_of(world)["title"], clip.fields["title"]) == ("T", "Clip: T")
    world.settings |= {"library": {"Clips": {"filter_organized": True}}}
    world.stash.update_scene(1, title="U")
    anyio.run(world.sync)
    assert (fields_of(world)["title"], clip.fields["title"]) == ("U", "Clip: T")
    with world.app() as app:
        assert all(link.base is not None for link in app.store.ledger.links_of(entry_of(app, 1).id))
        assert len(app.store.ledger.links_of(entry_of(app, 1).id)) == 2


def test_a_table_for_a_library_that_plex_does_not_have_is_an_error(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    world.settings |= {"library": {"Filme": {}}}
    with pytest.raises(ConfigError) as told:
        anyio.run(world.sync)
    assert "the library Filme, which Plex does not have" in str(told.value)


def test_no_poster_is_sent_when_posters_are_off(tmp_path: Path) -> None:
    world = a_world(tmp_path, 1)
    world.settings["fields_off"] = "poster"
    anyio.run(world.sync)
    assert not [seen for seen in world.plex.requests if seen.method == "POST"]


@pytest.mark.parametrize(("set_to", "is_asked"), [({}, False), ({"filter_organized": True}, True)])
def test_a_save_of_what_a_rule_asks_for_counts(tmp_path: Path, set_to: dict[str, object], *, is_asked: bool) -> None:
    async def act(stage: Stage) -> None:
        async with stage.serving():
            await trio.sleep(5)
            before = len(stage.stash.sent)
            stage.event(1, fields=["id", "organized"])
            await trio.sleep(10)
            assert any(b"query Scenes" in one.body for _, one in stage.stash.sent[before:]) == is_asked

    play(tmp_path, act, films=1, **set_to)
