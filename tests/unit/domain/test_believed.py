"""What a write that was never verified tells of what is ours: found by the simulation, each as its smallest case."""

from stashplex.domain.document import Base, Document, TagField
from stashplex.domain.merge import believed, merge, united


def genres(*names: str) -> Document:
    return Document(tags={TagField.GENRE: names})


def test_an_unverified_removal_is_ours_and_not_a_persons() -> None:
    base = believed(Base(genres("Noir", "4K")), genres("4K"), genres("4K"))
    assert base == Base(genres("4K"))
    assert merge(genres("Noir", "4K"), genres("4K"), base).wanted == genres("Noir", "4K")


def test_a_removal_that_has_not_reached_plex_leaves_the_base() -> None:
    base = Base(genres("Noir", "4K"))
    assert believed(base, genres("4K"), genres("Noir", "4K")) == base


def test_what_the_base_owns_is_not_meant_by_a_newer_intent_that_lacks_it() -> None:
    """Two unverified writes follow each other; the second removed 4K, and a later scene wants it back."""
    base = Base(genres("Noir", "4K"))
    intent = united(genres("Noir"), genres("Noir", "4K"), base)
    assert intent == genres("Noir")
    learnt = believed(base, intent, genres("Noir"))
    assert merge(genres("4K"), genres("Noir"), learnt).wanted == genres("4K")


def test_what_an_earlier_write_may_have_added_is_still_claimed() -> None:
    assert united(genres("Noir"), genres("Noir", "4K"), None) == genres("Noir", "4K")
    assert united(genres("Noir"), genres("Noir", "4K"), Base(genres("Noir"))) == genres("Noir", "4K")
