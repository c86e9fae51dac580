"""What the settings say about what goes where, as values of the domain, for each library.

Built once by `app`. The invariant: what is wrong in itself is refused here, with the setting's name and the library's,
before anything runs.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from stashplex.base.config import Settings
from stashplex.base.errors import ConfigError
from stashplex.base.mapping_settings import FIELDS, MappingSettings
from stashplex.domain.choosing import (
    ActorOrder,
    ActorRules,
    CollectionKind,
    CollectionRules,
    GenreRules,
    LabelRules,
    Parents,
)
from stashplex.domain.document import Field, TagField, TextField
from stashplex.domain.filtering import FilterRules, refusal
from stashplex.domain.inputs import WANTED
from stashplex.domain.item import Section, SectionKey
from stashplex.domain.mapping import DEFAULT_FIELDS, VALUES, MappingOptions, StudioLevel, SummaryRules, sources_of
from stashplex.domain.scene import Scene
from stashplex.domain.tagrule import Naming, Rule, parse_namings, parse_rules
from stashplex.domain.template import Template, parse_template

_POSTER = "poster"
_EDIT_NAMES: Mapping[str, Field] = {one.value: one for one in (*TextField, *TagField)}
_TEMPLATES = ("title_template", "sort_title_template", "original_title_template", "tagline_template")
_RULES = (
    *("genre_include", "genre_exclude", "label_tags", "collection_tags"),
    *("filter_tags", "filter_not_tags", "filter_studios", "filter_not_studios", "filter_paths", "filter_not_paths"),
)
_NAMINGS = ("content_rating_tags", "genre_rename")
_T = TypeVar("_T")


def _template(text: str) -> Template:
    return parse_template(text.strip(), VALUES)


CHECKS: Mapping[str, Callable[[str], object]] = {
    **dict.fromkeys(_TEMPLATES, _template),
    **dict.fromkeys(_RULES, parse_rules),
    **dict.fromkeys(_NAMINGS, parse_namings),
}
"""What the model of the settings cannot judge by itself: the text of each setting."""

_PAIRS = (
    *(("genre_include", "genre_exclude"), ("filter_tags", "filter_not_tags")),
    *(("filter_studios", "filter_not_studios"), ("filter_paths", "filter_not_paths")),
)


@dataclass(frozen=True, slots=True)
class LibraryRules:
    """What one library gets of which scenes."""

    options: MappingOptions = field(default_factory=MappingOptions)
    filters: FilterRules = field(default_factory=FilterRules)
    has_poster: bool = True


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The rules of all libraries. Shape: `by_section` has those that differ from `common`."""

    common: LibraryRules = field(default_factory=LibraryRules)
    by_section: Mapping[SectionKey, LibraryRules] = field(default_factory=dict)

    def of(self, section: SectionKey) -> LibraryRules:
        """Return the rules of a library."""
        return self.by_section.get(section, self.common)

    def refusal(self, scene: Scene, sections: Iterable[SectionKey]) -> str:
        """Return why a scene is left alone in each of these libraries, `""` when one of them wants it."""
        reasons = [refusal(scene, self.of(section).filters) for section in sections]
        return reasons[0] if reasons and all(reasons) else ""


def rulebook(settings: Settings, sections: Iterable[Section]) -> Rulebook:
    """Return the rules of all libraries. Raises: ConfigError."""
    titles = {title.casefold(): title for title in settings.library}
    own = {one.key: titles[one.title.casefold()] for one in sections if one.title.casefold() in titles}
    return Rulebook(
        library_rules(settings, settings.stash_url),
        {key: library_rules(settings.of_library(title), settings.stash_url, title) for key, title in own.items()},
    )


def require_libraries(settings: Settings, sections: Iterable[Section]) -> None:
    """Check that Plex has each library that has rules of its own. Raises: ConfigError."""
    known = {one.title.casefold(): one.title for one in sections}
    for title in settings.library:
        if title.casefold() not in known:
            near = difflib.get_close_matches(title, known.values(), n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Plex has {', '.join(known.values())}."
            raise ConfigError(
                f"The settings have a table for the library {title}, which Plex does not have.", hint=hint
            )


def check_rules(settings: Settings) -> None:
    """Check the rules of all libraries, those that Plex does not have too. Raises: ConfigError."""
    library_rules(settings, settings.stash_url)
    for title in settings.library:
        library_rules(settings.of_library(title), settings.stash_url, title)


def wanted_sources(settings: Settings) -> frozenset[str]:
    """Return what must be asked of a scene beyond the usual: keys of `domain.inputs.WANTED`. Raises: ConfigError."""
    tables = (settings, *(settings.of_library(title) for title in settings.library))
    return frozenset[str]().union(*(_wanted(one, settings.stash_url) for one in tables))


def wanted_inputs(settings: Settings) -> frozenset[str]:
    """Return the inputs of Stash that matter because of a setting. Raises: ConfigError."""
    return frozenset[str]().union(*(WANTED[name] for name in wanted_sources(settings)))


def _wanted(settings: MappingSettings, stash_url: str) -> frozenset[str]:
    """Return the sources of which more than the name is needed, or that are not asked for otherwise."""
    rules = library_rules(settings, stash_url)
    options, filters = rules.options, rules.filters
    read = sources_of(options)
    needs_ids = {
        "tags": (
            *(options.genres.include, options.genres.exclude, options.labels.tags, options.collections.tags),
            *(filters.tags, filters.not_tags),
            *(tuple(naming.rule for naming in some) for some in (options.genres.rename, options.content_rating_tags)),
        ),
        "studio": (filters.studios, filters.not_studios),
    }
    wanted = {source for source, lists in needs_ids.items() if any(_asks_more(some) for some in lists)}
    wanted |= {"tags"} if options.genres.parents is not Parents.OFF else set()
    is_told_apart = options.actors.genders or options.actors.has_favorites_first or options.genres.has_performer_tags
    wanted |= {"performers"} if is_told_apart else set()
    is_parent = options.studio_level is not StudioLevel.STUDIO or filters.studios or filters.not_studios
    templates = (options.title, options.title_sort, options.original_title, options.tagline)
    is_named = any("parent_studio" in one.names for one in templates)
    is_collected = CollectionKind.PARENT_STUDIO in options.collections.kinds
    wanted |= {"studio"} if is_parent or is_named or is_collected else set()
    wanted |= {"stash_ids"} if filters.stash_id or filters.metadata else set()
    wanted |= {"organized"} if filters.organized else set()
    return frozenset(wanted | (read & (WANTED.keys() - {"tags", "studio", "performers"})))


def _asks_more(rules: Iterable[Rule]) -> bool:
    return any(rule.kind in {"id", "below"} for rule in rules)


def library_rules(settings: MappingSettings, stash_url: str, library: str = "") -> LibraryRules:
    """Return the rules in some settings. Raises: ConfigError naming the setting and the library."""
    read = _Reading(settings, library)
    for wanted, unwanted in _PAIRS:
        for rule in set(read.rules(wanted)) & set(read.rules(unwanted)):
            raise read.wrong(unwanted, f"holds {rule.text!r}, which {wanted} holds too", "Take it out of one of them.")
    return LibraryRules(_options(read, stash_url), _filters(read), _POSTER not in settings.fields_off)


def _options(read: "_Reading", stash_url: str) -> MappingOptions:
    own = read.settings
    original, tagline = read.template("original_title_template"), read.template("tagline_template")
    namings = read.namings("content_rating_tags")
    label_rules = LabelRules(read.rules("label_tags"), own.label_organized, own.label_stash_id)
    optional = {
        TextField.ORIGINAL_TITLE: not original.is_empty,
        TextField.TAGLINE: not tagline.is_empty,
        TextField.CONTENT_RATING: bool(own.content_rating or namings),
        TextField.USER_RATING: own.rating_to != "critic",
        TextField.CRITIC_RATING: own.rating_to != "user",
        TagField.LABEL: bool(label_rules.sources),
        TagField.WRITER: bool(own.writer_field),
    }
    off = {_EDIT_NAMES[FIELDS[name]] for name in own.fields_off if name != _POSTER}
    on = {one for one in _EDIT_NAMES.values() if optional.get(one, one in DEFAULT_FIELDS)}
    return MappingOptions(
        fields=frozenset(on - off),
        title=read.template("title_template"),
        title_sort=read.template("sort_title_template"),
        original_title=original,
        tagline=tagline,
        articles=own.sort_title_articles,
        summary=SummaryRules(
            "urls" in own.summary_links, stash_url if "stash" in own.summary_links else "", own.summary_limit
        ),
        studio_level=StudioLevel(own.studio_level),
        content_rating=own.content_rating,
        content_rating_tags=namings,
        genres=GenreRules(
            include=read.rules("genre_include"),
            exclude=read.rules("genre_exclude"),
            rename=read.namings("genre_rename"),
            parents=Parents(own.genre_parents),
            has_performer_tags=own.genre_performer_tags,
            limit=own.genre_limit,
        ),
        labels=label_rules,
        actors=ActorRules(
            frozenset(own.actor_genders), ActorOrder(own.actor_order), own.actor_favorites_first, own.actor_limit
        ),
        director_field=own.director_field.strip(),
        writer_field=own.writer_field.strip(),
        collections=CollectionRules(
            tuple(map(CollectionKind, own.collection_from)), _prefixes(own), read.rules("collection_tags")
        ),
    )


def _prefixes(settings: MappingSettings) -> dict[CollectionKind, str]:
    pairs = (one.partition("=") for one in settings.collection_prefix)
    return {CollectionKind(kind.strip()): prefix.strip() for kind, _, prefix in pairs}


def _filters(read: "_Reading") -> FilterRules:
    own = read.settings
    return FilterRules(
        organized=own.filter_organized,
        stash_id=own.filter_stash_id,
        metadata=own.filter_metadata,
        min_rating=own.filter_min_rating,
        tags=read.rules("filter_tags"),
        not_tags=read.rules("filter_not_tags"),
        studios=read.rules("filter_studios"),
        not_studios=read.rules("filter_not_studios"),
        paths=read.rules("filter_paths"),
        not_paths=read.rules("filter_not_paths"),
    )


class _Reading:
    """Reads texts of some settings, and says which one is wrong."""

    def __init__(self, settings: MappingSettings, library: str) -> None:
        self.settings = settings
        self._library = library

    def template(self, key: str) -> Template:
        return self._read(key, _template)

    def rules(self, key: str) -> tuple[Rule, ...]:
        return self._read(key, parse_rules)

    def namings(self, key: str) -> tuple[Naming, ...]:
        return self._read(key, parse_namings)

    def _read(self, key: str, parse: Callable[[str], _T]) -> _T:
        try:
            return parse(getattr(self.settings, key))
        except ConfigError as error:
            raise self.wrong(key, f"is wrong: {error}", error.hint) from error

    def wrong(self, key: str, reason: str, hint: str) -> ConfigError:
        where = f" of the library {self._library}" if self._library else ""
        return ConfigError(f"The setting {key}{where} {reason.rstrip('.')}.", hint=hint)
