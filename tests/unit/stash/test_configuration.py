"""What Stash holds for us is read whatever part of it is missing."""

import json

import pytest

from stashplex.stash.configuration import parse_configuration

TYPED = {"stashplex": {"plex_url": "http://plex:32400"}}
GENERAL = {"apiKey": "a-key", "stashes": [{"path": "/data"}, {}]}


@pytest.mark.parametrize(
    ("told", "api_key", "typed", "folders"),
    [
        ({"general": GENERAL, "plugins": TYPED}, "a-key", TYPED["stashplex"], ("/data",)),
        ({"general": {"apiKey": None, "stashes": None}, "plugins": TYPED}, "", TYPED["stashplex"], ()),
        ({"general": None, "plugins": TYPED | {"another": []}}, "", TYPED["stashplex"], ()),
        ({"general": GENERAL, "plugins": None}, "a-key", {}, ("/data",)),
        ({"general": GENERAL, "plugins": {"stashplex": []}}, "a-key", {}, ("/data",)),
    ],
)
def test_what_is_missing_is_nothing(
    told: object, api_key: str, typed: dict[str, object], folders: tuple[str, ...]
) -> None:
    found = parse_configuration(json.dumps({"data": {"configuration": told}}).encode())
    assert (found.api_key, found.typed, found.folders) == (api_key, typed, folders)
