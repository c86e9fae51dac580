"""plexapi rates items and marks them as played."""

from typing import Any

import pytest
from plexapi.exceptions import BadRequest
from plexapi.server import PlexServer

from contract.plex.target import Target
from stashplex.sim.plex.app import PlexSim


def test_rating_is_set_and_reset(movie: Any) -> None:
    movie.rate(8.5)
    assert movie.reload().userRating == 8.5
    movie.rate(None)
    assert movie.reload().userRating is None


def test_played_items_count_their_plays_without_history(movie: Any) -> None:
    movie.markUnplayed()
    movie.markPlayed()
    movie.markPlayed()
    movie.reload()
    assert movie.viewCount == 2
    assert movie.lastViewedAt
    movie.markUnplayed()
    assert movie.reload().viewCount == 0


def test_real_plays_stand_in_the_history(sim: PlexSim, server: Any, movie: Any) -> None:
    assert movie.history() == []
    sim.add_play(str(movie.ratingKey))
    (row,) = movie.history()
    assert row.ratingKey == movie.ratingKey
    assert row.accountID == 1
    assert server.history()[0].title == movie.title


def test_each_account_has_its_own_views(sim: PlexSim, target: Target, movie: Any) -> None:
    movie.markPlayed()
    guest = PlexServer(target.url, sim.shared_token)
    assert guest.fetchItem(movie.ratingKey).viewCount == 0


def test_rating_beyond_ten_is_refused(server: Any, movie: Any) -> None:
    with pytest.raises(BadRequest):
        server.query(
            f"/:/rate?key={movie.ratingKey}&identifier=com.plexapp.plugins.library&rating=11",
            method=server._session.put,
        )
