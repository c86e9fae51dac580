"""Which scenes are kept in step with Plex at all.

Pure. A scene that is filtered is left as it is in Plex: nothing is written, and nothing that was written is taken back.
The invariant: a filter that asks for something that Stash does not tell lets nothing pass.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from stashplex.domain.pathmap import path_key
from stashplex.domain.scene import Scene
from stashplex.domain.tagrule import Rule, expression, is_meant

FILTERED = "Filtered"
"""The type of the reason for which a scene is left alone, beside the types of errors."""

_WINDOWS = re.compile(r"[A-Za-z]:|//")


@dataclass(frozen=True, slots=True)
class FilterRules:
    """What a scene must be like. Shape: nothing is asked by default; path rules are folders or `re:EXPRESSION`."""

    organized: bool = False
    stash_id: bool = False
    metadata: bool = False
    min_rating: int = 0
    tags: tuple[Rule, ...] = ()
    not_tags: tuple[Rule, ...] = ()
    studios: tuple[Rule, ...] = ()
    not_studios: tuple[Rule, ...] = ()
    paths: tuple[Rule, ...] = ()
    not_paths: tuple[Rule, ...] = ()


def refusal(scene: Scene, rules: FilterRules) -> str:
    """Return why a scene is left alone, as a sentence with the setting that says so; `""` when it is not."""
    for key, source, is_asked, is_passed, reason in _FILTERS:
        if not is_asked(rules):
            continue
        if source in scene.unknown_fields:
            return f"This Stash does not tell what the setting {key} asks for."
        if not is_passed(scene, rules):
            return f"{reason} (the setting {key})."
    return ""


def _studio_fits(scene: Scene, rules: tuple[Rule, ...]) -> bool:
    """Tell whether the studio or one above it is meant."""
    studio = scene.studio_entity
    return studio is not None and any(is_meant(one, rules) for one in (studio, *studio.above))


def _tag_fits(scene: Scene, rules: tuple[Rule, ...]) -> bool:
    return any(is_meant(tag, rules) for tag in scene.tag_entities)


def _path_fits(scene: Scene, rules: tuple[Rule, ...]) -> bool:
    """Tell whether one of the files is in one of these places."""
    return any(_is_at(path_key(file.path), rule) for file in scene.files for rule in rules)


def _is_at(path: str, rule: Rule) -> bool:
    if rule.kind == "re":
        return expression(rule.text).search(path) is not None
    folder = path_key(rule.text).rstrip("/")
    if _WINDOWS.match(folder):
        path, folder = path.casefold(), folder.casefold()
    return path == folder or path.startswith(f"{folder}/")


def _has_metadata(scene: Scene, _: FilterRules) -> bool:
    """Tell whether anybody, person or scraper, said anything about the scene."""
    texts = (scene.title, scene.details, scene.code, scene.director, scene.date, scene.studio)
    return any(text and text.strip() for text in texts) or bool(
        scene.performers or scene.tags or scene.rating100 or scene.more.stash_ids
    )


_Test = Callable[[Scene, FilterRules], bool]

_FILTERS: tuple[tuple[str, str, Callable[[FilterRules], object], _Test, str], ...] = (
    ("filter_organized", "organized", lambda r: r.organized, lambda s, _: s.organized, "It is not organized"),
    ("filter_stash_id", "stash_ids", lambda r: r.stash_id, lambda s, _: bool(s.more.stash_ids), "It has no stash id"),
    (
        "filter_min_rating",
        "rating100",
        lambda r: r.min_rating,
        lambda s, r: (s.rating100 or 0) >= r.min_rating,
        "Its rating is too low",
    ),
    ("filter_tags", "tags", lambda r: r.tags, lambda s, r: _tag_fits(s, r.tags), "None of its tags is wanted"),
    (
        "filter_not_tags",
        "tags",
        lambda r: r.not_tags,
        lambda s, r: not _tag_fits(s, r.not_tags),
        "One of its tags keeps it out",
    ),
    (
        "filter_studios",
        "studio",
        lambda r: r.studios,
        lambda s, r: _studio_fits(s, r.studios),
        "Its studio is not wanted",
    ),
    (
        "filter_not_studios",
        "studio",
        lambda r: r.not_studios,
        lambda s, r: not _studio_fits(s, r.not_studios),
        "Its studio keeps it out",
    ),
    ("filter_paths", "files", lambda r: r.paths, lambda s, r: _path_fits(s, r.paths), "Its folder is not wanted"),
    (
        "filter_not_paths",
        "files",
        lambda r: r.not_paths,
        lambda s, r: not _path_fits(s, r.not_paths),
        "Its folder keeps it out",
    ),
    (
        "filter_metadata",
        "title",
        lambda r: r.metadata,
        _has_metadata,
        "Nothing but its file is known",
    ),
)
"""The setting, the field of the scene that it reads, whether it asks for anything, the test, and the reason."""
