"""Facts 42 to 46: uploads, selection, limits, locks, candidates."""

from hashlib import sha1

import pytest

from integration.sim_plex.caller import Caller, HandClock, locks
from stashplex.sim.plex.app import PlexSim

pytestmark = pytest.mark.anyio

POSTERS = "/library/metadata/1/posters"
IMAGE = b"\xff\xd8 an image"
DIGEST = sha1(IMAGE, usedforsecurity=False).hexdigest()


async def selected(plex: Caller, path: str = POSTERS) -> list[str]:
    return [row["ratingKey"] for row in await plex.rows(path) if row["selected"]]


async def test_upload_is_content_addressed_selected_and_moves_the_stamp(plex: Caller, clock: HandClock) -> None:
    # fact 42
    before = (await plex.item("1"))["thumb"]
    clock.move(10)
    assert (await plex.send("POST", POSTERS, IMAGE)).status == 200
    assert await selected(plex) == [f"upload://posters/{DIGEST}"]
    item = await plex.item("1")
    assert item["thumb"] != before
    assert (await plex.send("GET", item["thumb"])).body == IMAGE
    count = len(await plex.rows(POSTERS))
    await plex.send("POST", POSTERS, IMAGE)
    assert len(await plex.rows(POSTERS)) == count


async def test_upload_by_url_is_the_hash_of_what_was_fetched(sim: PlexSim, plex: Caller) -> None:
    # fact 42
    sim.put_web("https://img.example.org/a.jpg", IMAGE)
    assert (await plex.send("POST", "/library/metadata/1/arts", url="https://img.example.org/a.jpg")).status == 200
    assert await selected(plex, "/library/metadata/1/arts") == [f"upload://arts/{DIGEST}"]


async def test_stamp_may_be_the_images_own(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    # fact 42
    sim.switches.stamp_follows_item = False
    before = (await plex.item("1"))["thumb"]
    clock.move(10)
    await plex.edit("1", **{"title.value": "T"})
    assert (await plex.item("1"))["thumb"] == before
    await plex.send("POST", POSTERS, IMAGE)
    assert (await plex.item("1"))["thumb"] != before


@pytest.mark.parametrize("status", [400, 404])
async def test_selection_takes_a_known_candidate_only(sim: PlexSim, plex: Caller, status: int) -> None:
    # fact 43
    sim.switches.unknown_candidate_status = status
    await plex.send("POST", POSTERS, IMAGE)
    own = (await plex.rows(POSTERS))[1]["ratingKey"]
    assert (await plex.send("PUT", "/library/metadata/1/poster", url=own)).status == 200
    assert await selected(plex) == [own]
    for wrong in ("upload://posters/0000", f"upload://arts/{DIGEST}", ""):
        assert (await plex.send("PUT", "/library/metadata/1/poster", url=wrong)).status == status
    assert await selected(plex) == [own]


async def test_image_beyond_ten_megabytes_is_500(sim: PlexSim, plex: Caller) -> None:
    # fact 44
    assert (await plex.send("POST", POSTERS, bytes(10 * 1024 * 1024))).status == 200
    assert (await plex.send("POST", POSTERS, bytes(10 * 1024 * 1024 + 1))).status == 500
    assert (await plex.send("POST", POSTERS)).status == 400


async def test_uploads_fail_by_chance(sim: PlexSim, plex: Caller) -> None:
    # fact 44
    sim.switches.upload_error_chance = 0.5
    statuses = [(await plex.send("POST", POSTERS, b"%d" % number)).status for number in range(40)]
    assert set(statuses) == {200, 500}
    assert len(await plex.rows(POSTERS)) == 3 + statuses.count(200)


@pytest.mark.parametrize("host", ["192.168.1.5", "10.0.0.1", "127.0.0.1", "[fd00::1]", "localhost", "nas.local", "nas"])
@pytest.mark.parametrize(("version", "status"), [("1.43.4.10903-e5521bd8c", 200), ("1.43.5.11011-abcdef012", 500)])
async def test_private_addresses_are_refused_from_a_version_on(host: str, version: str, status: int) -> None:
    # fact 44
    sim = PlexSim(version=version)
    sim.add_item(sim.add_section("Films"), [("/data/a.mkv", 1, 1)])
    sim.put_web(f"http://{host}/a.jpg", IMAGE)
    assert (await Caller(sim).send("POST", POSTERS, url=f"http://{host}/a.jpg")).status == status


@pytest.mark.parametrize("does_lock", [True, False])
async def test_upload_locks_its_picture(sim: PlexSim, plex: Caller, does_lock: bool) -> None:
    # fact 45
    sim.switches.upload_locks = does_lock
    await plex.send("POST", POSTERS, IMAGE)
    await plex.send("POST", "/library/metadata/1/arts", IMAGE)
    assert locks(await plex.item("1")) == ({"thumb", "art"} if does_lock else set())


async def test_candidates_come_from_several_sources(sim: PlexSim, plex: Caller) -> None:
    # fact 46
    other = sim.add_item(sim.world.sections[2], [("D:\\Other\\a.mp4", 1, 1)])
    await plex.send("POST", POSTERS, IMAGE)
    rows = await plex.rows(POSTERS)
    assert [row["ratingKey"].partition("://")[0] for row in rows] == ["metadata", "metadata", "https", "upload"]
    assert [row.get("provider") for row in rows] == ["tv.plex.agents.movie"] * 3 + [None]
    assert all({"key", "thumb", "selected"} <= row.keys() for row in rows)
    (row,) = await plex.rows(f"/library/metadata/{other}/posters")
    assert (row["provider"], row["ratingKey"][:8], row["selected"]) == ("local", "media://", True)


async def test_selection_shows_after_a_delay(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    # fact 46
    sim.switches.selection_delay_s = 3.0
    before = await selected(plex)
    await plex.send("POST", POSTERS, IMAGE)
    assert await selected(plex) == before
    clock.move(2.9)
    assert await selected(plex) == before
    clock.move(0.2)
    assert await selected(plex) == [f"upload://posters/{DIGEST}"]


async def test_removed_picture_is_absent(plex: Caller) -> None:
    assert (await plex.send("DELETE", "/library/metadata/1/thumb")).status == 200
    item = await plex.item("1")
    assert "thumb" not in item
    assert await selected(plex) == []
    assert (await plex.send("GET", "/library/metadata/1/thumb/1")).status == 404


async def test_old_bytes_may_be_forgotten_but_not_their_hash(sim: PlexSim, plex: Caller) -> None:
    sim.switches.keep_images = 2
    for number in range(1, 5):
        await plex.send("POST", f"/library/metadata/{number}/posters", b"image %d" % number)
    assert sim.image_bytes("4") == b"image 4"
    assert sim.image_bytes("1") is None
    assert await selected(plex) == [f"upload://posters/{sha1(b'image 1', usedforsecurity=False).hexdigest()}"]
