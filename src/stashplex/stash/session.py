"""The session that Stash gives its plugins: a cookie that is good for an hour and renewed with each answer.

Used only while no API key is known. The cookie comes from where the plugin left it; a newer one that Stash sends is
followed, in memory. After a refusal it is looked up again, as a later run of the plugin may have left a fresh one.
Source: stash-wire.md 2.2, 5.1.
"""

from collections.abc import Callable

from stashplex.base.transport import Response

COOKIE = "session"


class Session:
    """One session. `look_up` returns the cookie that the plugin left last, or an empty text."""

    def __init__(self, look_up: Callable[[], str]) -> None:
        self._look_up = look_up
        self._cookie = ""
        self._is_stale = True

    @property
    def cookie(self) -> str:
        """The cookie to send, or an empty text."""
        if self._is_stale:
            self._cookie = self._look_up() or self._cookie
            self._is_stale = not self._cookie
        return self._cookie

    def heard(self, response: Response) -> None:
        """Take note of an answer: of a renewed cookie, or of a refusal."""
        if response.status in {401, 403} or "/login" in response.headers.get("location", "").lower():
            self._is_stale = True
            return
        name, _, rest = response.headers.get("set-cookie", "").partition("=")
        value = rest.partition(";")[0].strip().strip('"')
        if name.strip() == COOKIE and value and self._cookie:
            self._cookie = value
