"""Posters are real pictures, the same each time, and different for each film."""

from io import BytesIO

import pytest
from PIL import Image

from stashplex.sim.content.catalogue import Catalogue, Film
from stashplex.sim.content.poster import poster_cheap, poster_jpeg, svg_placeholder, truncated_jpeg


def a_film(number: int = 1) -> Film:
    return Catalogue(5_000).film(number)


@pytest.mark.parametrize("number", [1, 22, 86, 3054, 5000])
def test_a_drawn_poster_is_a_jpeg_of_the_promised_size(number: int) -> None:
    packed = poster_jpeg(a_film(number))
    with Image.open(BytesIO(packed)) as image:
        image.load()
        assert (image.format, image.size) == ("JPEG", (400, 600))
    assert 15_000 < len(packed) < 60_000


def test_posters_are_the_same_each_time() -> None:
    assert poster_jpeg(a_film()) == poster_jpeg(a_film())
    assert poster_cheap(a_film()) == poster_cheap(a_film())


def test_posters_of_different_films_differ() -> None:
    films = list(Catalogue(20))
    assert len({poster_jpeg(film) for film in films}) == len(films)


def test_cheap_posters_are_small_valid_and_unique() -> None:
    packed = [poster_cheap(film) for film in Catalogue(2_000)]
    assert len(set(packed)) == len(packed)
    assert max(map(len, packed)) < 4_000
    with Image.open(BytesIO(packed[-1])) as image:
        image.load()
        assert image.format == "JPEG"


def test_a_truncated_poster_opens_but_does_not_load() -> None:
    with Image.open(BytesIO(truncated_jpeg(a_film()))) as image, pytest.raises(OSError, match="truncated"):
        image.load()


def test_the_placeholder_is_not_a_picture_that_pillow_knows() -> None:
    assert svg_placeholder().startswith(b"<svg")
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(BytesIO(svg_placeholder()))
