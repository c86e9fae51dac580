"""Which scenes a command looks at, as people type it: `--scene 1,2,3`, `--since 24h`, or all."""

import re
from dataclasses import dataclass
from datetime import timedelta

import click
from typing_extensions import override

from stashplex.domain.scene import SceneId

_PERIOD = re.compile(r"([0-9]+)([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run looks at: some scenes, those changed within a period, or (neither given) all."""

    scene_ids: tuple[SceneId, ...] = ()
    since: timedelta | None = None

    @property
    def is_all(self) -> bool:
        """Tell whether every scene of Stash is looked at."""
        return not self.scene_ids and self.since is None


class SceneList(click.ParamType[tuple[SceneId, ...]]):
    """`1,2,3` as scene numbers."""

    name = "numbers"

    @override
    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[SceneId, ...]:
        """Return the numbers, each once."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",") if part.strip()]
        if not parts or not all(part.isascii() and part.isdigit() and int(part) < 2**31 for part in parts):
            self.fail(f"{value!r} is no list of scene numbers such as 1,2,3", param, ctx)
        return tuple(dict.fromkeys(SceneId(int(part)) for part in parts))


class Period(click.ParamType[timedelta]):
    """`30m`, `24h`, `7d`, `2w` as a length of time."""

    name = "period"

    @override
    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the length of time."""
        if isinstance(value, timedelta):
            return value
        found = _PERIOD.fullmatch(str(value).strip())
        if not found or not 0 < int(found[1]) < 100_000:
            self.fail(f"{value!r} is no period such as 30m, 24h, 7d or 2w", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
