"""Settings to documents: the truth of docs/reference/mapping.md, row by row; wrong settings are refused with a hint."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_file, a_scene
from mapping_truth import FILTERS, TRUTH, WRONG, Case, Refused, Wrong
from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError
from stashplex.base.mapping_settings import MappingSettings
from stashplex.domain.document import Document
from stashplex.domain.filtering import refusal
from stashplex.domain.item import Section, SectionKey
from stashplex.domain.mapping import MappingOptions, desired
from stashplex.domain.merge import tag_key
from stashplex.domain.scene import Details, Entity, Performer, Scene
from stashplex.engine.mapping_rules import (
    Rulebook,
    check_rules,
    library_rules,
    require_libraries,
    rulebook,
    wanted_inputs,
    wanted_sources,
)

STASH = "http://stash.test:9999"


def scene_of(given_fields: Mapping[str, object]) -> Scene:
    fields = dict(given_fields)
    if isinstance(fields.get("files"), str):
        fields["files"] = (a_file(str(fields["files"])),)
    return a_scene(**fields)


def shown(document: Document) -> dict[str, object]:
    return {
        **{name.value: text for name, text in document.texts.items()},
        **{k.value: v for k, v in document.tags.items()},
    }


@pytest.mark.parametrize("case", [case for cases in TRUTH.values() for case in cases])
def test_what_plex_shows(case: Case) -> None:
    rules = library_rules(MappingSettings.model_validate(dict(case.settings)), STASH)
    document = shown(desired(scene_of(case.scene), rules.options))
    assert {name: document.get(name) for name in case.shown} == case.shown


@pytest.mark.parametrize("case", FILTERS)
def test_what_is_kept_in_step(case: Refused) -> None:
    rules = library_rules(MappingSettings.model_validate(dict(case.settings)), STASH)
    reason = refusal(scene_of(case.scene), rules.filters)
    assert bool(reason) == bool(case.reason)
    assert reason.startswith(case.reason)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_refused_with_its_name_and_a_hint(case: Wrong) -> None:
    with pytest.raises(ConfigError) as told:
        check_rules(Settings.model_validate(dict(case.settings)))
    assert case.told in f"{told.value} {told.value.hint}"
    assert "The setting " in str(told.value)
    assert told.value.hint


def test_the_defaults_are_those_of_the_domain() -> None:
    rules = library_rules(MappingSettings(), STASH)
    assert rules.options == MappingOptions(collections=rules.options.collections)
    assert rules.options.collections.kinds == MappingOptions().collections.kinds
    assert wanted_sources(Settings()) == frozenset()
    assert wanted_inputs(Settings()) == frozenset()


@pytest.mark.parametrize(
    ("set_to", "wanted"),
    [
        ({"filter_organized": True}, {"organized"}),
        ({"label_organized": "x"}, {"organized"}),
        ({"filter_stash_id": True}, {"stash_ids"}),
        ({"summary_links": "urls"}, {"urls"}),
        ({"title_template": "{code} {group}"}, {"code", "groups"}),
        ({"tagline_template": "{parent_studio}"}, {"studio"}),
        ({"studio_level": "top"}, {"studio"}),
        ({"filter_studios": "Acme"}, {"studio"}),
        ({"collection_from": "groups, parent_studio"}, {"groups", "studio"}),
        ({"genre_include": "drama"}, set()),
        ({"genre_include": "id:3"}, {"tags"}),
        ({"content_rating_tags": "below:x=R"}, {"tags"}),
        ({"genre_parents": "add"}, {"tags"}),
        ({"actor_order": "name"}, set()),
        ({"actor_genders": "female"}, {"performers"}),
        ({"genre_performer_tags": True}, {"performers"}),
        ({"writer_field": "by"}, {"custom_fields"}),
        ({"writer_field": "director"}, set()),
        ({"library": {"Films": {"filter_organized": True}}}, {"organized"}),
    ],
)
def test_stash_is_asked_for_what_rules_need_and_for_no_more(set_to: dict[str, object], wanted: set[str]) -> None:
    assert wanted_sources(Settings.model_validate(set_to)) == wanted


def test_a_library_has_its_own_rules() -> None:
    films, clips = (Section(SectionKey(key), "movie", title, 0) for key, title in (("1", "Films"), ("2", "Clips")))
    own = Settings.model_validate(
        {
            "content_rating": "R",
            "filter_organized": True,
            "library": {"films": {"filter_organized": False, "content_rating": "X"}},
        }
    )
    book = rulebook(own, (films, clips))
    assert (book.of(films.key).options.content_rating, book.of(clips.key).options.content_rating) == ("X", "R")
    scene = a_scene(organized=False)
    assert book.refusal(scene, [clips.key]).startswith("It is not organized")
    assert book.refusal(scene, [films.key, clips.key]) == ""
    assert Rulebook().refusal(scene, [films.key]) == ""
    require_libraries(own, (films, clips))
    with pytest.raises(ConfigError) as told:
        require_libraries(Settings.model_validate({"library": {"Film": {}}}), (films, clips))
    assert told.value.hint == "Did you mean Films?"


TEXT = st.text(st.characters(), max_size=40)
ENTITIES = st.builds(Entity, TEXT, st.none() | st.integers(), st.lists(st.builds(Entity, TEXT), max_size=2).map(tuple))
SCENES = st.builds(
    a_scene,
    title=TEXT,
    details=TEXT,
    code=TEXT,
    director=TEXT,
    date=st.none() | TEXT,
    rating100=st.none() | st.integers(),
    studio=st.none() | TEXT,
    performers=st.lists(TEXT, max_size=3).map(tuple),
    tags=st.lists(TEXT, max_size=3).map(tuple),
    files=st.lists(TEXT.map(a_file), max_size=2).map(tuple),
    more=st.builds(
        Details,
        tags=st.lists(ENTITIES, max_size=3).map(tuple),
        performers=st.lists(st.builds(Performer, ENTITIES, TEXT, st.booleans()), max_size=3).map(tuple),
        studio=st.none() | ENTITIES,
        groups=st.lists(TEXT, max_size=2).map(tuple),
        urls=st.lists(TEXT, max_size=2).map(tuple),
        stash_ids=st.lists(TEXT, max_size=2).map(tuple),
        custom_fields=st.dictionaries(TEXT, TEXT, max_size=2),
    ),
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "title_template": st.sampled_from(
            ["{title}", "[{studio}] {title} ({year})", "{performers}: {code} - {filename}"]
        ),
        "sort_title_template": st.sampled_from(["{date} {title}", "{group} {id}"]),
        "tagline_template": st.just("{parent_studio} / {tags} / {director}"),
        "summary_links": st.just("urls, stash"),
        "summary_limit": st.just(50),
        "studio_level": st.sampled_from(["parent", "top"]),
        "content_rating_tags": st.just("re:^.=X; below:a=R"),
        "rating_to": st.just("both"),
        "genre_exclude": st.just("re:^[a-f]"),
        "genre_rename": st.just(r"re:(.)(.)=\2\1"),
        "genre_parents": st.sampled_from(["add", "top"]),
        "genre_performer_tags": st.just(value=True),
        "genre_limit": st.just(2),
        "label_tags": st.just("re:."),
        "label_stash_id": st.just("x"),
        "actor_genders": st.just("female, unknown"),
        "actor_order": st.just("name"),
        "writer_field": st.just("director"),
        "collection_from": st.just("studio, parent_studio, groups, performers, tags, rating, organized"),
        "collection_prefix": st.just("tags=Tag:"),
        "filter_paths": st.just("/a; re:b"),
        "filter_metadata": st.just(value=True),
    },
)


@settings(max_examples=300)
@given(SCENES, SETTINGS)
def test_any_scene_under_any_rules_gives_a_document_that_plex_can_take(scene: Scene, set_to: dict[str, object]) -> None:
    rules = library_rules(MappingSettings.model_validate(set_to), STASH)
    refusal(scene, rules.filters)
    document = desired(scene, rules.options)
    for field, text in document.texts.items():
        text.encode()
        assert text == text.strip()
        assert "\n" not in text or field == "summary"
        assert len(text) <= (rules.options.summary.limit if field == "summary" else 255)
    assert document.texts.get("title", "x")  # type: ignore[call-overload]
    for names in document.tags.values():
        assert all(names)
        assert len({tag_key(name) for name in names}) == len(names)
    assert desired(scene, rules.options) == document
