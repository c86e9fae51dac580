"""Both servers show the same films, each in its own way."""

from io import BytesIO

import pytest
from PIL import Image

from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.control import ChangeRefused
from stashplex.sim.panel import digest_of, plex_panel, stash_panel
from stashplex.sim.plex.app import PlexSim
from stashplex.sim.stash.picture import bytes_of
from stashplex.sim.world import Posters, World, build_plex, build_world, rating_key

COUNT = 60


def a_world(posters: Posters = Posters.CHEAP) -> World:
    return build_world(Catalogue(COUNT), posters=posters)


def test_each_film_is_one_scene_and_one_item_with_one_file() -> None:
    world = a_world()
    for film in Catalogue(COUNT):
        scene = world.stash_sim.library.scenes[film.number]
        item = world.plex_sim.item(rating_key(film.number))
        assert [file.path for file in scene.files] == [film.stash_path]
        assert [file.path for file in item.files] == [film.plex_path]
        assert scene.files[0].size == item.files[0].size_bytes
        assert round(scene.files[0].duration * 1000) == item.files[0].duration_ms
    assert len(world.section.items) == len(world.stash_sim.library.scenes) == COUNT


def test_stash_knows_everything_and_plex_the_file_names() -> None:
    world, film = a_world(), Catalogue(COUNT).film(22)
    scene, item = world.stash_sim.library.scenes[22], world.plex_sim.item(rating_key(22))
    assert (scene.title, scene.date, scene.details) == (film.title, film.date, film.details)
    assert tuple(performer.name for performer in scene.performers) == film.performers
    assert tuple(tag.name for tag in scene.tags) == film.tags
    assert scene.studio is not None
    assert scene.studio.name == film.studio
    assert item.fields == {"title": film.stem}
    assert not item.tags


def test_numbers_of_the_two_sides_never_meet() -> None:
    world = a_world()
    assert not set(world.plex_sim.world.items) & set(world.stash_sim.library.scenes)


def test_later_films_were_changed_later() -> None:
    scenes = a_world().stash_sim.library.scenes
    assert [scenes[n].updated_at for n in (1, 2)] == ["2024-01-01T01:00:30+01:00", "2024-01-01T01:01:00+01:00"]


@pytest.mark.parametrize(("posters", "size"), [(Posters.DRAWN, (400, 600)), (Posters.CHEAP, (120, 180))])
def test_covers_are_pictures(posters: Posters, size: tuple[int, int]) -> None:
    packed = bytes_of(a_world(posters).stash_sim.library.scenes[1].cover)
    assert packed is not None
    with Image.open(BytesIO(packed)) as image:
        assert image.size == size


def test_a_world_may_have_no_covers() -> None:
    assert a_world(Posters.NONE).stash_sim.library.scenes[1].cover is None


def test_filling_leaves_no_traces_of_work() -> None:
    world = a_world()
    assert world.plex_sim.notifications == []
    assert not world.plex_sim.requests
    assert not world.stash_sim.requests


def test_worlds_that_are_alike_have_the_same_digest() -> None:
    assert digest_of(build_plex(Catalogue(COUNT), seed=1)) == digest_of(build_plex(Catalogue(COUNT), seed=2))


def a_changed_plex(change: str) -> PlexSim:
    sim = build_plex(Catalogue(3))
    item = sim.item(rating_key(2))
    match change:
        case "field":
            item.fields["summary"] = "new"
        case "lock":
            item.locks.add("title")
        case "item":
            sim.add_item(sim.world.sections[1], [("/mnt/media/films/new.mkv", 1, 1)])
        case _:
            item.updated_at += 5
    return sim


@pytest.mark.parametrize("change", ["field", "lock", "item"])
def test_a_difference_that_a_viewer_sees_changes_the_digest(change: str) -> None:
    assert digest_of(a_changed_plex(change)) != digest_of(build_plex(Catalogue(3)))


def test_times_do_not_change_the_digest() -> None:
    assert digest_of(a_changed_plex("time")) == digest_of(build_plex(Catalogue(3)))


def test_plex_is_turned_by_its_panel() -> None:
    sim = build_plex(Catalogue(1))
    panel = plex_panel(sim)
    panel.turn({"write_latency_s": 0.5, "tag_mode": "add", "maintenance": True})
    assert (sim.switches.write_latency_s, sim.switches.tag_mode.value) == (0.5, "add")
    assert sim.app.maintenance is not None
    panel.turn({"maintenance": False})
    assert sim.app.maintenance is None


@pytest.mark.parametrize(
    "changes", [{"maintenance": 1}, {"maintenance": True, "tag_mode": "mix"}, {"maintenance": True, "x": 1}]
)
def test_a_refused_change_starts_no_maintenance(changes: dict[str, object]) -> None:
    sim = build_plex(Catalogue(1))
    with pytest.raises(ChangeRefused):
        plex_panel(sim).turn(changes)
    assert sim.app.maintenance is None


def test_stash_is_turned_by_its_panel() -> None:
    sim = a_world().stash_sim
    stash_panel(sim).turn({"latency_s": 1, "hidden": ["Scene.code"], "status": "SETUP"})
    assert (sim.switches.latency_s, sim.switches.hidden, sim.switches.status) == (
        1.0,
        frozenset({"Scene.code"}),
        "SETUP",
    )


def test_counts_of_stash_are_reset_in_place() -> None:
    sim = a_world().stash_sim
    panel = stash_panel(sim)
    counts = sim.counts
    counts.graphql = 3
    assert panel.counts()["graphql"] == 3
    panel.reset_counts()
    assert counts.graphql == 0
    assert sim.counts is counts
