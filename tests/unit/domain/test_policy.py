"""Who wins, as people decided: tables for texts, lists and locks, and what holds for every policy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import an_item
from stashplex.domain.document import Base, Document, Field, TagField, TextField
from stashplex.domain.item import Item
from stashplex.domain.merge import Merge, merge, tag_key
from stashplex.domain.plan import TextChange, apply_to, not_taken, observed_document, plan, trusted
from stashplex.domain.policy import EditsByPeople, FirstContact, MergeRules
from strategies import bases, documents, items, showing

TITLE, SUMMARY, GENRE = TextField.TITLE, TextField.SUMMARY, TagField.GENRE
FOLLOW, STASH, PLEX = EditsByPeople

rules = st.builds(
    MergeRules,
    st.sampled_from(EditsByPeople),
    st.dictionaries(st.sampled_from([*TextField, *TagField]), st.sampled_from(EditsByPeople), max_size=3),
    st.sampled_from(FirstContact),
    st.booleans(),
    st.booleans(),
).filter(lambda rule: not rule.contradicts)


def text(desired: str, observed: str, base: str | None, rule: MergeRules) -> str:
    owned = None if base is None else Base(Document({TITLE: base}))
    return merge(Document({TITLE: desired}), Document({TITLE: observed}), owned, rule).wanted.texts[TITLE]


def genres(desired: str, observed: str, base: str | None, rule: MergeRules) -> Merge:
    owned = None if base is None else Base(Document(tags={GENRE: tuple(base)}))
    return merge(Document(tags={GENRE: tuple(desired)}), Document(tags={GENRE: tuple(observed)}), owned, rule)


@pytest.mark.parametrize(
    ("desired", "observed", "base", "after"),
    [
        ("S", "P", "S", ["P", "S", "P"]),
        ("T", "P", "S", ["T", "T", "P"]),
        ("T", "S", "S", ["T", "T", "T"]),
        ("", "S", "S", ["", "", ""]),
        ("", "P", "S", ["", "", "P"]),
        ("", "P", "", ["P", "P", "P"]),
        ("S", "", "S", ["", "S", ""]),
        ("S", "P", None, ["S", "S", "S"]),
    ],
)
def test_a_text_that_a_person_changed(desired: str, observed: str, base: str | None, after: list[str]) -> None:
    assert [text(desired, observed, base, MergeRules(policy)) for policy in (FOLLOW, STASH, PLEX)] == after


@pytest.mark.parametrize(
    ("desired", "observed", "base", "after"),
    [
        ("ab", "a", "ab", ["a", "ab", "a"]),
        ("ab", "abm", "ab", ["abm", "abm", "abm"]),
        ("a", "abm", "ab", ["am", "am", "am"]),
        ("abc", "a", "ab", ["ac", "abc", "ac"]),
    ],
)
def test_a_list_that_a_person_changed(desired: str, observed: str, base: str, after: list[str]) -> None:
    merged = [genres(desired, observed, base, MergeRules(policy)) for policy in (FOLLOW, STASH, PLEX)]
    assert ["".join(one.wanted.tags[GENRE]) for one in merged] == after


@pytest.mark.parametrize(("policy", "after"), [(FOLLOW, "a"), (PLEX, "")])
def test_what_a_person_removed_comes_back_with_stash_unless_plex_wins(policy: EditsByPeople, after: str) -> None:
    rule = MergeRules(policy)
    dropped = genres("", "", "a", rule)
    assert genres("a", "", "".join(dropped.base.tags[GENRE]), rule).wanted.tags[GENRE] == tuple(after)


def test_a_field_may_have_a_policy_of_its_own() -> None:
    rule = MergeRules(FOLLOW, {TITLE: STASH})
    shown = Document({TITLE: "mine", SUMMARY: "mine"})
    wanted = Document({TITLE: "S", SUMMARY: "S"})
    merged = merge(wanted, shown, Base(wanted), rule)
    assert merged.wanted == Document({TITLE: "S", SUMMARY: "mine"})
    assert merged.kept == (SUMMARY,)


@pytest.mark.parametrize(
    ("contact", "title", "summary", "listed"),
    [
        (FirstContact.OVERWRITE, "S", "S", ("a", "m")),
        (FirstContact.FILL, "P", "S", ("m",)),
        (FirstContact.ADOPT, "P", "", ("m",)),
    ],
)
def test_first_contact(contact: FirstContact, title: str, summary: str, listed: tuple[str, ...]) -> None:
    shown = Document({TITLE: "P", SUMMARY: ""}, {GENRE: ("m",)})
    wanted = Document({TITLE: "S", SUMMARY: "S"}, {GENRE: ("a",)})
    merged = merge(wanted, shown, None, MergeRules(first_contact=contact))
    assert merged.wanted == Document({TITLE: title, SUMMARY: summary}, {GENRE: listed})
    assert merged.base == wanted


def test_an_adopted_item_follows_stash_from_then_on() -> None:
    rule = MergeRules(first_contact=FirstContact.ADOPT)
    item = an_item(title="P")
    adopted = plan(item, Document({TITLE: "S"}), None, rule)
    assert adopted.is_empty
    base = trusted(Base(adopted.base, seen=adopted.seen), item)
    assert plan(item, Document({TITLE: "T"}), base, rule).changes == (TextChange(TITLE, "P", "T"),)
    assert plan(item, Document({TITLE: "S"}), base, rule).is_empty


def test_without_locks_an_item_is_known_by_what_it_shows() -> None:
    rule = MergeRules(locks=False)
    item = an_item(title="P")
    planned = plan(item, Document({TITLE: "S"}), None, rule)
    base = Base(planned.base, seen=planned.seen)
    assert trusted(base, an_item(title="S", summary="more")) is base
    assert trusted(base, an_item(title="fresh")) is None
    assert trusted(base, an_item(title="by a person", locked=frozenset({"title"}))) is base


def test_a_field_that_people_locked_is_left_alone_and_never_ours() -> None:
    item = an_item(title="P", summary="P", locked=frozenset({"title"}))
    wanted = Document({TITLE: "S", SUMMARY: "S"})
    planned = plan(item, wanted, None, MergeRules(respects_locks=True))
    assert planned.changes == (TextChange(SUMMARY, "P", "S"),)
    assert (planned.kept, planned.base) == ((TITLE,), Document({SUMMARY: "S"}))
    assert len(plan(item, wanted, None).changes) == 2


def test_a_lock_of_an_unfinished_write_is_not_a_persons() -> None:
    item = an_item(title="P", locked=frozenset({"title"}))
    wanted = Document({TITLE: "S"})
    assert not plan(item, wanted, None, MergeRules(respects_locks=True), claimed=wanted).is_empty


def test_a_field_that_is_switched_off_is_unlocked_once() -> None:
    item = an_item(title="S", summary="S", locked=frozenset({"title", "summary", "tagline"}))
    base = Base(Document({TITLE: "S", SUMMARY: "S"}))
    planned = plan(item, Document({TITLE: "S"}), base, wanted=[TITLE])
    assert (planned.changes, planned.unlocks) == ((), {"summary"})
    assert planned.base == Document({TITLE: "S"})
    assert not_taken(planned, item) == ("summary",)
    after = an_item(title="S", summary="S", locked=frozenset({"title", "tagline"}))
    assert not_taken(planned, after) == ()
    assert plan(after, Document({TITLE: "S"}), Base(planned.base), wanted=[TITLE]).is_empty


def test_what_stash_did_not_answer_stays_locked_and_ours() -> None:
    item = an_item(title="S", summary="S", locked=frozenset({"title", "summary"}))
    base = Base(Document({TITLE: "S", SUMMARY: "S"}))
    planned = plan(item, Document({TITLE: "S"}), base, wanted=[TITLE, SUMMARY])
    assert planned.is_empty
    assert planned.base == base.document


def touched(item: Item, desired: Document, base: Base | None, rule: MergeRules) -> set[Field]:
    return {change.field for change in plan(item, desired, base, rule).changes}


@given(items(), documents(), bases(), rules)
def test_no_policy_touches_a_field_that_is_not_desired(
    item: Item, desired: Document, base: Base | None, rule: MergeRules
) -> None:
    assert touched(item, desired, base, rule) <= {*desired.texts, *desired.tags}


@given(items(), documents(), bases(), rules)
def test_under_every_policy_a_plan_that_was_taken_leaves_nothing_to_do(
    item: Item, desired: Document, base: Base | None, rule: MergeRules
) -> None:
    planned = plan(item, desired, base, rule)
    after = showing(item, apply_to(observed_document(item), planned))
    assert not_taken(planned, after) == ()
    assert plan(after, desired, Base(planned.base, seen=planned.seen), rule).is_empty


@given(items(), documents(), bases(), rules)
def test_no_policy_loses_an_element_that_a_person_added(
    item: Item, desired: Document, base: Base | None, rule: MergeRules
) -> None:
    observed = observed_document(item)
    after = apply_to(observed, plan(item, desired, base, rule))
    for field, names in observed.tags.items():
        ours = set() if base is None else {tag_key(tag) for tag in base.document.tags.get(field, ())}
        foreign = {tag_key(tag) for tag in names} - ours
        assert foreign <= {tag_key(tag) for tag in after.tags[field]}
