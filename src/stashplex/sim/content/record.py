"""The data: 3,201 real films as they stand in `films.json.gz`, read once per process.

Not what the servers serve: `catalogue` makes films out of these records. The data's mess is kept where a program
must cope with it (numeric and missing titles, missing directors), and read with care where it is an encoding error
(dates, see `read_date`). Invariant: records have the data's order, and nothing here depends on a seed.
"""

import gzip
import json
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from stashplex.sim.content import naming, prose

LAST_YEAR: Final = 2011
"""The data ends in 2011; a later year is a two-digit year put into the wrong century."""
NO_DATE: Final = "Dec 31 1969"
"""The eve of the Unix epoch: how the data writes a missing date."""
BLOCKBUSTER_USD: Final = 100_000_000
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Record:
    """One film of the data.

    Shape: `date` is YYYY-MM-DD, YYYY or None; `title` and `director` are "" when missing; `details` is ready text.
    Units: `running_min` minutes, `rating100` 0 to 100.
    """

    title: str
    date: str | None
    director: str
    studio: str | None
    tags: tuple[str, ...]
    details: str
    rating100: int | None
    running_min: int | None
    place: naming.Place


@lru_cache(maxsize=1)
def list_records() -> tuple[Record, ...]:
    """Return all films of the data, in its order."""
    packed = files("stashplex.sim.content").joinpath("films.json.gz").read_bytes()
    rows: list[dict[str, Any]] = json.loads(gzip.decompress(packed))
    facts = [_facts(row) for row in rows]
    places = naming.list_places([(fact.title, year_of(fact.date), fact.distributor) for fact in facts])
    return tuple(_record(number, fact, place) for number, (fact, place) in enumerate(zip(facts, places, strict=True)))


def read_date(text: str) -> str | None:
    """Return the date in Stash's form, or None when the data knows none.

    - "Dec 31 1969" is the data's missing date: None.
    - "Dec 31 2046" lies behind the data's end: a two-digit year in the wrong century, so 1946-12-31.
    - any other "Dec 31 1954" is a year alone, moved back by a time zone: "1955".
    """
    try:
        month, day, year = text.split()
        read = date(int(year), MONTHS.index(month) + 1, int(day))
    except ValueError:
        return None
    if text == NO_DATE:
        return None
    if read.year > LAST_YEAR:
        return read.replace(year=read.year - 100).isoformat()
    if (read.month, read.day) == (12, 31):
        return str(read.year + 1)
    return read.isoformat()


def year_of(day: str | None) -> int | None:
    """Return the year of a date in Stash's form."""
    return int(day[:4]) if day else None


def _facts(row: dict[str, Any]) -> prose.Facts:
    imdb = row["IMDB Rating"]
    return prose.Facts(
        title="" if row["Title"] is None else str(row["Title"]),
        date=read_date(row["Release Date"]),
        director=row["Director"] or "",
        distributor=row["Distributor"] or "",
        genres=tuple((row["Major Genre"] or "").split("/")) if row["Major Genre"] else (),
        creative_type=row["Creative Type"] or "",
        source=row["Source"] or "",
        mpaa=row["MPAA Rating"] or "",
        running_min=row["Running Time min"],
        budget_usd=row["Production Budget"],
        us_gross_usd=row["US Gross"],
        world_gross_usd=row["Worldwide Gross"],
        imdb=None if imdb is None else float(imdb),
        imdb_votes=row["IMDB Votes"],
        tomatoes=row["Rotten Tomatoes Rating"],
    )


def _record(number: int, facts: prose.Facts, place: naming.Place) -> Record:
    return Record(
        title=facts.title,
        date=facts.date,
        director=facts.director,
        studio=facts.distributor or None,
        tags=_tags(facts),
        details=prose.tell(facts, number),
        rating100=None if facts.imdb is None else round(facts.imdb * 10),
        running_min=facts.running_min,
        place=place,
    )


def _tags(facts: prose.Facts) -> tuple[str, ...]:
    """Return up to eight tags, without doubles, in a fixed order."""
    year = year_of(facts.date)
    praised = facts.tomatoes is not None and facts.tomatoes >= 90
    tags = (
        *facts.genres,
        facts.creative_type,
        facts.source,
        facts.mpaa,
        f"{year // 10 * 10}s" if year else "",
        "Blockbuster" if (facts.world_gross_usd or 0) >= BLOCKBUSTER_USD else "",
        "Critics' choice" if praised else "",
    )
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:8]
