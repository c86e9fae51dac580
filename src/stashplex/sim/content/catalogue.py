"""The catalogue: any number of films, each made from one record of the data, a seed and its number.

Not a list: a film is computed when it is asked for, so a million films need no memory. Invariants: film n is the same
whatever the size of the catalogue; paths are unique; behind the data's 3,201 films they repeat with a numeral in the
title ("(II)"), another day, other performers and another file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from stashplex.sim.content.numeral import roman
from stashplex.sim.content.people import list_performers
from stashplex.sim.content.record import Record, list_records, year_of

STASH_ROOT: Final = "/data/films"
PLEX_ROOT: Final = "/mnt/media/films"
DATA_COUNT: Final = 3_201
_FRAMES: Final = (
    (1920, 1080, 6.0),
    (1920, 800, 5.0),
    (1280, 720, 3.0),
    (3840, 2160, 18.0),
    (720, 576, 1.6),
    (854, 480, 1.2),
)
_FRAME_OF_16: Final = (0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5)
_SUFFIX_OF_16: Final = (*("mkv",) * 7, *("mp4",) * 6, "avi", "m4v", "wmv")


@dataclass(frozen=True, slots=True)
class Film:
    """One film as both servers may tell of it.

    Shape: `number` from 1; texts are "" when missing; `date` is YYYY-MM-DD, YYYY or None; `performers` are 2 to 6,
    `tags` up to 8; `oshash` is 16 hexadecimal digits. Units: `duration_s` seconds, `size` bytes, `rating100` 0 to 100.
    """

    number: int
    title: str
    details: str
    code: str
    director: str
    date: str | None
    studio: str | None
    performers: tuple[str, ...]
    tags: tuple[str, ...]
    rating100: int | None
    organized: bool
    duration_s: float
    width: int
    height: int
    size: int
    oshash: str
    folder: str
    file_name: str

    @property
    def stash_path(self) -> str:
        """The file as Stash sees it."""
        return f"{STASH_ROOT}/{self.folder}/{self.file_name}"

    @property
    def plex_path(self) -> str:
        """The same file as Plex sees it."""
        return f"{PLEX_ROOT}/{self.folder}/{self.file_name}"

    @property
    def stem(self) -> str:
        """The file name without its suffix."""
        return self.file_name.rpartition(".")[0]

    @property
    def year(self) -> int | None:
        """The year of the date."""
        return year_of(self.date)


class Catalogue:
    """So many films of one seed. Shape: numbers from 1 to `count`."""

    def __init__(self, count: int = DATA_COUNT, seed: int = 0) -> None:
        self._count = count
        self._seed = seed
        self._records = list_records()
        self._pool = list_performers(tuple(sorted({record.director for record in self._records})))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Film]:
        return (self.film(number) for number in range(1, self._count + 1))

    def film(self, number: int) -> Film:
        """Return one film. Raises: IndexError outside 1 to `len()`."""
        if not 1 <= number <= self._count:
            msg = f"film {number} of {self._count}"
            raise IndexError(msg)
        repetition, index = divmod(number - 1, len(self._records))
        chance = blake2b(f"{self._seed}:{number}".encode(), digest_size=32).digest()
        return _film(number, self._records[index], repetition, chance, self._pool)


def _film(number: int, record: Record, repetition: int, chance: bytes, pool: tuple[str, ...]) -> Film:
    width, height, mbit_s = _FRAMES[_FRAME_OF_16[chance[8] % 16]]
    minutes = record.running_min or 78 + chance[9] % 60
    duration_s = minutes * 60 + int.from_bytes(chance[10:12], "big") % 6000 / 100 - 30
    folder, stem = record.place.filled(repetition)
    return Film(
        number=number,
        title=_title(record.title, repetition),
        details=record.details,
        code=_code(record, number),
        director=record.director,
        date=_date(record.date, repetition, chance),
        studio=record.studio,
        performers=_performers(chance, pool),
        tags=record.tags,
        rating100=record.rating100,
        organized=chance[12] >= 50,
        duration_s=round(duration_s, 2),
        width=width,
        height=height,
        size=int(duration_s * mbit_s * 125_000 * (0.7 + chance[13] / 400)) + int.from_bytes(chance[14:16], "big"),
        oshash=chance[:8].hex(),
        folder=folder,
        file_name=f"{stem}.{_SUFFIX_OF_16[chance[16] % 16]}",
    )


def _title(title: str, repetition: int) -> str:
    return f"{title} ({roman(repetition + 1)})" if repetition and title else title


def _code(record: Record, number: int) -> str:
    """Return the studio's number for two films in three, else ""."""
    if record.studio is None or number % 3 == 0:
        return ""
    letters = "".join(letter for letter in record.studio if letter.isalpha())[:4].upper()
    return f"{letters or 'X'}-{number:05d}"


def _date(day: str | None, repetition: int, chance: bytes) -> str | None:
    """Return the record's date; for repetitions another day of the same year (the decade's tag stays true)."""
    if repetition and day is not None and len(day) == 10:
        return f"{day[:4]}-{chance[17] % 12 + 1:02d}-{chance[18] % 28 + 1:02d}"
    return day


def _performers(chance: bytes, pool: tuple[str, ...]) -> tuple[str, ...]:
    """Return 2 to 6 different names; the pool's first ones are the stars."""
    size = len(pool)
    picks = (int.from_bytes(chance[at : at + 2], "big") / 65_536 for at in range(20, 32, 2))
    cast = dict.fromkeys(pool[int(pick * pick * size)] for pick in picks)
    for spare in range(2):
        if len(cast) < 2:
            cast[pool[(chance[19] + spare) % size]] = None
    return tuple(cast)[: 2 + chance[19] % 5]
