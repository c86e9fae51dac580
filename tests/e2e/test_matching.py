"""The commands about matching, as people and scripts call them."""

import json
from typing import Any

import pytest

from programs import Environment, Servers, command
from stashplex.sim.content.catalogue import Catalogue

pytestmark = pytest.mark.e2e


def told(environment: Environment, *arguments: str, code: int = 0) -> Any:
    result = command(environment, *arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_a_match_is_shown_to_people_and_to_scripts(environment: Environment) -> None:
    picture = told(environment, "match", "2")
    (match,) = picture["matches"]
    assert (match["evidence"], match["file"]) == ("mapped_path", Catalogue().film(2).plex_path)
    assert [one["verdict"] for one in picture["candidates"]] == ["this is it"]
    shown = command(environment, "match", "2")
    for part in ("mapped_path", match["item"], "this is it"):
        assert part in shown.stdout


def test_a_wrong_path_map_is_made_up_for_by_name_and_size_and_no_such_scene_is_said(environment: Environment) -> None:
    lost = {**environment, "STASHPLEX_PATH_MAP": "re:/=/nowhere/"}
    picture = told(lost, "match", "2")
    assert [match["evidence"] for match in picture["matches"]] == ["name_and_size"]
    assert command(lost, "match", "999").exit_code == 2


def test_pin_and_unpin_and_what_is_refused(servers: Servers, environment: Environment) -> None:
    edits = servers.plex_counts().get("edit", 0)
    item = told(environment, "match", "3")["matches"][0]["item"]
    pinned = told(environment, "pin", "2", item)
    assert pinned == {"scene": 2, "item": item, "library": pinned["library"], "files": [Catalogue().film(3).plex_path]}
    assert told(environment, "match", "2")["matches"][0]["evidence"] == "pinned"
    assert "pinned to scene 2" in json.dumps(told(environment, "match", "3", code=1))
    assert told(environment, "unpin", "2") == {"scene": 2, "unpinned": 1}
    assert told(environment, "match", "3")["matches"][0]["item"] == item
    for arguments in (("pin", "2", "999999"), ("pin", "2", "a b"), ("pin", "999", item)):
        result = command(environment, *arguments)
        assert result.exit_code == 2, result.output
        assert "hint" in result.stderr
    assert servers.plex_counts().get("edit", 0) == edits


def test_an_ignored_scene_is_listed_as_such(environment: Environment) -> None:
    assert told(environment, "ignore", "4") == {"scene": 4, "ignored": True, "changed": True}
    rows = told(environment, "unmatched")
    assert [(row["scene"], row["reason"]) for row in rows] == [(4, "ignored")]
    assert "ignored 1" in command(environment, "unmatched").stdout
    assert told(environment, "unignore", "4") == {"scene": 4, "ignored": False, "changed": True}
    assert told(environment, "unmatched", "--side", "plex") == []


def test_the_suggested_path_map_is_the_one_that_works(servers: Servers, environment: Environment) -> None:
    bare = {**environment, "STASHPLEX_PATH_MAP": ""}
    proposal = told(bare, "paths", "suggest")
    assert (proposal["found_without"], proposal["found_with"]) == (0, proposal["stash_files"])
    shown = command(bare, "paths", "suggest").stdout
    assert f"STASHPLEX_PATH_MAP='{proposal['path_map']}'" in shown
    path = Catalogue().film(2).stash_path
    tried = told({**bare, "STASHPLEX_PATH_MAP": proposal["path_map"]}, "paths", "test", path)
    assert (tried["plex"], tried["comes_back"]) == (Catalogue().film(2).plex_path, True)
    assert [item["file"] for item in tried["items"]] == [Catalogue().film(2).plex_path]
    assert told(
        {**bare, "STASHPLEX_PATH_MAP": proposal["path_map"]}, "paths", "test", tried["plex"], "--side", "plex"
    ) == {
        **tried,
        "stash": path,
    }


def test_a_path_map_that_does_not_lead_back_is_said_with_an_example(environment: Environment) -> None:
    two = {**environment, "STASHPLEX_PATH_MAP": f"{environment['STASHPLEX_PATH_MAP']}; /other=/mnt/media/films"}
    result = command(two, "plan", "--scene", "2")
    assert result.exit_code == 0
    assert "/other/Example/Film.mp4 becomes /mnt/media/films/Example/Film.mp4" in result.stderr
    tried = told(two, "paths", "test", "/other/x.mp4")
    assert (tried["comes_back"], tried["items"]) == (False, [])
    assert "careful" in command(two, "paths", "test", "/other/x.mp4").stdout
