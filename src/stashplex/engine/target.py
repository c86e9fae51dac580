"""The Plex libraries that are kept in step: chosen by name, checked once at the start of a run.

It is not a cache: sections are read anew by the crawler. The invariant: only film libraries are ever written to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from stashplex.base.errors import ConfigError
from stashplex.domain.entry import PlexId
from stashplex.domain.item import Section

FILM = "movie"
"""The type of film libraries, "Other Videos" included (plex-wire.md 9)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One Plex server and its libraries that are kept in step. Shape: at least one section."""

    plex_id: PlexId
    name: str
    version: str
    sections: tuple[Section, ...]


def choose_sections(sections: Sequence[Section], names: Sequence[str]) -> tuple[Section, ...]:
    """Return the film libraries with these names, or all film libraries when no name is given.

    Shape: names are compared without case; two libraries with one name are both chosen.
    Raises: ConfigError naming the libraries that exist.
    """
    films = [section for section in sections if section.type == FILM]
    if not names:
        if not films:
            raise ConfigError("Plex has no film library.", hint="Create one in Plex, of type Movies or Other Videos.")
        return tuple(films)
    chosen: list[Section] = []
    for name in names:
        found = [section for section in sections if section.title.casefold() == name.casefold()]
        if not found:
            raise ConfigError(f"Plex has no library named {name!r}.", hint=_existing(films))
        wrong = [section for section in found if section.type != FILM]
        if wrong and len(wrong) == len(found):
            raise ConfigError(
                f"The Plex library {name!r} has the type {wrong[0].type!r}; only film libraries can be kept in step.",
                hint=_existing(films),
            )
        chosen += [section for section in found if section.type == FILM and section not in chosen]
    return tuple(chosen)


def _existing(films: Sequence[Section]) -> str:
    if not films:
        return "This server has no film library; create one in Plex first."
    return "Film libraries of this server: " + ", ".join(repr(section.title) for section in films) + "."
