"""Any scene gives a document; what is unknown has no key."""

import dataclasses
import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_file, a_scene
from stashplex.domain.document import Document, Field, TagField, TextField
from stashplex.domain.mapping import DEFAULT_FIELDS, LINE_LIMIT, LIST_LIMIT, SUMMARY_LIMIT, MappingOptions, desired
from stashplex.domain.merge import tag_key
from stashplex.domain.scene import Scene

EMOJI = "👩\u200d💻 ❤\ufe0f 🏳\ufe0f\u200d🌈"


def mapped(**scene: object) -> Document:
    return desired(a_scene(**scene), MappingOptions())


def fields(document: Document) -> set[Field]:
    return {*document.texts, *document.tags}


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("  A  title ", "A title"),
        ("Line\r\nbreak\tand\u2028more", "Line break and more"),
        ("No\x00 control\x1b[0m\x7f", "No control[0m"),
        ("Half \ud83d a character", "Half a character"),
        ("Кириллица", "Кириллица"),
        ("日本語のタイトル", "日本語のタイトル"),
        (EMOJI, EMOJI),
        ("50% \"quoted\" 'x' & <b>, y;z", "50% \"quoted\" 'x' & <b>, y;z"),
        ("x" * LINE_LIMIT, "x" * LINE_LIMIT),
        ("x" * 10_000, "x" * (LINE_LIMIT - 1) + "…"),
        ("x" * 253 + " " + "y" * 10, "x" * 253 + "…"),
        ("日" * 10_000, "日" * (LINE_LIMIT - 1) + "…"),
    ],
)
def test_title(title: str, shown: str) -> None:
    assert mapped(title=title).texts[TextField.TITLE] == shown


@pytest.mark.parametrize("title", ["", "  ", "\n\t", "\x00", "\u200b\ufeff"])
@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/data/The.Blue_Door.mp4", "The Blue Door"),
        ("D:\\v\\The Blue Door.mkv", "The Blue Door"),
        ("/data/The.Blue.Door.(2020).1080p.x265.mp4", "The Blue Door"),
        ("/data/Blue Door [2020] [2160p HEVC].mp4", "Blue Door"),
        ("/data/Blue.Door.720p60.H.264.AAC.mp4", "Blue Door"),
        ("/data/Blue Door - 4K - x264.mp4", "Blue Door"),
        ("/data/映画1080p.mp4", "映画"),
        ("/data/Blue Door 2020.mp4", "Blue Door 2020"),
        ("/data/Blue Door (uncut).mp4", "Blue Door (uncut)"),
        ("/data/Studio 1080 Hours.mp4", "Studio 1080 Hours"),
        ("/data/1080p.mp4", "1080p"),
        ("/data/[2020].mp4", "[2020]"),
        ("/data/2020.mp4", "2020"),
        ("/data/.mp4", ".mp4"),
        ("/data/no extension", "no extension"),
        ("/data/Zo\u00eb 😀.mp4", "Zo\u00eb 😀"),
    ],
)
def test_a_scene_without_a_title_is_named_after_its_file(title: str, path: str, shown: str) -> None:
    assert mapped(title=title, files=(a_file(path), a_file("/data/other.mp4"))).texts[TextField.TITLE] == shown


@pytest.mark.parametrize("files", [(), (a_file("/"),), (a_file("/data/\x01\u200b"),)])
def test_a_scene_that_nothing_names_leaves_the_title_alone(files: tuple[object, ...]) -> None:
    assert not fields(mapped(title="", files=files)) & {TextField.TITLE, TextField.TITLE_SORT}


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("The Blue Door", "Blue Door"),
        ("A Door", "Door"),
        ("an Open Door", "Open Door"),
        ("The The", "The"),
        ("The", "The"),
        ("A ", "A"),
        ("Theodore", "Theodore"),
        ("A.I.", "A.I."),
        ("Open the Door", "Open the Door"),
        ("日本語", "日本語"),
    ],
)
def test_sort_title_has_no_leading_article(title: str, shown: str) -> None:
    assert mapped(title=title).texts[TextField.TITLE_SORT] == shown


@pytest.mark.parametrize(
    ("details", "shown"),
    [
        ("", ""),
        (" \n\u200b\n ", ""),
        ("Line 1\nLine 2", "Line 1\nLine 2"),
        ("One\r\n\r\nTwo\rThree", "One\n\nTwo\nThree"),
        ("One  \nTwo\t\n\n", "One\nTwo"),
        ("Tab\there \x00\x1b gone", "Tab here  gone"),
        ("One\u2029Two\vThree", "One\nTwo\nThree"),
        (EMOJI, EMOJI),
        ("x" * SUMMARY_LIMIT, "x" * SUMMARY_LIMIT),
        ("x" * (SUMMARY_LIMIT + 1), "x" * (SUMMARY_LIMIT - 1) + "…"),
    ],
)
def test_summary_keeps_paragraphs(details: str, shown: str) -> None:
    assert mapped(details=details).texts[TextField.SUMMARY] == shown


@pytest.mark.parametrize(
    ("in_stash", "shown"),
    [
        ("2020-02-29", "2020-02-29"),
        ("2020-02", "2020-02-01"),
        ("2020", "2020-01-01"),
        (" 2020 ", "2020-01-01"),
        (None, ""),
        ("", ""),
        ("2020-13-40", None),
        ("2020-13", None),
        ("2021-02-29", None),
        ("0000", None),
        ("20200101", None),
        ("2020-W01-1", None),
        ("2020-1-1", None),
        ("٢٠٢٠", None),
        ("yesterday", None),
    ],
)
def test_date(in_stash: str | None, shown: str | None) -> None:
    assert mapped(date=in_stash).texts.get(TextField.DATE) == shown


@pytest.mark.parametrize(
    ("rating100", "shown"),
    [(1, "0.1"), (50, "5"), (75, "7.5"), (99, "9.9"), (100, "10"), (0, "0"), (None, ""), (101, None), (-1, None)],
)
def test_user_rating_is_the_shortest_decimal(rating100: int | None, shown: str | None) -> None:
    assert mapped(rating100=rating100).texts.get(TextField.USER_RATING) == shown


@pytest.mark.parametrize(
    ("studio", "shown"), [("Acme", "Acme"), (" Ac\nme ", "Ac me"), ("x, y & z", "x, y & z"), (None, ""), (" ", "")]
)
def test_a_studio_is_a_text_and_a_collection(studio: str | None, shown: str) -> None:
    document = mapped(studio=studio)
    assert document.texts[TextField.STUDIO] == shown
    assert document.tags[TagField.COLLECTION] == ((shown,) if shown else ())


@pytest.mark.parametrize(
    ("director", "names"),
    [
        ("", ()),
        ("Jane Roe", ("Jane Roe",)),
        ("Jane Roe, John Doe", ("Jane Roe", "John Doe")),
        ("Jane Roe;John Doe ; ", ("Jane Roe", "John Doe")),
        ("Robert Downey, Jr.", ("Robert Downey, Jr.",)),
        ("Robert Downey, Jr., Jane Roe", ("Robert Downey, Jr.", "Jane Roe")),
        ("John Doe, III; Jane Roe, Ph.D., Esq.", ("John Doe, III", "Jane Roe, Ph.D., Esq.")),
        ("John Doe Sr, Jim Iv", ("John Doe Sr", "Jim Iv")),
        ("Jr., Jane Roe", ("Jr.", "Jane Roe")),
        ("Jane Roe; Jr", ("Jane Roe", "Jr")),
        ("Joel & Ethan Coen", ("Joel & Ethan Coen",)),
        ("Jane Roe, JANE ROE, jane roe", ("Jane Roe",)),
        ("Jane\nRoe,, ,John\tDoe", ("Jane Roe", "John Doe")),
        ("山田 太郎, Zo\u00eb", ("山田 太郎", "Zo\u00eb")),
    ],
)
def test_directors_are_split_without_breaking_names(director: str, names: tuple[str, ...]) -> None:
    assert mapped(director=director).tags[TagField.DIRECTOR] == names


@pytest.mark.parametrize(
    ("in_stash", "shown"),
    [
        ((), ()),
        (("b", "a", "c"), ("b", "a", "c")),
        (("Drama", "drama", "DRAMA", "x"), ("Drama", "x")),
        (("Zoe\u0308", "ZO\u00cb"), ("Zoe\u0308",)),
        (("x, y", "100%", "a/b;c", EMOJI, "日本語"), ("x, y", "100%", "a/b;c", EMOJI, "日本語")),
        ((" a  b ", "", " ", "\x00", "a b"), ("a b",)),
        (tuple(f"t{number}" for number in range(300)), tuple(f"t{number}" for number in range(LIST_LIMIT))),
        (("x" * 300, "x" * 299), ("x" * (LINE_LIMIT - 1) + "…",)),
    ],
)
def test_tags_are_genres_and_performers_are_actors(in_stash: tuple[str, ...], shown: tuple[str, ...]) -> None:
    document = mapped(tags=in_stash, performers=in_stash)
    assert document.tags[TagField.GENRE] == shown
    assert document.tags[TagField.ACTOR] == shown


def test_doubles_do_not_count_towards_the_limit_of_a_list() -> None:
    names = tuple(name for number in range(LIST_LIMIT) for name in (f"t{number}", f"T{number}"))
    assert len(mapped(tags=names).tags[TagField.GENRE]) == LIST_LIMIT


@pytest.mark.parametrize(
    ("unknown", "absent"),
    [
        ("title", {TextField.TITLE, TextField.TITLE_SORT}),
        ("details", {TextField.SUMMARY}),
        ("date", {TextField.DATE}),
        ("rating100", {TextField.USER_RATING}),
        ("studio", {TextField.STUDIO, TagField.COLLECTION}),
        ("performers", {TagField.ACTOR}),
        ("tags", {TagField.GENRE}),
        ("director", {TagField.DIRECTOR}),
        ("code", set()),
    ],
)
def test_what_stash_was_not_asked_for_has_no_key(unknown: str, absent: set[Field]) -> None:
    assert fields(mapped(unknown_fields=frozenset({unknown}))) == DEFAULT_FIELDS - absent


@pytest.mark.parametrize("field", sorted(DEFAULT_FIELDS))
def test_a_field_that_is_switched_off_has_no_key(field: Field) -> None:
    assert fields(desired(a_scene(), MappingOptions(DEFAULT_FIELDS - {field}))) == DEFAULT_FIELDS - {field}


NAMES = st.lists(st.text(st.characters(), max_size=300), max_size=8).map(tuple)
SCENES = st.builds(
    a_scene,
    title=st.text(st.characters()),
    details=st.text(st.characters()),
    director=st.text(st.characters()),
    date=st.none() | st.text(st.characters()) | st.from_regex(r"[0-9]{4}(-[0-9]{2}){0,2}"),
    rating100=st.none() | st.integers(),
    studio=st.none() | st.text(st.characters()),
    performers=NAMES,
    tags=NAMES,
    files=st.lists(st.text(st.characters()).map(a_file), max_size=2).map(tuple),
    unknown_fields=st.frozensets(st.sampled_from([field.name for field in dataclasses.fields(Scene)])),
)


@given(SCENES)
def test_any_scene_gives_a_document_that_plex_can_take(scene: Scene) -> None:
    document = desired(scene, MappingOptions())
    for field, text in document.texts.items():
        lines = text.split("\n") if field is TextField.SUMMARY else [text]
        assert not any(unicodedata.category(char) in {"Cc", "Cs"} for line in lines for char in line)
        assert text == text.strip()
        assert len(text) <= (SUMMARY_LIMIT if field is TextField.SUMMARY else LINE_LIMIT)
    assert document.texts.get(TextField.TITLE, "x")
    assert document.texts.get(TextField.TITLE_SORT, "x")
    day = document.texts.get(TextField.DATE)
    assert not day or date.fromisoformat(day).isoformat() == day
    for names in document.tags.values():
        assert all(names)
        assert len({tag_key(name) for name in names}) == len(names) <= LIST_LIMIT


@given(SCENES)
def test_a_document_mapped_again_is_the_same(scene: Scene) -> None:
    once = desired(scene, MappingOptions())
    again = a_scene(
        title=once.texts.get(TextField.TITLE, "x"),
        details=once.texts.get(TextField.SUMMARY, ""),
        tags=once.tags.get(TagField.GENRE, ()),
    )
    twice = desired(again, MappingOptions())
    assert twice.texts[TextField.TITLE] == once.texts.get(TextField.TITLE, "x")
    assert twice.texts[TextField.SUMMARY] == once.texts.get(TextField.SUMMARY, "")
    assert twice.tags[TagField.GENRE] == once.tags.get(TagField.GENRE, ())
