"""plexapi makes, fills, edits and deletes collections."""

from typing import Any

import pytest
from plexapi.exceptions import BadRequest, NotFound


@pytest.fixture
def items(library: Any) -> Any:
    """Four items."""
    return library.search(maxresults=4)


@pytest.fixture
def collection(library: Any, items: Any) -> Any:
    """A collection of the first three."""
    for old in library.collections():
        if old.title.startswith("Contract"):
            old.delete()
    return library.createCollection("Contract Shelf", items=items[:3])


def test_new_collection_holds_its_items(library: Any, collection: Any, items: Any) -> None:
    assert library.collection("Contract Shelf").childCount == 3
    assert set(collection.items()) == set(items[:3])


def test_members_carry_the_collections_tag(collection: Any, items: Any) -> None:
    assert "Contract Shelf" in {tag.tag for tag in items[0].reload().collections}
    assert "Contract Shelf" not in {tag.tag for tag in items[3].reload().collections}


def test_items_come_and_go(collection: Any, items: Any) -> None:
    collection.addItems(items[3])
    collection.removeItems(items[0])
    assert set(collection.reload().items()) == set(items[1:4])
    assert collection.childCount == 3


def test_tag_on_an_item_makes_a_collection(library: Any, movie: Any) -> None:
    movie.addCollection("Contract By Tag")
    assert movie in library.collection("Contract By Tag").items()
    movie.removeCollection("Contract By Tag")


def test_collection_has_fields_and_locks(collection: Any) -> None:
    collection.editTitle("Contract Renamed").editSummary("What it holds").editSortTitle("aaa")
    collection.reload()
    assert (collection.title, collection.summary, collection.titleSort) == ("Contract Renamed", "What it holds", "aaa")
    assert {"title", "summary", "titleSort"} <= {field.name for field in collection.fields}


def test_renaming_to_a_taken_name_is_a_conflict(library: Any, collection: Any, items: Any) -> None:
    library.createCollection("Contract Other", items=items[:1])
    with pytest.raises(BadRequest, match="409"):
        collection.editTitle("Contract Other")


def test_custom_order_moves_items(collection: Any) -> None:
    collection.sortUpdate("custom")
    last = collection.items()[-1]
    collection.moveItem(last)
    assert collection.reload().items()[0] == last


def test_smart_collection_follows_its_search(library: Any, collection: Any, movie: Any) -> None:
    smart = library.createCollection("Contract Smart", smart=True, libtype="movie", year=movie.year)
    assert movie in smart.items()
    smart.delete()


def test_deleted_collection_leaves_its_items(library: Any, collection: Any, items: Any) -> None:
    collection.delete()
    with pytest.raises(NotFound):
        library.collection("Contract Shelf")
    assert "Contract Shelf" not in {tag.tag for tag in items[0].reload().collections}


def test_totals_count_collections_only_when_asked(library: Any, collection: Any) -> None:
    without = library.totalViewSize(includeCollections=False)
    assert library.totalViewSize(includeCollections=True) == without + len(library.collections())
