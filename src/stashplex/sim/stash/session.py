"""Who is asking: API keys, session cookies, and the chain of plugin hooks that a cookie carries.

Cookies are signed texts, so the server keeps no list of them and old ones stay good until their own time is up.
A key decides alone when one is sent; with two cookies of our name the first decides.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from stashplex.sim.stash.settings import Settings

COOKIE = "session"


@dataclass(frozen=True, slots=True)
class Session:
    """A caller. Shape: `chain` holds (plugin id, trigger) of the hooks this call comes from, outermost first."""

    user: str = ""
    chain: tuple[tuple[str, str], ...] = ()
    by_cookie: bool = False

    def below(self, plugin: str, trigger: str) -> "Session":
        """Return the session of a hook that this call starts."""
        return Session(self.user, (*self.chain, (plugin, trigger)))


class Refused(Exception):  # noqa: N818 - errors name the condition
    """The credentials are wrong: 401, whatever else was sent."""


@dataclass(slots=True)
class Doorkeeper:
    """Checks credentials and writes cookies."""

    settings: Settings
    secret: bytes

    def identify(self, headers: Mapping[str, str], query: Mapping[str, str], now: datetime) -> Session:
        """Return who is asking; a `user` of "" is a stranger. Raises: Refused for a wrong key or cookie."""
        key = headers.get("apikey") or query.get("apikey") or ""
        known = self.read_cookie(first_cookie(headers.get("cookie", "")), now)
        if key:
            if not self.settings.api_key or not hmac.compare_digest(key, self.settings.api_key):
                raise Refused
            return Session(self.settings.username, () if known is None else known.chain)
        return known or Session()

    def write_cookie(self, session: Session, now: datetime) -> str:
        """Return a cookie value for a session."""
        text = json.dumps([session.user, session.chain, now.timestamp()], separators=(",", ":"))
        body = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        return f"{body}.{self._sign(body)}"

    def read_cookie(self, value: str, now: datetime) -> Session | None:
        """Return the session of a cookie value, None when it is forged or too old."""
        body, _, sign = value.partition(".")
        if not sign or not hmac.compare_digest(sign, self._sign(body)):
            return None
        user, chain, issued_at = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if now.timestamp() - issued_at > self.settings.max_session_age_s:
            return None
        return Session(user, tuple((plugin, trigger) for plugin, trigger in chain), by_cookie=True)

    def is_login(self, username: str, password: str) -> bool:
        """Tell whether these are the credentials."""
        return bool(username) and (username, password) == (self.settings.username, self.settings.password)

    def _sign(self, body: str) -> str:
        return hmac.new(self.secret, body.encode(), hashlib.sha256).hexdigest()[:32]


def first_cookie(header: str) -> str:
    """Return the first value of our cookie in a Cookie header, or an empty text."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value.strip('"')
    return ""
