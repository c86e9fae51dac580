"""plexapi edits fields, tags and locks of one item and of many."""

from typing import Any

import pytest
from plexapi.exceptions import BadRequest

from stashplex.sim.plex.app import PlexSim


def locks(item: Any) -> set[str]:
    return {field.name for field in item.fields}


def tags(item: Any, name: str) -> set[str]:
    return {tag.tag for tag in getattr(item, name)}


@pytest.mark.parametrize(
    ("method", "field", "value"),
    [
        ("editTitle", "title", "Blaue Tür"),
        ("editSortTitle", "titleSort", "aaa Blue Door"),
        ("editOriginalTitle", "originalTitle", "藍色的門"),
        ("editSummary", "summary", 'One.\nTwo & <three> + 50 % "four" 🎬'),
        ("editTagline", "tagline", "Open it"),
        ("editStudio", "studio", "Acme, Inc."),
        ("editContentRating", "contentRating", "XXX"),
    ],
)
def test_text_is_set_locked_and_cleared(movie: Any, method: str, field: str, value: str) -> None:
    getattr(movie, method)(value)
    movie.reload()
    assert getattr(movie, field) == value
    assert field in locks(movie)
    if field != "title":
        getattr(movie, method)("", locked=False)
        movie.reload()
        assert not getattr(movie, field) or getattr(movie, field) == movie.title
        assert field not in locks(movie)


def test_value_may_be_set_without_a_lock(movie: Any) -> None:
    movie.editTitle("Unlocked", locked=False)
    movie.reload()
    assert movie.title == "Unlocked"
    assert "title" not in locks(movie)


def test_date_is_set_and_numbers_are_set(movie: Any) -> None:
    movie.editOriginallyAvailable("2021-03-04").editCriticRating(8.8).editAudienceRating(7.7)
    movie.reload()
    assert movie.originallyAvailableAt.strftime("%Y-%m-%d") == "2021-03-04"
    assert (movie.rating, movie.audienceRating) == (8.8, 7.7)


def test_several_edits_travel_in_one_request(sim: PlexSim, movie: Any) -> None:
    sim.forget_requests()
    movie.batchEdits().editTitle("Both").editSummary("at once").addGenre("New").addLabel("Synced").saveEdits()
    assert sim.counts["edit"] == 1
    assert sim.unscoped_edits == 0
    movie.reload()
    assert (movie.title, movie.summary) == ("Both", "at once")
    assert tags(movie, "genres") == {"Drama", "Outdoor", "Silent", "New"}
    assert tags(movie, "labels") == {"Synced"}
    assert locks(movie) == {"title", "summary", "genre", "label"}


@pytest.mark.parametrize(
    ("kind", "attribute"),
    [("Genre", "genres"), ("Label", "labels"), ("Director", "directors"), ("Collection", "collections")],
)
def test_tag_is_added_and_removed(movie: Any, kind: str, attribute: str) -> None:
    before = tags(movie, attribute)
    getattr(movie, f"add{kind}")("Contract Test Tag")
    movie.reload()
    assert tags(movie, attribute) == before | {"Contract Test Tag"}
    getattr(movie, f"remove{kind}")("Contract Test Tag")
    movie.reload()
    assert tags(movie, attribute) == before


@pytest.mark.parametrize("text", ["Sci-Fi & Fantasy", "50% off", "Größe", 'quote\'s "own"', "🎬"])
def test_odd_tags_survive_the_round_trip(movie: Any, text: str) -> None:
    movie.addLabel(text)
    movie.reload()
    assert text in tags(movie, "labels")
    movie.removeLabel(text)
    movie.reload()
    assert text not in tags(movie, "labels")


def test_many_items_get_the_same_values_in_one_request(library: Any) -> None:
    items = library.search(maxresults=3)
    library.multiEdit(items, **{"tagline.value": "Together", "tagline.locked": 1})
    for item in items:
        item.reload()
        assert item.tagline == "Together"
        assert "tagline" in locks(item)


def test_tag_for_many_items_leaves_their_other_tags(library: Any) -> None:
    items = [item.reload() for item in library.search(maxresults=3)]
    before = [tags(item, "genres") for item in items]
    library.batchMultiEdits(items).addGenre("Everywhere").saveMultiEdits()
    assert [tags(item.reload(), "genres") for item in items] == [genres | {"Everywhere"} for genres in before]
    library.batchMultiEdits(items).removeGenre("Everywhere").saveMultiEdits()
    assert [tags(item.reload(), "genres") for item in items] == before


def test_field_is_locked_for_the_whole_library(library: Any) -> None:
    items = library.search(maxresults=3)
    library.lockAllField("studio")
    assert all("studio" in locks(item.reload()) for item in items)
    library.unlockAllField("studio")
    assert not any("studio" in locks(item.reload()) for item in items)


def test_edition_needs_a_plex_pass(sim: PlexSim, movie: Any) -> None:
    sim.switches.plex_pass = False
    with pytest.raises(BadRequest):
        movie.editEditionTitle("Director's Cut")


def test_edit_moves_updated_at_and_the_sections_counter(sim: PlexSim, movie: Any) -> None:
    section = sim.world.sections[1]
    before = section.content_changed_at
    movie.editTagline("moved")
    assert section.content_changed_at > before
