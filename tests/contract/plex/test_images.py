"""plexapi uploads, lists, selects and removes posters and backgrounds."""

from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest
from plexapi.exceptions import BadRequest

from contract.plex.target import eventually
from stashplex.sim.plex.app import PlexSim
from stashplex.sim.plex.imagestore import PLACEHOLDER


@pytest.fixture
def picture(tmp_path: Path) -> tuple[Path, str]:
    """A small PNG that no other test uploads, and its SHA-1."""
    path = tmp_path / "poster.png"
    image = PLACEHOLDER + str(tmp_path).encode()
    path.write_bytes(image)
    return path, sha1(image, usedforsecurity=False).hexdigest()


def selected(candidates: list[Any]) -> list[str]:
    return [candidate.ratingKey for candidate in candidates if candidate.selected]


@pytest.mark.parametrize(("upload", "candidates"), [("uploadPoster", "posters"), ("uploadArt", "arts")])
def test_uploaded_bytes_are_a_selected_candidate_named_by_their_hash(
    movie: Any, picture: tuple[Path, str], upload: str, candidates: str
) -> None:
    path, digest = picture
    getattr(movie, upload)(filepath=str(path))
    found = eventually(lambda: [key for key in selected(getattr(movie, candidates)()) if key.endswith(digest)])
    assert len(found) == 1
    assert found[0].startswith("upload://")


def test_same_bytes_twice_are_one_candidate(movie: Any, picture: tuple[Path, str]) -> None:
    path, digest = picture
    movie.uploadPoster(filepath=str(path))
    movie.uploadPoster(filepath=str(path))
    assert len([poster for poster in movie.posters() if poster.ratingKey.endswith(digest)]) == 1


def test_selection_goes_back_to_another_candidate(sim: PlexSim, movie: Any, picture: tuple[Path, str]) -> None:
    movie.uploadPoster(filepath=str(picture[0]))
    first = movie.posters()[0]
    assert not first.selected
    movie.setPoster(first)
    assert selected(movie.posters()) == [first.ratingKey]


def test_upload_by_url_is_downloaded_by_the_server(sim: PlexSim, movie: Any) -> None:
    sim.put_web("https://img.example.org/a.png", PLACEHOLDER)
    movie.uploadPoster(url="https://img.example.org/a.png")
    digest = sha1(PLACEHOLDER, usedforsecurity=False).hexdigest()
    assert selected(movie.posters()) == [f"upload://posters/{digest}"]


def test_url_that_is_not_there_is_an_error(sim: PlexSim, movie: Any) -> None:
    with pytest.raises(BadRequest):
        movie.uploadPoster(url="https://img.example.org/missing.png")


def test_shown_picture_is_the_uploaded_one(server: Any, movie: Any, picture: tuple[Path, str]) -> None:
    movie.uploadPoster(filepath=str(picture[0]))
    movie.reload()
    answer = server._session.get(server.url(movie.thumb, includeToken=True), timeout=10)
    assert answer.content == picture[0].read_bytes()


def test_lock_of_a_poster_is_a_lock_like_others(movie: Any) -> None:
    movie.lockPoster()
    assert "thumb" in {field.name for field in movie.reload().fields}
    movie.unlockPoster()
    assert "thumb" not in {field.name for field in movie.reload().fields}
