"""Stash's answers to values, and documents that ask only for what this Stash has."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from graphql import parse

from stashplex.domain.scene import Details, Entity, Performer, Scene, SceneFile, SceneId
from stashplex.stash.codec import (
    CHECK_DOCUMENT,
    COUNT_DOCUMENT,
    FIELDS_DOCUMENT,
    OPTIONAL_FIELDS,
    REQUIRED_FIELDS,
    STAMPS_DOCUMENT,
    GraphError,
    SceneFields,
    SceneStamp,
    StashIdentity,
    parse_check,
    parse_count,
    parse_each,
    parse_errors,
    parse_fields,
    parse_scenes,
    parse_stamps,
    render_each_document,
    render_request,
    render_scenes_document,
)

ALL = SceneFields(frozenset({*REQUIRED_FIELDS, *OPTIONAL_FIELDS}), ())


def data(**members: Any) -> bytes:
    return json.dumps({"data": members}).encode()


WHOLE = {
    "id": "42",
    "title": "T",
    "details": "d",
    "code": "C-1",
    "director": "D",
    "date": "2021-03-04",
    "rating100": 75,
    "organized": True,
    "updated_at": "2026-07-01T12:00:00+02:00",
    "studio": {"name": "S"},
    "performers": [{"name": "P1"}, {"name": "P2"}],
    "tags": [{"name": "A"}],
    "paths": {"screenshot": "http://s:9999/scene/42/screenshot?t=1"},
    "files": [
        {
            "path": "/a.mp4",
            "size": 7,
            "duration": 1.5,
            "fingerprints": [{"type": "md5", "value": "m"}, {"type": "oshash", "value": "0f"}],
        }
    ],
}
SCENE = Scene(
    id=SceneId(42),
    title="T",
    details="d",
    code="C-1",
    director="D",
    date="2021-03-04",
    rating100=75,
    organized=True,
    studio="S",
    performers=("P1", "P2"),
    tags=("A",),
    files=(SceneFile("/a.mp4", 7, 1.5, "0f"),),
    cover_url="http://s:9999/scene/42/screenshot?t=1",
    updated_at=datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2))),
)


def test_a_scene_is_read_whole() -> None:
    assert parse_scenes(data(findScenes={"scenes": [WHOLE]}), frozenset()) == {42: SCENE}


def test_a_bare_scene_has_empty_values_and_says_what_was_not_asked() -> None:
    bare = {"id": 1, "updated_at": "2026-07-01T12:00:00Z", "files": [{"path": "/a", "size": "9", "duration": "3"}]}
    scene = parse_scenes(data(findScenes={"scenes": [bare]}), frozenset({"date"}))[SceneId(1)]
    assert (scene.title, scene.details, scene.date, scene.rating100) == ("", "", None, None)
    assert (scene.studio, scene.performers, scene.tags, scene.cover_url) == (None, (), (), None)
    assert scene.files == (SceneFile("/a", 9, 3.0, None),)
    assert scene.unknown_fields == {"date"}


def test_nulls_are_empty() -> None:
    nulls = dict.fromkeys(WHOLE) | {"id": "1", "updated_at": "2026-07-01T12:00:00Z"}
    scene = parse_scenes(data(findScenes={"scenes": [nulls]}), frozenset())[SceneId(1)]
    assert (scene.title, scene.files, scene.organized) == ("", (), False)


def test_single_look_ups_leave_out_what_is_gone() -> None:
    assert parse_each(data(scene42=WHOLE, scene43=None), frozenset(), [SceneId(42), SceneId(43)]) == {42: SCENE}


def test_broken_characters_do_not_cost_the_page() -> None:
    body = data(findScenes={"scenes": [WHOLE]}).replace(b'"T"', b'"a\x01b\\ud800c"')
    assert parse_scenes(body, frozenset())[SceneId(42)].title == "a b\ufffdc"


def test_stamps_and_count() -> None:
    rows = [{"id": "1", "updated_at": "2026-07-01T12:00:00Z"}, {"id": 7, "updated_at": "2026-07-01T12:00:00-02:00"}]
    assert parse_stamps(data(findScenes={"scenes": rows})) == (
        SceneStamp(SceneId(1), datetime(2026, 7, 1, 12, tzinfo=UTC)),
        SceneStamp(SceneId(7), datetime(2026, 7, 1, 14, tzinfo=UTC)),
    )
    assert parse_count(data(findScenes={"count": 9})) == 9


def test_check() -> None:
    assert parse_check(data(version={"version": "v0.30.1"}, systemStatus={"status": "OK"})) == StashIdentity(
        "v0.30.1", "OK"
    )
    assert parse_check(data(version={"version": None}, systemStatus={"status": "SETUP"})) == StashIdentity("", "SETUP")


def test_the_fields_that_are_missing_make_fields_of_the_scene_unknown() -> None:
    names = [{"name": name} for name in (*REQUIRED_FIELDS, "urls", "code", "details", "tags", "organized")]
    fields = parse_fields(data(__type={"fields": names}))
    assert fields.missing_fields == ("date", "director", "paths", "performers", "rating100", "studio")
    assert fields.unknown_fields == {"date", "director", "cover_url", "performers", "rating100", "studio"}


def test_errors_keep_stashs_words() -> None:
    body = json.dumps({"data": None, "errors": [{"message": "m", "path": ["a", 0]}, {"message": "n"}]}).encode()
    assert parse_errors(body) == (GraphError("m", "a.0"), GraphError("n", ""))
    assert parse_errors(data(findScenes={"scenes": []})) == ()


@pytest.mark.parametrize("missing", sorted(OPTIONAL_FIELDS))
def test_a_missing_field_is_not_asked_for(missing: str) -> None:
    fields = SceneFields(ALL.available - {missing}, (missing,))
    for document in (render_scenes_document(fields), render_each_document(fields, [SceneId(4)])):
        assert f" {missing} " not in f" {document} "
        parse(document)


def test_every_document_is_proper_graphql() -> None:
    ids = [SceneId(4), SceneId(5)]
    for document in (CHECK_DOCUMENT, COUNT_DOCUMENT, FIELDS_DOCUMENT, STAMPS_DOCUMENT, render_scenes_document(ALL)):
        parse(document)
    assert 'scene5: findScene(id: "5")' in render_each_document(ALL, ids)
    assert "ids: $ids" in render_scenes_document(ALL)
    assert "per_page: -1" in render_scenes_document(ALL)


def test_a_request_is_json() -> None:
    assert json.loads(render_request("query { x }", {"ids": ["1"]})) == {
        "query": "query { x }",
        "variables": {"ids": ["1"]},
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"data":null}',
        b'{"data":{}}',
        b'{"data":{"findScenes":null}}',
        b'{"data":{"findScenes":{}}}',
        b'{"data":{"findScenes":{"scenes":[{"id":"1"}]}}}',
        b'{"data":{"findScenes":{"scenes":[{"id":"1","updated_at":"yesterday"}]}}}',
        b'{"data":{"findScenes":{"scenes":[{"id":"1","updated_at":"2026-07-01T12:00:00"}]}}}',
        b"<html></html>",
    ],
)
def test_anything_else_is_an_error_of_one_kind(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_scenes(body, frozenset())
    with pytest.raises(msgspec.DecodeError):
        parse_stamps(body)


RICH = WHOLE | {
    "studio": {"id": "12", "name": "S", "parent_studio": {"id": "11", "name": "Over S", "parent_studio": None}},
    "performers": [
        {"id": "1", "name": "P1", "gender": "FEMALE", "favorite": True, "tags": [{"id": "7", "name": "Tall"}]},
        {"id": "2", "name": "P2", "gender": None, "favorite": False, "tags": []},
    ],
    "tags": [
        {
            "id": "3",
            "name": "A",
            "parents": [
                {"id": "5", "name": "Up", "parents": [{"id": "6", "name": "Top", "parents": []}]},
                {"id": "6", "name": "Top", "parents": [{"id": "3", "name": "A"}]},
            ],
        }
    ],
    "groups": [{"group": {"name": "G"}}, {"group": None}],
    "urls": ["http://u.test", None],
    "stash_ids": [{"stash_id": "x"}],
    "custom_fields": {"by": "Jane", "more": ["a", 2], "none": None},
}


def test_what_rules_ask_for_is_read_too() -> None:
    scene = parse_scenes(data(findScenes={"scenes": [RICH]}), frozenset())[SceneId(42)]
    up, top = Entity("Up", 5), Entity("Top", 6)
    assert scene.more == Details(
        tags=(Entity("A", 3, (up, top)),),
        performers=(
            Performer(Entity("P1", 1), "FEMALE", is_favorite=True, tags=(Entity("Tall", 7),)),
            Performer(Entity("P2", 2)),
        ),
        studio=Entity("S", 12, (Entity("Over S", 11),)),
        groups=("G",),
        urls=("http://u.test",),
        stash_ids=("x",),
        custom_fields={"by": "Jane", "more": "a; 2", "none": ""},
    )
    assert (scene.tags, scene.performers, scene.studio) == (("A",), ("P1", "P2"), "S")


def test_more_is_only_asked_for_when_it_is_wanted_and_known() -> None:
    known = ALL.available | {"groups", "urls"}
    plain, rich = (
        render_scenes_document(SceneFields(known, (), wanted))
        for wanted in (frozenset(), frozenset({"tags", "groups"}))
    )
    parse(rich)
    assert "parents" not in plain
    assert "groups" not in plain
    assert "tags { id name parents" in rich
    assert "groups { group { name } }" in rich
    assert "performers { name }" in rich
    lacking = SceneFields(known, (), frozenset({"custom_fields", "groups", "tags"}))
    assert "custom_fields" not in render_scenes_document(lacking)
    assert lacking.unknown_fields == {"custom_fields"}
