"""Addresses and bytes of pictures (facts 17, 18)."""

import hashlib

import pytest

from integration.sim_stash.caller import KEY, Caller, HandClock
from stashplex.sim.stash.app import StashSim

pytestmark = pytest.mark.anyio

JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 10


async def test_the_address_follows_the_host_header_and_the_last_edit(
    sim: StashSim, clock: HandClock, caller: Caller
) -> None:
    # fact 17
    scene = sim.add_scene(title="a")

    async def address(**headers: str) -> str:
        query = f"{{ findScene(id: {scene}) {{ paths {{ screenshot }} }} }}"
        sent = {**KEY, **headers}
        caller.headers = sent
        return str((await caller.ask(query))["findScene"]["paths"]["screenshot"])

    seconds = int(clock.now().timestamp())
    assert await address() == f"http://stash.test:9999/scene/{scene}/screenshot?t={seconds}"
    assert await address(host="10.0.0.5") == f"http://10.0.0.5/scene/{scene}/screenshot?t={seconds}"
    proxied = {"x-forwarded-proto": "https", "x-forwarded-prefix": "/stash", "host": "example.test"}
    assert (await address(**proxied)).startswith(f"https://example.test/stash/scene/{scene}/")
    clock.move(seconds=5)
    sim.update_scene(scene, title="b")
    assert (await address()).endswith(f"t={seconds + 5}")


async def test_a_cover_has_a_strong_etag_and_answers_304(sim: StashSim, caller: Caller) -> None:
    # fact 18
    scene = sim.add_scene(title="a", cover=lambda: JPEG)
    etag = f'"{hashlib.md5(JPEG, usedforsecurity=False).hexdigest()}"'
    response = await caller.call("GET", f"/scene/{scene}/screenshot?t=1")
    assert (response.status, response.body) == (200, JPEG)
    assert response.headers["etag"] == etag
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert "last-modified" not in response.headers
    for known in (etag, f'"x", {etag}', f"W/{etag}", "*"):
        again = await caller.call("GET", f"/scene/{scene}/screenshot", headers={**KEY, "if-none-match": known})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["cache-control"] == "no-cache"


async def test_head_is_405(sim: StashSim, caller: Caller) -> None:
    # fact 18
    scene = sim.add_scene(title="a", cover=JPEG)
    assert (await caller.call("HEAD", f"/scene/{scene}/screenshot")).status == 405


async def test_without_a_cover_a_drawing_comes(sim: StashSim, caller: Caller) -> None:
    # fact 18
    response = await caller.call("GET", f"/scene/{sim.add_scene(title='a')}/screenshot")
    assert response.status == 200
    assert response.headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("kind", ["performer", "studio", "tag"])
async def test_a_default_portrait_shows_in_the_address(sim: StashSim, caller: Caller, kind: str) -> None:
    # fact 18
    make = getattr(sim, kind)
    without, with_one = make("without"), make("with", image=JPEG)
    query = f"query($id: ID!) {{ it: find{kind.title()}(id: $id) {{ image_path }} }}"
    default = (await caller.ask(query, id=without))["it"]["image_path"]
    own = (await caller.ask(query, id=with_one))["it"]["image_path"]
    assert default.endswith("&default=true")
    assert "default" not in own
    for address, body in ((default, b"<svg"), (own, JPEG)):
        response = await caller.call("GET", address.removeprefix("http://stash.test:9999"))
        assert response.status == 200
        assert response.body.startswith(body)


async def test_a_group_without_pictures_has_a_default_front_and_no_back(sim: StashSim, caller: Caller) -> None:
    query = "query($id: ID!) { findGroup(id: $id) { front_image_path back_image_path } }"
    bare = (await caller.ask(query, id=sim.group("bare")))["findGroup"]
    assert bare["front_image_path"].endswith("&default=true")
    assert bare["back_image_path"] is None
    group = sim.group("g", front_image=JPEG)
    found = (await caller.ask(query, id=group))["findGroup"]
    assert found["back_image_path"] is None
    assert "default" not in found["front_image_path"]
    response = await caller.call("GET", found["front_image_path"].removeprefix("http://stash.test:9999"))
    assert response.body == JPEG


async def test_a_picture_of_nothing_is_404(caller: Caller) -> None:
    assert (await caller.call("GET", "/scene/99/screenshot")).status == 404


async def test_an_uploaded_cover_is_served(sim: StashSim, caller: Caller) -> None:
    scene = sim.add_scene(title="a")
    await caller.update(scene, cover_image="data:image/png;base64,iVBORw0KGgo=")
    assert (await caller.call("GET", f"/scene/{scene}/screenshot")).headers["content-type"] == "image/png"


@pytest.mark.parametrize("nothing", [None, "", "data:image/png;base64,"])
async def test_a_cover_cannot_be_taken_away(sim: StashSim, caller: Caller, nothing: str | None) -> None:
    scene = sim.add_scene(title="a", cover=JPEG)
    await caller.update(scene, cover_image=nothing)
    assert (await caller.call("GET", f"/scene/{scene}/screenshot")).body == JPEG


@pytest.mark.parametrize(
    ("text", "words"), [("iVBORw0KGgo=", "unsupported protocol scheme"), ("data:image/png;base64,!!", "illegal base64")]
)
async def test_a_cover_that_is_no_data_is_refused(sim: StashSim, caller: Caller, text: str, words: str) -> None:
    scene = sim.add_scene(title="a", cover=JPEG)
    mutation = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"
    (message,) = await caller.errors(mutation, input={"id": scene, "title": "b", "cover_image": text})
    assert message.startswith("processing cover image: ")
    assert words in message
    assert (await caller.scene(scene, "title"))["title"] == "a"


async def test_pictures_are_counted_apart(sim: StashSim, caller: Caller) -> None:
    scene = sim.add_scene(title="a")
    await caller.call("GET", f"/scene/{scene}/screenshot")
    await caller.ask("{ version { version } }")
    await caller.call("GET", "/healthz", headers={})
    assert (sim.counts.image, sim.counts.graphql, sim.counts.other) == (1, 1, 1)
    assert [asked.path for asked in sim.requests] == [f"/scene/{scene}/screenshot", "/graphql", "/healthz"]
