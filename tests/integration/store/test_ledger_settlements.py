"""A settlement moves an entry on, with its links and its history, and only for the holder of the lease."""

from dataclasses import replace
from datetime import timedelta

import pytest

from builders import NOW, a_link
from ledgers import DEAD, LEASE, SYNCED, get_entry, lease, mark, rescue, retry, scenes_of, settle
from stashplex.base.errors import StoreError
from stashplex.domain.document import Base, Document, Poster, TagField, TextField
from stashplex.domain.entry import PlexId, State, Transition
from stashplex.domain.journal import JournalEvent, JournalRow
from stashplex.domain.scene import SceneId
from stashplex.store.journal import Journal
from stashplex.store.ledger import Ledger, Settlement

LATER = NOW + timedelta(seconds=90)
BASE = Base(
    Document(
        {TextField.TITLE: "Zoë 日本語 😀", TextField.STUDIO: ""}, {TagField.GENRE: ("a", "b,c"), TagField.ACTOR: ()}
    ),
    Poster("ab" * 20, 'W/"e"', "1700000000", "/library/metadata/1/thumb/2"),
)
ROW = JournalRow(NOW, JournalEvent.ENTRY_SYNCED)


def test_a_synced_entry_is_settled_and_clean(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id), retry(NOW))
    assert settle(ledger, lease(ledger, plex_id)) == 1
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.due_at, entry.settled_generation) == (State.SYNCED, None, 1)
    assert (entry.retry_count, entry.last_error_type, entry.first_failed_at) == (0, None, None)


def test_a_retry_waits_until_it_is_due(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id), retry(LATER, 2))
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.due_at, entry.retry_count, entry.settled_generation) == (State.PENDING, LATER, 2, 0)
    assert (entry.last_error_type, entry.last_error, entry.first_failed_at) == ("PlexNotFound", "not there yet", NOW)


def test_a_dead_entry_is_settled_and_says_why(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id), DEAD)
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.due_at, entry.settled_generation) == (State.DEAD, None, 1)
    assert (entry.last_error_type, entry.last_error) == ("MatchAmbiguous", "two fit")


@pytest.mark.parametrize("transition", [SYNCED, DEAD], ids=["synced", "dead"])
def test_a_mark_during_the_lease_leaves_the_newer_generation_due(
    ledger: Ledger, plex_id: PlexId, transition: Transition
) -> None:
    mark(ledger, plex_id, 42)
    leased = lease(ledger, plex_id)
    mark(ledger, plex_id, 42)
    assert settle(ledger, leased, transition, now=LATER) == 1
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.due_at, entry.generation, entry.settled_generation) == (State.PENDING, LATER, 2, 1)
    assert (entry.retry_count, entry.last_error_type, entry.first_failed_at) == (0, None, None)


def test_a_mark_during_a_lease_that_failed_is_tried_at_once(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    leased = lease(ledger, plex_id)
    mark(ledger, plex_id, 42)
    settle(ledger, leased, retry(NOW + timedelta(hours=1), 4), now=LATER)
    entry = get_entry(ledger, plex_id)
    assert (entry.state, entry.due_at, entry.settled_generation) == (State.PENDING, LATER, 0)
    assert (entry.retry_count, entry.last_error_type) == (0, "PlexNotFound")


def test_an_outdated_token_changes_nothing(ledger: Ledger, journal: Journal, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    lost = lease(ledger, plex_id, "old")
    (held,) = rescue(ledger, plex_id, "new", now=NOW + LEASE)
    assert settle(ledger, lost, token="old", links=(a_link(),), journal=(ROW,)) == 0
    assert get_entry(ledger, plex_id) == held.entry
    assert ledger.links_of(held.entry.id) == ()
    assert journal.list_for_scene(plex_id, SceneId(42)) == ()


def test_a_batch_settles_what_it_still_holds(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 1, 2)
    leased = lease(ledger, plex_id)
    settle(ledger, leased[:1])
    assert settle(ledger, leased) == 1
    assert ledger.counts(plex_id, now=NOW).synced == 2


def test_a_settled_entry_is_not_settled_twice(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    leased = lease(ledger, plex_id)
    assert settle(ledger, leased) == 1
    assert settle(ledger, leased, DEAD) == 0
    assert get_entry(ledger, plex_id).state is State.SYNCED


def test_links_are_kept_replaced_or_removed(ledger: Ledger, plex_id: PlexId) -> None:
    one, two = a_link(rating_key="1", base=BASE), a_link(rating_key="2", section="7", file="/b")
    for links, expected in [((one, two), (one, two)), (None, (one, two)), ((two,), (two,)), ((), ())]:
        mark(ledger, plex_id, 42)
        leased = lease(ledger, plex_id)
        settle(ledger, leased, links=links)
        assert ledger.links_of(leased[0].entry.id) == expected
        assert ledger.count_links(plex_id) == len(expected)


def test_a_base_survives_as_it_was(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id), links=(a_link(base=BASE),))
    mark(ledger, plex_id, 42)
    ((link,),) = (one.links for one in lease(ledger, plex_id))
    assert link.base == BASE


def test_a_failed_settlement_leaves_nothing_of_itself(ledger: Ledger, journal: Journal, plex_id: PlexId) -> None:
    """The second link breaks a rule after the entry was moved: all of it is undone."""
    mark(ledger, plex_id, 1, 2)
    leased = lease(ledger, plex_id)
    twice = (a_link(), a_link())
    settlements = [
        Settlement(leased[0].entry.id, 1, SYNCED, (a_link(),), (ROW,)),
        Settlement(leased[1].entry.id, 1, SYNCED, twice, (ROW,)),
    ]
    with pytest.raises(StoreError):
        ledger.settle("t", settlements, NOW)
    assert ledger.counts(plex_id, now=NOW).leased == 2
    assert ledger.count_links(plex_id) == 0
    assert journal.list_for_scene(plex_id, SceneId(1)) == ()


def test_a_row_that_breaks_an_invariant_is_refused(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    leased = lease(ledger, plex_id)
    with pytest.raises(StoreError) as caught:
        settle(ledger, leased, replace(SYNCED, due_at=NOW))
    assert caught.value.hint
    assert scenes_of(rescue(ledger, plex_id, "b", now=NOW + LEASE)) == [42]


def test_nothing_to_settle_is_nothing(ledger: Ledger, plex_id: PlexId) -> None:
    assert ledger.settle("t", [], NOW) == 0
