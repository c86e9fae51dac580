"""Descriptions of films, told from the data's own facts.

Not literature: text with what real descriptions contain and programs trip over (emoji, CJK, quotes, markup
characters, blank lines, nothing at all). Invariant: the same facts and number give the same text.
"""

from dataclasses import dataclass
from typing import Final

EMPTY_EVERY: Final = 17
"""One description in 17 is empty, as in a library that is not yet curated."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the data knows of one film. Shape: "" or None when unknown. Units: in the names; `tomatoes` in percent."""

    title: str
    date: str | None
    director: str
    distributor: str
    genres: tuple[str, ...]
    creative_type: str
    source: str
    mpaa: str
    running_min: int | None
    budget_usd: int | None
    us_gross_usd: int | None
    world_gross_usd: int | None
    imdb: float | None
    imdb_votes: int | None
    tomatoes: int | None


def tell(facts: Facts, number: int) -> str:
    """Return two or three paragraphs about the film, "" for some."""
    if number % EMPTY_EVERY == EMPTY_EVERY - 1:
        return ""
    paragraphs = [text for text in (_premise(facts), _money(facts), _reception(facts)) if text]
    paragraphs[0] += _flourish(facts, number)
    return ("\n\n\n" if number % 11 == 0 else "\n\n").join(paragraphs)


def _premise(facts: Facts) -> str:
    genre = " and ".join(facts.genres).lower() or "film"
    name = f"“{facts.title}”" if facts.title else "This film"
    parts = [f"{name}: {genre}"]
    if facts.creative_type:
        parts.append(f"set as {facts.creative_type.lower()}")
    if facts.source:
        parts.append(facts.source.lower())
    if facts.director:
        parts.append(f"directed by {facts.director}")
    if facts.distributor:
        parts.append(f"distributed by {facts.distributor}")
    return f"{', '.join(parts)}. {_release(facts)}"


def _release(facts: Facts) -> str:
    when = f"First shown {facts.date}." if facts.date else "Nobody wrote down when it was first shown."
    return f"{when} Rated {facts.mpaa}." if facts.mpaa else when


def _money(facts: Facts) -> str:
    if not facts.world_gross_usd:
        return "What it earned is not known."
    at_home = f", ${facts.us_gross_usd:,} of it in the United States" if facts.us_gross_usd else ""
    text = f"It took ${facts.world_gross_usd:,} worldwide{at_home}."
    return f"{text} It cost ${facts.budget_usd:,} to make." if facts.budget_usd else text


def _reception(facts: Facts) -> str:
    sentences = []
    if facts.running_min:
        sentences.append(f"It runs for {facts.running_min} minutes.")
    if facts.imdb is not None and facts.imdb_votes:
        sentences.append(f"{facts.imdb_votes:,} people gave it {facts.imdb:.1f} of 10 on average.")
    if facts.tomatoes is not None:
        sentences.append(f"{facts.tomatoes} % of the critics liked it.")
    return " ".join(sentences)


def _flourish(facts: Facts, number: int) -> str:
    """Return what makes one description in three harder than plain English."""
    match number % 15:
        case 0:
            return " 🎬🍿 Family night 👨‍👩‍👧‍👦!"
        case 3:
            return f" 邦題『{facts.title or '無題'}』、上映中。"
        case 6:
            return ' A critic wrote: "It\'s <b>fine</b> & dandy; 100% of it."'
        case 9:
            return "\n— «Déjà vu», schrieb die Presse; ein Fräulein rief: „Schön!“"
        case 12:
            return "\n\n* not a list\n* neither"
        case _:
            return ""
