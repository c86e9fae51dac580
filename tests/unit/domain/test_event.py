"""What events mean, and which fields of an input count: held against the mapping and against Stash's own inputs."""

from dataclasses import fields, replace
from datetime import timedelta
from importlib import resources

import pytest
from graphql import GraphQLInputObjectType, build_schema
from hypothesis import given
from hypothesis import strategies as st

from builders import a_scene
from stashplex.domain.event import (
    Asked,
    Kind,
    Meaning,
    OfAnybody,
    OfEntity,
    OfNobody,
    OfScene,
    Wish,
    meaning_of,
)
from stashplex.domain.inputs import SCENE_SOURCES, UNUSED, USED, is_change
from stashplex.domain.mapping import MappingOptions, desired
from stashplex.domain.matching import wanted_names, wanted_paths
from stashplex.domain.pathmap import parse_path_map
from stashplex.domain.scene import Scene, SceneFile, SceneId

OTHER = {
    "title": "Another title",
    "details": "Other details",
    "code": "Other code",
    "director": "Another Director",
    "date": "1999-09-09",
    "rating100": 11,
    "organized": True,
    "studio": "Another studio",
    "performers": ("Another One",),
    "tags": ("another",),
    "files": (SceneFile("/elsewhere/another.mp4", 1, 1.0),),
    "cover_url": "http://stash.test/another",
}
"""Another value for each field that Stash can change."""


def read_by_us(scene: Scene) -> object:
    """Return everything that is derived from a scene."""
    paths = parse_path_map("")
    return desired(scene, MappingOptions()), wanted_paths(scene, paths), wanted_names(scene), scene.cover_url


def test_the_table_names_exactly_what_is_read_of_a_scene() -> None:
    scene = a_scene(organized=False)
    told = {field.name for field in fields(Scene)} - {"id", "updated_at", "unknown_fields", "more"}
    assert told == set(OTHER)
    read = {name for name, other in OTHER.items() if read_by_us(replace(scene, **{name: other})) != read_by_us(scene)}
    assert read == set(SCENE_SOURCES)


SCHEMA = build_schema(
    "\n".join(
        (resources.files("stashplex.sim.stash") / name).read_text("utf-8")
        for name in ("schema.graphql", "mutation.graphql")
    )
)


@pytest.mark.parametrize("kind", sorted(UNUSED))
def test_each_input_of_stash_is_used_or_unused(kind: str) -> None:
    names: set[str] = set()
    for form in ("{}CreateInput", "{}UpdateInput", "Bulk{}UpdateInput"):
        found = SCHEMA.type_map.get(form.format(kind))
        if isinstance(found, GraphQLInputObjectType):
            names |= set(found.fields)
    assert names
    assert names <= UNUSED[kind] | USED[kind]
    assert not UNUSED[kind] & USED[kind]


@pytest.mark.parametrize(
    ("trigger", "given_fields", "expected"),
    [
        ("Scene.Update.Post", ["id", "title"], OfScene(SceneId(7))),
        ("Scene.Update.Post", [], OfScene(SceneId(7))),
        ("Scene.Update.Post", ["id", "organized", "o_counter"], OfNobody()),
        ("Scene.Update.Post", ["id", "organized", "brand_new"], OfScene(SceneId(7))),
        ("Scene.Create.Post", ["id", "organized"], OfScene(SceneId(7))),
        ("Scene.Destroy.Post", [], OfScene(SceneId(7))),
        ("Scene.Merge.Post", [], OfScene(SceneId(7))),
        ("Performer.Update.Post", ["id", "name"], OfEntity(Kind.PERFORMER, 7)),
        ("Performer.Update.Post", ["id", "birthdate"], OfNobody()),
        ("Performer.Merge.Post", ["id", "birthdate"], OfEntity(Kind.PERFORMER, 7)),
        ("Studio.Update.Post", ["name"], OfEntity(Kind.STUDIO, 7)),
        ("Tag.Merge.Post", [], OfEntity(Kind.TAG, 7)),
        ("Tag.Destroy.Post", [], OfAnybody()),
        ("Group.Update.Post", ["name"], OfEntity(Kind.GROUP, 7)),
        ("Movie.Update.Post", ["name"], OfEntity(Kind.GROUP, 7)),
        ("Gallery.Update.Post", ["title"], OfNobody()),
        ("SceneMarker.Destroy.Post", [], OfNobody()),
        ("Universe.Update.Post", [], OfNobody(is_known=False)),
        ("Request.sync_scene", [], OfScene(SceneId(7), is_asked_for=True)),
        ("Request.sync_all", [], Asked(Wish.SYNC_ALL)),
        ("Request.world_peace", [], None),
        ("Scene", [], None),
        ("scene.update.post", [], None),
        ("Scene.Update.Pre", [], None),
        ("", [], None),
    ],
)
def test_an_event_means(trigger: str, given_fields: list[str], expected: Meaning | None) -> None:
    assert meaning_of(trigger, 7, given_fields) == expected


@pytest.mark.parametrize("number", [0, -1, 2**63])
def test_an_event_about_nothing_means_nothing(number: int) -> None:
    assert meaning_of("Scene.Update.Post", number) is None
    assert meaning_of("Tag.Update.Post", number) is None
    assert meaning_of("Request.sync_scene", number) is None
    assert meaning_of("Request.sync_all", number) == Asked(Wish.SYNC_ALL)


@pytest.mark.parametrize("hours", [0, -1, None, "2", True, float("nan"), float("inf"), [2]])
def test_a_wish_for_the_recent_needs_hours(hours: object) -> None:
    assert meaning_of("Request.sync_recent", 0, (), {"hours": hours}) is None


@given(st.floats(min_value=0.01, max_value=1e300))
def test_any_number_of_hours_is_a_period(hours: float) -> None:
    meaning = meaning_of("Request.sync_recent", 0, (), {"hours": hours})
    assert isinstance(meaning, Asked)
    assert timedelta() < meaning.period <= timedelta(days=366 * 20)


@given(st.sampled_from(sorted(USED)), st.sets(st.text(max_size=20)))
def test_a_used_field_always_counts(kind: str, more: set[str]) -> None:
    for name in USED[kind]:
        assert is_change(kind, [*more, name])
