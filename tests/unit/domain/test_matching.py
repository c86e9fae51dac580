"""An item belongs to a scene by the strongest evidence in its library, or a person is asked."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_file, a_link, a_part, a_scene, an_item
from stashplex.base.errors import MatchAmbiguous, PlexNotFound, SceneInvalid
from stashplex.domain.item import IndexedPart, RatingKey, SectionKey
from stashplex.domain.link import Evidence
from stashplex.domain.matching import Match, is_still_matched, match, wanted_names, wanted_paths
from stashplex.domain.pathmap import PathMap, name_key, parse_path_map, path_key
from stashplex.domain.scene import Scene

RULES = parse_path_map("/data=/media")
STRENGTH = list(Evidence)


def indexed(parts: Iterable[IndexedPart], key: Callable[[str], str]) -> dict[str, list[IndexedPart]]:
    index: dict[str, list[IndexedPart]] = {}
    for part in parts:
        index.setdefault(key(part.file), []).append(part)
    return index


def matched(scene: Scene, *parts: IndexedPart, path_map: PathMap = RULES) -> tuple[Match, ...]:
    return match(scene, path_map=path_map, by_path=indexed(parts, path_key), by_name=indexed(parts, name_key))


@pytest.mark.parametrize(
    ("path", "file", "evidence"),
    [
        ("/data/a.mp4", "/data/a.mp4", Evidence.EXACT_PATH),
        ("/data/a.mp4", "/data//a.mp4", Evidence.EXACT_PATH),
        ("/data/Zoe\u0308.mp4", "/data/Zo\u00eb.mp4", Evidence.EXACT_PATH),
        ("D:\\v\\100% 'x' 日本 😀.mp4", "d:/v/100% 'x' 日本 😀.mp4", Evidence.EXACT_PATH),
        ("/data/a.mp4", "/media/a.mp4", Evidence.MAPPED_PATH),
        ("/data/sub/a.mp4", "/elsewhere/A.MP4", Evidence.NAME_AND_SIZE),
    ],
)
def test_one_item_is_found_by_its_evidence(path: str, file: str, evidence: Evidence) -> None:
    assert matched(a_scene(files=(a_file(path),)), a_part(file)) == (
        Match(RatingKey("812"), SectionKey("5"), evidence, file),
    )


def test_a_part_of_the_name_is_not_the_name() -> None:
    with pytest.raises(PlexNotFound):
        matched(a_scene(files=(a_file("/data/a.mp4"),)), a_part("/elsewhere/aa.mp4"))


@pytest.mark.parametrize(("in_stash", "in_plex"), [(1_000, 1_001), (None, 1_000), (1_000, None), (None, None), (0, 0)])
def test_a_name_alone_is_no_evidence(in_stash: int | None, in_plex: int | None) -> None:
    scene = a_scene(files=(a_file("/data/a.mp4", size=in_stash),))
    with pytest.raises(PlexNotFound):
        matched(scene, a_part("/elsewhere/a.mp4", size=in_plex))


def test_any_file_of_a_scene_may_match() -> None:
    scene = a_scene(files=(a_file("/data/1.mp4"), a_file("/data/2.mp4"), a_file("/data/3.mp4")))
    assert [found.file for found in matched(scene, a_part("/data/2.mp4"))] == ["/data/2.mp4"]


def test_several_files_on_one_item_are_one_match_by_the_primary_file() -> None:
    scene = a_scene(files=(a_file("/data/2.mp4"), a_file("/data/1.mp4")))
    assert [found.file for found in matched(scene, a_part("/data/1.mp4"), a_part("/data/2.mp4"))] == ["/data/2.mp4"]


def test_a_scene_in_two_libraries_has_two_matches() -> None:
    other = a_part("/media/a.mp4", rating_key=RatingKey("9"), section=SectionKey("3"))
    found = matched(a_scene(), a_part(), other)
    assert [(one.section, one.rating_key, one.evidence) for one in found] == [
        ("3", "9", Evidence.MAPPED_PATH),
        ("5", "812", Evidence.EXACT_PATH),
    ]


def test_two_files_of_one_name_each_find_their_own_item() -> None:
    parts = [a_part(f"/media/{studio}/scene1.mp4", rating_key=RatingKey(studio)) for studio in ("x", "y")]
    for studio in ("x", "y"):
        scene = a_scene(files=(a_file(f"/data/{studio}/scene1.mp4"),))
        assert [found.rating_key for found in matched(scene, *parts)] == [studio]


@pytest.mark.parametrize(
    "files",
    [("/data/a.mp4", "/data/a.mp4"), ("/media/a.mp4", "/media/a.mp4"), ("/x/a.mp4", "/y/a.mp4")],
    ids=STRENGTH,
)
def test_two_items_in_one_library_are_a_persons_decision(files: tuple[str, str]) -> None:
    with pytest.raises(MatchAmbiguous) as raised:
        matched(a_scene(), a_part(files[0], rating_key=RatingKey("1")), a_part(files[1], rating_key=RatingKey("2")))
    assert f"item 1 ({files[0]}), item 2 ({files[1]})" in str(raised.value)
    assert "library 5" in str(raised.value)
    assert raised.value.hint


def test_two_files_on_two_items_of_one_library_are_a_persons_decision() -> None:
    scene = a_scene(files=(a_file("/data/1.mp4"), a_file("/data/2.mp4")))
    with pytest.raises(MatchAmbiguous):
        matched(scene, a_part("/data/1.mp4"), a_part("/data/2.mp4", rating_key=RatingKey("2")))


def test_weaker_doubles_do_not_disturb_a_stronger_match() -> None:
    doubles = [a_part(f"/{folder}/a.mp4", rating_key=RatingKey(folder)) for folder in ("x", "y")]
    assert [found.rating_key for found in matched(a_scene(), *doubles, a_part())] == ["812"]


def test_not_found_names_the_paths_as_plex_would_spell_them() -> None:
    with pytest.raises(PlexNotFound) as raised:
        matched(a_scene(files=(a_file("/data/a.mp4"), a_file("/other/b.mp4"))))
    assert "/data/a.mp4, /media/a.mp4, /other/b.mp4" in str(raised.value)
    assert "path map" in raised.value.hint


def test_a_message_names_a_bounded_number_of_paths() -> None:
    with pytest.raises(PlexNotFound, match=r"/x/4\.mp4 and 95 more"):
        matched(a_scene(files=tuple(a_file(f"/x/{number}.mp4") for number in range(100))))


def test_a_scene_without_files_is_invalid() -> None:
    with pytest.raises(SceneInvalid) as raised:
        matched(a_scene(files=()), a_part())
    assert raised.value.hint


def test_the_wanted_keys_of_a_scene_are_those_of_all_its_files() -> None:
    scene = a_scene(files=(a_file("/data//A.mp4"), a_file("D:\\v\\b.mp4")))
    assert wanted_paths(scene, RULES) == {"/data/A.mp4", "/media/A.mp4", "D:/v/b.mp4"}
    assert wanted_names(scene) == {"a.mp4", "b.mp4"}


PATHS = st.builds("{}/{}.mp4".format, st.sampled_from(["/data", "/media", "/x"]), st.sampled_from("ab"))
PARTS = st.lists(
    st.builds(
        a_part,
        PATHS,
        rating_key=st.sampled_from("123").map(RatingKey),
        section=st.sampled_from("56").map(SectionKey),
        size=st.sampled_from([None, 1_000, 2_000]),
    ),
    max_size=8,
)
SCENES = st.lists(PATHS.map(a_file), min_size=1, max_size=3, unique=True).map(lambda files: a_scene(files=tuple(files)))


def evidence_of(scene: Scene, part: IndexedPart) -> Evidence | None:
    """The strongest evidence of one part, told without any index."""
    paths = {file.path for file in scene.files}
    if part.file in paths:
        return Evidence.EXACT_PATH
    if part.file in {RULES.to_plex(path) for path in paths}:
        return Evidence.MAPPED_PATH
    named = {path.rpartition("/")[2] for path in paths}
    return Evidence.NAME_AND_SIZE if part.size == 1_000 and part.file.rpartition("/")[2] in named else None


@given(SCENES, PARTS)
def test_each_library_is_decided_by_its_strongest_evidence_alone(scene: Scene, parts: list[IndexedPart]) -> None:
    best: dict[SectionKey, Evidence] = {}
    for part in parts:
        evidence = evidence_of(scene, part)
        if evidence is not None:
            best[part.section] = min(best.get(part.section, evidence), evidence, key=STRENGTH.index)
    items = {
        section: {
            part.rating_key for part in parts if part.section == section and evidence_of(scene, part) is strongest
        }
        for section, strongest in best.items()
    }
    try:
        found = matched(scene, *parts)
    except PlexNotFound:
        assert not best
    except MatchAmbiguous:
        assert any(len(keys) > 1 for keys in items.values())
    else:
        assert {(one.section, one.evidence) for one in found} == set(best.items())
        assert {one.section: {one.rating_key} for one in found} == items


@given(SCENES, PARTS)
def test_indexes_of_the_wanted_keys_are_enough(scene: Scene, parts: list[IndexedPart]) -> None:
    paths, names = wanted_paths(scene, RULES), wanted_names(scene)
    by_path = {key: some for key, some in indexed(parts, path_key).items() if key in paths}
    by_name = {key: some for key, some in indexed(parts, name_key).items() if key in names}
    try:
        found = matched(scene, *parts)
    except (PlexNotFound, MatchAmbiguous) as error:
        with pytest.raises(type(error)):
            match(scene, path_map=RULES, by_path=by_path, by_name=by_name)
    else:
        assert match(scene, path_map=RULES, by_path=by_path, by_name=by_name) == found


@pytest.mark.parametrize(
    ("files", "rating_key", "is_matched"),
    [
        (("/data/a.mp4",), "812", True),
        (("/data/other.mp4", "/data//a.mp4"), "812", True),
        (("/data/b.mp4",), "812", False),
        (("/data/A.mp4",), "812", False),
        ((), "812", False),
        (("/data/a.mp4",), "813", False),
    ],
)
def test_a_match_stands_only_while_the_item_shows_the_file(
    files: tuple[str, ...], rating_key: str, is_matched: bool
) -> None:
    item = an_item(files=files, rating_key=RatingKey(rating_key))
    assert is_still_matched(a_link(), item) is is_matched
    assert is_still_matched(matched(a_scene(), a_part())[0], item) is is_matched
