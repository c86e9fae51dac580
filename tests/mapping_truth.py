"""The truth about the mapping: scenes, settings, and what Plex shows then. The tests run it, the docs print it.

Each case names only what it is about: the fields of the scene, the settings that differ from the default, and the
fields of Plex that it speaks of. `ABSENT` is a field that is left alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from stashplex.domain.scene import Details, Entity, Performer

ABSENT = None


@dataclass(frozen=True)
class Case:
    """One row: what stands in Stash, what is set, what Plex shows."""

    scene: Mapping[str, object]
    shown: Mapping[str, str | tuple[str, ...] | None]
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """One row of the filters. Shape: `reason` is `""` when the scene passes."""

    scene: Mapping[str, object]
    settings: Mapping[str, object]
    reason: str = ""


@dataclass(frozen=True)
class Wrong:
    """One row of what is refused as a setting. Shape: `told` is a part of the message or of its hint."""

    settings: Mapping[str, object]
    told: str


ANIMAL = Entity("Animal", 1)
DOG = Entity("Dog", 2, (ANIMAL,))
PUPPY = Entity("Puppy", 3, (DOG, ANIMAL))
STUDIO = Entity("Acme East", 12, (Entity("Acme", 11), Entity("Acme Holding", 10)))
CAST = (
    Performer(Entity("Zoe", 21), "FEMALE", tags=(Entity("Tall", 31),)),
    Performer(Entity("Bob", 22), "MALE", is_favorite=True),
    Performer(Entity("Alex", 23)),
)
PETS = {"tags": ("Animal", "Puppy"), "more": Details(tags=(ANIMAL, PUPPY))}
OWNED = {"studio": "Acme East", "more": Details(studio=STUDIO)}
PEOPLE = {"performers": ("Zoe", "Bob", "Alex"), "more": Details(performers=CAST)}
MANY = tuple(f"t{number}" for number in range(300))

TRUTH: Mapping[str, tuple[Case, ...]] = {
    "Title, sort title, original title": (
        Case({"title": "The Blue Door"}, {"title": "The Blue Door", "titleSort": "Blue Door", "originalTitle": ABSENT}),
        Case({"title": "", "files": "/v/The.Blue_Door.1080p.mp4"}, {"title": "The Blue Door"}),
        Case({"title": "x" * 10_000}, {"title": "x" * 254 + "…"}),
        Case(
            {"title": "A Door", "studio": "Acme"}, {"title": "Acme - A Door"}, {"title_template": "{studio} - {title}"}
        ),
        Case({"title": "A Door", "studio": None}, {"title": "A Door"}, {"title_template": "{studio} - {title}"}),
        Case({"title": "A - B", "studio": None}, {"title": "A - B"}, {"title_template": "[{studio}] {title}"}),
        Case(
            {"title": "A Door", "date": "2020-01-02", "performers": ("Jane", "Bob")},
            {"title": "A Door (2020) Jane, Bob"},
            {"title_template": "{title} ({year}) {performers}"},
        ),
        Case({"title": "A Door", "date": None}, {"title": "A Door"}, {"title_template": "{title} ({year})"}),
        Case({"title": "A Door", "code": ""}, {"title": "A Door"}, {"title_template": "{code}"}),
        Case(
            {"title": "A Door", "studio": "Acme", "code": ""},
            {"title": "Acme - A Door"},
            {"title_template": "{studio} - {code} - {title}"},
        ),
        Case(
            {"title": "A Door", "studio": "Acme", "code": ""},
            {"title": "A Door | Acme"},
            {"title_template": "{title} [{code}] | {studio}"},
        ),
        Case({"title": "", "files": ()}, {"title": ABSENT, "titleSort": ABSENT}),
        Case({"title": "{title} 100%"}, {"title": "{title} 100%"}),
        Case({"title": "The Door"}, {"titleSort": "The Door"}, {"sort_title_articles": "none"}),
        Case({"title": "Die Tür"}, {"titleSort": "Tür"}, {"sort_title_articles": "der, die, das"}),
        Case(
            {"title": "The Door", "date": "2020-05-06"},
            {"titleSort": "2020-05-06 The Door"},
            {"sort_title_template": "{date} {title}"},
        ),
        Case({"code": "AB-1"}, {"originalTitle": "AB-1"}, {"original_title_template": "{code}"}),
        Case({"code": ""}, {"originalTitle": ""}, {"original_title_template": "{code}"}),
    ),
    "Summary and tagline": (
        Case({"details": "One\r\n\r\nTwo \x00"}, {"summary": "One\n\nTwo", "tagline": ABSENT}),
        Case({"details": "x" * 60}, {"summary": "x" * 49 + "…"}, {"summary_limit": 50}),
        Case(
            {"details": "One", "more": Details(urls=("https://a.test/1",))},
            {"summary": "One\n\nhttps://a.test/1\nhttp://stash.test:9999/scenes/42"},
            {"summary_links": "urls, stash"},
        ),
        Case(
            {"details": "x" * 100},
            {"summary": "x" * 15 + "…\n\nhttp://stash.test:9999/scenes/42"},
            {"summary_links": "stash", "summary_limit": 50},
        ),
        Case({"details": ""}, {"summary": "http://stash.test:9999/scenes/42"}, {"summary_links": "stash"}),
        Case({"studio": "Acme"}, {"tagline": "Acme, 2020"}, {"tagline_template": "{studio}, {year}"}),
        Case({"studio": None, "date": None}, {"tagline": ""}, {"tagline_template": "{studio}, {year}"}),
    ),
    "Studio": (
        Case(OWNED, {"studio": "Acme East"}),
        Case(OWNED, {"studio": "Acme"}, {"studio_level": "parent"}),
        Case(OWNED, {"studio": "Acme Holding"}, {"studio_level": "top"}),
        Case({"studio": "Acme"}, {"studio": "Acme"}, {"studio_level": "top"}),
        Case({"studio": None}, {"studio": ""}),
    ),
    "Date": (
        Case({"date": "2020-02-29"}, {"originallyAvailableAt": "2020-02-29"}),
        Case({"date": "2020-02"}, {"originallyAvailableAt": "2020-02-01"}),
        Case({"date": "2020"}, {"originallyAvailableAt": "2020-01-01"}),
        Case({"date": None}, {"originallyAvailableAt": ""}),
        Case({"date": "2020-13-40"}, {"originallyAvailableAt": ABSENT}),
    ),
    "Content rating": (
        Case({}, {"contentRating": ABSENT}),
        Case({}, {"contentRating": "XXX"}, {"content_rating": "XXX"}),
        Case(
            {"tags": ("Soft",)},
            {"contentRating": "R"},
            {"content_rating": "XXX", "content_rating_tags": "hard=X; soft=R"},
        ),
        Case(PETS, {"contentRating": "G"}, {"content_rating_tags": "below:dog=G"}),
        Case({"tags": ("a",)}, {"contentRating": ""}, {"content_rating_tags": "b=R"}),
    ),
    "Rating": (
        Case({"rating100": None}, {"userRating": "", "rating": ABSENT}),
        Case({"rating100": 0}, {"userRating": "0"}),
        Case({"rating100": 1}, {"userRating": "0.1"}),
        Case({"rating100": 50}, {"userRating": "5"}),
        Case({"rating100": 99}, {"userRating": "9.9"}),
        Case({"rating100": 100}, {"userRating": "10"}),
        Case({"rating100": 75}, {"userRating": ABSENT, "rating": "7.5"}, {"rating_to": "critic"}),
        Case({"rating100": 75}, {"userRating": "7.5", "rating": "7.5"}, {"rating_to": "both"}),
    ),
    "Genres": (
        Case({"tags": ("b", "x, y", "100%", "B")}, {"genre": ("b", "x, y", "100%")}),
        Case({"tags": MANY}, {"genre": MANY[:100]}),
        Case({"tags": MANY}, {"genre": MANY[:2]}, {"genre_limit": 2}),
        Case({"tags": ("Drama", "To do")}, {"genre": ("Drama",)}, {"genre_exclude": "to do"}),
        Case({"tags": ("Drama", "[x] y")}, {"genre": ("Drama",)}, {"genre_exclude": r"re:^\["}),
        Case({"tags": ("Drama", "Noise")}, {"genre": ("Drama",)}, {"genre_include": "drama; comedy"}),
        Case(PETS, {"genre": ("Puppy",)}, {"genre_include": "id:3"}),
        Case(PETS, {"genre": ("Puppy",)}, {"genre_include": "below:animal"}),
        Case(PETS, {"genre": ("Puppy", "Animal", "Dog")}, {"genre_parents": "add"}),
        Case(PETS, {"genre": ("Puppy",)}, {"genre_parents": "add", "genre_limit": 1}),
        Case(PETS, {"genre": ("Animal",)}, {"genre_parents": "top"}),
        Case(
            {"tags": ("Sci-Fi", "x")}, {"genre": ("Science Fiction", "x")}, {"genre_rename": "sci-fi=Science Fiction"}
        ),
        Case({"tags": ("Genre: Drama",)}, {"genre": ("Drama",)}, {"genre_rename": r"re:^genre: (.*)=\1"}),
        Case({"tags": ("Drama", "x")}, {"genre": ("Drama",)}, {"genre_rename": "x="}),
        Case({"tags": ("a",)} | PEOPLE, {"genre": ("a", "Tall")}, {"genre_performer_tags": True}),
    ),
    "Labels": (
        Case({"tags": ("a",), "organized": True}, {"label": ABSENT}),
        Case({"tags": ("Keep", "a")}, {"label": ("Keep",)}, {"label_tags": "keep"}),
        Case({"organized": True}, {"label": ("Organized",)}, {"label_organized": "Organized"}),
        Case({"organized": False}, {"label": ()}, {"label_organized": "Organized"}),
        Case({"more": Details(stash_ids=("x",))}, {"label": ("Identified",)}, {"label_stash_id": "Identified"}),
    ),
    "Actors, directors, writers": (
        Case(PEOPLE, {"actor": ("Zoe", "Bob", "Alex")}),
        Case(PEOPLE, {"actor": ("Zoe", "Alex")}, {"actor_genders": "female, unknown"}),
        Case(PEOPLE, {"actor": ("Bob", "Zoe", "Alex")}, {"actor_favorites_first": True}),
        Case(PEOPLE, {"actor": ("Alex", "Bob", "Zoe")}, {"actor_order": "name"}),
        Case(
            PEOPLE, {"actor": ("Bob", "Alex")}, {"actor_order": "name", "actor_favorites_first": True, "actor_limit": 2}
        ),
        Case({"director": "Jane Roe, Bob Doe, Jr."}, {"director": ("Jane Roe", "Bob Doe, Jr."), "writer": ABSENT}),
        Case({"director": "Jane Roe"}, {"writer": ("Jane Roe",)}, {"writer_field": "director"}),
        Case({"more": Details(custom_fields={"by": "Jane; Bob"})}, {"writer": ("Jane", "Bob")}, {"writer_field": "by"}),
        Case({"more": Details(custom_fields={"by": "Jane"})}, {"director": ("Jane",)}, {"director_field": "by"}),
    ),
    "Collections": (
        Case({"studio": "Acme"}, {"collection": ("Acme",)}),
        Case({"studio": "Acme"}, {"collection": ()}, {"collection_from": "none"}),
        Case(OWNED, {"collection": ("Acme East", "Acme")}, {"collection_from": "studio, parent_studio"}),
        Case(OWNED, {"collection": ("Studio: Acme East",)}, {"collection_prefix": "studio=Studio:"}),
        Case({"more": Details(groups=("Trilogy",))}, {"collection": ("Trilogy",)}, {"collection_from": "groups"}),
        Case({"performers": ("Zoe",)}, {"collection": ("Zoe",)}, {"collection_from": "performers"}),
        Case({"tags": ("a", "b")}, {"collection": ("b",)}, {"collection_from": "tags", "collection_tags": "b"}),
        Case({"rating100": 1}, {"collection": ("1 star",)}, {"collection_from": "rating"}),
        Case({"rating100": 81}, {"collection": ("5 stars",)}, {"collection_from": "rating"}),
        Case({"rating100": None}, {"collection": ()}, {"collection_from": "rating"}),
        Case({"organized": True}, {"collection": ("Organized",)}, {"collection_from": "organized"}),
    ),
    "On and off": (
        Case({"title": "A"}, {"title": ABSENT, "titleSort": "A"}, {"fields_off": "title"}),
        Case({"tags": ("a",)}, {"genre": ABSENT, "userRating": ABSENT}, {"fields_off": "genres, user_rating"}),
    ),
}

FILTERS: tuple[Refused, ...] = (
    Refused({"organized": False}, {}),
    Refused({"organized": True}, {"filter_organized": True}),
    Refused({"organized": False}, {"filter_organized": True}, "It is not organized"),
    Refused({"more": Details(stash_ids=("x",))}, {"filter_stash_id": True}),
    Refused({}, {"filter_stash_id": True}, "It has no stash id"),
    Refused({"rating100": 80}, {"filter_min_rating": 80}),
    Refused({"rating100": 79}, {"filter_min_rating": 80}, "Its rating is too low"),
    Refused({"rating100": None}, {"filter_min_rating": 1}, "Its rating is too low"),
    Refused({"tags": ("Plex",)}, {"filter_tags": "plex"}),
    Refused({"tags": ("x",)}, {"filter_tags": "plex"}, "None of its tags is wanted"),
    Refused({"tags": ("Private",)}, {"filter_not_tags": "private"}, "One of its tags keeps it out"),
    Refused(PETS, {"filter_not_tags": "below:animal"}, "One of its tags keeps it out"),
    Refused(OWNED, {"filter_studios": "acme"}),
    Refused({"studio": None}, {"filter_studios": "acme"}, "Its studio is not wanted"),
    Refused(OWNED, {"filter_not_studios": "id:10"}, "Its studio keeps it out"),
    Refused({"files": "/v/films/a.mp4"}, {"filter_paths": "/v/films/"}),
    Refused({"files": "/v/filmstrips/a.mp4"}, {"filter_paths": "/v/films"}, "Its folder is not wanted"),
    Refused({"files": r"d:\Films\a.mp4"}, {"filter_paths": "D:/films"}),
    Refused({"files": "/v/x/clip 1.mp4"}, {"filter_not_paths": "re:/clip [0-9]+"}, "Its folder keeps it out"),
    Refused({"details": "x"}, {"filter_metadata": True}),
    Refused(
        {"title": " ", "details": "", "date": None, "performers": (), "tags": ()},
        {"filter_metadata": True},
        "Nothing but its file is known",
    ),
    Refused(
        {"unknown_fields": frozenset({"stash_ids"})},
        {"filter_stash_id": True},
        "This Stash does not tell what the setting",
    ),
)

WRONG: tuple[Wrong, ...] = (
    Wrong({"title_template": "{titel}"}, "Did you mean {title}?"),
    Wrong({"title_template": "{title"}, "a brace too many or too few"),
    Wrong({"title_template": "{title!r}"}, "which is no name"),
    Wrong({"tagline_template": "{}"}, "which is no name"),
    Wrong({"title_template": "x" * 501}, "longer than 500 characters"),
    Wrong({"genre_exclude": "re:("}, "is no regular expression"),
    Wrong({"genre_exclude": "re:"}, "says nothing behind re:"),
    Wrong({"genre_include": "id:x"}, "an id that is no number"),
    Wrong({"genre_include": "Drama; drama"}, "never decides anything"),
    Wrong({"genre_include": "drama", "genre_exclude": "drama"}, "which genre_include holds too"),
    Wrong({"genre_rename": "drama"}, "has no '='"),
    Wrong({"genre_rename": "re:^d=x; drama=y"}, "is never reached: a rule before it decides"),
    Wrong({"genre_rename": r"re:^d=\1"}, "a group that does not exist"),
    Wrong({"content_rating_tags": "a=R; A=X"}, "is never reached"),
    Wrong({"library": {"Films": {"genre_exclude": "re:("}}}, "The setting genre_exclude of the library Films"),
)
