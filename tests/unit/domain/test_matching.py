"""An item belongs to a scene by the strongest evidence in its library, or a person is asked."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_file, a_link, a_part, a_scene, an_item
from stashplex.base.errors import MatchAmbiguous, PlexNotFound, SceneInvalid
from stashplex.domain.evidence import Owned, evidence_of, whole_books
from stashplex.domain.item import IndexedPart, RatingKey, SectionKey
from stashplex.domain.link import Evidence
from stashplex.domain.matching import Match, is_still_matched, judge, match, wanted_names, wanted_paths, weigh
from stashplex.domain.pathmap import PathMap, parse_path_map
from stashplex.domain.pin import Pin
from stashplex.domain.scene import Scene, SceneId

RULES = parse_path_map("/data=/media")
NO_RULES = PathMap()
STRENGTH = list(Evidence)


def owned(scenes: Iterable[Scene]) -> list[Owned]:
    return [Owned(scene.id, file) for scene in scenes for file in scene.files]


def matched(
    scene: Scene,
    *parts: IndexedPart,
    path_map: PathMap = RULES,
    others: Iterable[Scene] = (),
    pins: Iterable[Pin] = (),
    may_match_names: bool = False,
) -> tuple[Match, ...]:
    pinned: dict[SceneId, list[Pin]] = {}
    for pin in pins:
        pinned.setdefault(pin.scene_id, []).append(pin)
    books = whole_books(parts, owned([scene, *others]), path_map, pins=pinned, may_match_names=may_match_names)
    return match(scene, books)


def another(path: str, number: int = 7, **file: object) -> Scene:
    return a_scene(id=SceneId(number), files=(a_file(path, **file),))


@pytest.mark.parametrize(
    ("path", "file", "evidence"),
    [
        ("/videos/a.mp4", "/videos/a.mp4", Evidence.EXACT_PATH),
        ("/videos/a.mp4", "/videos//a.mp4", Evidence.EXACT_PATH),
        ("/videos/Zoe\u0308.mp4", "/videos/Zo\u00eb.mp4", Evidence.EXACT_PATH),
        ("D:\\v\\100% 'x' 日本 😀.mp4", "d:/v/100% 'x' 日本 😀.mp4", Evidence.EXACT_PATH),
        ("D:\\v\\Film.MP4", "d:/V/film.mp4", Evidence.EXACT_PATH),
        ("\\\\nas\\films\\a.mp4", "//NAS/Films/A.mp4", Evidence.EXACT_PATH),
        ("/data/a.mp4", "/media/a.mp4", Evidence.MAPPED_PATH),
        ("/data/a.mp4", "/data/a.mp4", Evidence.UNMAPPED_PATH),
        ("/data/sub/a.mp4", "/elsewhere/A.MP4", Evidence.NAME_AND_SIZE),
        ("/data/sub/a.mp4", "/media/sub/b.mp4", Evidence.SIZE_AND_DURATION),
    ],
)
def test_one_item_is_found_by_its_evidence(path: str, file: str, evidence: Evidence) -> None:
    assert matched(a_scene(files=(a_file(path),)), a_part(file)) == (
        Match(RatingKey("812"), SectionKey("5"), evidence, file),
    )


@pytest.mark.parametrize(
    ("part", "others", "is_found"),
    [
        (a_part("/elsewhere/a.mp4", size=2_000), (), True),
        (a_part("/elsewhere/a.mp4", size=None), (), True),
        (a_part("/elsewhere/aa.mp4", size=2_000), (), False),
        (a_part("/elsewhere/a.mp4", size=2_000), (another("/z/A.mp4", size=3_000),), False),
    ],
    ids=["another size", "no size", "another name", "another scene of that name"],
)
def test_a_name_alone_counts_only_where_it_is_allowed_and_unique(
    part: IndexedPart, others: tuple[Scene, ...], *, is_found: bool
) -> None:
    with pytest.raises(PlexNotFound):
        matched(a_scene(), part, others=others)
    if is_found:
        (found,) = matched(a_scene(), part, others=others, may_match_names=True)
        assert found.evidence is Evidence.NAME
    else:
        with pytest.raises(PlexNotFound):
            matched(a_scene(), part, others=others, may_match_names=True)


def test_a_name_that_two_items_have_is_not_unique() -> None:
    parts = [a_part(f"/x/{folder}/a.mp4", size=2_000, rating_key=RatingKey(folder)) for folder in "12"]
    with pytest.raises(PlexNotFound, match="the same name"):
        matched(a_scene(), *parts, may_match_names=True)


def test_swapped_mounts_never_match_the_path_as_it_is() -> None:
    swapped = parse_path_map("/a=/b; /b=/a")
    parts = [a_part(f"/{folder}/x.mp4", rating_key=RatingKey(folder)) for folder in "ab"]
    for here, there in (("a", "b"), ("b", "a")):
        (found,) = matched(a_scene(files=(a_file(f"/{here}/x.mp4"),)), *parts, path_map=swapped)
        assert (found.rating_key, found.evidence) == (there, Evidence.MAPPED_PATH)


def test_a_path_that_a_rule_puts_elsewhere_is_not_taken_from_the_scene_that_belongs_there() -> None:
    swapped = parse_path_map("/a=/b; /b=/a")
    there = another("/b/x.mp4")
    with pytest.raises(PlexNotFound, match=r"item 812 \(/a/x.mp4\) fits by unmapped_path, but it belongs to scene 7"):
        matched(a_scene(files=(a_file("/a/x.mp4"),)), a_part("/a/x.mp4"), path_map=swapped, others=[there])


def test_an_unmapped_path_of_another_size_is_another_file() -> None:
    with pytest.raises(PlexNotFound):
        matched(a_scene(), a_part("/data/a.mp4", size=2_000))


@pytest.mark.parametrize(
    ("here_s", "there_ms", "evidence"),
    [
        (60.0, 61_900, Evidence.NAME_AND_SIZE),
        (7_200.0, 7_260_000, Evidence.NAME_AND_SIZE),
        (60.0, 65_000, None),
        (None, 65_000, Evidence.NAME_AND_SIZE),
        (60.0, None, Evidence.NAME_AND_SIZE),
    ],
)
def test_a_duration_speaks_against_the_same_name_and_size(
    here_s: float | None, there_ms: int | None, evidence: Evidence | None
) -> None:
    part = a_part("/x/a.mp4", duration_ms=there_ms)
    assert evidence_of(a_file(duration_s=here_s), part, RULES, may_match_names=False) is evidence


@pytest.mark.parametrize(("here_s", "there_ms"), [(60.0, 62_000), (None, 60_000), (60.0, None), (None, None), (0.0, 0)])
def test_another_name_needs_the_same_size_and_duration(here_s: float | None, there_ms: int | None) -> None:
    with pytest.raises(PlexNotFound):
        matched(a_scene(files=(a_file(duration_s=here_s),)), a_part("/x/b.mp4", duration_ms=there_ms))


def test_an_item_goes_to_the_scene_that_fits_it_better() -> None:
    part = a_part("/media/b.mp4")
    renamed, owner = a_scene(), another("/data/b.mp4")
    with pytest.raises(PlexNotFound, match="it belongs to scene 7 by mapped_path"):
        matched(renamed, part, others=[owner])
    assert [one.evidence for one in matched(owner, part, others=[renamed])] == [Evidence.MAPPED_PATH]


def test_two_scenes_that_fit_one_item_equally_are_a_persons_decision() -> None:
    copy = another("/data/copy/a.mp4")
    for scene, other in ((a_scene(), copy), (copy, a_scene())):
        with pytest.raises(MatchAmbiguous, match=f"just as well scene {other.id}") as raised:
            matched(scene, a_part("/elsewhere/a.mp4"), others=[other])
        assert "pin" in raised.value.hint


def test_a_rival_that_has_an_item_of_its_own_is_none() -> None:
    copy = another("/data/copy/a.mp4")
    own = a_part("/media/copy/a.mp4", rating_key=RatingKey("1"))
    (found,) = matched(a_scene(), a_part("/elsewhere/a.mp4"), own, others=[copy])
    assert (found.rating_key, found.evidence) == ("812", Evidence.NAME_AND_SIZE)


def test_a_renamed_double_by_size_goes_to_the_one_that_is_not_found_otherwise() -> None:
    double = another("/data/b.mp4")
    parts = [a_part("/x/renamed.mp4"), a_part("/x/b.mp4", rating_key=RatingKey("1"))]
    assert [one.rating_key for one in matched(a_scene(), *parts, others=[double])] == ["812"]
    assert [one.rating_key for one in matched(double, *parts, others=[a_scene()])] == ["1"]


UNION = parse_path_map("/a=/m; /b=/m")


@pytest.mark.parametrize(
    ("mine", "theirs", "there", "ending"),
    [
        (1, 2, 1, "mine"),
        (1, 2, 2, "theirs"),
        (1, 1, 1, "tie"),
        (1, 2, 3, "tie"),
        (1, 2, None, "tie"),
        (None, 2, 2, "theirs"),
    ],
)
def test_two_folders_of_stash_that_are_one_in_plex_are_told_apart_by_size(
    mine: int | None, theirs: int, there: int | None, ending: str
) -> None:
    scene, other = another("/a/x.mp4", 1, size=mine), another("/b/x.mp4", 2, size=theirs)
    part = a_part("/m/x.mp4", size=there)
    if ending == "mine":
        assert matched(scene, part, others=[other], path_map=UNION)[0].evidence is Evidence.MAPPED_PATH
        return
    error = PlexNotFound if ending == "theirs" else MatchAmbiguous
    with pytest.raises(error, match="scene 2"):
        matched(scene, part, others=[other], path_map=UNION)
    assert matched(scene, part, path_map=UNION)


def a_pin(*files: str, rating_key: str = "812", scene: int = 42, section: str = "5") -> Pin:
    return Pin(SceneId(scene), SectionKey(section), RatingKey(rating_key), files)


def test_a_pin_is_stronger_than_everything() -> None:
    pinned = a_part("/other/z.mp4", rating_key=RatingKey("9"), size=5)
    (found,) = matched(a_scene(), a_part("/media/a.mp4"), pinned, pins=[a_pin("/other/z.mp4", rating_key="9")])
    assert (found.rating_key, found.evidence, found.file) == ("9", Evidence.PINNED, "/other/z.mp4")


def test_a_pin_follows_its_file_to_another_rating_key() -> None:
    shifted = [a_part("/other/z.mp4", rating_key=RatingKey("10")), a_part("/other/y.mp4", rating_key=RatingKey("9"))]
    (found,) = matched(a_scene(), *shifted, pins=[a_pin("/other/z.mp4", rating_key="9")])
    assert found.rating_key == "10"


def test_a_broken_pin_is_told_and_nothing_else_is_taken_in_its_library() -> None:
    others = [a_part("/media/a.mp4"), a_part("/other/y.mp4", rating_key=RatingKey("9"))]
    with pytest.raises(PlexNotFound, match="pinned to item 9 of library 5") as raised:
        matched(a_scene(), *others, pins=[a_pin("/other/z.mp4", rating_key="9")])
    assert raised.value.paths == ("/other/z.mp4",)
    assert "unpin 42" in raised.value.hint


def test_a_broken_pin_leaves_the_other_library_alone() -> None:
    elsewhere = a_part("/media/a.mp4", section=SectionKey("6"))
    judged = judge(
        a_scene(), whole_books([elsewhere], owned([a_scene()]), RULES, pins={SceneId(42): [a_pin("/other/z.mp4")]})
    )
    assert [one.section for one in judged.matches] == ["6"]
    assert [type(problem) for problem in judged.problems] == [PlexNotFound]


def test_an_item_that_is_pinned_to_another_scene_is_taken() -> None:
    with pytest.raises(PlexNotFound, match="it is pinned to scene 7"):
        matched(a_scene(), a_part("/media/a.mp4"), pins=[a_pin("/media/a.mp4", scene=7)])


def test_one_librarys_tie_leaves_the_other_library_alone() -> None:
    parts = [
        a_part("/media/a.mp4", rating_key=RatingKey(key), section=SectionKey(key[0])) for key in ("51", "52", "61")
    ]
    judged = judge(a_scene(), whole_books(parts, owned([a_scene()]), RULES))
    assert [one.rating_key for one in judged.matches] == ["61"]
    assert [type(problem) for problem in judged.problems] == [MatchAmbiguous]


def test_the_full_picture_shows_weaker_candidates_too() -> None:
    parts = [a_part("/media/a.mp4"), a_part("/x/a.mp4", rating_key=RatingKey("9"))]
    books = whole_books(parts, owned([a_scene()]), RULES)
    assert [one.evidence for one in weigh(a_scene(), books)] == [Evidence.MAPPED_PATH]
    full = [one.evidence for one in weigh(a_scene(), books, is_full=True)]
    assert full == [Evidence.MAPPED_PATH, Evidence.NAME_AND_SIZE]


def test_a_part_of_the_name_is_not_the_name() -> None:
    with pytest.raises(PlexNotFound):
        matched(a_scene(files=(a_file("/data/a.mp4"),)), a_part("/elsewhere/aa.mp4", duration_ms=None))


@pytest.mark.parametrize(("in_stash", "in_plex"), [(1_000, 1_001), (None, 1_000), (1_000, None), (None, None), (0, 0)])
def test_a_name_alone_is_no_evidence(in_stash: int | None, in_plex: int | None) -> None:
    scene = a_scene(files=(a_file("/data/a.mp4", size=in_stash),))
    with pytest.raises(PlexNotFound):
        matched(scene, a_part("/elsewhere/a.mp4", size=in_plex))


def test_any_file_of_a_scene_may_match() -> None:
    scene = a_scene(files=(a_file("/data/1.mp4"), a_file("/data/2.mp4"), a_file("/data/3.mp4")))
    assert [found.file for found in matched(scene, a_part("/data/2.mp4"), path_map=NO_RULES)] == ["/data/2.mp4"]


def test_several_files_on_one_item_are_one_match_by_the_primary_file() -> None:
    scene = a_scene(files=(a_file("/data/2.mp4"), a_file("/data/1.mp4")))
    parts = [a_part("/data/1.mp4"), a_part("/data/2.mp4")]
    assert [found.file for found in matched(scene, *parts, path_map=NO_RULES)] == ["/data/2.mp4"]


def test_a_scene_in_two_libraries_has_two_matches() -> None:
    other = a_part("/media/a.mp4", rating_key=RatingKey("9"), section=SectionKey("3"))
    found = matched(a_scene(), a_part(), other)
    assert [(one.section, one.rating_key, one.evidence) for one in found] == [
        ("3", "9", Evidence.MAPPED_PATH),
        ("5", "812", Evidence.UNMAPPED_PATH),
    ]


def test_two_files_of_one_name_each_find_their_own_item() -> None:
    parts = [a_part(f"/media/{studio}/scene1.mp4", rating_key=RatingKey(studio)) for studio in ("x", "y")]
    for studio in ("x", "y"):
        scene = a_scene(files=(a_file(f"/data/{studio}/scene1.mp4"),))
        assert [found.rating_key for found in matched(scene, *parts)] == [studio]


@pytest.mark.parametrize(
    "files",
    [
        ("/media/a.mp4", "/media/a.mp4"),
        ("/data/a.mp4", "/data/a.mp4"),
        ("/x/a.mp4", "/y/a.mp4"),
        ("/x/b.mp4", "/y/c.mp4"),
    ],
    ids=STRENGTH[2:6],
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
        matched(scene, a_part("/media/1.mp4"), a_part("/media/2.mp4", rating_key=RatingKey("2")))


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
SIZES = st.sampled_from([None, 1_000, 2_000])
PARTS = st.lists(
    st.builds(
        a_part,
        PATHS,
        rating_key=st.sampled_from("123").map(RatingKey),
        section=st.sampled_from("56").map(SectionKey),
        size=SIZES,
        duration_ms=st.sampled_from([None, 60_000, 90_000]),
    ),
    max_size=8,
)
FILES = st.builds(a_file, PATHS, size=SIZES, duration_s=st.sampled_from([None, 60.0]))
LISTS = st.lists(FILES, min_size=1, max_size=3, unique_by=lambda file: file.path).map(tuple)
SCENES = LISTS.map(lambda files: a_scene(files=files))
OTHERS = st.lists(LISTS, max_size=2).map(
    lambda found: [a_scene(id=SceneId(number), files=files) for number, files in enumerate(found, 1)]
)


def strongest(scene: Scene, parts: Iterable[IndexedPart], section: str) -> Evidence | None:
    """The strongest evidence in a library, told without any index."""
    found = [
        evidence
        for part in parts
        for file in scene.files
        if part.section == section and (evidence := evidence_of(file, part, RULES, may_match_names=True))
    ]
    return min(found, key=STRENGTH.index, default=None)


@given(SCENES, PARTS, OTHERS)
def test_weaker_evidence_is_never_taken_when_there_is_stronger(
    scene: Scene, parts: list[IndexedPart], others: list[Scene]
) -> None:
    books = whole_books(parts, owned([scene, *others]), RULES, may_match_names=True)
    judged = judge(scene, books)
    for found in judged.matches:
        mine = [part for part in parts if (part.rating_key, part.section) == (found.rating_key, found.section)]
        assert strongest(scene, mine, found.section) is not None
        theirs = {
            other.id: strongest(other, [part for part in mine if part.file == found.file], found.section)
            for other in others
        }
        if not found.evidence.is_by_place:
            for evidence in theirs.values():
                assert evidence is None or STRENGTH.index(evidence) >= STRENGTH.index(found.evidence)
    if not others:
        for found in judged.matches:
            best = strongest(scene, parts, found.section)
            assert found.evidence is best or best is Evidence.NAME


@given(SCENES, PARTS, OTHERS)
def test_two_scenes_never_get_one_file_by_less_than_a_place(
    scene: Scene, parts: list[IndexedPart], others: list[Scene]
) -> None:
    books = whole_books(parts, owned([scene, *others]), RULES, may_match_names=True)
    weak: list[tuple[SectionKey, str]] = []
    placed: set[tuple[SectionKey, str]] = set()
    for one in (scene, *others):
        for found in judge(one, books).matches:
            if found.evidence.is_by_place:
                placed.add((found.section, found.file))
            else:
                weak.append((found.section, found.file))
    assert not placed & set(weak)


@given(st.text(), st.text(), st.text(max_size=5))
def test_matching_is_total_on_any_text(path: str, file: str, name: str) -> None:
    scene = a_scene(files=(a_file(path), a_file(f"/{name}")))
    judge(scene, whole_books([a_part(file), a_part(f"{file}/{name}")], owned([scene]), RULES, may_match_names=True))


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
