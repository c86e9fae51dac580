"""Where a path map does not lead back, people get an example that they can try."""

import pytest

from stashplex.domain.pathcheck import detours, round_trip
from stashplex.domain.pathmap import parse_path_map


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("", []),
        ("/data=/media", []),
        ("/a=/b; /b=/a", []),
        ("D:\\v=/mnt/v; \\\\nas\\s=/mnt/s", []),
        ("re:/d(\\d)/=/m/\\1/", []),
        ("/data/a=/x; /data=/m", []),
        ("/a=/m; /b=/m", ["/b/Example/Film.mp4 becomes /m/Example/Film.mp4 in Plex, which leads back to /a/"]),
        ("/a/sub=/m; /a=/m", ["/a/Example/Film.mp4 becomes /m/Example/Film.mp4 in Plex, which leads back to /a/sub/"]),
    ],
)
def test_examples_of_each_folder_are_tried(rules: str, told: list[str]) -> None:
    found = [one.sentence for one in detours(parse_path_map(rules))]
    assert len(found) == len(told)
    for sentence, start in zip(found, told, strict=True):
        assert sentence.startswith(start)


def test_real_paths_are_tried_too() -> None:
    path_map = parse_path_map("re:/d(?:a|b)/=/m/")
    assert [one.sentence for one in detours(path_map, ["/da/x.mp4", "/else/x.mp4"])] == [
        "/da/x.mp4 becomes /m/x.mp4 in Plex, and no rule leads back."
    ]


def test_another_case_on_windows_is_no_detour() -> None:
    assert round_trip(parse_path_map("d:\\V=/mnt/v"), "D:\\v\\a.mp4") is None
