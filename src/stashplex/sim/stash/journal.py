"""What the simulated server was asked: counters and the last requests.

Written by the door for every request, before any fault strikes; read by tests. Nothing here answers anything.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Counts:
    """How many requests of each kind. Shape: `mutation` counts documents, and is part of `graphql`."""

    graphql: int = 0
    image: int = 0
    other: int = 0
    mutation: int = 0
    refused: int = 0


@dataclass(slots=True)
class Asked:
    """One request. Shape: `operation` and `variables` are filled for GraphQL only; `status` 0 means no answer."""

    method: str
    path: str
    query_string: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    operation: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    status: int = 0


class Journal:
    """The counters and the last thousand requests."""

    def __init__(self, keep: int = 1000) -> None:
        self.counts = Counts()
        self.requests: deque[Asked] = deque(maxlen=keep)

    def record(self, asked: Asked, kind: str) -> None:
        """Count a request and keep it."""
        setattr(self.counts, kind, getattr(self.counts, kind) + 1)
        self.requests.append(asked)
