"""What Stash says about a scene as the document that Plex should show.

Pure and total: any text that Stash can hold gives a document. It knows neither Plex's present values nor what we
wrote before; whether an empty value clears anything is for `merge` to say.
The invariant: what Stash was not asked for (`unknown_fields`), or what cannot be read as a value, has no key.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from stashplex.domain.document import Document, Field, TagField, TextField
from stashplex.domain.merge import tag_key
from stashplex.domain.pathmap import path_key
from stashplex.domain.scene import Scene

LINE_LIMIT = 255
SUMMARY_LIMIT = 10_000
"""Units: characters (code points). Plex documents no limits; these are conservative. Source: plex-wire.md 4.3."""

LIST_LIMIT = 100
"""So many names in a list, the first ones in Stash's order: a whole list travels in the address of one request."""

ALL_FIELDS: frozenset[Field] = frozenset((*TextField, *TagField))

_BREAK = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Controls, halves of characters (no UTF-8) and what XML cannot carry. Joiners stay: emoji are made of them."""

_ARTICLE = re.compile(r"\A(?:the|an|a)\s+", re.IGNORECASE)
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_EXTENSION = re.compile(r"\.[0-9A-Za-z]{1,5}$")
_NOISE = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:480|540|576|720|1080|1440|2160|4320)[pi](?:[2-9][0-9]|1[0-9]{2})?|[48]k|uhd"
    r"|[xh] ?26[45]|hevc|avc|av1|vp9|xvid|divx|aac|ac3)(?![0-9A-Za-z])"
    r"|[\[({]\s*(?:19|20)[0-9]{2}\s*[\])}]",
    re.IGNORECASE,
)
_INVISIBLE = frozenset({"Cf", "Zs", "Cc"})
_EMPTY_BRACKETS = re.compile(r"[\[({]\s*[\])}]")
_SUFFIX = re.compile(r"(?:jr|sr|ii|iii|iv|ph\.?\s?d|esq)\.?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MappingOptions:
    """What a person switched on. A field that is not in `fields` is left alone: it has no key."""

    fields: frozenset[Field] = ALL_FIELDS


def desired(scene: Scene, options: MappingOptions) -> Document:
    """Return what the items of a scene should show.

    Shape: texts without control characters; title and sort title are never empty; lists without doubles, which
    are names that differ only in case.
    """
    return Document(
        texts={
            field: text
            for field, (source, read) in _TEXTS.items()
            if field in options.fields and source not in scene.unknown_fields and (text := read(scene)) is not None
        },
        tags={
            tag_field: _names(read_all(scene))
            for tag_field, (source, read_all) in _TAGS.items()
            if tag_field in options.fields and source not in scene.unknown_fields
        },
    )


def _title(scene: Scene) -> str | None:
    """Return the title, else the name of the primary file made readable, else None: a title is never cleared."""
    title = _line(scene.title)
    if not title and scene.files:
        title = _readable_name(scene.files[0].path)
    return title or None


def _readable_name(path: str) -> str:
    name = path_key(path).rpartition("/")[2]
    stem = _EXTENSION.sub("", name)
    spaced = stem.replace(".", " ").replace("_", " ")
    bare = _EMPTY_BRACKETS.sub(" ", _NOISE.sub(" ", spaced))
    return _line(bare.strip(" -")) or _line(stem) or _line(name)


def _title_sort(scene: Scene) -> str | None:
    title = _title(scene)
    return None if title is None else _ARTICLE.sub("", title, count=1)


def _summary(scene: Scene) -> str:
    lines = (line.rstrip() for line in _printable(scene.details).split("\n"))
    return _clipped(_visible("\n".join(lines).strip()), SUMMARY_LIMIT)


def _studio(scene: Scene) -> str:
    return _line(scene.studio or "")


def _date(scene: Scene) -> str | None:
    """Return the first day of what Stash knows, so that Plex has the year; None for a day that does not exist."""
    if not scene.date:
        return ""
    parts = _DATE.fullmatch(scene.date.strip())
    if parts is None:
        return None
    try:
        return date(*(int(part or "1") for part in parts.groups())).isoformat()
    except ValueError:
        return None


def _user_rating(scene: Scene) -> str | None:
    """Return 1 to 100 as 0.1 to 10 in the shortest form; None for a rating out of range."""
    if scene.rating100 is None:
        return ""
    if not 0 <= scene.rating100 <= 100:
        return None
    whole, tenth = divmod(scene.rating100, 10)
    return f"{whole}.{tenth}" if tenth else str(whole)


def _directors(scene: Scene) -> Iterator[str]:
    """Yield the names in Stash's one text, separated by commas and semicolons.

    `Robert Downey, Jr.` is one name. `&` does not separate: in `Joel & Ethan Coen` it would make a person `Joel`.
    """
    for group in _printable(scene.director).split(";"):
        name = ""
        for piece in group.split(","):
            if name and _SUFFIX.fullmatch(piece.strip()):
                name = f"{name}, {piece.strip()}"
                continue
            yield name
            name = piece.strip()
        yield name


def _names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names as Plex takes them: readable, each once in its first spelling, at most `LIST_LIMIT`."""
    by_key: dict[str, str] = {}
    for name in map(_line, names):
        if name:
            by_key.setdefault(tag_key(name), name)
    return tuple(by_key.values())[:LIST_LIMIT]


@lru_cache(maxsize=4_096)
def _line(text: str) -> str:
    return _clipped(_visible(" ".join(_printable(text).split())), LINE_LIMIT)


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("", _BREAK.sub("\n", text).replace("\t", " "))


def _visible(text: str) -> str:
    """Return the text, or nothing when it shows nothing: blanks and joiners alone."""
    return text if any(unicodedata.category(char) not in _INVISIBLE for char in text) else ""


def _clipped(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


_TEXTS: Mapping[TextField, tuple[str, Callable[[Scene], str | None]]] = {
    TextField.TITLE: ("title", _title),
    TextField.TITLE_SORT: ("title", _title_sort),
    TextField.SUMMARY: ("details", _summary),
    TextField.STUDIO: ("studio", _studio),
    TextField.DATE: ("date", _date),
    TextField.USER_RATING: ("rating100", _user_rating),
}
"""The field of the scene from which each value comes, and how."""

_TAGS: Mapping[TagField, tuple[str, Callable[[Scene], Iterable[str]]]] = {
    TagField.GENRE: ("tags", lambda scene: scene.tags),
    TagField.DIRECTOR: ("director", _directors),
    TagField.ACTOR: ("performers", lambda scene: scene.performers),
    TagField.COLLECTION: ("studio", lambda scene: (scene.studio or "",)),
}
