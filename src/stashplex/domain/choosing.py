"""Which names of a scene become elements of which list in Plex, and in which order.

Pure and total, a part of `mapping`. The invariant: the same scene gives the same names in the same order, and what is
cut off a list that is too long is the least specific part of it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from stashplex.domain.merge import tag_key
from stashplex.domain.scene import Entity, Performer, Scene, studios_above
from stashplex.domain.spelling import line, printable
from stashplex.domain.tagrule import Naming, Rule, is_meant, renamed

LIST_LIMIT = 100
"""So many names in a list, the first ones in Stash's order: a whole list travels in the address of one request."""

NO_GENDER = "unknown"
STARS = 5
_PER_STAR = 20
_SUFFIX = re.compile(r"(?:jr|sr|ii|iii|iv|ph\.?\s?d|esq)\.?", re.IGNORECASE)


class Parents(StrEnum):
    """What the tags above a tag are good for."""

    OFF = "off"
    ADD = "add"
    TOP = "top"


class ActorOrder(StrEnum):
    """In which order the cast is listed."""

    STASH = "stash"
    NAME = "name"


class CollectionKind(StrEnum):
    """What a collection can stand for."""

    STUDIO = "studio"
    PARENT_STUDIO = "parent_studio"
    GROUPS = "groups"
    PERFORMERS = "performers"
    TAGS = "tags"
    RATING = "rating"
    ORGANIZED = "organized"


@dataclass(frozen=True, slots=True)
class GenreRules:
    """Which tags become genres, and what they are called."""

    include: tuple[Rule, ...] = ()
    exclude: tuple[Rule, ...] = ()
    rename: tuple[Naming, ...] = ()
    parents: Parents = Parents.OFF
    has_performer_tags: bool = False
    limit: int = LIST_LIMIT

    @property
    def is_plain(self) -> bool:
        """All tags become genres under their own names."""
        asked = self.include or self.exclude or self.rename or self.has_performer_tags
        return not asked and self.parents is Parents.OFF

    @property
    def sources(self) -> frozenset[str]:
        """The fields of the scene that are read."""
        return frozenset({"tags", "performers"} if self.has_performer_tags else {"tags"})


@dataclass(frozen=True, slots=True)
class LabelRules:
    """Which labels a scene has. Shape: `organized` and `stash_id` are the labels, `""` for none."""

    tags: tuple[Rule, ...] = ()
    organized: str = ""
    stash_id: str = ""

    @property
    def sources(self) -> frozenset[str]:
        """The fields of the scene that are read."""
        wanted = {"tags": self.tags, "organized": self.organized, "stash_ids": self.stash_id}
        return frozenset(name for name, rule in wanted.items() if rule)


@dataclass(frozen=True, slots=True)
class ActorRules:
    """Which performers are listed as actors. Shape: `genders` are Stash's words, none means all."""

    genders: frozenset[str] = frozenset()
    order: ActorOrder = ActorOrder.STASH
    has_favorites_first: bool = False
    limit: int = LIST_LIMIT


@dataclass(frozen=True, slots=True)
class CollectionRules:
    """Which collections a scene is in. Shape: `prefixes` stand before the names of a kind; no `tags` means all."""

    kinds: tuple[CollectionKind, ...] = (CollectionKind.STUDIO,)
    prefixes: Mapping[CollectionKind, str] | None = None
    tags: tuple[Rule, ...] = ()

    @property
    def sources(self) -> frozenset[str]:
        """The fields of the scene that are read."""
        return frozenset(_COLLECTIONS[kind][0] for kind in self.kinds)


def genres(scene: Scene, rules: GenreRules) -> Iterator[str]:
    """Yield the genres, the most specific first: tags before those above them, these before tags of performers."""
    if rules.is_plain:
        yield from scene.tags
        return
    chosen = _with_parents(scene.tag_entities, rules.parents)
    if rules.has_performer_tags:
        chosen += _with_parents([tag for one in scene.cast for tag in one.tags], rules.parents)
    for tag in chosen:
        if is_meant(tag, rules.exclude) or (rules.include and not is_meant(tag, rules.include)):
            continue
        yield renamed(tag, rules.rename)


def _with_parents(tags: Iterable[Entity], parents: Parents) -> list[Entity]:
    own = list(tags)
    if parents is Parents.TOP:
        return [tag.above[-1] if tag.above else tag for tag in own]
    above = [one for tag in own for one in tag.above]
    general = {tag_key(one.name) for one in above}
    sorted_own = sorted(own, key=lambda tag: tag_key(tag.name) in general)
    return [*sorted_own, *above] if parents is Parents.ADD else sorted_own


def labels(scene: Scene, rules: LabelRules) -> Iterator[str]:
    """Yield the labels."""
    yield from (tag.name for tag in scene.tag_entities if is_meant(tag, rules.tags))
    if scene.organized:
        yield rules.organized
    if scene.more.stash_ids:
        yield rules.stash_id


def actors(scene: Scene, rules: ActorRules) -> Iterator[str]:
    """Yield the names of the cast."""
    cast = [one for one in scene.cast if not rules.genders or _gender(one) in rules.genders]
    if rules.order is ActorOrder.NAME:
        cast.sort(key=lambda one: tag_key(one.entity.name))
    if rules.has_favorites_first:
        cast.sort(key=lambda one: not one.is_favorite)
    yield from (one.entity.name for one in cast)


def _gender(performer: Performer) -> str:
    return performer.gender.casefold() or NO_GENDER


def people(scene: Scene, source: str) -> Iterator[str]:
    """Yield the names in the director's text or in a custom field, separated by commas and semicolons.

    `Robert Downey, Jr.` is one name. `&` does not separate: in `Joel & Ethan Coen` it would make a person `Joel`.
    """
    text = scene.director if source == "director" else scene.more.custom_fields.get(source, "")
    for group in printable(text).split(";"):
        name = ""
        for piece in group.split(","):
            if name and _SUFFIX.fullmatch(piece.strip()):
                name = f"{name}, {piece.strip()}"
                continue
            yield name
            name = piece.strip()
        yield name


def collections(scene: Scene, rules: CollectionRules) -> Iterator[str]:
    """Yield the names of the collections, in the order of their kinds."""
    prefixes = rules.prefixes or {}
    for kind in rules.kinds:
        for name in _COLLECTIONS[kind][1](scene, rules):
            if line(name):
                yield f"{prefixes.get(kind, '')} {name}"


def names_of(names: Iterable[str], limit: int) -> list[str]:
    """Return names as Plex takes them: readable, each once in its first spelling, at most `limit`."""
    by_key: dict[str, str] = {}
    for name in map(line, names):
        if name:
            by_key.setdefault(tag_key(name), name)
    return list(by_key.values())[:limit]


def _stars(scene: Scene) -> list[str]:
    if scene.rating100 is None or not 0 < scene.rating100 <= STARS * _PER_STAR:
        return []
    stars = -(-scene.rating100 // _PER_STAR)
    return ["1 star" if stars == 1 else f"{stars} stars"]


def _parent_studio(scene: Scene, _: CollectionRules) -> list[str]:
    return [one.name for one in studios_above(scene)[:1]]


_COLLECTIONS: Mapping[CollectionKind, tuple[str, Callable[[Scene, CollectionRules], Iterable[str]]]] = {
    CollectionKind.STUDIO: ("studio", lambda scene, _: (scene.studio or "",)),
    CollectionKind.PARENT_STUDIO: ("studio", _parent_studio),
    CollectionKind.GROUPS: ("groups", lambda scene, _: scene.more.groups),
    CollectionKind.PERFORMERS: ("performers", lambda scene, _: scene.performers),
    CollectionKind.TAGS: (
        "tags",
        lambda scene, rules: (tag.name for tag in scene.tag_entities if not rules.tags or is_meant(tag, rules.tags)),
    ),
    CollectionKind.RATING: ("rating100", lambda scene, _: _stars(scene)),
    CollectionKind.ORGANIZED: ("organized", lambda scene, _: ["Organized"] if scene.organized else []),
}
"""The field of the scene from which the collections of a kind come, and how."""
