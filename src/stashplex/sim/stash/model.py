"""The things that a simulated Stash keeps: scenes, files, folders, markers, performers, studios, tags and so on.

Plain slotted objects with references to each other; attribute names are the GraphQL field names, so that most
fields need no resolver. No rule lives here. Lists are tuples: unset ones are shared and cost nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Picture = bytes | Callable[[], bytes | None] | None


@dataclass(slots=True, frozen=True)
class StashID:
    """A link to an entry of a stash-box."""

    endpoint: str
    stash_id: str
    updated_at: str


@dataclass(slots=True, eq=False)
class Folder:
    """A directory that a scan has seen. Renaming it moves all its files without touching them."""

    id: int
    path: str
    created_at: str
    updated_at: str
    mod_time: str
    parent_folder: "Folder | None" = None

    @property
    def parent_folder_id(self) -> int | None:
        """The parent's id, under its old name."""
        return None if self.parent_folder is None else self.parent_folder.id


@dataclass(slots=True, eq=False)
class VideoFile:
    """One file. Shape: `more_prints` holds fingerprints other than oshash as (type, value)."""

    id: int
    parent_folder: Folder
    basename: str
    size: int
    duration: float
    oshash: str
    mod_time: str
    created_at: str
    updated_at: str
    width: int = 1920
    height: int = 1080
    frame_rate: float = 25.0
    bit_rate: int = 4_000_000
    video_codec: str = "h264"
    audio_codec: str = "aac"
    format: str = "mp4"
    more_prints: tuple[tuple[str, str], ...] = ()

    zip_file = None

    @property
    def path(self) -> str:
        """The full path as Stash sees it."""
        return f"{self.parent_folder.path}/{self.basename}"

    @property
    def parent_folder_id(self) -> int:
        """The folder's id, under its old name."""
        return self.parent_folder.id

    @property
    def fingerprints(self) -> list[dict[str, str]]:
        """All fingerprints, oshash first."""
        prints = [{"type": "oshash", "value": self.oshash}] if self.oshash else []
        return prints + [{"type": kind, "value": value} for kind, value in self.more_prints]

    def fingerprint_of(self, kind: str) -> str | None:
        """Return one fingerprint, or None."""
        return next((p["value"] for p in self.fingerprints if p["type"] == kind), None)


@dataclass(slots=True, eq=False)
class Tag:
    """A tag. `children` is kept in step by the library."""

    id: int
    name: str
    created_at: str
    updated_at: str
    sort_name: str = ""
    description: str = ""
    aliases: tuple[str, ...] = ()
    parents: "tuple[Tag, ...]" = ()
    children: "tuple[Tag, ...]" = ()
    favorite: bool = False
    ignore_auto_tag: bool = False
    stash_ids: tuple[StashID, ...] = ()
    image: Picture = None


@dataclass(slots=True, eq=False)
class Studio:
    """A studio. `child_studios` is kept in step by the library."""

    id: int
    name: str
    created_at: str
    updated_at: str
    urls: tuple[str, ...] = ()
    details: str = ""
    parent_studio: "Studio | None" = None
    child_studios: "tuple[Studio, ...]" = ()
    aliases: tuple[str, ...] = ()
    tags: tuple[Tag, ...] = ()
    rating100: int | None = None
    favorite: bool = False
    ignore_auto_tag: bool = False
    stash_ids: tuple[StashID, ...] = ()
    image: Picture = None


@dataclass(slots=True, eq=False)
class Performer:
    """A performer."""

    id: int
    name: str
    created_at: str
    updated_at: str
    disambiguation: str = ""
    urls: tuple[str, ...] = ()
    gender: str | None = None
    birthdate: str | None = None
    death_date: str | None = None
    ethnicity: str = ""
    country: str = ""
    eye_color: str = ""
    hair_color: str = ""
    height_cm: int | None = None
    weight: int | None = None
    measurements: str = ""
    fake_tits: str = ""
    penis_length: float | None = None
    circumcised: str | None = None
    career_length: str = ""
    tattoos: str = ""
    piercings: str = ""
    alias_list: tuple[str, ...] = ()
    favorite: bool = False
    ignore_auto_tag: bool = False
    tags: tuple[Tag, ...] = ()
    stash_ids: tuple[StashID, ...] = ()
    rating100: int | None = None
    details: str = ""
    custom_fields: dict[str, Any] = field(default_factory=dict)
    image: Picture = None

    twitter = None
    instagram = None


@dataclass(slots=True, eq=False)
class Group:
    """A group (once called movie)."""

    id: int
    name: str
    created_at: str
    updated_at: str
    aliases: str = ""
    duration: int | None = None
    date: str | None = None
    rating100: int | None = None
    studio: Studio | None = None
    director: str = ""
    synopsis: str = ""
    urls: tuple[str, ...] = ()
    tags: tuple[Tag, ...] = ()
    front_image: Picture = None
    back_image: Picture = None

    containing_groups = ()
    sub_groups = ()


@dataclass(slots=True, eq=False)
class Gallery:
    """A gallery, without its images."""

    id: int
    title: str
    created_at: str
    updated_at: str
    code: str = ""
    urls: tuple[str, ...] = ()
    date: str | None = None
    details: str = ""
    photographer: str = ""
    rating100: int | None = None
    organized: bool = False
    studio: Studio | None = None
    tags: tuple[Tag, ...] = ()
    performers: tuple[Performer, ...] = ()

    image_count = 0


@dataclass(slots=True, eq=False)
class Marker:
    """A marked moment or span of a scene."""

    id: int
    scene: "Scene"
    title: str
    seconds: float
    primary_tag: Tag
    created_at: str
    updated_at: str
    end_seconds: float | None = None
    tags: tuple[Tag, ...] = ()


@dataclass(slots=True)
class Activity:
    """What was watched. Shape: histories are UTC texts, newest first."""

    play_history: tuple[str, ...] = ()
    o_history: tuple[str, ...] = ()
    resume_time: float = 0.0
    play_duration: float = 0.0


@dataclass(slots=True, frozen=True)
class Membership:
    """A scene's place in a group."""

    group: Group
    scene_index: int | None = None

    @property
    def movie(self) -> Group:
        """The group, under its old name."""
        return self.group


@dataclass(slots=True, eq=False)
class Scene:
    """A scene. `files[0]` is the primary file; `activity` is None until something was watched."""

    id: int
    created_at: str
    updated_at: str
    title: str = ""
    code: str = ""
    details: str = ""
    director: str = ""
    date: str | None = None
    rating100: int | None = None
    organized: bool = False
    urls: tuple[str, ...] = ()
    studio: Studio | None = None
    performers: tuple[Performer, ...] = ()
    tags: tuple[Tag, ...] = ()
    groups: tuple[Membership, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    files: tuple[VideoFile, ...] = ()
    scene_markers: tuple[Marker, ...] = ()
    stash_ids: tuple[StashID, ...] = ()
    cover: Picture = None
    activity: Activity | None = None

    interactive = False
    interactive_speed = None
    captions = None

    @property
    def movies(self) -> tuple[Membership, ...]:
        """The groups, under their old name."""
        return self.groups

    @property
    def play_history(self) -> tuple[str, ...]:
        """The plays, newest first."""
        return () if self.activity is None else self.activity.play_history

    @property
    def o_history(self) -> tuple[str, ...]:
        """The O's, newest first."""
        return () if self.activity is None else self.activity.o_history

    @property
    def play_count(self) -> int:
        """How many plays."""
        return len(self.play_history)

    @property
    def o_counter(self) -> int:
        """How many O's."""
        return len(self.o_history)

    @property
    def last_played_at(self) -> str | None:
        """The newest play, or None."""
        return self.play_history[0] if self.play_history else None

    @property
    def resume_time(self) -> float:
        """Where playing stopped, in seconds."""
        return 0.0 if self.activity is None else self.activity.resume_time

    @property
    def play_duration(self) -> float:
        """How long it was played in all, in seconds."""
        return 0.0 if self.activity is None else self.activity.play_duration


Entity = Scene | VideoFile | Tag | Studio | Performer | Group | Gallery | Marker
