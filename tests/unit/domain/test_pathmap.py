"""Paths are compared by one key and mapped by whole segments."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stashplex.base.errors import ConfigError
from stashplex.domain.pathmap import PathCase, PathMap, PathRule, name_key, parse_path_map, path_key
from stashplex.domain.pathpattern import PathPattern

PATHS = st.text(alphabet=st.sampled_from([*"aBe/\\.: ", "\u0301", "é", "日", "😀", "\u0345", "ß"]), max_size=20)
SEGMENTS = st.text(alphabet=st.sampled_from([*"aB .%", "é", "日", "😀"]), min_size=1, max_size=6)
TAILS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/data/a.mp4", "/data/a.mp4"),
        ("/data//sub///a.mp4", "/data/sub/a.mp4"),
        ("/data/", "/data"),
        ("/", "/"),
        ("", ""),
        ("D:\\v\\a.mp4", "D:/v/a.mp4"),
        ("d:\\v\\\\a.mp4", "D:/v/a.mp4"),
        ("C:\\", "C:"),
        ("\\\\nas\\share\\\\a.mp4", "//nas/share/a.mp4"),
        ("//nas/share/", "//nas/share"),
        ("///data/a.mp4", "/data/a.mp4"),
        ("/Data/A.MP4", "/Data/A.MP4"),
        ("/data/Zoe\u0308.mp4", "/data/Zo\u00eb.mp4"),
        ("/data/100% 'x' \"y\" 日本 😀.mp4", "/data/100% 'x' \"y\" 日本 😀.mp4"),
    ],
)
def test_path_key_has_one_spelling(path: str, key: str) -> None:
    assert path_key(path) == key


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/data/Clip.MP4", "clip.mp4"),
        ("D:\\v\\Straße.mp4", "strasse.mp4"),
        ("/data/ZOE\u0308.mp4", "zo\u00eb.mp4"),
        ("clip.mp4", "clip.mp4"),
        ("/", ""),
    ],
)
def test_name_key_is_the_folded_base_name(path: str, key: str) -> None:
    assert name_key(path) == key


@given(PATHS)
def test_a_key_is_its_own_key(path: str) -> None:
    assert path_key(path_key(path)) == path_key(path)
    assert name_key(name_key(path)) == name_key(path)


@given(PATHS)
def test_keys_ignore_unicode_form_and_separators(path: str) -> None:
    respelt = unicodedata.normalize("NFD", path).replace("/", "\\")
    assert path_key(respelt) == path_key(path)
    assert name_key(respelt) == name_key(path)


@pytest.mark.parametrize(
    ("rules", "path", "mapped"),
    [
        ("/data=/media", "/data/a.mp4", "/media/a.mp4"),
        ("/data=/media", "/data", "/media"),
        ("/data/=/media/", "/data//sub/a.mp4", "/media/sub/a.mp4"),
        ("/data=/media", "/database/a.mp4", None),
        ("/data=/media", "/x/data/a.mp4", None),
        ("/data=/media", "/DATA/a.mp4", None),
        ("/data=/media", "", None),
        ("/=/media", "/data/a.mp4", "/media/data/a.mp4"),
        ("/=/media", "//nas/share/a.mp4", None),
        ("/data=/", "/data/a.mp4", "/a.mp4"),
        ("D:\\v=/mnt/v", "d:\\v\\Sub\\a.mp4", "/mnt/v/Sub/a.mp4"),
        ("d:/v=/mnt/v", "D:\\v\\a.mp4", "/mnt/v/a.mp4"),
        ("D:\\v=/mnt/v", "D:\\videos\\a.mp4", None),
        ("D:\\v=/mnt/v", "E:\\v\\a.mp4", None),
        ("C:\\=/mnt/c", "C:\\a.mp4", "/mnt/c/a.mp4"),
        ("/mnt/v=D:\\v", "/mnt/v/sub/a.mp4", "D:\\v\\sub\\a.mp4"),
        ("/mnt/v=D:/v", "/mnt/v/sub/a.mp4", "D:/v/sub/a.mp4"),
        ("/mnt/c=C:\\", "/mnt/c/a.mp4", "C:\\a.mp4"),
        ("\\\\nas\\share=/mnt/s", "\\\\nas\\share\\a.mp4", "/mnt/s/a.mp4"),
        ("/mnt/s=\\\\nas\\share", "/mnt/s/a.mp4", "\\\\nas\\share\\a.mp4"),
        ("/mnt/s=//nas/share", "/mnt/s/a.mp4", "//nas/share/a.mp4"),
        ("/data/a=/x; /data=/y", "/data/a/f.mp4", "/x/f.mp4"),
        ("/data=/y; /data/a=/y/a", "/data/a/f.mp4", "/y/a/f.mp4"),
        ("D:\\V=/mnt/v", "d:\\v\\A.mp4", "/mnt/v/A.mp4"),
        ("//NAS/Films=/mnt/f", "\\\\nas\\films\\Straße.mp4", "/mnt/f/Straße.mp4"),
        ("/Data=/media", "/data/a.mp4", None),
        ("re:/disk(\\d)/=/mnt/d\\1/", "/disk3/sub/a.mp4", "/mnt/d3/sub/a.mp4"),
        ("re:/disk(\\d)/=/mnt/d\\1/", "/disks/a.mp4", None),
        ("re:/disk(\\d)/=/mnt/d\\1/", "/x/disk3/a.mp4", None),
        ("re:/(?P<who>[^/]+)/films/=/srv/\\g<who>/", "/ann/films/a=b.mp4", "/srv/ann/a=b.mp4"),
        ("re:/(?=a)=/m/", "/a.mp4", "/m/a.mp4"),
        ("re:/films/=D:/f/", "/films/a/b.mp4", "D:\\f\\a\\b.mp4"),
        ("/x=/y\nre:/a;b/=/c/\n", "/a;b/f.mp4", "/c/f.mp4"),
        ("/Zoe\u0308=/z", "/Zo\u00eb/a.mp4", "/z/a.mp4"),
        ("", "/data/a.mp4", None),
    ],
)
def test_to_plex_maps_whole_segments_by_the_first_rule_that_fits(rules: str, path: str, mapped: str | None) -> None:
    assert parse_path_map(rules).to_plex(path) == mapped


def test_to_stash_reads_the_rules_the_other_way() -> None:
    path_map = parse_path_map("/data=/media; D:\\v=/mnt/v")
    assert path_map.to_stash("/mnt/v/sub/a.mp4") == "D:\\v\\sub\\a.mp4"
    assert path_map.to_stash("/data/a.mp4") is None


@given(
    tail=TAILS,
    stash=st.sampled_from(["/data", "/", "D:\\v", "d:/v", "\\\\nas\\share", "//nas/share"]),
    plex=st.sampled_from(["/media", "/", "E:\\w", "e:/", "\\\\box\\films"]),
)
def test_a_path_comes_back_from_plex_as_it_went(tail: str, stash: str, plex: str) -> None:
    path_map = PathMap((PathRule(stash, plex),))
    path = f"{stash}/{tail}" if stash != "/" else f"/{tail}"
    there = path_map.to_plex(path)
    assert there is not None
    back = path_map.to_stash(there)
    assert back is not None
    assert path_key(back) == path_key(path)


@given(tail=TAILS, extra=SEGMENTS)
def test_a_prefix_never_fits_inside_a_segment(tail: str, extra: str) -> None:
    assert PathMap((PathRule("/data", "/media"),)).to_plex(f"/data{extra}/{tail}") is None


def test_parse_reads_rules_in_order_and_trims_blanks() -> None:
    path_map = parse_path_map("  /stash/videos = /plex/videos ;; D:\\v=/mnt/v ; ")
    assert path_map == PathMap((PathRule("/stash/videos", "/plex/videos"), PathRule("D:\\v", "/mnt/v")))


@pytest.mark.parametrize("text", ["", "  ", " ; ; "])
def test_parse_of_nothing_is_no_rules(text: str) -> None:
    assert parse_path_map(text) == PathMap()


@pytest.mark.parametrize(
    ("text", "offender"),
    [
        ("/ok=/fine; /data", "/data"),
        ("/a=/b=/c", "/a=/b=/c"),
        ("=/media", "=/media"),
        ("/data=", "/data="),
        ("data=/media", "data"),
        ("/data=media/x", "media/x"),
        ("C:data=/media", "C:data"),
        ("/data=/a; /data/=/b", "/data/"),
        ("D:\\v=/a; d:/v=/b", "d:/v"),
        ("/data=/y; /data/a=/x", "never reached"),
        ("/=/y; D:\\v=/v; d:/V/a=/x", "d:/V/a=/x"),
        ("re:/a(=/b", "re:"),
        ("re:=/b", "no pattern"),
        ("re:/a=", "no replacement"),
        ("re:/a", "no pattern"),
        ("re:/(a)=/\\2", "\\2"),
        ("re:/(?P<x>a)=/\\g<y>", "\\g<y>"),
        ("re:/(a)=C:\\videos", "backslash"),
        ("re:.*=/b", "every path"),
        ("re:" + "a" * 501 + "=/b", "500"),
    ],
)
def test_parse_names_the_rule_that_is_wrong_and_says_what_to_do(text: str, offender: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_path_map(text)
    assert offender in str(raised.value)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("rule", "there", "back"),
    [
        ("re:/disk(\\d)/=/mnt/d\\1/", "/mnt/d3/sub/a.mp4", "/disk3/sub/a.mp4"),
        ("re:^/(\\w+)/v1\\.0/(\\d+)$=/m/\\2/\\1", "/m/12/films", "/films/v1.0/12"),
        ("re:/(?P<who>[^/]+)/films/=/srv/\\g<who>/", "/srv/ann/a.mp4", "/ann/films/a.mp4"),
        ("re:/d(?:a|b)/=/m/", "/m/a.mp4", None),
        ("re:/d(\\d)+/=/m/\\1/", "/m/1/a.mp4", None),
        ("re:/d(\\d)/(\\d)/=/m/\\1/", "/m/1/a.mp4", None),
        ("re:/d(\\d)/=/m/\\1\\1/", "/m/11/a.mp4", None),
        ("re:/da?/=/m/", "/m/a.mp4", None),
        ("re:/d.ta/=/m/", "/m/a.mp4", None),
    ],
)
def test_a_pattern_leads_back_where_it_can(rule: str, there: str, back: str | None) -> None:
    assert parse_path_map(rule).to_stash(there) == back


def test_no_way_back_to_a_path_that_another_rule_takes() -> None:
    path_map = parse_path_map("/data/a=/x; /data=/m")
    assert path_map.to_stash("/x/f.mp4") == "/data/a/f.mp4"
    assert path_map.to_stash("/m/a/f.mp4") is None


@pytest.mark.parametrize(
    ("case", "path", "mapped"),
    [
        (PathCase.AUTO, "/DATA/A.mp4", None),
        (PathCase.IGNORE, "/DATA/A.mp4", "/media/A.mp4"),
        (PathCase.EXACT, "/data/A.mp4", "/media/A.mp4"),
    ],
)
def test_each_side_has_its_rule_for_case(case: PathCase, path: str, mapped: str | None) -> None:
    assert parse_path_map("/data=/media", stash_case=case).to_plex(path) == mapped
    assert parse_path_map("/media=/data", plex_case=case).to_stash(path) == mapped


DIGITS = st.integers(0, 99)


@given(tail=TAILS, number=DIGITS, text=st.sampled_from(["/disk(\\d+)/=/mnt/\\1/x/", "/(a|b)/(\\d+)/=/m-\\2/\\1/"]))
def test_a_path_comes_back_through_a_pattern(tail: str, number: int, text: str) -> None:
    path_map = parse_path_map(f"re:{text}")
    path = f"/disk{number}/{tail}" if "disk" in text else f"/b/{number}/{tail}"
    there = path_map.to_plex(path)
    assert there is not None
    back = path_map.to_stash(there)
    assert back is not None
    assert path_key(back) == path_key(path)


@given(st.text(), st.text(max_size=8))
def test_mapping_is_total_on_any_text(path: str, folder: str) -> None:
    for rules in ((PathRule("/data", "/m"),), (PathRule(f"/{folder}", "D:\\x"), PathPattern("/(.)/", "/x/\\1/"))):
        for case in PathCase:
            path_map = PathMap(rules, case, case)
            there = path_map.to_plex(path)
            back = None if there is None else path_map.to_stash(there)
            assert back is None or path_map.is_same_in_plex(path_map.to_plex(back) or "", there or "")
