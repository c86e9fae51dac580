"""What one sees of the settings about who wins: one item, written while a person edits it as well."""

from collections.abc import Mapping
from pathlib import Path

import anyio

from asgi import AsgiTransport
from stage import plex_id
from stashplex.base.transport import Request
from stashplex.domain.scene import SceneId
from stashplex.sim.content.catalogue import Catalogue
from worlds import PLEX_URL, World, a_world


def an_edit(folder: Path, settings: Mapping[str, object]) -> object:
    """A person changes the title of an item that is in step."""
    world = _world(folder, settings)
    anyio.run(world.sync)
    anyio.run(_person_edits, world)
    anyio.run(world.sync)
    return _seen(world)


def a_first_contact(folder: Path, settings: Mapping[str, object]) -> object:
    """A person changed and locked the title of an item that was never written."""
    world = _world(folder, settings)
    anyio.run(_person_edits, world)
    anyio.run(world.sync)
    return _seen(world)


def a_deleted_scene(folder: Path, settings: Mapping[str, object]) -> object:
    """A scene is deleted in Stash while Plex keeps the file."""
    world = _world(folder, settings)
    anyio.run(world.sync)
    world.stash.destroy_scene(1)
    with world.app() as app:
        app.store.ledger.mark(plex_id(app), [SceneId(1)], now=app.clock.now())
    anyio.run(world.sync)
    return _seen(world)


def _world(folder: Path, settings: Mapping[str, object]) -> World:
    world = a_world(folder, 2, posters=False)
    world.settings |= settings
    return world


async def _person_edits(world: World) -> None:
    key = world.item_of(Catalogue().film(1))
    url = f"{PLEX_URL}/library/sections/{world.section.id}/all?type=1&id={key}&title.value=Mine&title.locked=1"
    await AsgiTransport(world.plex.app).send(Request("PUT", url, {"X-Plex-Token": world.plex.token}))


def _seen(world: World) -> object:
    item = world.section.items[int(world.item_of(Catalogue().film(1)))]
    return item.fields.get("title"), sorted(item.locks), [tag.tag.text for tag in item.tags.get("label", [])]
