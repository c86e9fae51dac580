"""How often the power is cut: one test per life of the store, each cut twenty times, so that workers share them."""

import pytest

from crash.power.recording import CUTS_PER_LIFE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "life" in metafunc.fixturenames:
        lives = -(-int(metafunc.config.getoption("--power-cuts", 200)) // CUTS_PER_LIFE)
        only = metafunc.config.getoption("--crash-seed", None)
        metafunc.parametrize("life", range(1, lives + 1) if only is None else [only])
