"""The path index: what the last finished crawl saw, found by path or name in any spelling."""

import pytest

from builders import NOW, a_part
from stashplex.domain.entry import PlexId
from stashplex.domain.item import IndexedPart, RatingKey, SectionKey
from stashplex.store.index import PlexIndex, SectionState

FILMS, CLIPS = SectionKey("5"), SectionKey("7")


def _crawl(index: PlexIndex, plex_id: PlexId, *parts: IndexedPart, section: SectionKey = FILMS, stamp: int = 1) -> int:
    crawl = index.begin_crawl(plex_id, section)
    index.add_page(plex_id, section, crawl, parts)
    return index.finish_crawl(plex_id, section, crawl, stamp, NOW)


def _files(index: PlexIndex, plex_id: PlexId, *paths: str) -> set[str]:
    found = index.find_by_path(plex_id, [FILMS, CLIPS], paths)
    return {part.file for parts in found.values() for part in parts}


def test_a_part_is_found_as_it_was_seen(index: PlexIndex, plex_id: PlexId) -> None:
    whole, bare = a_part("/data/a.mp4"), a_part("/data/b.mp4", size=None, duration_ms=None)
    _crawl(index, plex_id, whole, bare)
    assert index.find_by_path(plex_id, [FILMS], ["/data/a.mp4", "/data/b.mp4", "/data/c.mp4"]) == {
        "/data/a.mp4": [whole],
        "/data/b.mp4": [bare],
    }


@pytest.mark.parametrize(
    ("seen", "asked"),
    [
        ("C:\\Films\\a.mp4", "c:/Films/a.mp4"),
        ("/data//a.mp4", "/data/a.mp4"),
        ("/data/Zoe\u0308.mp4", "/data/Zo\u00eb.mp4"),
        ("/data/日本語/😀.mp4", "/data/日本語/😀.mp4"),
    ],
)
def test_a_path_is_found_in_another_spelling(index: PlexIndex, plex_id: PlexId, seen: str, asked: str) -> None:
    _crawl(index, plex_id, a_part(seen))
    assert index.find_by_path(plex_id, [FILMS], [asked]) == {asked: [a_part(seen)]}


def test_a_path_in_another_case_is_another_path(index: PlexIndex, plex_id: PlexId) -> None:
    _crawl(index, plex_id, a_part("/data/a.mp4"))
    assert index.find_by_path(plex_id, [FILMS], ["/data/A.mp4"]) == {}


@pytest.mark.parametrize("asked", ["straße.MP4", "STRASSE.mp4", "/elsewhere/Strasse.mp4"])
def test_a_name_is_found_whatever_its_folder_and_case(index: PlexIndex, plex_id: PlexId, asked: str) -> None:
    one, two = a_part("/data/Straße.mp4"), a_part("/other/straße.mp4", rating_key=RatingKey("9"))
    _crawl(index, plex_id, one, two)
    assert index.find_by_name(plex_id, [FILMS], [asked]) == {asked: [one, two]}


def test_only_the_sections_asked_for_answer(index: PlexIndex, plex_id: PlexId) -> None:
    here, there = a_part(), a_part(rating_key=RatingKey("9"), section=CLIPS)
    _crawl(index, plex_id, here)
    _crawl(index, plex_id, there, section=CLIPS)
    assert index.find_by_path(plex_id, [CLIPS], [here.file]) == {here.file: [there]}
    assert index.find_by_path(plex_id, [FILMS, CLIPS], [here.file]) == {here.file: [here, there]}
    assert index.find_by_path(plex_id, [], [here.file]) == {}
    assert (index.count(plex_id, [FILMS]), index.count(plex_id, [FILMS, CLIPS]), index.count(plex_id, [])) == (1, 2, 0)


def test_servers_do_not_mix(index: PlexIndex, plex_id: PlexId) -> None:
    other = PlexId(plex_id + 1)
    _crawl(index, plex_id, a_part())
    assert index.find_by_path(other, [FILMS], [a_part().file]) == {}
    assert index.section_state(other, FILMS) is None


def test_a_finished_crawl_removes_what_it_did_not_see(index: PlexIndex, plex_id: PlexId) -> None:
    kept, gone, elsewhere = a_part("/a"), a_part("/b"), a_part("/c", section=CLIPS)
    _crawl(index, plex_id, elsewhere, section=CLIPS)
    assert _crawl(index, plex_id, kept, gone) == 0
    assert _crawl(index, plex_id, kept) == 1
    assert _files(index, plex_id, "/a", "/b", "/c") == {"/a", "/c"}


def test_a_crawl_that_never_finished_removes_nothing(index: PlexIndex, plex_id: PlexId) -> None:
    _crawl(index, plex_id, a_part("/a"), a_part("/b"))
    index.add_page(plex_id, FILMS, index.begin_crawl(plex_id, FILMS), [a_part("/a")])
    assert _files(index, plex_id, "/a", "/b") == {"/a", "/b"}


def test_a_crawl_that_was_overtaken_removes_nothing(index: PlexIndex, plex_id: PlexId) -> None:
    old = index.begin_crawl(plex_id, FILMS)
    assert _crawl(index, plex_id, a_part("/a"), stamp=2) == 0
    index.add_page(plex_id, FILMS, old, [a_part("/a")])
    assert index.finish_crawl(plex_id, FILMS, old, 1, NOW) == 0
    state = index.section_state(plex_id, FILMS)
    assert state is not None
    assert state.content_changed_at == 2
    assert _crawl(index, plex_id, a_part("/a"), stamp=3) == 0
    assert _files(index, plex_id, "/a") == {"/a"}


def test_a_crawl_that_was_overtaken_removes_nothing_it_missed(index: PlexIndex, plex_id: PlexId) -> None:
    _crawl(index, plex_id, a_part("/a"))
    old = index.begin_crawl(plex_id, FILMS)
    index.begin_crawl(plex_id, FILMS)
    assert index.finish_crawl(plex_id, FILMS, old, 1, NOW) == 0
    assert _files(index, plex_id, "/a") == {"/a"}


def test_a_crawl_that_was_overtaken_adds_nothing(index: PlexIndex, plex_id: PlexId) -> None:
    """A process that stood still brings back what was gone when the newer crawl looked."""
    old = index.begin_crawl(plex_id, FILMS)
    _crawl(index, plex_id, a_part("/b"))
    index.add_page(plex_id, FILMS, old, [a_part("/a")])
    assert _files(index, plex_id, "/a", "/b") == {"/b"}


def test_what_two_crawls_saw_was_seen_by_the_newer(index: PlexIndex, plex_id: PlexId) -> None:
    old, new = index.begin_crawl(plex_id, FILMS), index.begin_crawl(plex_id, FILMS)
    index.add_page(plex_id, FILMS, new, [a_part("/a")])
    index.add_page(plex_id, FILMS, old, [a_part("/a")])
    assert index.finish_crawl(plex_id, FILMS, new, 1, NOW) == 0
    assert _files(index, plex_id, "/a") == {"/a"}


def test_a_part_seen_again_is_refreshed(index: PlexIndex, plex_id: PlexId) -> None:
    _crawl(index, plex_id, a_part(size=1, updated_at=1))
    _crawl(index, plex_id, a_part(size=2, updated_at=2))
    assert index.find_by_path(plex_id, [FILMS], [a_part().file]) == {a_part().file: [a_part(size=2, updated_at=2)]}


def test_a_section_tells_its_last_crawl(index: PlexIndex, plex_id: PlexId) -> None:
    assert index.section_state(plex_id, FILMS) is None
    crawl = index.begin_crawl(plex_id, FILMS)
    assert index.section_state(plex_id, FILMS) == SectionState(crawl, None, 0, None)
    two_files_of_one_item = [a_part("/a"), a_part("/b")]
    index.add_page(plex_id, FILMS, crawl, [*two_files_of_one_item, a_part("/c", rating_key=RatingKey("9"))])
    index.finish_crawl(plex_id, FILMS, crawl, 77, NOW)
    assert index.section_state(plex_id, FILMS) == SectionState(crawl, 77, 2, NOW)
    assert index.count(plex_id, [FILMS]) == 3


def test_an_item_told_anew_loses_its_old_files(index: PlexIndex, plex_id: PlexId) -> None:
    _crawl(index, plex_id, a_part("/old"), a_part("/other", rating_key=RatingKey("9")))
    index.upsert(plex_id, [a_part("/new"), a_part("/new 2")])
    assert _files(index, plex_id, "/old", "/new", "/new 2", "/other") == {"/new", "/new 2", "/other"}


def test_an_item_told_during_a_crawl_counts_as_seen_by_it(index: PlexIndex, plex_id: PlexId) -> None:
    crawl = index.begin_crawl(plex_id, FILMS)
    index.upsert(plex_id, [a_part("/new")])
    assert index.finish_crawl(plex_id, FILMS, crawl, 1, NOW) == 0
    assert _files(index, plex_id, "/new") == {"/new"}


def test_an_item_may_be_told_before_any_crawl(index: PlexIndex, plex_id: PlexId) -> None:
    index.upsert(plex_id, [a_part("/new")])
    assert _files(index, plex_id, "/new") == {"/new"}
    assert _crawl(index, plex_id) == 1


def test_a_forgotten_item_is_gone(index: PlexIndex, plex_id: PlexId) -> None:
    _crawl(index, plex_id, a_part("/a"), a_part("/b"), a_part("/c", rating_key=RatingKey("9")))
    assert index.forget(plex_id, RatingKey("812")) == 2
    assert index.forget(plex_id, RatingKey("812")) == 0
    assert _files(index, plex_id, "/a", "/b", "/c") == {"/c"}


def test_many_questions_are_answered_at_once(index: PlexIndex, plex_id: PlexId) -> None:
    parts = [a_part(f"/{number}", rating_key=RatingKey(str(number))) for number in range(2_500)]
    _crawl(index, plex_id, *parts)
    assert len(index.find_by_path(plex_id, [FILMS], [part.file for part in parts])) == 2_500
    assert index.find_by_path(plex_id, [FILMS], []) == {}
