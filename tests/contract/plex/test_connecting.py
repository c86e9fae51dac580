"""plexapi connects, sees sections and is refused where it should be."""

from typing import Any

import pytest
from plexapi.exceptions import BadRequest, NotFound, Unauthorized
from plexapi.server import PlexServer

from contract.plex.target import Target
from stashplex.sim.plex.app import PlexSim


def test_server_tells_who_it_is(server: Any) -> None:
    assert server.machineIdentifier == server.identity().machineIdentifier
    assert server.version.count(".") >= 3
    assert server.identity().claimed


def test_wrong_token_is_unauthorized(target: Target) -> None:
    with pytest.raises(Unauthorized):
        PlexServer(target.url, "no-such-token")


def test_section_tells_where_its_files_are(library: Any) -> None:
    assert library.type == "movie"
    assert library.locations
    assert library.uuid
    assert library.agent


def test_unknown_item_is_not_found(server: Any) -> None:
    with pytest.raises(NotFound):
        server.fetchItem(999_999_999)


def test_settings_tell_the_butlers_hours(server: Any) -> None:
    assert 0 <= server.settings.get("butlerStartHour").value <= 23
    assert {task.name for task in server.butlerTasks()} >= {"BackupDatabase", "OptimizeDatabase"}


def test_shared_user_reads_and_may_not_write(sim: PlexSim, target: Target) -> None:
    guest = PlexServer(target.url, sim.shared_token)
    movie = guest.library.section("Films").search(maxresults=1)[0]
    with pytest.raises((Unauthorized, BadRequest)):
        movie.editTitle("Mine")
    assert sim.item(str(movie.ratingKey)).title != "Mine"


def test_maintenance_is_an_error_that_names_it(sim: PlexSim, server: Any) -> None:
    sim.start_maintenance()
    with pytest.raises(BadRequest, match="Maintenance"):
        server.identity()
