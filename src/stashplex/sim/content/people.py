"""Performers, made up: the data names no actors, so first and last names of its directors are mixed.

Not real people: a mixture that happens to be a director of the data is left out. Invariant: the pool is the same in
every process and for every seed; the seed decides only who plays where.
"""

from functools import lru_cache
from typing import Final

POOL_SIZE: Final = 1_500
# Accents that the data lost, and letters that it never had: not translations.
_ACCENTS: Final = {
    "Almodovar": "Almodóvar",
    "Alfonso": "Alfonsó",
    "Cuaron": "Cuarón",
    "Del": "Désirée",
    "Hallstrom": "Hallström",
    "Inarritu": "Iñárritu",
    "Jose": "José",
    "Milos": "Miloš",
    "Rodriguez": "Rodríguez",
    "Francois": "François",
    "Bjorn": "Bjørn",
    "Renny": "René",
    "Andre": "André",
    "Jean-Pierre": "Zoë",
    "Lasse": "Åsa",
    "Bille": "Łukasz",
    "Andrei": "Андрей",
    "Akira": "明",
    "Chan-wook": "찬욱",
}
_TITLES: Final = frozenset({"Sir"})


@lru_cache(maxsize=1)
def list_performers(directors: tuple[str, ...]) -> tuple[str, ...]:
    """Return the pool of made-up performers. Shape: `POOL_SIZE` different names."""
    known = frozenset(directors)
    firsts, lasts = _names(directors)
    pool: dict[str, None] = {}
    step = 0
    while len(pool) < POOL_SIZE:
        first, last = firsts[step % len(firsts)], lasts[(step * 31 + step // len(firsts)) % len(lasts)]
        step += 1
        if f"{first} {last}" not in known and first != last:
            pool[f"{_ACCENTS.get(first, first)} {_ACCENTS.get(last, last)}"] = None
    return tuple(pool)


def _names(directors: tuple[str, ...]) -> tuple[list[str], list[str]]:
    split = [parts for name in directors if len(parts := name.replace('"', "").split()) > 1]
    firsts = {parts[0] for parts in split if parts[0] not in _TITLES and len(parts[0]) > 2}
    return sorted(firsts), sorted({parts[-1] for parts in split})
