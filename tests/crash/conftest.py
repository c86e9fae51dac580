"""How many kills, and where they are spread: one test per run of five kills, so that workers share them."""

import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from crash.drama import KILLS
from crash.program import Forked, Program, Spawned
from crash.scenery import Scenery

DEFAULT = 200


class Launch(Protocol):
    """Starts a command; it is killed in the end if it still runs."""

    def __call__(
        self, scenery: Scenery, *arguments: str, kind: type[Forked | Spawned] = Forked, **changes: str
    ) -> Program:
        """Start it: `serve` when nothing else is said, with changed settings."""


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """A way to start programs."""
    programs: list[Program] = []

    def start(scenery: Scenery, *arguments: str, kind: type[Forked | Spawned] = Forked, **changes: str) -> Program:
        arguments = arguments or ("serve",)
        program = kind(tmp_path, f"{len(programs)}-{arguments[0]}", scenery.environment(**changes), arguments)
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.kill()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=DEFAULT, help="How often the program is killed in all.")
    parser.addoption("--power-cuts", type=int, default=DEFAULT, help="How often the power is cut in all.")
    parser.addoption("--crash-seed", type=int, default=None, help="Replay the run with this seed only.")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "crash_seed" not in metafunc.fixturenames:
        return
    only = metafunc.config.getoption("--crash-seed", None)
    runs = -(-int(metafunc.config.getoption("--kills", DEFAULT)) // KILLS)
    metafunc.parametrize("crash_seed", range(1, runs + 1) if only is None else [only])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print the command that replays a failed run."""
    report = yield
    seed = getattr(item, "callspec", None) and item.callspec.params.get("crash_seed")  # type: ignore[attr-defined]  # a function's
    if report.failed and seed is not None:
        report.sections.append(("replay", f".venv/bin/pytest -q tests/crash/test_kills.py --crash-seed {seed}"))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if sys.platform == "win32":
        for item in items:
            if item.get_closest_marker("crash"):
                item.add_marker(pytest.mark.skip(reason="SIGKILL, SIGTERM and fork are POSIX's"))
