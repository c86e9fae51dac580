"""The settings that Stash's page shows: name, kind and description of each, for the manifest of the plugin.

Stash sorts them by key, knows no default and no secret, and shows a switch that was never touched as off and such a
number as 0. So numbers, and what is on by default, are texts here (empty means the default), defaults stand in the
descriptions, and the names of what few people need start with "Advanced".
"""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from stashplex.base.config import Settings


class Kind(StrEnum):
    """The kinds of settings that are used; Stash knows NUMBER as well."""

    STRING = "STRING"
    BOOLEAN = "BOOLEAN"


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting as the manifest declares it."""

    key: str
    display_name: str
    kind: Kind
    description: str


_NAMES = {
    "plex_url": "Plex address",
    "plex_token": "Plex token",
    "plex_library": "Plex libraries",
    "path_map": "Path map",
    "match_by_name": "Match by file name alone",
    "poll_interval_s": "Seconds between two looks for changes",
    "sweep_schedule": "Look at every scene",
    "skip_not_found": "Skip what Plex does not have",
    "scan_on_not_found": "Let Plex scan for missing files",
    "watch_tasks": "Tasks wait and show progress",
    "service_url": "Address of a service elsewhere",
    "service_key": "Key of a service elsewhere",
    "plex_verify_tls": "Check Plex's certificate",
    "stash_verify_tls": "Check Stash's certificate",
    "live_hints": "Listen for news from both servers",
    "fields_off": "Fields to leave alone",
    "title_template": "Title",
    "sort_title_template": "Sort title",
    "sort_title_articles": "Sort title: articles",
    "original_title_template": "Original title",
    "tagline_template": "Tagline",
    "summary_links": "Summary: links below",
    "summary_limit": "Summary: most characters",
    "studio_level": "Studio: which one",
    "content_rating": "Content rating",
    "content_rating_tags": "Content rating by tag",
    "rating_to": "Rating: where it goes",
    "genre_include": "Genres: only these tags",
    "genre_exclude": "Genres: not these tags",
    "genre_rename": "Genres: other names",
    "genre_parents": "Genres: tags above tags",
    "genre_performer_tags": "Genres: tags of performers",
    "genre_limit": "Genres: most",
    "label_tags": "Labels: tags",
    "label_organized": "Labels: for organized scenes",
    "label_stash_id": "Labels: for scenes with a stash id",
    "actor_genders": "Actors: genders",
    "actor_order": "Actors: order",
    "actor_favorites_first": "Actors: favourites first",
    "actor_limit": "Actors: most",
    "director_field": "Directors: custom field",
    "writer_field": "Writers: custom field",
    "collection_from": "Collections: what for",
    "collection_prefix": "Collections: what stands before names",
    "collection_tags": "Collections: only these tags",
    "filter_organized": "Filter: only organized scenes",
    "filter_stash_id": "Filter: only with a stash id",
    "filter_metadata": "Filter: not without metadata",
    "filter_min_rating": "Filter: lowest rating",
    "filter_tags": "Filter: only these tags",
    "filter_not_tags": "Filter: not these tags",
    "filter_studios": "Filter: only these studios",
    "filter_not_studios": "Filter: not these studios",
    "filter_paths": "Filter: only these folders",
    "filter_not_paths": "Filter: not these folders",
    "edits_by_people": "What people change in Plex",
    "first_contact": "Items that were never synced",
    "lock_fields": "Lock the fields that are written",
    "respect_locks": "Respect locks of others",
    "destroyed": "Deleted scenes: what becomes of the item",
    "destroyed_label": "Deleted scenes: label",
    "stash_path_case": "Advanced: case in Stash's paths",
    "plex_path_case": "Advanced: case in Plex's paths",
    "retry_limit": "Advanced: retries",
    "retry_base_s": "Advanced: first wait before a retry",
    "retry_cap_s": "Advanced: longest wait before a retry",
    "not_found_limit": "Advanced: looks for a missing file",
    "not_found_base_s": "Advanced: first wait for a missing file",
    "not_found_cap_s": "Advanced: longest wait for a missing file",
    "failure_threshold": "Advanced: failures that open the circuit breaker",
    "recovery_timeout_s": "Advanced: wait before a probe",
    "dead_retention_days": "Advanced: days that dismissed dead letters are kept",
    "plex_writes_in_flight": "Advanced: writes to Plex at once",
    "plex_reads_in_flight": "Advanced: reads from Plex at once",
    "connect_timeout_s": "Advanced: connection timeout",
    "read_timeout_s": "Advanced: read timeout",
    "write_timeout_s": "Advanced: upload timeout",
}


def _shown(key: str, name: str, known: FieldInfo) -> ShownSetting:
    return ShownSetting(key, name, _kind(known), f"{known.description} {_default(known)}")


def _kind(known: FieldInfo) -> Kind:
    return Kind.BOOLEAN if known.annotation is bool and not known.default else Kind.STRING


def _default(known: FieldInfo) -> str:
    default = known.default
    if known.annotation is bool:
        return 'Default: on; type "off" to switch it off.' if default else "Default: off."
    if isinstance(default, SecretStr) or default in ("", ()):
        return "Default: empty."
    if isinstance(default, tuple):
        return f"Default: {', '.join(default)}."
    return f"Default: {default:g}." if isinstance(default, int | float) else f"Default: {default}."


SHOWN_IN_STASH: tuple[ShownSetting, ...] = tuple(
    _shown(key, name, Settings.model_fields[key]) for key, name in _NAMES.items() if key in Settings.model_fields
)
"""In the order in which a person meets them."""
