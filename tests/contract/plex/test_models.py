"""Answers decode with the models that were generated from the published OpenAPI description.

Where the description contradicts captured answers the captures win: it wants a `tag` in every `Rating`, and
JSON from actions, which answer empty text/html.
"""

from collections.abc import Iterator

import pytest
from plex_api_client import PlexAPI

from contract.plex.target import Target
from stashplex.sim.plex.app import PlexSim


@pytest.fixture
def api(target: Target) -> Iterator[PlexAPI]:
    """The generated client."""
    with PlexAPI(server_url=target.url, token=target.token) as api:
        yield api


@pytest.fixture
def section_id(api: PlexAPI, target: Target) -> str:
    """The key of the library to play with."""
    container = api.library.get_sections().object.media_container  # type: ignore[union-attr]
    return next(str(section.key) for section in container.directory if section.title == target.section)  # type: ignore[union-attr]


def test_identity_decodes(api: PlexAPI) -> None:
    identity = api.general.get_identity().object
    assert identity is not None
    assert identity.media_container is not None
    assert identity.media_container.machine_identifier


def test_sections_decode(api: PlexAPI, section_id: str) -> None:
    assert section_id.isdecimal()
    assert api.library.get_library_details(request={"section_id": section_id}).status_code == 200


def test_listing_decodes(api: PlexAPI, section_id: str) -> None:
    request = {"section_id": section_id, "include_guids": 1}
    container = api.content.list_content(request=request).media_container_with_metadata.media_container  # type: ignore[arg-type, union-attr]
    assert container is not None
    assert container.size is not None


def test_whole_items_decode(sim: PlexSim, api: PlexAPI) -> None:
    answer = api.content.get_metadata_item(request={"ids": ["1", "2"]})
    items = answer.media_container_with_metadata.media_container.metadata  # type: ignore[union-attr]
    assert items is not None
    assert [item.rating_key for item in items] == ["1", "2"]
    first = items[0]
    assert first.genre is not None
    assert [genre.tag for genre in first.genre] == ["Drama", "Outdoor", "Silent"]
    assert first.media is not None
    assert first.media[0].part is not None
    assert first.media[0].part[0].file == "/data/films/00/Film 00.mkv"


def test_settings_tasks_activities_and_history_decode(sim: PlexSim, api: PlexAPI) -> None:
    sim.add_play("1")
    assert api.preferences.get_all_preferences().status_code == 200
    assert api.butler.get_tasks().object.butler_tasks.butler_task  # type: ignore[union-attr]
    assert api.activities.list_activities().status_code == 200
    history = api.status.list_playback_history(request={}).object
    assert history is not None
    assert history.media_container is not None
    assert history.media_container.metadata is not None
    assert history.media_container.metadata[0].library_section_id == "1"


def test_collections_decode(sim: PlexSim, api: PlexAPI) -> None:
    sim.add_item(sim.world.sections[1], [("/data/films/x.mkv", 1, 1)], tags={"collection": ["Shelf"]})
    answer = api.library.get_collections(request={"section_id": 1})
    items = answer.media_container_with_metadata.media_container.metadata  # type: ignore[union-attr]
    assert items is not None
    assert [item.title for item in items] == ["Shelf"]
