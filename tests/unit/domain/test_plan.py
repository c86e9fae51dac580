"""A plan is the smallest edit; once Plex has taken it, nothing is left to do."""

import dataclasses

import pytest
from hypothesis import given

from builders import an_item
from stashplex.domain.document import RATINGS, Base, Document, TagField, TextField
from stashplex.domain.item import Item, RatingKey, SectionKey
from stashplex.domain.merge import merge, tag_key
from stashplex.domain.plan import Plan, TagChange, TextChange, apply_to, not_taken, observed_document, plan
from strategies import bases, documents, items, showing

TITLE, GENRE = TextField.TITLE, TagField.GENRE


def as_stored(document: Document) -> Document:
    """What a server may make of the values that it takes: other blanks, line ends and case."""
    return Document(
        {
            field: text if field in RATINGS else "\r\n".join(text.splitlines()) + " "
            for field, text in document.texts.items()
        },
        {field: tuple(tag.upper() for tag in reversed(some)) for field, some in document.tags.items()},
    )


def test_a_plan_names_the_item_and_every_change() -> None:
    item = an_item(title="a", genres=("Old", "mine", "Drama"))
    base = Base(Document(tags={GENRE: ("Old",)}))
    desired = Document({TITLE: "A title", TextField.STUDIO: ""}, {GENRE: ("drama", "x,y")})
    assert plan(item, desired, base) == Plan(
        rating_key=RatingKey("812"),
        section=SectionKey("5"),
        changes=(
            TextChange(TITLE, "a", "A title"),
            TagChange(GENRE, ("Old", "mine", "Drama"), ("Drama", "x,y", "mine"), ("Old",)),
        ),
        kept=(),
        base=desired,
    )


def test_nothing_to_do_is_an_empty_plan_that_still_says_what_is_ours() -> None:
    planned = plan(an_item(title="A title"), Document({TITLE: "A title"}), None)
    assert planned.is_empty
    assert planned.base == Document({TITLE: "A title"})


def test_an_edit_that_stands_is_no_change() -> None:
    planned = plan(an_item(title="Mine"), Document({TITLE: "A title"}), Base(Document({TITLE: "A title"})))
    assert planned.is_empty
    assert planned.kept == (TITLE,)


def test_a_right_value_that_is_not_locked_is_no_change() -> None:
    assert plan(an_item(title="A title", locked=frozenset()), Document({TITLE: "A title"}), None).is_empty


@pytest.mark.parametrize(
    ("shown", "desired"),
    [
        ({"user_rating": 7.0}, Document({TextField.USER_RATING: "7"})),
        ({"user_rating": 7.699999809265137}, Document({TextField.USER_RATING: "7.7"})),
        ({"user_rating": None}, Document({TextField.USER_RATING: ""})),
        ({"summary": "one\n\ntwo"}, Document({TextField.SUMMARY: "one\r\n\r\ntwo"})),
        ({"genres": ("drama", "X")}, Document(tags={GENRE: ("X", "Drama")})),
    ],
)
def test_another_spelling_of_the_same_value_is_no_change(shown: dict[str, object], desired: Document) -> None:
    assert plan(an_item(**shown), desired, None).is_empty


def test_the_observed_document_knows_every_field() -> None:
    observed = observed_document(
        an_item(
            title="T",
            title_sort="S",
            summary="D",
            studio="Acme",
            originally_available_at="2020-01-02",
            user_rating=7.5,
            genres=("g",),
            directors=("d",),
            actors=("a",),
            collections=("c",),
            original_title="O",
            tagline="L",
            content_rating="18",
            critic_rating=8.0,
            labels=("l",),
            writers=("w",),
        )
    )
    assert list(observed.texts.values()) == ["T", "S", "D", "Acme", "2020-01-02", "7.5", "O", "L", "18", "8"]
    assert list(observed.tags.values()) == [("g",), ("d",), ("a",), ("c",), ("l",), ("w",)]
    assert [*observed.texts, *observed.tags] == [*TextField, *TagField]


@pytest.mark.parametrize(
    ("after", "fields"),
    [
        ({"title": "A title", "genres": ("DRAMA", "mine", "new")}, ()),
        ({"title": "a", "genres": ("Drama", "new")}, ("title",)),
        ({"title": "A title ", "genres": ("Drama",)}, ("genre",)),
        ({"title": "A title", "genres": ("Drama", "new", "OLD")}, ("genre",)),
        ({"title": "", "genres": ()}, ("title", "genre")),
    ],
)
def test_the_read_back_tells_what_was_not_taken(after: dict[str, object], fields: tuple[str, ...]) -> None:
    item = an_item(title="a", genres=("Old",))
    planned = plan(
        item, Document({TITLE: "A title"}, {GENRE: ("Drama", "new")}), Base(Document(tags={GENRE: ("Old",)}))
    )
    assert not_taken(planned, dataclasses.replace(item, **after)) == fields  # type: ignore[arg-type]


def test_what_stash_dropped_goes_even_when_nothing_comes() -> None:
    planned = plan(an_item(genres=("Old", "mine")), Document(tags={GENRE: ()}), Base(Document(tags={GENRE: ("old",)})))
    assert planned.changes == (TagChange(GENRE, ("Old", "mine"), ("mine",), ("Old",)),)


@given(items(), documents(), bases())
def test_a_plan_brings_the_item_to_what_the_merge_wants(item: Item, desired: Document, base: Base | None) -> None:
    wanted = merge(desired, observed_document(item), base).wanted
    after = apply_to(observed_document(item), plan(item, desired, base))
    assert all(after.texts[field] == text for field, text in wanted.texts.items())
    for field, names in wanted.tags.items():
        assert {tag_key(tag) for tag in after.tags[field]} == {tag_key(tag) for tag in names}


@given(items(), documents(), bases())
def test_a_plan_that_was_taken_leaves_nothing_to_do(item: Item, desired: Document, base: Base | None) -> None:
    planned = plan(item, desired, base)
    after = showing(item, apply_to(observed_document(item), planned))
    assert not_taken(planned, after) == ()
    assert plan(after, desired, Base(planned.base)).is_empty


@given(items(), documents(), bases())
def test_a_server_that_normalises_is_not_written_twice(item: Item, desired: Document, base: Base | None) -> None:
    planned = plan(item, desired, base)
    after = showing(item, as_stored(apply_to(observed_document(item), planned)))
    assert not_taken(planned, after) == ()
    assert plan(after, desired, Base(planned.base)).is_empty


@given(items(), documents(), bases())
def test_a_write_whose_base_was_lost_is_not_repeated(item: Item, desired: Document, base: Base | None) -> None:
    after = showing(item, apply_to(observed_document(item), plan(item, desired, base)))
    assert plan(after, desired, base).is_empty


@given(items(), documents(), bases())
def test_no_plan_touches_a_field_that_is_not_desired(item: Item, desired: Document, base: Base | None) -> None:
    planned = plan(item, desired, base)
    touched = [change.field for change in planned.changes]
    assert set(touched) <= {*desired.texts, *desired.tags}
    assert len(touched) == len(set(touched))
    observed, after = observed_document(item), apply_to(observed_document(item), planned)
    assert all(after.texts[field] == observed.texts[field] for field in TextField if field not in desired.texts)
    assert all(after.tags[field] == observed.tags[field] for field in TagField if field not in desired.tags)


@given(items(), documents(), bases())
def test_what_goes_is_named_and_was_ours(item: Item, desired: Document, base: Base | None) -> None:
    owned = Document() if base is None else base.document
    for change in plan(item, desired, base).changes:
        if isinstance(change, TagChange):
            gone = {tag_key(tag) for tag in change.old} - {tag_key(tag) for tag in change.new}
            assert {tag_key(tag) for tag in change.removed} == gone
            assert gone <= {tag_key(tag) for tag in owned.tags.get(change.field, ())}
        elif not change.new:
            assert owned.texts.get(change.field)
