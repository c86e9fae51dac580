"""What Stash says about a scene as the document that Plex should show.

Pure and total: any text that Stash can hold gives a document. It knows neither Plex's present values nor what we
wrote before; whether an empty value clears anything is for `merge` to say. `choosing` picks the elements of lists.
The invariant: what Stash was not asked for (`unknown_fields`), or what cannot be read as a value, has no key.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache

from stashplex.domain.choosing import (
    LIST_LIMIT,
    ActorRules,
    CollectionRules,
    GenreRules,
    LabelRules,
    actors,
    collections,
    genres,
    labels,
    names_of,
    people,
)
from stashplex.domain.document import Document, Field, TagField, TextField
from stashplex.domain.scene import Scene, studios_above
from stashplex.domain.spelling import LINE_LIMIT, SUMMARY_LIMIT, line, paragraphs, readable_name, stem_of
from stashplex.domain.tagrule import Naming, value_for
from stashplex.domain.template import Template, parse_template

__all__ = ["DEFAULT_FIELDS", "LINE_LIMIT", "LIST_LIMIT", "SUMMARY_LIMIT", "MappingOptions", "desired"]

EXTRA_FIELDS: frozenset[Field] = frozenset(
    (
        TextField.ORIGINAL_TITLE,
        TextField.TAGLINE,
        TextField.CONTENT_RATING,
        TextField.CRITIC_RATING,
        TagField.LABEL,
        TagField.WRITER,
    )
)
"""The fields that nobody writes until a setting says what they should hold."""

DEFAULT_FIELDS: frozenset[Field] = frozenset((*TextField, *TagField)) - EXTRA_FIELDS

ARTICLES = ("the", "an", "a")
PLAIN_TITLE = parse_template("{title}", ("title",))
NO_TEMPLATE = Template(())
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


class StudioLevel(StrEnum):
    """Which studio is shown as such."""

    STUDIO = "studio"
    PARENT = "parent"
    TOP = "top"


@dataclass(frozen=True, slots=True)
class SummaryRules:
    """What the summary holds besides the details. Shape: `stash_url` is `""` when no link into Stash is wanted."""

    has_urls: bool = False
    stash_url: str = ""
    limit: int = SUMMARY_LIMIT


@dataclass(frozen=True, slots=True)
class MappingOptions:
    """What a person switched on, and how. A field that is not in `fields` is left alone: it has no key.

    Shape: the empty template for the sort title means the title without its article.
    """

    fields: frozenset[Field] = DEFAULT_FIELDS
    title: Template = PLAIN_TITLE
    title_sort: Template = NO_TEMPLATE
    original_title: Template = NO_TEMPLATE
    tagline: Template = NO_TEMPLATE
    articles: tuple[str, ...] = ARTICLES
    summary: SummaryRules = field(default_factory=SummaryRules)
    studio_level: StudioLevel = StudioLevel.STUDIO
    content_rating: str = ""
    content_rating_tags: tuple[Naming, ...] = ()
    genres: GenreRules = field(default_factory=GenreRules)
    labels: LabelRules = field(default_factory=LabelRules)
    actors: ActorRules = field(default_factory=ActorRules)
    director_field: str = ""
    writer_field: str = ""
    collections: CollectionRules = field(default_factory=CollectionRules)


def desired(scene: Scene, options: MappingOptions) -> Document:
    """Return what the items of a scene should show.

    Shape: texts without control characters; title and sort title are never empty; lists without doubles, which
    are names that differ only in case.
    """
    unknown = scene.unknown_fields
    return Document(
        texts={
            text_field: text
            for text_field, (sources, read) in _TEXTS.items()
            if text_field in options.fields
            and not (unknown and sources(options) & unknown)
            and (text := read(scene, options)) is not None
        },
        tags={
            tag_field: tuple(names_of(read_all(scene, options), _limit(tag_field, options)))
            for tag_field, (sources, read_all) in _TAGS.items()
            if tag_field in options.fields and not (unknown and sources(options) & unknown)
        },
    )


def _limit(tag_field: TagField, options: MappingOptions) -> int:
    limits = {TagField.GENRE: options.genres.limit, TagField.ACTOR: options.actors.limit}
    return limits.get(tag_field, LIST_LIMIT)


def _title(scene: Scene, options: MappingOptions) -> str | None:
    """Return the title by its template, else the plain one, else None: a title is never cleared."""
    return line(options.title.fill(lambda name: value_of(scene, name))) or _plain_title(scene) or None


def _plain_title(scene: Scene) -> str:
    """Return the title, else the name of the primary file made readable."""
    title = line(scene.title)
    return readable_name(scene.files[0].path) if not title and scene.files else title


def _title_sort(scene: Scene, options: MappingOptions) -> str | None:
    own = line(options.title_sort.fill(lambda name: value_of(scene, name)))
    title = own or _title(scene, options)
    if title is None or not options.articles:
        return title
    return _article(options.articles).sub("", title, count=1)


def _template(template: Callable[[MappingOptions], Template]) -> Callable[[Scene, MappingOptions], str]:
    return lambda scene, options: line(template(options).fill(lambda name: value_of(scene, name)))


def sources_of(options: MappingOptions) -> frozenset[str]:
    """Return the fields of the scene that are read with some options."""
    texts = (sources(options) for text_field, (sources, _) in _TEXTS.items() if text_field in options.fields)
    tags = (sources(options) for tag_field, (sources, _) in _TAGS.items() if tag_field in options.fields)
    return frozenset[str]().union(*texts, *tags)


def value_of(scene: Scene, name: str) -> str:
    """Return the value of a name in a template."""
    return VALUES[name][1](scene)


def _summary(scene: Scene, options: MappingOptions) -> str:
    rules = options.summary
    links = [line(url) for url in scene.more.urls] if rules.has_urls else []
    links += [f"{rules.stash_url}/scenes/{scene.id}"] if rules.stash_url else []
    footer = "\n".join(link for link in links if link)
    room = rules.limit - len(footer) - 2
    if not footer or room < 1:
        return paragraphs(scene.details, rules.limit)
    details = paragraphs(scene.details, room)
    return f"{details}\n\n{footer}" if details else footer


def _studio(scene: Scene, options: MappingOptions) -> str:
    studio = scene.studio_entity
    if studio is None:
        return ""
    above = [one.name for one in studio.above]
    if above and options.studio_level is not StudioLevel.STUDIO:
        return line(above[0] if options.studio_level is StudioLevel.PARENT else above[-1])
    return line(studio.name)


def _date(scene: Scene, _: MappingOptions) -> str | None:
    """Return the first day of what Stash knows, so that Plex has the year; None for a day that does not exist."""
    if not scene.date:
        return ""
    parts = _DATE.fullmatch(scene.date.strip())
    if parts is None:
        return None
    try:
        return date(*(int(part or "1") for part in parts.groups())).isoformat()
    except ValueError:
        return None


def _content_rating(scene: Scene, options: MappingOptions) -> str:
    return line(value_for(scene.tag_entities, options.content_rating_tags) or options.content_rating)


def _rating(scene: Scene, _: MappingOptions) -> str | None:
    """Return 1 to 100 as 0.1 to 10 in the shortest form; None for a rating out of range."""
    if scene.rating100 is None:
        return ""
    if not 0 <= scene.rating100 <= 100:
        return None
    whole, tenth = divmod(scene.rating100, 10)
    return f"{whole}.{tenth}" if tenth else str(whole)


@lru_cache(maxsize=16)
def _article(articles: tuple[str, ...]) -> re.Pattern[str]:
    words = "|".join(re.escape(one) for one in sorted(articles, key=len, reverse=True))
    return re.compile(rf"\A(?:{words})\s+", re.IGNORECASE)


VALUES: Mapping[str, tuple[str, Callable[[Scene], str]]] = {
    "title": ("title", _plain_title),
    "studio": ("studio", lambda scene: line(scene.studio or "")),
    "parent_studio": ("studio", lambda scene: line(next((one.name for one in studios_above(scene)), ""))),
    "performers": ("performers", lambda scene: ", ".join(filter(None, map(line, scene.performers)))),
    "tags": ("tags", lambda scene: ", ".join(filter(None, map(line, scene.tags)))),
    "director": ("director", lambda scene: line(scene.director)),
    "date": ("date", lambda scene: line(scene.date or "")),
    "year": ("date", lambda scene: (_date(scene, MappingOptions()) or "")[:4]),
    "code": ("code", lambda scene: line(scene.code)),
    "group": ("groups", lambda scene: line(next(iter(scene.more.groups), ""))),
    "filename": ("files", lambda scene: line(stem_of(scene.files[0].path)) if scene.files else ""),
    "id": ("id", lambda scene: str(scene.id)),
}
"""The names that a template may use: the field of the scene that each comes from, and how."""


def _sources_of(template: Template) -> frozenset[str]:
    return frozenset(VALUES[name][0] for name in template.names)


def _fixed(*fields: str) -> Callable[[MappingOptions], frozenset[str]]:
    known = frozenset(fields)
    return lambda _: known


_Sources = Callable[[MappingOptions], frozenset[str]]

_TEXTS: Mapping[TextField, tuple[_Sources, Callable[[Scene, MappingOptions], str | None]]] = {
    TextField.TITLE: (lambda o: _sources_of(o.title) | {"title"}, _title),
    TextField.TITLE_SORT: (lambda o: _sources_of(o.title) | _sources_of(o.title_sort) | {"title"}, _title_sort),
    TextField.ORIGINAL_TITLE: (lambda o: _sources_of(o.original_title), _template(lambda o: o.original_title)),
    TextField.SUMMARY: (lambda o: frozenset({"details"} | ({"urls"} if o.summary.has_urls else set())), _summary),
    TextField.TAGLINE: (lambda o: _sources_of(o.tagline), _template(lambda o: o.tagline)),
    TextField.STUDIO: (_fixed("studio"), _studio),
    TextField.DATE: (_fixed("date"), _date),
    TextField.CONTENT_RATING: (lambda o: frozenset({"tags"} if o.content_rating_tags else ()), _content_rating),
    TextField.USER_RATING: (_fixed("rating100"), _rating),
    TextField.CRITIC_RATING: (_fixed("rating100"), _rating),
}
"""The fields of the scene from which each value comes, and how."""

_TAGS: Mapping[TagField, tuple[_Sources, Callable[[Scene, MappingOptions], Iterable[str]]]] = {
    TagField.GENRE: (lambda o: o.genres.sources, lambda scene, o: genres(scene, o.genres)),
    TagField.LABEL: (lambda o: o.labels.sources, lambda scene, o: labels(scene, o.labels)),
    TagField.DIRECTOR: (
        lambda o: frozenset({"custom_fields" if o.director_field else "director"}),
        lambda scene, o: people(scene, o.director_field or "director"),
    ),
    TagField.WRITER: (
        lambda o: frozenset({"director" if o.writer_field == "director" else "custom_fields"}),
        lambda scene, o: people(scene, o.writer_field),
    ),
    TagField.ACTOR: (_fixed("performers"), lambda scene, o: actors(scene, o.actors)),
    TagField.COLLECTION: (lambda o: o.collections.sources, lambda scene, o: collections(scene, o.collections)),
}
