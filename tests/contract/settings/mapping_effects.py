"""What one sees of the settings about what goes where: one scene with everything in it, and its item after a sync."""

from collections.abc import Mapping
from pathlib import Path

import anyio

from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.stash.model import StashID
from worlds import World, a_world

LISTS = ("genre", "label", "actor", "director", "writer", "collection")

VALUES: Mapping[str, tuple[object, object, Mapping[str, object]]] = {
    "fields_off": ("genres", "", {}),
    "title_template": ("{studio}: {title}", "{title}", {}),
    "sort_title_template": ("{date}", "", {}),
    "sort_title_articles": ("none", "the, a, an", {}),
    "original_title_template": ("{code}", "", {}),
    "tagline_template": ("{year}", "", {}),
    "summary_links": ("urls, stash", "", {}),
    "summary_limit": (50, 10_000, {}),
    "studio_level": ("parent", "studio", {}),
    "content_rating": ("XXX", "", {}),
    "content_rating_tags": ("below:animal=X", "", {}),
    "rating_to": ("critic", "user", {}),
    "genre_include": ("id:1", "re:.", {}),
    "genre_exclude": ("Dog", "", {}),
    "genre_rename": ("Dog=Hound", "", {}),
    "genre_parents": ("add", "off", {}),
    "genre_performer_tags": (True, False, {}),
    "genre_limit": (1, 100, {}),
    "label_tags": ("Dog", "", {}),
    "label_organized": ("Organized", "", {}),
    "label_stash_id": ("Identified", "", {}),
    "actor_genders": ("female", "", {}),
    "actor_order": ("name", "stash", {}),
    "actor_favorites_first": (True, False, {"actor_limit": 1}),
    "actor_limit": (1, 100, {}),
    "director_field": ("by", "", {}),
    "writer_field": ("director", "", {}),
    "collection_from": ("groups, rating", "studio", {}),
    "collection_prefix": ("studio=Studio:", "", {}),
    "collection_tags": ("Drama", "", {"collection_from": "tags"}),
    "filter_organized": (True, False, {}),
    "filter_stash_id": (True, False, {}),
    "filter_metadata": (True, False, {}),
    "filter_min_rating": (100, 0, {}),
    "filter_tags": ("no such tag", "", {}),
    "filter_not_tags": ("below:animal", "", {}),
    "filter_studios": ("no such studio", "", {}),
    "filter_not_studios": ("Acme", "", {}),
    "filter_paths": ("/nowhere", "", {}),
    "filter_not_paths": ("re:.", "", {}),
    "library": ({"Films": {"title_template": "x"}}, {}, {}),
}
"""Two values of each setting, and what else must be set to see the difference."""


def an_item(folder: Path, settings: Mapping[str, object]) -> object:
    """Return the texts and lists that Plex shows of two scenes: one with everything, one with its file alone."""
    world = a_world(folder, 2, posters=False)
    _furnish(world)
    world.settings |= settings
    anyio.run(world.sync)
    return [_seen(world, scene) for scene in (1, 2)]


def _furnish(world: World) -> None:
    stash = world.stash
    studio, dog, animal = stash.studio("Acme East", parent="Acme"), stash.tag("Dog"), stash.tag("Animal")
    stash.library.tags[dog].parents = (stash.library.tags[animal],)
    stash.performer("Zoe", gender="FEMALE", tags=["Tall"])
    stash.performer("Bob", gender="MALE", favorite=True)
    stash.update_scene(
        1, title="The T", code="C-1", director="Jane Roe", rating100=75, studio=studio, date="2020-01-02"
    )
    stash.update_scene(1, tags=["Dog", "Drama"], groups=["Trilogy"], performers=["Zoe", "Bob"], details="d" * 90)
    stash.update_scene(1, urls=["http://u.test"], organized=True)
    bare = {"title": "", "details": "", "code": "", "director": "", "date": None, "rating100": None, "studio": None}
    stash.update_scene(2, **bare, tags=[], performers=[], organized=False)
    stash.update_scene(1, stash_ids=(StashID("https://box.test", "u", "2026-01-01T00:00:00Z"),))


def _seen(world: World, scene: int) -> object:
    key = world.item_of(Catalogue().film(scene))
    item = world.plex.item(key)
    ratings = [view.rating for view in item.views.values()]
    return dict(item.fields), {kind: world.plex.tag_texts(key, kind) for kind in LISTS}, ratings
