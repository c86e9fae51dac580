"""What was sent right before a kill stays known as ours: what Stash takes back goes, a person's own stays."""

from pathlib import Path
from typing import Any

import pytest

from crash.conftest import Launch
from crash.drama import until
from crash.oracle import check
from crash.scenery import Scenery, a_scenery
from crash.trigger import Trap
from stashplex.sim.content.catalogue import Catalogue
from stashplex.sim.content.poster import poster_cheap
from stashplex.sim.world import rating_key

pytestmark = pytest.mark.crash

SCENE = 2
COVERS = [poster_cheap(Catalogue(20).film(number)) for number in (11, 12)]


def changed(scenery: Scenery, **fields: Any) -> None:
    scenery.do(lambda: scenery.world.stash_sim.update_scene(SCENE, **fields))
    scenery.mark(SCENE)


def die(scenery: Scenery, launch: Launch, kind: str, *, is_before: bool = False) -> None:
    """Run the service until it is killed at the next request of a kind that concerns the scene."""
    item = rating_key(SCENE) if kind in {"edit", "upload", "select"} else ""
    program = launch(scenery)
    scenery.do(scenery.trigger.arm, Trap(frozenset({kind}), 1, is_before, item), lambda _port: program.kill())
    until(lambda: not program.is_alive, "it is killed")


def finish(scenery: Scenery, launch: Launch) -> None:
    program = launch(scenery, "serve", "--until-idle")
    assert program.exit_code(30) == 0
    check(scenery)


def test_a_first_write_is_ours(tmp_path: Path, launch: Launch) -> None:
    with a_scenery(tmp_path / "data", 1) as scenery:
        changed(scenery, tags=["Noir", "Short"], performers=["Ada Byron"], date="2001-02-03", studio="Northlight")
        die(scenery, launch, "edit")
        scenery.add_own_genre(SCENE)
        changed(scenery, tags=["Short"], performers=[], date=None, studio=None)
        finish(scenery, launch)


def test_a_later_write_is_ours(tmp_path: Path, launch: Launch) -> None:
    with a_scenery(tmp_path / "data", 2) as scenery:
        changed(scenery, title="One", tags=["Noir"], rating100=20)
        finish(scenery, launch)
        changed(scenery, title="Two", tags=["Noir", "Short"], rating100=75)
        die(scenery, launch, "edit")
        changed(scenery, title="One", tags=["Noir"], rating100=20)
        finish(scenery, launch)


@pytest.mark.parametrize("kind", ["edit", "batch_get", "stash_query"])
def test_what_the_first_of_two_killed_ones_wrote_is_ours(tmp_path: Path, launch: Launch, kind: str) -> None:
    with a_scenery(tmp_path / "data", 3) as scenery:
        changed(scenery, title="One", tags=["Noir"])
        finish(scenery, launch)
        changed(scenery, title="Two", tags=["Noir", "Short"])
        die(scenery, launch, "edit")
        changed(scenery, title="Three", tags=["Colour"])
        die(scenery, launch, kind, is_before=True)
        changed(scenery, title="One", tags=["Noir"])
        finish(scenery, launch)


def test_a_poster_taken_back_goes(tmp_path: Path, launch: Launch) -> None:
    with a_scenery(tmp_path / "data", 4) as scenery:
        changed(scenery, cover=COVERS[0])
        finish(scenery, launch)
        changed(scenery, cover=COVERS[1])
        die(scenery, launch, "upload")
        changed(scenery, cover=COVERS[0])
        finish(scenery, launch)


def test_a_poster_is_not_sent_again_when_it_arrived(tmp_path: Path, launch: Launch) -> None:
    with a_scenery(tmp_path / "data", 5) as scenery:
        die(scenery, launch, "edit")
        scenery.mark(SCENE)
        finish(scenery, launch)
        uploads = [one for one in scenery.trigger.written if (one.kind, one.item) == ("upload", rating_key(SCENE))]
        assert len(uploads) <= 2
