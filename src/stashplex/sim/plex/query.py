"""The query string of a request, decoded once.

Keys may repeat and their order may matter, so it is a list of pairs first and a dictionary second. A `+` is a
space, as in the form encoding that plexapi uses for paths. Where a key repeats, look-ups return the last.
"""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True)
class Query:
    """One query string. Shape: `pairs` in the order of the request, percent-decoded."""

    raw: str
    pairs: tuple[tuple[str, str], ...]
    by_name: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, raw: bytes) -> "Query":
        """Return the decoded query."""
        text = raw.decode("latin-1")
        pairs = tuple(parse_qsl(text, keep_blank_values=True, errors="replace")) if text else ()
        return cls(text, pairs, dict(pairs))

    def find(self, name: str) -> str | None:
        """Return a value, None when the name does not occur."""
        return self.by_name.get(name)

    def is_on(self, name: str) -> bool:
        """Tell whether a name is given with something else than 0."""
        return self.by_name.get(name, "0") not in {"0", "", "false"}

    def list_of(self, name: str) -> tuple[str, ...]:
        """Return the pieces of a comma list, without empty ones."""
        return tuple(piece for piece in self.by_name.get(name, "").split(",") if piece)
