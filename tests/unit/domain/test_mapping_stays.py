"""An upgrade rewrites nothing: with the settings of a newcomer the documents are those of the first release.

The digest was taken with the mapping as it was before there were any rules. If it differs, every scene of every library
would be written again: change the mapping so that it does not, or say in the changelog what will be rewritten.
"""

import hashlib
import json
from itertools import product

from builders import a_file, a_scene
from stashplex.domain.mapping import MappingOptions, desired

FIRST_RELEASE = "93dc6e3b7dac9ebf8fd124dde8e6013cf46bda3982d66778d1ca90686eeffa84"

TITLES = ("", "The Blue Door", " a\tb\x00 ", "x" * 300, "日本語 👩\u200d💻", "An {odd} 100% title")
DETAILS = ("", "One\r\n\r\nTwo  \n", "x" * 10_001)
PEOPLE = ((), ("Zoe\u0308", "ZO\u00cb", "b"), tuple(f"p{number}" for number in range(120)))
DATES = (None, "2020", "2020-02", "2020-13-40", "2020-02-29")
RATINGS = (None, 0, 1, 50, 99, 100, 101)
STUDIOS = (None, "Acme, Inc.")
DIRECTORS = ("", "Jane Roe, Bob Doe, Jr.; Joel & Ethan Coen")


def test_what_a_newcomer_sees_is_what_it_was() -> None:
    digest = hashlib.sha256()
    names = product(TITLES, DETAILS, PEOPLE, STUDIOS)
    numbers = product(DATES, RATINGS, DIRECTORS)
    scenes = [
        *(
            a_scene(title=title, details=details, performers=people, tags=people[::-1], studio=studio)
            for title, details, people, studio in names
        ),
        *(a_scene(date=date, rating100=rating, director=director) for date, rating, director in numbers),
        *(a_scene(title="", files=(a_file(path),)) for path in ("/v/The.Door.1080p.mp4", "/", "D:\\v\\[2020].mkv")),
    ]
    for scene in scenes:
        document = desired(scene, MappingOptions())
        texts = {str(name.value): text for name, text in document.texts.items()}
        lists = {str(name.value): some for name, some in document.tags.items()}
        digest.update(json.dumps([texts, lists], sort_keys=True).encode())
    assert digest.hexdigest() == FIRST_RELEASE
