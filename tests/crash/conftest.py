"""How many kills, and where they are spread: one test per run of five kills, so that workers share them."""

import sys

import pytest

from crash.drama import KILLS

DEFAULT = 200


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=DEFAULT, help="How often the program is killed in all.")
    parser.addoption("--crash-seed", type=int, default=None, help="Replay the run with this seed only.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" not in metafunc.fixturenames:
        return
    only = metafunc.config.getoption("--crash-seed", None)
    runs = -(-int(metafunc.config.getoption("--kills", DEFAULT)) // KILLS)
    metafunc.parametrize("seed", range(1, runs + 1) if only is None else [only])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if sys.platform == "win32":
        for item in items:
            if item.get_closest_marker("crash"):
                item.add_marker(pytest.mark.skip(reason="SIGKILL, SIGTERM and fork are POSIX's"))
