"""The catalogue keeps its promises: the same films everywhere, unique files, and the data's mess."""

import re

import pytest

from stashplex.sim.content.catalogue import DATA_COUNT, PLEX_ROOT, STASH_ROOT, Catalogue, Film
from stashplex.sim.content.record import read_date

WINDOWS_REFUSES = re.compile(r'[<>:"/\\|?*\x00-\x1f]|[. ]$')
WINDOWS_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


@pytest.fixture(scope="module")
def films() -> tuple[Film, ...]:
    return tuple(Catalogue())


@pytest.fixture(scope="module")
def many() -> tuple[Film, ...]:
    return tuple(Catalogue(count=3 * DATA_COUNT + 5))


def test_same_seed_gives_the_same_films() -> None:
    assert list(Catalogue(50, seed=7)) == list(Catalogue(50, seed=7))


def test_another_seed_gives_other_files_of_the_same_films() -> None:
    one, other = Catalogue(1, seed=1).film(1), Catalogue(1, seed=2).film(1)
    assert one.title == other.title
    assert one.oshash != other.oshash


@pytest.mark.parametrize("number", [1, 3201, 3202, 9000])
def test_a_film_is_the_same_whatever_the_count(number: int) -> None:
    assert Catalogue(number).film(number) == Catalogue(1_000_000).film(number)


def test_film_one_of_seed_zero_never_changes() -> None:
    film = Catalogue().film(1)
    assert (film.title, film.date, film.oshash) == ("The Land Girls", "1998-06-12", "6160953101bc2c9e")
    assert film.stash_path == "/data/films/Gramercy/The Land Girls (1998).mp4"


@pytest.mark.parametrize("number", [0, -1, 4])
def test_a_film_outside_the_catalogue_is_refused(number: int) -> None:
    with pytest.raises(IndexError):
        Catalogue(3).film(number)


def test_length_and_iteration_agree() -> None:
    assert [film.number for film in Catalogue(5)] == [1, 2, 3, 4, 5]
    assert len(Catalogue(1_000_000)) == 1_000_000


def test_paths_and_hashes_are_unique_even_where_case_is_ignored(many: tuple[Film, ...]) -> None:
    assert len({film.plex_path.casefold() for film in many}) == len(many)
    assert len({film.oshash for film in many}) == len(many)
    stems = {f"{film.folder}/{film.stem}".casefold() for film in many}
    assert len(stems) == len(many), "two files differ in nothing but their suffix"


def test_both_sides_name_one_file_under_their_own_root(films: tuple[Film, ...]) -> None:
    for film in films:
        assert film.stash_path.removeprefix(STASH_ROOT) == film.plex_path.removeprefix(PLEX_ROOT)


def test_file_names_are_valid_on_windows(many: tuple[Film, ...]) -> None:
    names = {film.folder for film in many} | {film.file_name for film in many}
    assert [name for name in names if WINDOWS_REFUSES.search(name) or WINDOWS_RESERVED.match(name)] == []
    assert max(len(name.encode()) for name in names) < 200


@pytest.mark.parametrize("mark", ["'", "&", "%", "ü", "[", "#", "+", "東", "{"])
def test_some_file_names_hold_characters_that_programs_trip_over(films: tuple[Film, ...], mark: str) -> None:
    assert any(mark in film.file_name for film in films)


def test_some_films_share_a_base_name(films: tuple[Film, ...]) -> None:
    assert sum(film.stem == "feature" for film in films) > 10


def test_the_mess_of_the_data_is_kept(films: tuple[Film, ...]) -> None:
    assert sum(film.title.isdecimal() for film in films) == 9
    assert sum(film.title == "" for film in films) == 1
    assert 0.40 < sum(film.director == "" for film in films) / len(films) < 0.43
    assert sum(film.studio is None for film in films) == 232
    assert sum(film.rating100 is None for film in films) == 213
    assert sum(film.date is None for film in films) == 8
    assert 50 < sum(film.date is not None and len(film.date) == 4 for film in films) < 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jun 12 1998", "1998-06-12"),
        ("Dec 31 2046", "1946-12-31"),
        ("Feb 08 2015", "1915-02-08"),
        ("Dec 23 2011", "2011-12-23"),
        ("Dec 31 1969", None),
        ("Dec 31 1941", "1942"),
        ("Feb 29 2000", "2000-02-29"),
        ("Feb 30 2000", None),
        ("1998", None),
        ("", None),
    ],
)
def test_odd_dates_are_read_with_care(text: str, expected: str | None) -> None:
    assert read_date(text) == expected


def test_values_stay_in_their_ranges(many: tuple[Film, ...]) -> None:
    for film in many:
        assert 2 <= len(film.performers) == len(set(film.performers)) <= 6
        assert len(film.tags) == len(set(film.tags)) <= 8
        assert film.rating100 is None or 0 <= film.rating100 <= 100
        assert 1_500 < film.duration_s < 15_000
        assert 10**8 < film.size < 10**11
        assert re.fullmatch(r"[0-9a-f]{16}", film.oshash)
        assert film.date is None or re.fullmatch(r"(19|20)\d\d(-\d\d-\d\d)?", film.date)


def test_most_films_have_more_than_two_tags(films: tuple[Film, ...]) -> None:
    counts = [len(film.tags) for film in films]
    assert sum(count > 2 for count in counts) > 0.85 * len(films)
    assert max(counts) == 8


def test_descriptions_are_sometimes_empty_and_sometimes_hard(films: tuple[Film, ...]) -> None:
    assert 0.03 < sum(film.details == "" for film in films) / len(films) < 0.1
    for mark in ("🎬", "『", '"', "<b>", "\n\n\n", "&"):
        assert any(mark in film.details for film in films)


def test_performers_are_made_up_and_some_have_accents(films: tuple[Film, ...]) -> None:
    performers = {name for film in films for name in film.performers}
    assert not performers & {film.director for film in films}
    assert any(not name.isascii() for name in performers)


def test_repeated_films_differ_from_the_first(many: tuple[Film, ...]) -> None:
    for first, second in zip(many[:DATA_COUNT], many[DATA_COUNT:], strict=False):
        assert second.title == (f"{first.title} (II)" if first.title else "")
        assert second.file_name != first.file_name or second.folder != first.folder
        assert second.year == first.year
