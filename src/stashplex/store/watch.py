"""Tells whether another process changed the database file, without reading a table: SQLite counts foreign commits.

`database` keeps one for the service and lets it look away from its own commits. It says that something changed, not
what. The invariant: a foreign commit is never taken for one of ours; in doubt there is news.
"""

import sqlite3


class Watch:
    """Watches one file through one connection, which nobody else uses."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version: int | None = None
        self._is_news = True

    def look(self) -> None:
        """Note what others changed: call it before a commit of ours hides it, with the writers' lock held."""
        version = self._read()
        if version is None or version != self._version:
            self._version, self._is_news = version, True

    def look_away(self) -> None:
        """Take what changed since `look` for ours: call it before the writers' lock is released."""
        self._version = self._read()

    def take_news(self) -> bool:
        """Tell whether others changed something since this was asked last, at first always."""
        self.look()
        is_news, self._is_news = self._is_news, False
        return is_news

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _read(self) -> int | None:
        """Return the count, None when it cannot be read: whoever reads next is told why."""
        try:
            row = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return None
        return int(row[0])
