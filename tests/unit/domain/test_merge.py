"""Stash wins where Stash changed, a person wins where only Plex changed, and foreign elements stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stashplex.domain.document import Base, Document, TagField, TextField
from stashplex.domain.merge import Merge, is_same_text, merge, tag_key
from strategies import bases, documents, tags

TITLE, GENRE = TextField.TITLE, TagField.GENRE


def merged_text(desired: str, observed: str, base: str | None) -> Merge:
    owned = None if base is None else Base(Document({TITLE: base}))
    return merge(Document({TITLE: desired}), Document({TITLE: observed}), owned)


def merged_tags(desired: tuple[str, ...], observed: tuple[str, ...], base: tuple[str, ...] | None) -> Merge:
    owned = None if base is None else Base(Document(tags={GENRE: base}))
    return merge(Document(tags={GENRE: desired}), Document(tags={GENRE: observed}), owned)


@pytest.mark.parametrize(
    ("desired", "observed", "base", "wanted", "is_kept"),
    [
        ("S", "P", None, "S", False),
        ("S", "", None, "S", False),
        ("", "P", None, "P", True),
        ("", "", None, "", False),
        ("S", "S", None, "S", False),
        ("S", "S", "S", "S", False),
        ("S", "P", "S", "P", True),
        ("S", "", "S", "", True),
        ("", "P", "", "P", True),
        ("T", "S", "S", "T", False),
        ("T", "P", "S", "T", False),
        ("T", "T", "S", "T", False),
        ("", "S", "S", "", False),
        ("S", "P", "S\n", "P", True),
        ("S", "S ", None, "S ", False),
    ],
)
def test_text(desired: str, observed: str, base: str | None, wanted: str, is_kept: bool) -> None:
    merged = merged_text(desired, observed, base)
    assert merged.wanted == Document({TITLE: wanted})
    assert merged.kept == ((TITLE,) if is_kept else ())
    assert merged.base == Document({TITLE: desired})


def test_a_later_change_in_stash_overrules_an_edit_that_was_kept() -> None:
    kept = merged_text("S", "P", "S")
    changed = merge(Document({TITLE: "T"}), kept.wanted, Base(kept.base))
    assert changed.wanted == Document({TITLE: "T"})


@pytest.mark.parametrize(
    ("desired", "observed", "base", "wanted", "is_kept"),
    [
        (("a", "b"), (), None, ("a", "b"), False),
        (("a", "b"), ("x", "b"), None, ("a", "b", "x"), False),
        ((), ("x",), None, ("x",), False),
        (("a", "c"), ("a", "b"), ("a", "b"), ("a", "c"), False),
        (("a",), ("a", "b", "x"), ("a", "b"), ("a", "x"), False),
        ((), ("a", "b", "x"), ("a", "b"), ("x",), False),
        (("a", "b"), ("b",), ("a", "b"), ("b",), True),
        (("a", "b", "c"), ("b",), ("a", "b"), ("b", "c"), True),
        (("a", "b"), ("b",), ("b",), ("a", "b"), False),
        (("a",), ("A", "x"), ("a",), ("A", "x"), False),
        (("a",), ("x", "X"), (), ("a", "x", "X"), False),
        (("a",), ("A", "a", "x"), None, ("A", "x"), False),
        (("b", "a"), ("a", "b"), ("a", "b"), ("b", "a"), False),
        (("x,y", "100%"), ("x", "y"), ("x,y",), ("100%", "x", "y"), True),
    ],
)
def test_lists(
    desired: tuple[str, ...],
    observed: tuple[str, ...],
    base: tuple[str, ...] | None,
    wanted: tuple[str, ...],
    is_kept: bool,
) -> None:
    merged = merged_tags(desired, observed, base)
    assert merged.wanted == Document(tags={GENRE: wanted})
    assert merged.kept == ((GENRE,) if is_kept else ())
    assert merged.base == Document(tags={GENRE: desired})


def test_an_element_that_was_in_plex_before_is_ours_once_stash_says_it() -> None:
    first = merged_tags(("a",), ("a", "x"), None)
    dropped = merge(Document(tags={GENRE: ()}), first.wanted, Base(first.base))
    assert dropped.wanted == Document(tags={GENRE: ("x",)})


def test_an_element_that_a_person_removed_comes_back_when_stash_says_it_anew() -> None:
    removed = merged_tags(("a",), (), ("a",))
    dropped = merge(Document(tags={GENRE: ()}), removed.wanted, Base(removed.base))
    again = merge(Document(tags={GENRE: ("a",)}), dropped.wanted, Base(dropped.base))
    assert removed.wanted == Document(tags={GENRE: ()})
    assert again.wanted == Document(tags={GENRE: ("a",)})


def test_a_field_that_is_unknown_now_stays_ours() -> None:
    owned = Document({TITLE: "S", TextField.STUDIO: "Acme"}, {GENRE: ("a",), TagField.ACTOR: ("Jane",)})
    merged = merge(Document({TITLE: "T"}, {GENRE: ()}), Document(), Base(owned))
    assert merged.base == Document({TITLE: "T", TextField.STUDIO: "Acme"}, {GENRE: (), TagField.ACTOR: ("Jane",)})


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        (TextField.SUMMARY, "one\r\n\r\ntwo\r", "one\n\ntwo"),
        (TextField.SUMMARY, "one \ntwo\n\n", "one\ntwo"),
        (TITLE, " Zoe\u0308 ", "Zo\u00eb"),
        (TextField.USER_RATING, "7.0", "7"),
        (TextField.USER_RATING, "10", "10.0"),
        (TextField.USER_RATING, "7.699999809265137", "7.7"),
    ],
)
def test_what_plex_may_normalise_is_the_same(field: TextField, one: str, other: str) -> None:
    assert is_same_text(field, one, other)


@pytest.mark.parametrize(
    ("field", "one", "other"),
    [
        (TITLE, "A", "a"),
        (TITLE, "7.0", "7"),
        (TextField.SUMMARY, "one\n\ntwo", "one\ntwo"),
        (TextField.USER_RATING, "7", "7.5"),
        (TextField.USER_RATING, "0", ""),
        (TextField.USER_RATING, "", "x"),
    ],
)
def test_what_a_person_would_notice_is_not_the_same(field: TextField, one: str, other: str) -> None:
    assert not is_same_text(field, one, other)


@given(st.sampled_from(TextField), st.text() | st.from_regex(r"[0-9]+\.?[0-9]*"))
def test_any_text_is_the_same_as_itself(field: TextField, text: str) -> None:
    assert is_same_text(field, text, text)


@given(st.text())
def test_a_tag_key_is_its_own_key(tag: str) -> None:
    assert tag_key(tag_key(tag)) == tag_key(tag)


@given(documents(), documents(), bases())
def test_only_desired_fields_are_decided(desired: Document, observed: Document, base: Base | None) -> None:
    merged = merge(desired, observed, base)
    assert merged.wanted.texts.keys() == desired.texts.keys()
    assert merged.wanted.tags.keys() == desired.tags.keys()
    assert set(merged.kept) <= {*desired.texts, *desired.tags}


@given(tags(), tags(), st.none() | tags())
def test_a_list_is_decided_element_by_element(
    desired: tuple[str, ...], observed: tuple[str, ...], base: tuple[str, ...] | None
) -> None:
    wanted = merged_tags(desired, observed, base).wanted.tags[GENRE]
    keys = {tag_key(tag) for tag in wanted}
    in_stash, in_plex, in_base = ({tag_key(tag) for tag in some} for some in (desired, observed, base or ()))
    for key in in_stash | in_plex | in_base:
        is_foreign = key in in_plex and key not in in_stash and key not in in_base
        is_new = key in in_stash and key not in in_base
        is_untouched = key in in_stash and key in in_base and key in in_plex
        assert (key in keys) is (is_foreign or is_new or is_untouched)
    foreign = [tag for tag in observed if tag_key(tag) not in in_stash | in_base]
    assert list(wanted[len(wanted) - len(foreign) :]) == foreign
