"""Regressions that the simulation found, each as the smallest story that shows it."""

from pathlib import Path

import pytest
from typing_extensions import override

from asgi import AsgiTransport
from stage import Stage, entry_of, play, plex_id
from stashplex.base.transport import Request, Response
from stashplex.domain.entry import State
from stashplex.domain.item import IndexedPart, RatingKey, SectionKey
from stashplex.sim.content.catalogue import Catalogue
from worlds import a_world


def test_an_item_that_another_pass_has_just_found_is_not_taken_for_gone(tmp_path: Path) -> None:
    """The old item is asked for; before the answer comes another pass puts the new one into the index."""

    async def act(stage: Stage) -> None:
        world, one = stage.world, Catalogue().film(1)
        async with stage.serving() as app:
            await stage.until(lambda: entry_of(app, 1).state is State.SYNCED, 10)
            old = world.item_of(one)
            world.plex.remove_item(old)
            new = world.plex.add_item(world.section, [(one.plex_path, one.size, round(one.duration_s * 1000))])

            def crawl(request: Request) -> Request:
                if f"/library/metadata/{old}?" in request.url:
                    section, index = SectionKey(str(world.section.id)), app.store.index
                    number = index.begin_crawl(plex_id(app), section)
                    parts = [
                        IndexedPart(RatingKey(str(item.key)), section, file.path, file.size_bytes, file.duration_ms, 1)
                        for item in world.section.items.values()
                        for file in item.files
                    ]
                    index.add_page(plex_id(app), section, number, parts)
                    changed_at = world.section.content_changed_at
                    index.finish_crawl(plex_id(app), section, number, changed_at, stage.clock.now())
                return request

            stage.plex.bend = crawl
            stage.change(1, "Found again")
            await stage.until(lambda: world.section.items[int(new)].fields["title"] == "Found again", 120)
            assert app.store.index.count(plex_id(app), [SectionKey(str(world.section.id))]) == 3

    play(tmp_path, act)


class Mute(AsgiTransport):
    """Loses every answer about items once a write was sent; the write arrives."""

    is_mute = False
    has_written = False

    @override
    async def send(self, request: Request) -> Response:
        self.has_written |= request.method == "PUT"
        if self.is_mute and self.has_written and "/library/metadata/" in request.url:
            return Response(200, {"content-type": "application/json"}, b'{"MediaContainer":[]}')
        return await super().send(request)


@pytest.mark.anyio
async def test_what_an_unverified_write_removed_comes_back_when_stash_has_it_again(tmp_path: Path) -> None:
    """The first write was never verified, nor was the one that takes its tag away: no person removed the tag."""
    world = a_world(tmp_path, 2, posters=False)
    await world.sync()
    world.plex_transport = plex = Mute(world.plex.app)
    for tags in (["Noir"], []):
        world.stash.update_scene(1, tags=tags)
        plex.is_mute, plex.has_written = True, False
        await world.sync()
    world.stash.update_scene(1, tags=["Noir"])
    plex.is_mute = False
    await world.sync()
    item = world.section.items[int(world.item_of(Catalogue().film(1)))]
    assert [one.tag.text for one in item.tags["genre"]] == ["Noir"]
