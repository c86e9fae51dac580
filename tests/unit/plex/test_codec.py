"""Plex's JSON, in its proper form and in every loose form that it is known for."""

import json
from typing import Any

import msgspec
import pytest

from stashplex.domain.item import IndexedPart, Item, RatingKey, Section, SectionKey
from stashplex.plex.codec import (
    Candidate,
    PlexIdentity,
    Window,
    parse_identity,
    parse_items,
    parse_listing,
    parse_posters,
    parse_sections,
)

FIVE = SectionKey("5")


def container(**members: Any) -> bytes:
    return json.dumps({"MediaContainer": members}).encode()


def listed(**members: Any) -> dict[str, Any]:
    return {
        "ratingKey": "812",
        "updatedAt": 1749324289,
        "title": "T",
        "Genre": [{"tag": "A"}],
        "Media": [{"id": 1, "Part": [{"id": 1, "file": "/a/b.mp4", "size": 7, "duration": 90}]}],
    } | members


PART = IndexedPart(RatingKey("812"), FIVE, "/a/b.mp4", 7, 90, 1749324289)


@pytest.mark.parametrize(
    ("item", "parts"),
    [
        pytest.param(listed(), [PART], id="proper"),
        pytest.param(listed(ratingKey=812, updatedAt="1749324289"), [PART], id="numbers and strings swapped"),
        pytest.param(
            listed(Media=[{"proxyType": "0", "Part": [{"file": "/a/b.mp4", "size": "7", "duration": "90"}]}]),
            [PART],
            id="numbers as strings",
        ),
        pytest.param(
            listed(Media={"Part": {"file": "/a/b.mp4", "size": 7, "duration": 90}}), [PART], id="one child as an object"
        ),
        pytest.param(listed(Media=None), [], id="null"),
        pytest.param({"ratingKey": "812"}, [], id="everything absent"),
        pytest.param(listed(Media=[{"Part": [{"size": 7}]}]), [], id="a part without a file"),
        pytest.param(listed(deletedAt=1749324290), [], id="in the trash"),
        pytest.param(listed(Media=[{"proxyType": 42, "Part": [{"file": "/o.mp4"}]}]), [], id="optimised version"),
        pytest.param(listed(Media=[{"proxyType": "42", "Part": [{"file": "/o.mp4"}]}]), [], id="optimised, as string"),
        pytest.param(
            listed(Media=[{"Part": [{"file": "/1"}, {"file": "/2"}]}, {"Part": [{"file": "/3"}]}]),
            [IndexedPart(RatingKey("812"), FIVE, file, None, None, 1749324289) for file in ("/1", "/2", "/3")],
            id="stacked parts and versions",
        ),
    ],
)
def test_a_listing_tells_the_files(item: dict[str, Any], parts: list[IndexedPart]) -> None:
    page, window = parse_listing(container(size=1, totalSize=9, offset=3, Metadata=[item]), FIVE)
    assert list(page.parts) == parts
    assert window == Window(1, 3, 9)
    assert page.total == 9


def test_one_listed_item_may_come_as_an_object() -> None:
    page, window = parse_listing(container(size="1", totalSize="1", Metadata=listed()), FIVE)
    assert page.parts == (PART,)
    assert window == Window(1, None, 1)


def test_an_empty_section_has_no_children_at_all() -> None:
    assert parse_listing(b'{"MediaContainer":{"size":0}}', FIVE)[0].parts == ()


@pytest.mark.parametrize(
    ("raw", "file"),
    [
        (b"/a/\x01b.mp4", "/a/ b.mp4"),
        (b"/a/\nb.mp4", "/a/ b.mp4"),
        (b"/a/\xffb.mp4", "/a/\ufffdb.mp4"),
        (b"/a/\\ud800b.mp4", "/a/\ufffdb.mp4"),
        (b"/a/\\udc00\\ud83d\\ude00b", "/a/\ufffd\U0001f600b"),
        (b"/a/\x01\\\\ud800b", "/a/ \\ud800b"),
        (b"/a/\\u0007b", "/a/\x07b"),
    ],
)
def test_broken_characters_do_not_cost_the_page(raw: bytes, file: str) -> None:
    body = b'{"MediaContainer":{"Metadata":[{"ratingKey":"1","Media":[{"Part":[{"file":"' + raw + b'"}]}]}]}}'
    assert [part.file for part in parse_listing(body, FIVE)[0].parts] == [file]


FULL = {
    "ratingKey": "812",
    "librarySectionID": 5,
    "title": "T",
    "titleSort": "T, The",
    "summary": "s",
    "studio": "S",
    "originallyAvailableAt": "2021-03-04",
    "userRating": 7.5,
    "thumb": "/library/metadata/812/thumb/1",
    "updatedAt": 9,
    "Genre": [{"tag": "A"}, {"tag": "B"}, {"tag": "C"}],
    "Director": {"tag": "D"},
    "Role": [{"tag": "R", "role": "Herself"}],
    "Collection": [{"tag": "Co"}],
    "Label": [{"tag": "L"}],
    "Field": [{"name": "title", "locked": True}, {"name": "genre", "locked": "1"}, {"name": "summary", "locked": "0"}],
    "Media": [{"Part": [{"file": "/a"}]}, {"proxyType": 42, "Part": [{"file": "/o"}]}],
}
ITEM = Item(
    rating_key=RatingKey("812"),
    section=FIVE,
    title="T",
    title_sort="T, The",
    summary="s",
    studio="S",
    originally_available_at="2021-03-04",
    user_rating=7.5,
    genres=("A", "B", "C"),
    directors=("D",),
    actors=("R",),
    collections=("Co",),
    labels=("L",),
    locked=frozenset({"title", "genre"}),
    thumb="/library/metadata/812/thumb/1",
    files=("/a",),
    updated_at=9,
)


def test_a_full_item_is_read_whole() -> None:
    items, window = parse_items(container(size=1, Metadata=[FULL]))
    assert items == {"812": ITEM}
    assert window == Window(1, None, None)


def test_a_bare_item_has_empty_values_and_the_section_of_its_container() -> None:
    items, _ = parse_items(container(librarySectionID="5", Metadata={"ratingKey": 1, "title": "T", "userRating": "8"}))
    item = items[RatingKey("1")]
    assert (item.section, item.title_sort, item.summary, item.user_rating) == ("5", "T", "", 8.0)
    assert (item.genres, item.files, item.locked, item.thumb) == ((), (), frozenset(), "")


def test_the_lock_of_the_cast_has_one_name() -> None:
    items, _ = parse_items(container(Metadata=[FULL | {"Field": {"name": "role", "locked": 1}}]))
    assert items[RatingKey("812")].locked == {"actor"}


def test_an_item_in_the_trash_is_not_there() -> None:
    items, window = parse_items(container(Metadata=[FULL | {"deletedAt": 5}]))
    assert (items, window.returned) == ({}, 1)


def test_sections() -> None:
    body = container(
        Directory=[
            {"key": "5", "type": "movie", "title": "M", "contentChangedAt": "116893155", "Location": {"path": "/m"}},
            {"key": 6, "type": "show", "title": "S", "Location": [{"id": 1, "path": "C:\\s"}, {"id": 2, "path": "/t"}]},
        ]
    )
    assert parse_sections(body) == (
        Section(FIVE, "movie", "M", 116893155, ("/m",)),
        Section(SectionKey("6"), "show", "S", 0, ("C:\\s", "/t")),
    )


def test_identity() -> None:
    body = container(size=0, claimed=True, machineIdentifier="abc", version="1.43.4.10903-e5521bd8c")
    assert parse_identity(body) == PlexIdentity("abc", "1.43.4.10903-e5521bd8c")


def test_posters() -> None:
    body = container(
        Metadata=[
            {"key": "/library/metadata/1/file?url=x", "ratingKey": "upload://posters/ab", "selected": 1},
            {"key": "https://elsewhere/p.jpg", "selected": False},
        ]
    )
    assert parse_posters(body) == (Candidate("upload://posters/ab", True), Candidate("https://elsewhere/p.jpg", False))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"MediaContainer":[]}',
        b"<html></html>",
        b'{"MediaContainer":{"Metadata":7}}',
        b'{"MediaContainer":{"Metadata":[{"title":"no key"}]}}',
        b'{"MediaContainer":{"Metadata":[{"ratingKey":"1","updatedAt":{}}]}}',
        b'{"MediaContainer":{"Metadata":[{"ratingKey":"1"',
    ],
)
def test_anything_else_is_an_error_of_one_kind(body: bytes) -> None:
    for parse in (lambda given: parse_listing(given, FIVE), parse_items):
        with pytest.raises(msgspec.DecodeError):
            parse(body)
