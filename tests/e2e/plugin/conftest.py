"""An installed plugin for each test."""

from pathlib import Path

import pytest

from e2e.plugin.hooking import Installed, install


@pytest.fixture
def plugin(tmp_path: Path) -> Installed:
    """A plugin folder, and the folder of a Stash that has never run it."""
    return install(tmp_path)
