"""plexapi lists, pages, filters, sorts and fetches."""

from typing import Any

import pytest
from plexapi.exceptions import NotFound

from contract.plex.target import FILMS
from stashplex.sim.plex.app import PlexSim


def test_whole_library_comes_page_by_page(library: Any) -> None:
    keys = [item.ratingKey for item in library.search(container_size=7)]
    assert len(keys) == len(set(keys)) == library.totalSize


def test_paging_made_the_requests_it_should(sim: PlexSim, library: Any) -> None:
    sim.forget_requests()
    assert len(library.search(container_size=7)) == FILMS
    assert sim.counts["list"] == -(-FILMS // 7)


def test_start_past_the_end_is_empty(library: Any) -> None:
    assert library.search(container_start=1_000_000, container_size=10, maxresults=10) == []


def test_list_items_carry_files_and_truncated_tags(library: Any) -> None:
    item = library.search(maxresults=1)[0]
    assert not item.isFullObject()
    assert item.media[0].parts[0].file
    assert item.media[0].parts[0].size > 0
    assert len(item.__dict__.get("genres", item.genres)) <= 2


def test_whole_item_carries_all_tags_and_locks(sim: PlexSim, library: Any) -> None:
    item = library.get("Film 03")
    assert len(item.genres) == 2
    item.reload()
    assert [genre.tag for genre in item.genres] == ["Drama", "Outdoor", "Silent"]
    assert [role.tag for role in item.roles] == ["Ann", "Bob", "Cid", "Dee"]
    assert [guid.id for guid in item.guids] == ["imdb://tt0000003"]
    assert item.fields == []


def test_many_items_come_in_one_fetch(server: Any, library: Any) -> None:
    keys = [item.ratingKey for item in library.search(maxresults=8)]
    items = server.fetchItems(keys)
    assert {item.ratingKey for item in items} == set(keys)
    assert all(item.isFullObject() or item.media for item in items)


def test_reload_may_leave_out_what_is_not_needed(movie: Any) -> None:
    movie.reload(excludeElements="Media,Genre", excludeFields="summary", skipRefresh=1)
    movie._autoReload = False
    assert movie.media == []


def test_title_filter_finds_parts_of_titles(library: Any, movie: Any) -> None:
    assert movie in library.search(title=movie.title[:4])
    assert library.search(title="no such film anywhere") == []


def test_tag_filters_take_the_ids_that_the_section_lists(sim: PlexSim, library: Any) -> None:
    assert {choice.title for choice in library.listFilterChoices("genre")} == {"Drama", "Outdoor", "Silent"}
    assert len(library.search(genre="Silent")) == FILMS
    assert len(library.search(actor="Dee", **{"year>>": 2010})) == FILMS - 21


def test_groups_of_filters_are_honoured(sim: PlexSim, library: Any) -> None:
    either = {"or": [{"title": "Film 04"}, {"title": "Film 05"}]}
    found = library.search(filters={"and": [{"genre": "Drama"}, either]})
    assert [item.title for item in found] == ["Film 04", "Film 05"]


def test_unknown_filter_is_known_to_be_unknown(library: Any) -> None:
    with pytest.raises(NotFound):
        library.search(shoeSize=42)


def test_changed_since_finds_nothing_in_the_future_and_all_in_the_past(library: Any) -> None:
    assert library.search(**{"updatedAt>>": "2099-01-01"}) == []
    assert len(library.search(**{"updatedAt>>": "1990-01-01"})) == library.totalSize


def test_sorts_go_both_ways(library: Any) -> None:
    years = [item.year for item in library.search(sort="year:desc") if item.year]
    assert years == sorted(years, reverse=True)
    added = [item.addedAt for item in library.search(sort="addedAt:asc")]
    assert added == sorted(added)


def test_guid_finds_the_item(library: Any, movie: Any) -> None:
    assert movie in library.search(guid=movie.guid)
