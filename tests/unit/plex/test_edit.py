"""Edit queries: what they say, that they name one item, that they fit, and that every server ends at the plan."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stashplex.domain.document import Document, TagField, TextField
from stashplex.domain.item import RatingKey, SectionKey
from stashplex.domain.merge import tag_key
from stashplex.domain.plan import Change, Plan, TagChange, TextChange
from stashplex.plex.edit import BUDGET_BYTES, ELLIPSIS, edit_queries, fit, fit_texts


def a_plan(*changes: Change, key: str = "812", section: str = "5", base: Document | None = None) -> Plan:
    return Plan(RatingKey(key), SectionKey(section), changes, (), base or Document())


def a_text(new: str, text_field: TextField = TextField.TITLE, old: str = "") -> TextChange:
    return TextChange(text_field, old, new)


def a_list(old: tuple[str, ...], new: tuple[str, ...], tag_field: TagField = TagField.GENRE) -> TagChange:
    keys = {tag_key(tag) for tag in new}
    return TagChange(tag_field, old, new, tuple(tag for tag in old if tag_key(tag) not in keys))


@dataclass
class Server:
    """A Plex that edits one item: clear, remove, add; a lone list replaces or adds."""

    is_replacing: bool
    texts: dict[str, str] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    locks: dict[str, str] = field(default_factory=dict)

    def put(self, query: str) -> None:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs), "no parameter twice"
        said = dict(pairs)
        assert said.pop("type") == "1"
        assert said.pop("id") == "812"
        self.locks |= {key.removesuffix(".locked"): value for key, value in pairs if key.endswith(".locked")}
        self.texts |= {key.removesuffix(".value"): value for key, value in pairs if key.endswith(".value")}
        for name in TagField:
            listed = {int(key[len(name) + 1 : key.index("]")]): tag for key, tag in pairs if _is_indexed(key, name)}
            shown = self.tags.get(name, [])
            if f"{name}[].tag" in said or (listed and self.is_replacing):
                shown = []
            gone = [unquote(piece) for piece in said.get(f"{name}[].tag.tag-", "").split(",")]
            shown = [tag for tag in shown if tag not in gone]
            self.tags[name] = shown + [listed[index] for index in sorted(listed) if listed[index] not in shown]


def _is_indexed(key: str, name: str) -> bool:
    return key.startswith(f"{name}[") and key.endswith("].tag.tag") and key[len(name) + 1].isdigit()


def test_everything_travels_in_one_request_as_the_reference_writes_it() -> None:
    plan = a_plan(
        a_text("Blue Door"),
        a_text("a\nb & c", TextField.SUMMARY),
        a_list(("Old",), ("Drama", "Out door")),
        a_list((), ("Zoë",), TagField.ACTOR),
        a_list((), ("Acme",), TagField.COLLECTION),
    )
    (query,) = edit_queries(plan, locked=frozenset({"title"}))
    assert query == (
        "type=1&id=812&title.value=Blue%20Door&title.locked=1&summary.value=a%0Ab%20%26%20c&summary.locked=1"
        "&genre%5B%5D.tag.tag-=Old&genre%5B0%5D.tag.tag=Drama&genre%5B1%5D.tag.tag=Out%20door&genre.locked=1"
        "&actor%5B0%5D.tag.tag=Zo%C3%AB&actor.locked=1&collection%5B0%5D.tag.tag=Acme&collection.locked=0"
    )


@pytest.mark.parametrize("key", ["", "1,2", "1 ", "x", "-1", "१", "1\n", "1&type=2"])
def test_an_edit_without_the_digits_of_one_item_is_never_made(key: str) -> None:
    for plan in (a_plan(a_text("T"), key=key), a_plan(a_text("T"), section=key), a_plan(key=key)):
        with pytest.raises(ValueError, match="digits"):
            edit_queries(plan, locks=frozenset({"thumb"}))


def test_an_empty_plan_is_no_request() -> None:
    assert edit_queries(a_plan()) == ()


def test_locks_alone_make_a_request() -> None:
    assert edit_queries(a_plan(), locks=frozenset({"thumb"})) == ("type=1&id=812&thumb.locked=1",)


def test_a_lock_is_said_once() -> None:
    (query,) = edit_queries(a_plan(a_text("T")), locks=frozenset({"title", "thumb"}))
    assert query == "type=1&id=812&title.value=T&title.locked=1&thumb.locked=1"


@pytest.mark.parametrize(("locked", "expected"), [(None, ""), (frozenset(), "0"), (frozenset({"collection"}), "1")])
def test_the_lock_of_collections_stays_as_it_is(locked: frozenset[str] | None, expected: str) -> None:
    (query,) = edit_queries(a_plan(a_list((), ("A",), TagField.COLLECTION)), locked=locked)
    assert dict(parse_qsl(query)).get("collection.locked", "") == expected


def test_an_emptied_list_is_cleared_and_its_elements_named() -> None:
    (query,) = edit_queries(a_plan(a_list(("A", "B"), ())))
    assert query == "type=1&id=812&genre%5B%5D.tag=&genre%5B%5D.tag.tag-=A%2CB&genre.locked=1"


@pytest.mark.parametrize("odd", ["a,b", "100%", " a", "R+B"])
def test_a_name_that_the_removal_list_would_spoil_goes_by_clearing(odd: str) -> None:
    (query,) = edit_queries(a_plan(a_list((odd, "Old", "Kept"), ("Kept", "New"))))
    assert query == ("type=1&id=812&genre%5B%5D.tag=&genre%5B0%5D.tag.tag=Kept&genre%5B1%5D.tag.tag=New&genre.locked=1")


def test_too_much_for_one_request_is_split_with_every_list_whole() -> None:
    genres = tuple(f"Genre number {number}" for number in range(100))
    actors = tuple(f"Person number {number}" for number in range(100))
    plan = a_plan(a_text("x" * 3000, TextField.SUMMARY), a_list((), genres), a_list((), actors, TagField.ACTOR))
    queries = edit_queries(plan)
    assert [len(query) <= BUDGET_BYTES for query in queries] == [True] * 3
    assert [("genre%5B0%5D" in query, "genre%5B99%5D" in query) for query in queries] == [
        (False, False), (True, True), (False, False),
    ]  # fmt: skip


def test_a_long_removal_goes_ahead_of_its_list() -> None:
    old = tuple(f"Old number {number}" for number in range(400))
    server = Server(is_replacing=False, tags={"genre": list(old)})
    queries = edit_queries(a_plan(a_list(old, ("New",))))
    assert ["genre%5B0%5D" in query for query in queries] == [False, False, True]
    for query in queries:
        server.put(query)
    assert server.tags["genre"] == ["New"]


def test_what_fit_would_cut_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"summary.*|fit the plan"):
        edit_queries(a_plan(a_text("x" * 8000, TextField.SUMMARY)))


@pytest.mark.parametrize("character", ["x", "é", "日", "😀", "x "])
def test_a_long_summary_ends_in_an_ellipsis_and_fits_exactly(character: str) -> None:
    desired = Document({TextField.SUMMARY: character * 9000, TextField.TITLE: "T"})
    shortened = fit_texts(desired)
    text = shortened.texts[TextField.SUMMARY]
    assert shortened.texts[TextField.TITLE] == "T"
    assert text.endswith(ELLIPSIS)
    assert (character * 9000).startswith(text.removesuffix(ELLIPSIS))
    (query,) = edit_queries(a_plan(a_text(text, TextField.SUMMARY)))
    assert BUDGET_BYTES - 80 < len(query) <= BUDGET_BYTES
    assert fit_texts(shortened) == shortened


def test_a_text_that_fits_is_left_as_it_is() -> None:
    desired = Document({TextField.SUMMARY: "x" * 6800})
    assert fit_texts(desired) == desired


def test_a_text_that_plex_already_shows_shortened_is_not_written_again() -> None:
    long = "word " * 3000
    shown = fit_texts(Document({TextField.SUMMARY: long})).texts[TextField.SUMMARY]
    assert fit(a_plan(a_text(long, TextField.SUMMARY, old=shown))).changes == ()


def test_a_list_that_is_too_long_keeps_what_plex_shows_and_loses_additions_from_its_end() -> None:
    ours = tuple(f"A name of ours, quite long, {number:03}" for number in range(200))
    plan = a_plan(a_list(("Foreign",), (*ours, "Foreign")), base=Document(tags={TagField.GENRE: ours}))
    fitted = fit(plan)
    (change,) = fitted.changes
    assert isinstance(change, TagChange)
    assert change.new[-1] == "Foreign"
    assert change.new[:-1] == ours[: len(change.new) - 1]
    assert 50 < len(change.new) < 150
    assert fitted.base.tags[TagField.GENRE] == change.new[:-1]
    assert len(edit_queries(fitted)) == 1


def test_a_list_that_was_cut_is_not_written_again_and_again() -> None:
    ours = tuple(f"A name of ours, quite long, {number:03}" for number in range(200))
    (first,) = fit(a_plan(a_list(("Foreign",), (*ours, "Foreign")))).changes
    assert isinstance(first, TagChange)
    assert fit(a_plan(a_list(first.new, (*ours, "Foreign")))).changes == ()


def test_a_list_whose_present_elements_do_not_fit_is_left_alone_and_not_claimed() -> None:
    foreign = tuple(f"A foreign name, quite long, {number:03}" for number in range(300))
    plan = a_plan(a_list(foreign, ("Ours", *foreign)), a_text("T"), base=Document(tags={TagField.GENRE: ("Ours",)}))
    fitted = fit(plan)
    assert fitted.changes == (a_text("T"),)
    assert TagField.GENRE not in fitted.base.tags


def test_a_list_that_is_left_alone_stays_ours_as_far_as_it_was() -> None:
    foreign = tuple(f"A foreign name, quite long, {number:03}" for number in range(300))
    ours = Document(tags={TagField.GENRE: ("Ours", "Once ours"), TagField.ACTOR: ("Ann",)})
    plan = a_plan(
        a_list(("Once ours", *foreign), ("New", "Ours", *foreign)),
        base=Document(tags={TagField.GENRE: ("New", "Ours")}),
    )
    fitted = fit(plan, owned=ours)
    assert fitted.changes == ()
    assert fitted.base.tags == {TagField.GENRE: ("Ours", "Once ours")}


def test_a_list_that_is_cut_keeps_what_a_person_took_out_of_it() -> None:
    """An element of ours that a person removed stays ours, or the next plan would take it for a new one of Stash."""
    names = tuple(f"A name of ours, quite long, {number:03}" for number in range(200))
    removed, *rest = names
    plan = a_plan(a_list((), tuple(rest)), base=Document(tags={TagField.GENRE: names}))
    fitted = fit(plan, owned=Document(tags={TagField.GENRE: (removed,)}))
    (change,) = fitted.changes
    assert isinstance(change, TagChange)
    assert removed not in change.new
    assert fitted.base.tags[TagField.GENRE] == (removed, *change.new)


@pytest.mark.parametrize("new", [("A",), ()])
def test_a_list_may_be_emptied_first_instead_of_naming_what_goes(new: tuple[str, ...]) -> None:
    plan = a_plan(a_list(("A", "B", "C"), new))
    (query,) = edit_queries(plan, clears=True)
    assert "tag-" not in query
    first, *rest = query.removeprefix("type=1&id=812&").split("&")
    assert unquote(first) == "genre[].tag="
    assert [unquote(pair) for pair in rest] == [
        *(f"genre[{number}].tag.tag={tag}" for number, tag in enumerate(new)),
        "genre.locked=1",
    ]


def test_a_list_that_only_grows_is_never_emptied() -> None:
    plan = a_plan(a_list(("A",), ("A", "B")), a_text("T"))
    assert edit_queries(plan, clears=True) == edit_queries(plan)


_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
_LISTS = st.lists(_NAMES, max_size=8, unique_by=tag_key).map(tuple)
_TEXT_CHANGES = st.builds(TextChange, st.sampled_from(TextField), st.text(max_size=5), st.text(max_size=400))
_TAG_CHANGES = st.builds(a_list, _LISTS, _LISTS, st.sampled_from(TagField))
_PLANS = st.lists(
    _TEXT_CHANGES.filter(lambda change: change.old != change.new) | _TAG_CHANGES,
    unique_by=lambda change: change.field,
    max_size=8,
).map(lambda changes: a_plan(*changes))


@settings(max_examples=300, deadline=None)
@given(plan=_PLANS, budget=st.integers(600, 7000), is_replacing=st.booleans(), clears=st.booleans())
def test_a_server_that_replaces_and_one_that_adds_both_end_at_the_plan(
    plan: Plan, budget: int, is_replacing: bool, clears: bool
) -> None:
    fitted = fit(plan, budget)
    lists = {change.field.value: list(change.old) for change in fitted.changes if isinstance(change, TagChange)}
    server = Server(is_replacing=is_replacing, tags=lists)
    for query in edit_queries(fitted, budget, locked=frozenset(), clears=clears):
        assert query.startswith("type=1&id=812&")
        assert len(query) <= budget
        assert query.isascii()
        server.put(query)
    for change in fitted.changes:
        assert server.locks[change.field] == ("0" if change.field is TagField.COLLECTION else "1")
        if isinstance(change, TextChange):
            assert server.texts[change.field] == change.new
        else:
            shown = {tag_key(tag) for tag in server.tags[change.field]}
            assert shown == {tag_key(tag) for tag in change.new}


@settings(max_examples=200, deadline=None)
@given(plan=_PLANS, budget=st.integers(300, 3000))
def test_fitting_twice_changes_nothing(plan: Plan, budget: int) -> None:
    once = fit(plan, budget)
    assert fit(once, budget) == once
    assert {change.field for change in once.changes} <= {change.field for change in plan.changes}
