"""What can be asked of the ledger: answered by index, without changing anything."""

from datetime import timedelta

from builders import NOW
from ledgers import DEAD, LEASE, lease, mark, retry, scenes_of, settle
from stashplex.domain.entry import EntryId, PlexId, Priority, State
from stashplex.domain.scene import SceneId
from stashplex.store.ledger import KNOWN_CHUNK, Counts, Ledger

LATER = NOW + timedelta(hours=1)


def test_the_next_due_time_is_that_of_any_open_entry(ledger: Ledger, plex_id: PlexId) -> None:
    assert ledger.next_due_at(plex_id) is None
    mark(ledger, plex_id, 1, due_at=LATER, priority=Priority.INTERACTIVE)
    assert ledger.next_due_at(plex_id) == LATER
    mark(ledger, plex_id, 2)
    assert ledger.next_due_at(plex_id) == NOW
    lease(ledger, plex_id)
    assert ledger.next_due_at(plex_id) == NOW + LEASE


def test_a_settled_ledger_has_no_next_due_time(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, 42)
    settle(ledger, lease(ledger, plex_id))
    assert ledger.next_due_at(plex_id) is None


def test_counts_put_each_entry_in_one_state(ledger: Ledger, plex_id: PlexId) -> None:
    other = ledger.plex_id("ffff", "bedroom")
    mark(ledger, other, *range(50))
    lease(ledger, other, "other", limit=7)
    mark(ledger, plex_id, *range(10))
    leased = lease(ledger, plex_id, "a", limit=7)
    settle(ledger, leased[:1], token="a")
    settle(ledger, leased[1:3], DEAD, token="a")
    settle(ledger, leased[3:5], retry(LATER), token="a")
    counts = Counts(pending=5, leased=2, synced=1, dead=2, due=3, waiting=2, dismissed=0)
    assert ledger.counts(plex_id, now=NOW) == counts
    assert ledger.counts(plex_id, now=NOW + LEASE) == counts  # an expired lease stays a lease until it is taken over


def test_pages_cover_all_entries_once(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, *range(25))
    settle(ledger, lease(ledger, plex_id, limit=10), DEAD)
    assert [entry.scene_id for entry in ledger.iter_entries(plex_id, limit=4)] == list(range(25))
    assert [entry.scene_id for entry in ledger.iter_entries(plex_id, state=State.DEAD, limit=3)] == list(range(10))
    assert [entry.scene_id for entry in ledger.list_entries(plex_id, state=State.PENDING, limit=2)] == [10, 11]
    assert list(ledger.iter_entries(plex_id, state=State.SYNCED)) == []


def test_a_page_starts_after_the_id_it_is_given(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, *range(5))
    first, second, *_ = ledger.list_entries(plex_id)
    assert ledger.list_entries(plex_id, after_id=first.id, limit=1) == (second,)


def test_known_scenes_are_told_from_new_ones(ledger: Ledger, plex_id: PlexId) -> None:
    mark(ledger, plex_id, *range(0, 2 * KNOWN_CHUNK, 2))
    asked = [SceneId(scene) for scene in range(2 * KNOWN_CHUNK)]
    assert ledger.scenes_known(plex_id, asked) == set(asked[::2])
    assert ledger.scenes_known(plex_id, []) == frozenset()


def test_what_is_not_there_is_none(ledger: Ledger, plex_id: PlexId) -> None:
    assert ledger.find(plex_id, SceneId(1)) is None
    assert ledger.links_of(EntryId(1)) == ()
    assert ledger.count_links(plex_id) == 0
    assert scenes_of(lease(ledger, plex_id)) == []
