"""Pins, ignored scenes and Stash's files: what is kept, and what goes."""

import pytest

from builders import NOW, a_file, a_scene
from stashplex.domain.entry import PlexId
from stashplex.domain.evidence import Owned
from stashplex.domain.item import RatingKey, SectionKey
from stashplex.domain.matching import ListedScene
from stashplex.domain.pin import Pin
from stashplex.domain.scene import SceneId
from stashplex.store.database import Database
from stashplex.store.pins import Pins
from stashplex.store.stash_files import StashFiles

FILMS, CLIPS = SectionKey("5"), SectionKey("7")


@pytest.fixture
def pins(database: Database) -> Pins:
    return Pins(database)


@pytest.fixture
def files(database: Database) -> StashFiles:
    return StashFiles(database)


def a_pin(scene: int = 42, section: SectionKey = FILMS, key: str = "812", *paths: str) -> Pin:
    return Pin(SceneId(scene), section, RatingKey(key), paths or ('/media/Zo\u00eb "x".mp4',))


def listed(scene: int, *paths: str, **facts: object) -> ListedScene:
    return ListedScene(SceneId(scene), tuple(a_file(path, oshash=None, **facts) for path in paths))


def test_a_pin_is_kept_for_each_library(pins: Pins, plex_id: PlexId) -> None:
    pins.put(plex_id, a_pin(), NOW)
    pins.put(plex_id, a_pin(section=CLIPS, key="9"), NOW)
    assert pins.of(plex_id, [FILMS, CLIPS]) == {42: (a_pin(), a_pin(section=CLIPS, key="9"))}
    assert pins.of(plex_id, [CLIPS]) == {42: (a_pin(section=CLIPS, key="9"),)}


def test_a_new_pin_takes_the_place_of_the_old_one(pins: Pins, plex_id: PlexId) -> None:
    pins.put(plex_id, a_pin(), NOW)
    newer = a_pin(42, FILMS, "9", "/media/b.mp4", "/media/c.mp4")
    pins.put(plex_id, newer, NOW)
    assert pins.of(plex_id, [FILMS]) == {42: (newer,)}
    assert pins.remove(plex_id, SceneId(42)) == 1
    assert pins.remove(plex_id, SceneId(42)) == 0
    assert pins.of(plex_id, [FILMS]) == {}


def test_a_scene_is_left_alone_until_it_is_not(pins: Pins, plex_id: PlexId) -> None:
    assert [pins.ignore(plex_id, SceneId(7), NOW) for _ in range(2)] == [True, False]
    assert pins.ignored(plex_id, [SceneId(7), SceneId(8)]) == {7}
    assert pins.list_ignored(plex_id) == (7,)
    assert [pins.heed(plex_id, SceneId(7)) for _ in range(2)] == [True, False]
    assert pins.ignored(plex_id, [SceneId(7)]) == frozenset()


def test_decisions_belong_to_one_server(pins: Pins, plex_id: PlexId, database: Database) -> None:
    other = PlexId(plex_id + 1)
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO plex VALUES (2, 'other', 'other')")
    pins.put(plex_id, a_pin(), NOW)
    pins.ignore(plex_id, SceneId(7), NOW)
    assert (pins.of(other, [FILMS]), pins.list_ignored(other)) == ({}, ())


def test_files_are_found_by_name_and_by_size(files: StashFiles) -> None:
    files.add_page(files.begin(), [listed(1, "/data/A.mp4"), listed(2, "/x/a.MP4", "/x/b.mp4", size=5)])
    found = files.find_by_name(["a.mp4", "none.mp4"])
    assert {name: [one.scene_id for one in owned] for name, owned in found.items()} == {"a.mp4": [1, 2]}
    assert files.find_by_size([5]) == {
        5: [Owned(SceneId(2), one) for one in listed(2, "/x/a.MP4", "/x/b.mp4", size=5).files]
    }


def test_a_whole_listing_forgets_what_it_did_not_see_and_a_broken_one_nothing(files: StashFiles) -> None:
    first = files.begin()
    files.add_page(first, [listed(1, "/a.mp4"), listed(2, "/b.mp4")])
    assert files.finish(first) == 0
    second = files.begin()
    files.add_page(second, [listed(2, "/c.mp4")])
    assert [scene.id for scene in files.iter_scenes()] == [1, 2]
    assert files.finish(second) == 1
    assert list(files.iter_scenes()) == [listed(2, "/c.mp4")]


def test_only_news_is_learnt(files: StashFiles) -> None:
    scene = a_scene(id=SceneId(1), files=(a_file("/a.mp4"), a_file("/b.mp4", size=None, duration_s=None)))
    assert files.learn([scene])
    assert not files.learn([scene])
    assert files.learn([a_scene(id=SceneId(1), files=(a_file("/a.mp4"),))])
    assert not files.learn([], gone=[SceneId(9)])
    assert files.learn([], gone=[SceneId(1)])
    assert list(files.iter_scenes()) == []


def test_many_scenes_with_gaps_are_walked_in_order(files: StashFiles) -> None:
    numbers = [1, 999, 1_000, 1_001, 5_000, 12_345]
    files.add_page(1, [listed(number, f"/{number}.mp4") for number in reversed(numbers)])
    assert [scene.id for scene in files.iter_scenes()] == numbers
