"""A group of commands of which one is meant when none is named: `dead --json` is `dead list --json`."""

from typing import Any

import click
from typing_extensions import override


class DefaultGroup(click.Group):
    """A group with a default command. Shape: `default` is the name of one of its commands."""

    def __init__(self, *args: Any, default: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._default = default

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_option = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, [self._default, *args] if is_option else args)
