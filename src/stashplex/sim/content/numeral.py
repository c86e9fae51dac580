"""Roman numerals, for the titles and files of repeated films.

Not for years or anything read back: they are only written. Invariant: different numbers give different numerals.
"""

from typing import Final

_STEPS: Final = (
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
)


def roman(number: int) -> str:
    """Return the numeral. Shape: number from 1; thousands are repeated as often as needed."""
    text = ""
    for value, letters in _STEPS:
        count, number = divmod(number, value)
        text += letters * count
    return text
