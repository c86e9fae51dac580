"""The settings that say what goes where: filters, templates, tag rules, collections. A part of `config.Settings`.

Each of them may also stand in a table `[library."Films"]` of the file, and holds for that library then. What a text
means is for the domain to say (`engine.mapping_rules`); the model knows kinds, bounds and choices.
The invariant: the defaults are what a newcomer expects; nothing extra is written until a setting says so.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

FIELDS: Mapping[str, str] = {
    "title": "title",
    "sort_title": "titleSort",
    "original_title": "originalTitle",
    "summary": "summary",
    "tagline": "tagline",
    "studio": "studio",
    "date": "originallyAvailableAt",
    "content_rating": "contentRating",
    "user_rating": "userRating",
    "critic_rating": "rating",
    "genres": "genre",
    "labels": "label",
    "actors": "actor",
    "directors": "director",
    "writers": "writer",
    "collections": "collection",
    "poster": "thumb",
}
"""What a field is called in settings → Plex's edit name."""

GENDERS = ("male", "female", "transgender_male", "transgender_female", "intersex", "non_binary", "unknown")
COLLECTION_KINDS = ("studio", "parent_studio", "groups", "performers", "tags", "rating", "organized")
_NOTHING = ("none",)


def comma_list(value: object) -> object:
    """Return a text with commas as a tuple; anything else as it is."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def lines(value: object) -> object:
    """Return a list of rules as text with a line for each."""
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return "".join(f"{part}\n" for part in value)
    return value


def _unless_none(value: tuple[str, ...]) -> tuple[str, ...]:
    return () if value == _NOTHING else value


def _only(*known: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def check(value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if one not in known:
                near = difflib.get_close_matches(one, known, n=1)
                more = f"did you mean {near[0]}" if near else f"known are {', '.join(known)}"
                raise ValueError(f"holds {one[:80]!r}, which it does not know; {more}")
        return value

    return check


def _prefixes(value: tuple[str, ...]) -> tuple[str, ...]:
    for one in value:
        kind, equals, _ = one.partition("=")
        if not equals:
            raise ValueError(f"holds {one[:80]!r}; write it as studio=Studio:")
        _only(*COLLECTION_KINDS)((kind.strip(),))
    return value


def _tables(value: Mapping[str, Mapping[str, object]]) -> Mapping[str, Mapping[str, object]]:
    """Check what stands in the tables of libraries as if it stood outside of them."""
    for library, table in value.items():
        for key, one in table.items():
            if key not in MappingSettings.model_fields:
                near = difflib.get_close_matches(key, MappingSettings.model_fields, n=1)
                more = f"did you mean {near[0]}" if near else "it is no setting about what goes where"
                raise ValueError(f"holds {key[:80]!r} for {library[:80]!r}; {more}")
            try:
                MappingSettings.model_validate({key: one})
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False, include_context=False)[0]
                reason = first["msg"].removeprefix("Value error, ")
                raise ValueError(f"holds a wrong {key} for {library[:80]!r}: {reason}") from None
    return value


Rules = Annotated[str, BeforeValidator(lines)]
Names = Annotated[tuple[str, ...], BeforeValidator(comma_list)]
OffFields = Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(_only(*FIELDS))]
Articles = Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(_unless_none)]
Links = Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(_only("urls", "stash"))]
Genders = Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(_only(*GENDERS))]
Kinds = Annotated[
    tuple[str, ...],
    BeforeValidator(comma_list),
    AfterValidator(_unless_none),
    AfterValidator(_only(*COLLECTION_KINDS)),
]
Prefixes = Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(_prefixes)]
Tables = Annotated[Mapping[str, Mapping[str, Any]], AfterValidator(_tables)]


class MappingSettings(BaseModel):
    """What goes where. Rules are separated by semicolons or lines; see docs/reference/mapping.md."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    fields_off: OffFields = Field(
        (), description="Fields in Plex to leave alone, such as `user_rating, collections, poster`."
    )
    title_template: str = Field("{title}", description="Title; names such as `{studio}` stand for values of the scene.")
    sort_title_template: str = Field("", description="Sort title; empty means the title without its article.")
    sort_title_articles: Articles = Field(
        ("the", "an", "a"), description="Articles that a sort title does not begin with; `none` keeps all."
    )
    original_title_template: str = Field("", description="Original title, such as `{code}`; empty leaves it alone.")
    tagline_template: str = Field("", description="Tagline, such as `{studio}, {year}`; empty leaves it alone.")
    summary_links: Links = Field((), description="What follows the details: `urls` of the scene, `stash` for its page.")
    summary_limit: int = Field(10_000, ge=50, le=10_000, description="Longest summary, in characters.")
    studio_level: Literal["studio", "parent", "top"] = Field(
        "studio", description="Which studio is shown: the scene's own, the `parent` above it, or the `top` one."
    )
    content_rating: str = Field("", description="Content rating of every scene, such as `XXX`; empty: no constant.")
    content_rating_tags: Rules = Field(
        "", description="Content rating by tag, the first rule that fits: `TAG=RATING; …`."
    )
    rating_to: Literal["user", "critic", "both"] = Field(
        "user", description="Where the rating goes: `user`, `critic` or `both`."
    )
    genre_include: Rules = Field("", description="Tags that become genres, as rules; empty means all.")
    genre_exclude: Rules = Field("", description="Tags that do not become genres, as rules.")
    genre_rename: Rules = Field("", description="Other names for genres: `TAG=GENRE; …`; nothing behind `=` drops it.")
    genre_parents: Literal["off", "add", "top"] = Field(
        "off", description="Tags above a tag: `add` them, or use the `top` ones instead of the tags."
    )
    genre_performer_tags: bool = Field(default=False, description="Tags of the performers become genres too.")
    genre_limit: int = Field(100, ge=1, le=500, description="Most genres of a scene; the most specific ones stay.")
    label_tags: Rules = Field("", description="Tags that become labels, as rules.")
    label_organized: str = Field("", description="Label of organized scenes; empty means none.")
    label_stash_id: str = Field("", description="Label of scenes that have a stash id; empty means none.")
    actor_genders: Genders = Field((), description="Genders of the performers that are listed; empty means all.")
    actor_order: Literal["stash", "name"] = Field(
        "stash", description="Order of the actors: as in `stash`, or by `name`."
    )
    actor_favorites_first: bool = Field(default=False, description="Favourite performers are listed first.")
    actor_limit: int = Field(100, ge=1, le=500, description="Most actors of a scene.")
    director_field: str = Field("", description="Custom field with the directors; empty means Stash's own field.")
    writer_field: str = Field("", description="Custom field with the writers, or `director`; empty leaves them alone.")
    collection_from: Kinds = Field(
        ("studio",),
        description="What collections stand for: studio, parent_studio, groups, performers, tags, rating, organized; "
        "or `none`.",
    )
    collection_prefix: Prefixes = Field((), description="What stands before their names: `studio=Studio: , …`.")
    collection_tags: Rules = Field("", description="Tags that become collections, as rules; empty means all.")
    filter_organized: bool = Field(default=False, description="Only scenes that are organized.")
    filter_stash_id: bool = Field(default=False, description="Only scenes that have a stash id.")
    filter_metadata: bool = Field(default=False, description="Only scenes of which more is known than their file.")
    filter_min_rating: int = Field(0, ge=0, le=100, description="Only scenes rated so high, of 100; 0 means all.")
    filter_tags: Rules = Field("", description="Only scenes with one of these tags, as rules.")
    filter_not_tags: Rules = Field("", description="No scenes with one of these tags, as rules.")
    filter_studios: Rules = Field("", description="Only scenes of these studios and those below them, as rules.")
    filter_not_studios: Rules = Field("", description="No scenes of these studios and those below them, as rules.")
    filter_paths: Rules = Field(
        "", description="Only scenes with a file in these folders of Stash, or `re:EXPRESSION`."
    )
    filter_not_paths: Rules = Field("", description="No scenes with a file in these folders of Stash.")
