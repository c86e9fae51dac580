"""The settings that say who wins where Stash and Plex differ. A part of `config.Settings`.

What they mean is for the domain to say (`domain.policy`); the model knows kinds and choices. The invariant: by default
what people do in Plex stays, and nothing is done to an item whose scene is gone.
"""

import difflib
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from stashplex.base.mapping_settings import FIELDS, comma_list

POLICIES = ("follow", "stash", "plex")


def _policies(value: tuple[str, ...]) -> tuple[str, ...]:
    """Check `follow`, or `follow, summary=plex`: at most one policy for all, and known fields."""
    general = [one for one in value if "=" not in one]
    if len(general) > 1:
        raise ValueError(f"holds {len(general)} policies for all fields; write others as summary=plex")
    for one in value:
        name, equals, policy = (part.strip() for part in one.partition("="))
        _require(policy if equals else name, POLICIES)
        if equals:
            _require(name, tuple(key for key in FIELDS if key != "poster"))
    return value


def _require(word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        near = difflib.get_close_matches(word, known, n=1)
        more = f"did you mean {near[0]}" if near else f"known are {', '.join(known)}"
        raise ValueError(f"holds {word[:80]!r}, which it does not know; {more}")


def _label(value: str) -> str:
    name = " ".join(value.split())
    if not name:
        raise ValueError("must name a label")
    return name


Policies = Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(_policies)]
Label = Annotated[str, Field(max_length=255), AfterValidator(_label)]


class MergingSettings(BaseModel):
    """Who wins. See docs/reference/merging.md."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    edits_by_people: Policies = Field(
        ("follow",),
        description="What people change in Plex: `follow` keeps it until Stash changes that value, `stash` restores, "
        "`plex` keeps it; also by field, `follow, summary=plex`.",
    )
    first_contact: Literal["overwrite", "fill", "adopt"] = Field(
        "overwrite",
        description="What an item shows that was never synced: `overwrite`, `fill` what is empty, or `adopt` as it is.",
    )
    lock_fields: bool = Field(
        default=True, description="Lock the fields that are written, so that a refresh in Plex does not undo them."
    )
    respect_locks: bool = Field(
        default=False, description="Leave fields alone that were locked in Plex before they were ever written."
    )
    destroyed: Literal["leave", "release", "label"] = Field(
        "leave",
        description="What becomes of an item whose scene is deleted in Stash: `leave` it, `release` (unlock) it, or "
        "`label` it.",
    )
    destroyed_label: Label = Field("stash: gone", description="The label for items whose scene is deleted.")
