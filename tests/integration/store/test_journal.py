"""The history of a scene: complete, in order, of bounded size."""

from dataclasses import replace
from datetime import timedelta

from builders import NOW
from ledgers import lease, mark, settle
from stashplex.domain.entry import PlexId
from stashplex.domain.item import RatingKey
from stashplex.domain.journal import DETAIL_CHARS, VALUE_CHARS, JournalEvent, JournalRow
from stashplex.domain.scene import SceneId
from stashplex.store.journal import Journal
from stashplex.store.ledger import Ledger

SCENE = SceneId(42)
WRITTEN = JournalRow(NOW, JournalEvent.FIELD_WRITTEN, RatingKey("812"), "title", "old", "Zoë 😀", None)
SYNCED = JournalRow(NOW + timedelta(microseconds=1), JournalEvent.ENTRY_SYNCED)


def _write(ledger: Ledger, plex_id: PlexId, *rows: JournalRow, scene: int = 42) -> None:
    mark(ledger, plex_id, scene)
    settle(ledger, lease(ledger, plex_id), journal=rows)


def test_rows_come_back_as_they_were_newest_first(ledger: Ledger, journal: Journal, plex_id: PlexId) -> None:
    _write(ledger, plex_id, WRITTEN, SYNCED)
    assert journal.list_for_scene(plex_id, SCENE) == (SYNCED, WRITTEN)
    assert journal.list_for_scene(plex_id, SCENE, limit=1) == (SYNCED,)


def test_each_scene_has_its_own_history(ledger: Ledger, journal: Journal, plex_id: PlexId) -> None:
    _write(ledger, plex_id, WRITTEN)
    _write(ledger, plex_id, SYNCED, scene=43)
    assert journal.list_for_scene(plex_id, SCENE) == (WRITTEN,)
    assert journal.list_for_scene(plex_id, SceneId(44)) == ()
    assert journal.list_for_scene(ledger.plex_id("ffff", "other"), SCENE) == ()


def test_long_values_are_clipped(ledger: Ledger, journal: Journal, plex_id: PlexId) -> None:
    whole, long = "x" * VALUE_CHARS, "x" * (VALUE_CHARS + 1)
    _write(ledger, plex_id, replace(WRITTEN, old=whole, new=long, detail=long))
    (row,) = journal.list_for_scene(plex_id, SCENE)
    assert row.old == whole
    assert row.new == "x" * (VALUE_CHARS - 1) + "…"
    assert row.detail == "x" * (DETAIL_CHARS - 1) + "…"
