"""An installation of Stash2Plex in a folder of its own, and a marker that hostile rows would leave."""

from pathlib import Path

import pytest

from peers import Peer


@pytest.fixture
def peer(tmp_path: Path) -> Peer:
    return Peer(tmp_path / "Stash2Plex" / "data")
