"""Facts 47 to 49: scans, the states of new items, the notification socket."""

from datetime import timedelta
from typing import Any

import pytest

from integration.sim_plex.caller import Caller, HandClock, listening
from stashplex.sim.plex.app import PlexSim
from stashplex.sim.plex.switches import IdStyle

pytestmark = pytest.mark.anyio

REFRESH = "/library/sections/1/refresh"
SOCKET = "/:/websockets/notifications"


async def section(plex: Caller) -> dict[str, Any]:
    found: dict[str, Any] = (await plex.get("/library/sections"))["Directory"][0]
    return found


async def titles(plex: Caller, number: int = 1) -> list[str]:
    return [item["title"] for item in await plex.rows(f"/library/sections/{number}/all?type=1")]


def states(sim: PlexSim, key: str) -> list[int]:
    entries = [notice["TimelineEntry"][0] for notice in sim.notifications if notice["type"] == "timeline"]  # type: ignore[index]
    return [entry["state"] for entry in entries if str(entry["itemID"]) == key]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_scan_returns_at_once_and_finds_new_files_later(
    sim: PlexSim, plex: Caller, clock: HandClock, method: str
) -> None:
    # fact 47
    sim.put_file("/data/films/new/New One.mkv", 7, 60_000)
    before = await section(plex)
    assert (await plex.send(method, REFRESH)).status == 200
    assert len(await titles(plex)) == 5
    assert (await section(plex))["refreshing"] is True
    (activity,) = (await plex.get("/activities"))["Activity"]
    assert activity["type"] == "library.update.section"
    clock.move(1.5)
    assert (await titles(plex))[-1] == "New One"
    after = await section(plex)
    assert (after["refreshing"], after["scannedAt"] > before["scannedAt"]) == (False, True)
    assert "Activity" not in await plex.get("/activities")
    assert (await plex.rows("/library/metadata/6"))[0]["Media"][0]["Part"][0]["size"] == 7


async def test_scan_of_a_folder_visits_nothing_else(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    # fact 47
    for folder in ("a", "a/deep", "ab", "b"):
        sim.put_file(f"/data/films/{folder}/In {folder[-1]}.mkv", 1, 1)
    sim.put_file("/elsewhere/x/Out.mkv", 1, 1)
    await plex.send("GET", REFRESH, path="/data/films/a")
    await plex.send("GET", REFRESH, path="/elsewhere/x")
    clock.move(5)
    assert (await titles(plex))[5:] == ["In a", "In p"]


async def test_scans_of_one_section_queue_up(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    # fact 47
    sim.put_file("/data/films/a/A.mkv", 1, 1)
    sim.put_file("/data/films/b/B.mkv", 1, 1)
    await plex.send("GET", REFRESH, path="/data/films/a")
    await plex.send("GET", REFRESH, path="/data/films/b")
    clock.move(1.5)
    assert len(await titles(plex)) == 6
    assert (await section(plex))["refreshing"] is True
    clock.move(1)
    assert len(await titles(plex)) == 7


async def test_a_clock_that_is_set_back_holds_no_scan_up(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    sim.put_file("/data/films/a/A.mkv", 1, 1)
    await plex.send("GET", REFRESH, path="/data/films/a")
    clock.set_by = timedelta(days=-1)
    sim.put_file("/data/films/b/B.mkv", 1, 1)
    await plex.send("GET", REFRESH, path="/data/films/b")
    clock.move(2.5)
    assert len(await titles(plex)) == 7


async def test_cancelled_scan_finds_nothing(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    # fact 47
    sim.put_file("/data/films/a/A.mkv", 1, 1)
    await plex.send("GET", REFRESH)
    await plex.send("DELETE", REFRESH)
    clock.move(5)
    assert len(await titles(plex)) == 5
    assert (await section(plex))["refreshing"] is False


async def test_vanished_file_is_trash_until_the_trash_is_emptied_or_it_returns(
    sim: PlexSim, plex: Caller, clock: HandClock
) -> None:
    # fact 47
    path = "/data/films/0/Film 0.mkv"
    sim.remove_file(path)
    await plex.send("GET", REFRESH)
    clock.move(2)
    assert "deletedAt" in (await plex.rows("/library/sections/1/all?type=1"))[0]
    sim.put_file(path, 1_000_000, 60_000)
    await plex.send("GET", REFRESH)
    clock.move(2)
    assert "deletedAt" not in (await plex.rows("/library/sections/1/all?type=1"))[0]
    assert (await plex.item("1"))["title"] == "Film 0"
    sim.remove_file(path)
    sim.world.prefs["autoEmptyTrash"] = True
    await plex.send("GET", REFRESH)
    clock.move(2)
    assert len(await titles(plex)) == 4


async def test_new_item_passes_all_states_with_an_agent(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    # fact 48
    sim.set_agent("/data/films/new/New.mkv", fields={"title": "The New One"})
    sim.put_file("/data/films/new/New.mkv", 1, 1)
    await plex.send("GET", REFRESH)
    clock.move(2)
    assert "The New One" in await titles(plex)
    assert states(sim, "6") == [0, 1, 2, 3, 4, 5]


async def test_new_item_stops_at_one_without_an_agent(sim: PlexSim, plex: Caller, clock: HandClock) -> None:
    # fact 48
    sim.put_file("D:\\Other\\new\\Clip.mp4", 1, 1)
    await plex.send("GET", "/library/sections/2/refresh")
    clock.move(2)
    assert await titles(plex, 2) == ["Clip"]
    assert states(sim, "6") == [0, 1]


async def test_deleted_item_ends_in_state_nine(sim: PlexSim) -> None:
    # fact 48
    sim.remove_item("2")
    assert states(sim, "2")[-1] == 9
    assert sim.notifications[-1]["TimelineEntry"][0]["metadataState"] == "deleted"  # type: ignore[index]


@pytest.mark.parametrize(("style", "types"), [(IdStyle.INT, {int}), (IdStyle.STR, {str}), (IdStyle.RANDOM, {int, str})])
async def test_ids_in_notifications_are_numbers_or_strings(
    sim: PlexSim, plex: Caller, style: IdStyle, types: set[type]
) -> None:
    # fact 48
    sim.switches.notification_ids = style
    before = len(sim.notifications)
    for number in range(30):
        await plex.edit("1", **{"tagline.value": number})
    entries = [notice["TimelineEntry"][0] for notice in sim.notifications[before:]]  # type: ignore[index]
    assert {type(entry["itemID"]) for entry in entries} == types
    assert {type(entry["sectionID"]) for entry in entries} == types


async def test_socket_hears_edits_from_now_on_only(sim: PlexSim, plex: Caller) -> None:
    # fact 49
    await plex.edit("1", **{"tagline.value": "before"})
    async with listening(sim, SOCKET) as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        await plex.edit("2", **{"tagline.value": "after"})
        frame = await socket.frame()
        assert frame["type"] == "timeline"
        assert str(frame["TimelineEntry"][0]["itemID"]) == "2"


async def test_socket_needs_a_token_and_the_plural_path(sim: PlexSim) -> None:
    # fact 49
    for path, query in ((SOCKET, ""), (SOCKET, "X-Plex-Token=wrong"), ("/:/websocket/notifications", None)):
        async with listening(sim, path, "X-Plex-Token=plex-token" if query is None else query) as socket:
            assert (await socket.next())["type"] == "websocket.close"
    sim.switches.singular_socket_path = True
    async with listening(sim, "/:/websocket/notifications") as socket:
        assert (await socket.next())["type"] == "websocket.accept"


async def test_socket_hears_only_the_types_it_asked_for(sim: PlexSim, plex: Caller) -> None:
    # fact 49
    async with listening(sim, SOCKET, "X-Plex-Token=plex-token&filters=activity") as socket:
        await socket.next()
        await plex.edit("1", **{"tagline.value": "x"})
        await plex.send("GET", REFRESH)
        assert (await socket.frame())["type"] == "activity"


async def test_dropped_socket_closes_and_a_new_one_gets_no_replay(sim: PlexSim, plex: Caller) -> None:
    # fact 49
    async with listening(sim, SOCKET) as socket:
        await socket.next()
        sim.drop_sockets()
        assert (await socket.next())["type"] == "websocket.close"
    await plex.edit("1", **{"tagline.value": "missed"})
    async with listening(sim, SOCKET) as socket:
        await socket.next()
        await plex.edit("2", **{"tagline.value": "heard"})
        assert str((await socket.frame())["TimelineEntry"][0]["itemID"]) == "2"


async def test_mute_socket_stays_open_and_hears_nothing(sim: PlexSim, plex: Caller) -> None:
    # fact 49
    async with listening(sim, SOCKET) as socket:
        await socket.next()
        sim.switches.mute_notifications = True
        await plex.edit("1", **{"tagline.value": "silent"})
        sim.switches.mute_notifications = False
        await plex.edit("2", **{"tagline.value": "heard"})
        assert str((await socket.frame())["TimelineEntry"][0]["itemID"]) == "2"


async def test_open_socket_hears_a_scan_end_though_nobody_asks() -> None:
    # fact 49
    sim = PlexSim()
    sim.switches.scan_s = 0.1
    sim.add_section("Films")
    sim.put_file("/data/New.mkv", 1, 1)
    async with listening(sim, SOCKET) as socket:
        await socket.next()
        await Caller(sim).send("GET", REFRESH)
        heard = [await socket.frame() for _ in range(9)]
    assert [frame["type"] for frame in heard[:4]] == ["activity", "timeline", "activity", "status"]
    assert [frame["TimelineEntry"][0]["state"] for frame in heard if frame["type"] == "timeline"] == [0, 1, 2, 3, 4, 5]
