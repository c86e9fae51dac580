"""Text of Stash as Plex can take it: printable, visible, of bounded length; and names of files made readable.

Pure and total: any Unicode gives a text, half characters included. Used by the mapping and by templates.
"""

import re
import unicodedata
from functools import lru_cache

from stashplex.domain.pathmap import path_key

LINE_LIMIT = 255
SUMMARY_LIMIT = 10_000
"""Units: characters (code points). Plex documents no limits; these are conservative. Source: plex-wire.md 4.3."""

_BREAK = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Controls, halves of characters (no UTF-8) and what XML cannot carry. Joiners stay: emoji are made of them."""

_EXTENSION = re.compile(r"\.[0-9A-Za-z]{1,5}$")
_NOISE = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:480|540|576|720|1080|1440|2160|4320)[pi](?:[2-9][0-9]|1[0-9]{2})?|[48]k|uhd"
    r"|[xh] ?26[45]|hevc|avc|av1|vp9|xvid|divx|aac|ac3)(?![0-9A-Za-z])"
    r"|[\[({]\s*(?:19|20)[0-9]{2}\s*[\])}]",
    re.IGNORECASE,
)
_INVISIBLE = frozenset({"Cf", "Zs", "Cc"})
_EMPTY_BRACKETS = re.compile(r"[\[({]\s*[\])}]")


@lru_cache(maxsize=4_096)
def line(text: str) -> str:
    """Return a text as one line of at most `LINE_LIMIT` characters."""
    return clipped(_visible(" ".join(printable(text).split())), LINE_LIMIT)


def paragraphs(text: str, limit: int = SUMMARY_LIMIT) -> str:
    """Return a text of several lines, none of which ends in blanks, of at most `limit` characters."""
    lines = (one.rstrip() for one in printable(text).split("\n"))
    return clipped(_visible("\n".join(lines).strip()), limit)


def printable(text: str) -> str:
    """Return a text without what cannot be shown; every kind of line break is a line feed."""
    return _UNPRINTABLE.sub("", _BREAK.sub("\n", text).replace("\t", " "))


def clipped(text: str, limit: int) -> str:
    """Return a text, ended by an ellipsis where it is too long."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def stem_of(path: str) -> str:
    """Return the name of a file without its folder and its extension."""
    name = path_key(path).rpartition("/")[2]
    return _EXTENSION.sub("", name)


def readable_name(path: str) -> str:
    """Return the name of a file as a title: without extension, dots, resolution and codec."""
    name, stem = path_key(path).rpartition("/")[2], stem_of(path)
    spaced = stem.replace(".", " ").replace("_", " ")
    bare = _EMPTY_BRACKETS.sub(" ", _NOISE.sub(" ", spaced))
    return line(bare.strip(" -")) or line(stem) or line(name)


def _visible(text: str) -> str:
    """Return the text, or nothing when it shows nothing: blanks and joiners alone."""
    return text if any(unicodedata.category(char) not in _INVISIBLE for char in text) else ""
