"""What a write that was never verified tells of what is ours: found by the simulation, each as its smallest case."""

from stashplex.domain.document import Base, Document, TagField
from stashplex.domain.merge import believed, merge


def genres(*names: str) -> Document:
    return Document(tags={TagField.GENRE: names})


def test_an_unverified_removal_is_ours_and_not_a_persons() -> None:
    base = believed(Base(genres("Noir", "4K")), genres("4K"), genres("4K"))
    assert base == Base(genres("4K"))
    assert merge(genres("Noir", "4K"), genres("4K"), base).wanted == genres("Noir", "4K")


def test_a_removal_that_has_not_reached_plex_leaves_the_base() -> None:
    base = Base(genres("Noir", "4K"))
    assert believed(base, genres("4K"), genres("Noir", "4K")) == base
