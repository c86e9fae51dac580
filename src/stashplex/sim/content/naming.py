"""Folder and file names as people have them: tidy ones, scene releases, one folder per film, odd characters.

Not random: a place follows from title, year, distributor and the film's position in the data. Invariants: names are
valid on Windows, and no two places are equal, not even for a file system that ignores case; the base name alone may
be shared by files in different folders.
"""

import re
from dataclasses import dataclass
from typing import Final

from stashplex.sim.content.numeral import roman

_SPACED: Final = "\x00"
_DOTTED: Final = "\x01"
_FORBIDDEN: Final = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
_DEVICE: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)\b")
"""Windows takes "Con.Air.mkv" for the console: such titles get no dots."""
_COLON: Final = re.compile(r"\s*:\s*")
UNSORTED: Final = "_Unsorted"
_ODDITIES: Final = (
    "[100% uncut]",
    "(Director's Cut)",
    "(Kinofassung für Österreich)",
    "{edition-Théâtrale}",
    "#1 + Bonus & Extras",
    "– 東京国際映画祭",  # noqa: RUF001 - the dash is one of the odd characters
    "[50%25 off; a=b, c~d]",
    "@ 24fps!",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder and a file stem with a gap for the number of the repetition."""

    folder: str
    stem: str

    @property
    def key(self) -> str:
        """What two different places never share: the path, with case ignored."""
        return "/".join(self.filled(0)).casefold()

    def filled(self, repetition: int) -> tuple[str, str]:
        """Return (folder, stem) of one repetition. Shape: 0 is the film itself, 1 is "(II)"."""
        return _fill(self.folder, repetition), _fill(self.stem, repetition)


def list_places(films: list[tuple[str, int | None, str]]) -> tuple[Place, ...]:
    """Return one place for each (title, year, distributor), in their order."""
    taken: set[str] = set()
    places: list[Place] = []
    for number, (title, year, distributor) in enumerate(films):
        place = _place(number, _clean(title) or "untitled", year, _clean(distributor) or UNSORTED)
        while place.key in taken:
            place = Place(place.folder, f"{place.stem} - copy")
        taken.add(place.key)
        places.append(place)
    return tuple(places)


def _place(number: int, title: str, year: int | None, distributor: str) -> Place:
    suffix = f" ({year})" if year else ""
    tidy = f"{title}{_SPACED}{suffix}"
    style = 0 if _DEVICE.match(title) else number * 37 % 100
    if style < 50:
        return Place(distributor, tidy)
    if style < 70:
        release = ".".join(part for part in (title.replace(" ", ".") + _DOTTED, str(year or ""), "BluRay.x264") if part)
        return Place(distributor, release)
    if style < 87:
        return Place(tidy, tidy)
    if style < 90:
        return Place(tidy, "feature")
    return Place(distributor, f"{title}{_SPACED} {_ODDITIES[number // 100 % len(_ODDITIES)]}")


def _fill(template: str, repetition: int) -> str:
    numeral = f"({roman(repetition + 1)})" if repetition else ""
    spaced, dotted = (f" {numeral}", f".{numeral}") if numeral else ("", "")
    return template.replace(_SPACED, spaced).replace(_DOTTED, dotted)


def _clean(name: str) -> str:
    """Return the name without what Windows refuses: reserved characters, a dot or blank at the end."""
    dashed = _COLON.sub(" - ", name)
    return " ".join(_FORBIDDEN.sub("-", dashed).split()).strip(". -")
