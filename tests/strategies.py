"""Hypothesis strategies for values of the domain.

The pools are small on purpose, so that Stash, Plex and the base often hold the same value in another spelling.
"""

from dataclasses import replace

from hypothesis import strategies as st

from builders import an_item
from stashplex.domain.document import Base, Document, TagField, TextField
from stashplex.domain.item import Item

_LINES = ("", "A", "a", "A ", "Zoe\u0308", "Zo\u00eb", "日本語", "😀👩\u200d💻", "100%", "x, y")
_SUMMARIES = ("", "one\n\ntwo", "one\r\n\r\ntwo", "one \n\ntwo\n", "one two")
_DATES = ("", "2020-01-01", "2020-01-02")
_RATINGS = ("", "0", "7", "7.0", "7.5", "10")
_TAGS = ("Drama", "drama", "DRAMA", "Zoe\u0308", "zo\u00eb", "a b", "a  b", "x,y", "100%", "日本語", "😀")

_POOLS = {
    TextField.SUMMARY: _SUMMARIES,
    TextField.DATE: _DATES,
    TextField.USER_RATING: _RATINGS,
    TextField.CRITIC_RATING: _RATINGS,
}


def texts(field: TextField) -> st.SearchStrategy[str]:
    return st.sampled_from(_POOLS.get(field, _LINES))


def tags() -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(_TAGS), max_size=6).map(tuple)


def documents() -> st.SearchStrategy[Document]:
    """Any fields, also none."""
    return st.builds(
        Document,
        texts=st.fixed_dictionaries({}, optional={field: texts(field) for field in TextField}),
        tags=st.fixed_dictionaries({}, optional={field: tags() for field in TagField}),
    )


def bases() -> st.SearchStrategy[Base | None]:
    return st.none() | st.builds(Base, documents())


def showing(item: Item, document: Document) -> Item:
    """Return the item as Plex shows it when its fields are those of the document."""
    text, listed = document.texts, document.tags
    rating, critic = text.get(TextField.USER_RATING, ""), text.get(TextField.CRITIC_RATING, "")
    return replace(
        item,
        title=text.get(TextField.TITLE, ""),
        title_sort=text.get(TextField.TITLE_SORT, ""),
        summary=text.get(TextField.SUMMARY, ""),
        studio=text.get(TextField.STUDIO, ""),
        originally_available_at=text.get(TextField.DATE, ""),
        user_rating=float(rating) if rating else None,
        genres=listed.get(TagField.GENRE, ()),
        directors=listed.get(TagField.DIRECTOR, ()),
        actors=listed.get(TagField.ACTOR, ()),
        collections=listed.get(TagField.COLLECTION, ()),
        original_title=text.get(TextField.ORIGINAL_TITLE, ""),
        tagline=text.get(TextField.TAGLINE, ""),
        content_rating=text.get(TextField.CONTENT_RATING, ""),
        critic_rating=float(critic) if critic else None,
        labels=listed.get(TagField.LABEL, ()),
        writers=listed.get(TagField.WRITER, ()),
    )


def items() -> st.SearchStrategy[Item]:
    return documents().map(lambda document: showing(an_item(), document))
