"""Roman numerals are the well-known ones."""

import pytest

from stashplex.sim.content.numeral import roman


@pytest.mark.parametrize(
    ("number", "text"), [(1, "I"), (2, "II"), (4, "IV"), (9, "IX"), (313, "CCCXIII"), (1994, "MCMXCIV")]
)
def test_numerals(number: int, text: str) -> None:
    assert roman(number) == text


def test_different_numbers_give_different_numerals() -> None:
    assert len({roman(number) for number in range(1, 4_000)}) == 3_999
