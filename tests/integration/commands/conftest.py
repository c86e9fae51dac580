"""The one fixture that all tests of commands start with."""

from pathlib import Path

import pytest

from shop import Shop, a_shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return a_shop(tmp_path / "data")
