"""Which fields of Stash's inputs can change what Plex shows: a hook names the fields that somebody gave.

It stands beside `mapping`, which reads the scene: a test compares the two, and all names with Stash's own inputs.
The invariant: a name that is not listed here counts as a change, so that a newer Stash never hides one.
"""

from collections.abc import Collection, Mapping

SCENE_SOURCES: Mapping[str, frozenset[str]] = {
    "title": frozenset({"title"}),
    "details": frozenset({"details"}),
    "date": frozenset({"date"}),
    "rating100": frozenset({"rating100", "rating"}),
    "director": frozenset({"director"}),
    "studio": frozenset({"studio_id"}),
    "performers": frozenset({"performer_ids"}),
    "tags": frozenset({"tag_ids"}),
    "files": frozenset({"primary_file_id", "file_ids"}),
    "cover_url": frozenset({"cover_image"}),
}
"""The field of the scene that is read (by the mapping, the matching or for the poster) → the inputs that fill it."""

WANTED: Mapping[str, frozenset[str]] = {
    "code": frozenset({"code"}),
    "organized": frozenset({"organized"}),
    "urls": frozenset({"url", "urls"}),
    "groups": frozenset({"group_ids", "groups", "movie_ids", "movies"}),
    "stash_ids": frozenset({"stash_ids"}),
    "custom_fields": frozenset({"custom_fields"}),
    "tags": frozenset({"parent_ids", "child_ids"}),
    "studio": frozenset({"parent_id"}),
    "performers": frozenset({"gender", "favorite", "tag_ids"}),
}
"""What a rule may ask for beyond the usual → the inputs that fill it, in scenes, tags, studios and performers."""

_FORM = frozenset({"id", "ids", "clientMutationId"})
_SCENE_UNUSED = frozenset(
    {"code", "url", "urls", "organized", "gallery_ids", "groups", "group_ids", "movies", "movie_ids", "stash_ids"}
    | {"resume_time", "play_duration", "play_count", "o_counter", "custom_fields"}
)
_ENTITY_UNUSED = frozenset(
    {"url", "urls", "image", "stash_ids", "rating100", "favorite", "details", "tag_ids", "ignore_auto_tag"}
    | {"custom_fields"}
)
_PERFORMER_UNUSED = _ENTITY_UNUSED | {
    *("disambiguation", "gender", "birthdate", "death_date", "ethnicity", "country", "eye_color", "hair_color"),
    *("height_cm", "height", "weight", "measurements", "fake_tits", "penis_length", "circumcised", "career_length"),
    *("career_start", "career_end", "tattoos", "piercings", "alias_list", "aliases", "twitter", "instagram"),
}
_STUDIO_UNUSED = _ENTITY_UNUSED | {"parent_id", "aliases", "organized"}
_TAG_UNUSED = _ENTITY_UNUSED | {"description", "aliases", "parent_ids", "child_ids"}

UNUSED: Mapping[str, frozenset[str]] = {
    "Scene": _SCENE_UNUSED | _FORM,
    "Performer": _PERFORMER_UNUSED | _FORM,
    "Studio": _STUDIO_UNUSED | _FORM,
    "Tag": _TAG_UNUSED | _FORM,
}
"""The inputs that nothing in Plex depends on, by kind. A kind that is not here has none: each change counts."""

USED: Mapping[str, frozenset[str]] = {
    "Scene": frozenset().union(*SCENE_SOURCES.values()),
    "Performer": frozenset({"name"}),
    "Studio": frozenset({"name"}),
    "Tag": frozenset({"name", "sort_name"}),  # a long list is cut in Stash's order
}
"""The inputs that Plex shows something of, by kind."""


def is_change(kind: str, fields: Collection[str], wanted: Collection[str] = ()) -> bool:
    """Tell whether an input with these fields can change what Plex shows. Without any field it is not known: it can.

    `wanted` are inputs that matter because a setting asks for what they fill.
    """
    return not fields or not UNUSED.get(kind, frozenset()).difference(wanted).issuperset(fields)
