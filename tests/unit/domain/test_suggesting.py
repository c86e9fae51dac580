"""A path map is proposed from two lists of files, and what is proposed was tried on all of them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stashplex.domain.pathmap import PathRule, parse_path_map
from stashplex.domain.suggesting import EXAMPLES, KnownFile, propose

Folders = dict[str, str]


def both_sides(folders: Folders, each: int = 50, seed: int = 1) -> tuple[list[KnownFile], list[KnownFile]]:
    """Return files below folders of Stash and what Plex shows of them."""
    chance = random.Random(seed)
    stash, plex = [], []
    for here, there in folders.items():
        for number in range(each):
            tail = f"studio {number % 7}/film {chance.randrange(10**9)}.mp4"
            size = chance.randrange(1, 10**10)
            for side, folder in ((stash, here), (plex, there)):
                separator = "\\" if "\\" in folder else "/"
                side.append(KnownFile(folder + separator + tail.replace("/", separator), size))
    chance.shuffle(plex)
    return stash, plex


@pytest.mark.parametrize(
    ("folders", "setting"),
    [
        ({"/data": "/data"}, ""),
        ({"/data": "/mnt/media"}, "/data=/mnt/media"),
        ({"/data/films": "/mnt/media/films", "/data/clips": "/mnt/media/clips"}, "/data=/mnt/media"),
        ({"/a": "/b", "/b": "/a"}, "/a=/b; /b=/a"),
        (
            {"/data/films": "/mnt/one/films", "/data/clips": "/mnt/two/clips"},
            "/data/clips=/mnt/two/clips; /data=/mnt/one",
        ),
        ({"/data": "/mnt", "/same": "/same"}, "/data=/mnt"),
        ({"D:\\videos": "/mnt/v"}, "D:\\videos=/mnt/v"),
        ({"/mnt/v": "D:\\videos"}, "/mnt/v=D:\\videos"),
        ({"\\\\nas\\share": "/volume1/share"}, "\\\\nas=/volume1"),
        ({"/films": "/media/films"}, "/=/media"),
        ({"/data/Films": "/mnt/films"}, "/data/Films=/mnt/films"),
        ({"/data/Films": "Z:\\films"}, "/data=Z:"),
    ],
)
def test_the_rules_that_explain_the_files_are_found(folders: Folders, setting: str) -> None:
    proposal = propose(*both_sides(folders))
    assert sorted(proposal.setting.split("; ")) == sorted(setting.split("; "))
    assert (proposal.found, proposal.unexplained) == (50 * len(folders), 0)
    parse_path_map(proposal.setting)


def test_files_that_were_renamed_or_are_missing_do_not_disturb() -> None:
    stash, plex = both_sides({"/data": "/mnt/media"}, 200)
    moved = [
        KnownFile(f"/mnt/media/elsewhere/{number}/{file.path.rpartition('/')[2]}", file.size)
        for number, file in enumerate(plex[:5])
    ]
    proposal = propose([*stash, KnownFile("/data/only here.mp4", 7)], [*moved, *plex[5:150]])
    assert proposal.setting == "/data=/mnt/media"
    assert (proposal.found, proposal.witnesses, proposal.unexplained) == (145, 150, 5)
    assert len(proposal.doubts) == 5


def test_names_that_repeat_are_no_witnesses() -> None:
    stash = [KnownFile(f"/data/{studio}/scene1.mp4", 5) for studio in "abc"]
    plex = [KnownFile(f"/mnt/{studio}/scene1.mp4", 5) for studio in "abc"]
    proposal = propose(stash, plex)
    assert (proposal.witnesses, proposal.rules) == (0, ())


def test_a_folder_that_one_file_shows_is_no_rule() -> None:
    stash, plex = both_sides({"/data": "/data"}, 30)
    proposal = propose([*stash, KnownFile("/x/a.mp4", 9)], [*plex, KnownFile("/y/a.mp4", 9)])
    assert proposal.rules == ()
    assert proposal.unexplained == 1


def test_a_rule_that_spoils_more_than_it_explains_is_none() -> None:
    stash, plex = both_sides({"/data/mixed": "/mnt/mixed"}, 60)
    more_stash, more_plex = both_sides({"/data/mixed": "/x/mixed"}, 40, seed=2)
    proposal = propose([*stash, *more_stash], [*plex, *more_plex])
    assert proposal.found >= 60
    assert parse_path_map(proposal.setting).to_plex("/data/mixed/new/a.mp4") == "/mnt/mixed/new/a.mp4"


def test_nothing_on_a_side_is_no_rule() -> None:
    assert propose([], []).setting == ""
    assert propose([KnownFile("/a/b.mp4", 5)], []).found == 0


def test_each_rule_has_its_examples() -> None:
    folders = {"/data": "/mnt/media", "/other": "/srv/other", "/third": "/x"}
    proposal = propose(*both_sides(folders, 100))
    assert len(proposal.examples) == EXAMPLES
    assert {here.split("/")[1] for here, _ in proposal.examples} == {"data", "other", "third"}
    assert proposal.explained == (100, 100, 100)


FOLDERS = st.sampled_from(["/data", "/data/films", "/mnt", "/", "D:\\v", "\\\\nas\\share", "/Zo\u00eb"])


@given(st.dictionaries(FOLDERS, FOLDERS, max_size=3), st.integers(0, 5))
def test_what_is_proposed_explains_what_it_counts(folders: Folders, seed: int) -> None:
    stash, plex = both_sides(folders, 5, seed)
    proposal = propose(stash, plex)
    path_map = parse_path_map(proposal.setting)
    there = {file.path for file in plex}
    assert proposal.found >= proposal.found_before or proposal.rules
    for rule in proposal.rules:
        assert isinstance(rule, PathRule)
    for here, shown in proposal.examples:
        assert shown in there
        assert path_map.is_same_in_plex(path_map.place_of(here), shown)


@given(st.lists(st.tuples(st.text(), st.integers(0, 3))), st.lists(st.tuples(st.text(), st.integers(0, 3))))
def test_any_text_is_a_path(stash: list[tuple[str, int]], plex: list[tuple[str, int]]) -> None:
    propose([KnownFile(*one) for one in stash], [KnownFile(*one) for one in plex])
