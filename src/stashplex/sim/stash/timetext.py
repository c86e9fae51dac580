"""Time as Stash writes it: text, whole seconds, with the server's local offset at the moment of writing.

Stored times are never converted: filters and sorts compare the text. Plays and O's are UTC text.
The invariant: two texts compare as strings do, not as instants.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from stashplex.base.clock import Clock
from stashplex.sim.stash.refusal import RequestRefused

_RELATIVE = re.compile(r"([<>])(\d+)([smh])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


class Stamper:
    """Writes the present in the server's zone."""

    def __init__(self, clock: Clock, zone: tzinfo) -> None:
        self.clock = clock
        self.zone = zone
        self._last = ""

    def now(self) -> str:
        """Return the present, whole seconds, local offset. Equal moments share one string."""
        text = self.local(self.clock.now())
        if text != self._last:
            self._last = text
        return self._last

    def local(self, moment: datetime) -> str:
        """Return `moment` as a stored time."""
        return _offset_text(moment.astimezone(self.zone).isoformat(timespec="seconds"))

    def precise(self, moment: datetime) -> str:
        """Return `moment` as jobs and logs show it: nanoseconds, local offset."""
        local = moment.astimezone(self.zone)
        whole = _offset_text(local.isoformat(timespec="seconds"))
        return f"{whole[:19]}.{local.microsecond:06d}000{whole[19:]}"


def utc_text(moment: datetime) -> str:
    """Return `moment` as plays are stored: UTC, whole seconds, `Z`."""
    return _offset_text(moment.astimezone(UTC).isoformat(timespec="seconds"))


def unix_s(text: str) -> int:
    """Return a stored time as seconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp())


def parse_timestamp(text: str, now: datetime) -> datetime:
    """Return the instant that a `Timestamp` input means. Raises: RequestRefused."""
    relative = _RELATIVE.fullmatch(text)
    if relative is not None:
        sign = -1 if relative[1] == "<" else 1
        return now + sign * timedelta(**{_UNITS[relative[3]]: int(relative[2])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"could not parse {text!r} as a timestamp"
        raise RequestRefused(message) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _offset_text(text: str) -> str:
    return text[:-6] + "Z" if text.endswith("+00:00") else text
