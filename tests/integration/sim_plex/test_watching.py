"""Fact 52: marks of having watched, and the history that they do not write."""

import json

import pytest

from integration.sim_plex.caller import Caller, HandClock
from stashplex.sim.plex.app import PlexSim

pytestmark = pytest.mark.anyio

HISTORY = "/status/sessions/history/all"


async def mark(plex: Caller, what: str, key: str = "1") -> None:
    answer = await plex.send("PUT", f"/:/{what}?identifier=com.plexapp.plugins.library&key={key}")
    assert (answer.status, answer.body) == (200, b"")


async def test_marks_count_views_and_write_no_history(plex: Caller, clock: HandClock) -> None:
    # fact 52
    assert "viewCount" not in (await plex.rows("/library/sections/1/all?type=1"))[0]
    await mark(plex, "scrobble")
    clock.move(10)
    await mark(plex, "scrobble")
    item = await plex.item("1")
    assert (item["viewCount"], item["lastViewedAt"]) == (2, int(clock.now().timestamp()))
    listed = (await plex.rows("/library/sections/1/all?type=1"))[0]
    assert listed["viewCount"] == 2
    assert (await plex.get(HISTORY))["size"] == 0
    await mark(plex, "unscrobble")
    assert not (await plex.item("1")).keys() & {"viewCount", "lastViewedAt"}
    assert (await plex.send("PUT", "/:/scrobble?key=99")).status == 404


async def test_progress_is_kept_until_watched(plex: Caller) -> None:
    # fact 52
    assert (await plex.send("PUT", "/:/progress?key=1&time=5000&state=stopped")).status == 200
    assert (await plex.item("1"))["viewOffset"] == 5000
    await plex.send("PUT", "/:/progress?key=1&time=0&state=stopped")
    assert (await plex.item("1"))["viewOffset"] == 5000
    await mark(plex, "scrobble")
    assert "viewOffset" not in await plex.item("1")


async def test_views_belong_to_the_account(sim: PlexSim, plex: Caller) -> None:
    # fact 52
    guest = Caller(sim, token=sim.shared_token)
    await mark(guest, "scrobble")
    assert (await guest.item("1"))["viewCount"] == 1
    assert "viewCount" not in await plex.item("1")
    assert "viewCount" not in (await plex.rows("/library/sections/1/all?type=1"))[0]


async def test_history_pages_and_tells_the_section_as_a_string(sim: PlexSim, plex: Caller) -> None:
    # fact 52
    for number in range(5):
        sim.add_play(str(number + 1), viewed_at=1000 + number)
    sim.add_play("1", account=2, viewed_at=2000)
    query = {"X-Plex-Container-Start": 0, "X-Plex-Container-Size": 2, "sort": "viewedAt:desc"}
    answer = await plex.send("GET", HISTORY, **query)
    container = json.loads(answer.body)["MediaContainer"]
    assert (container["size"], container["totalSize"]) == (2, 6)
    newest = container["Metadata"][0]
    assert (newest["librarySectionID"], newest["ratingKey"], newest["accountID"]) == ("1", "1", 2)
    assert newest["historyKey"].startswith("/status/sessions/history/")
    assert [row["viewedAt"] for row in await plex.rows(f"{HISTORY}?accountID=1&viewedAt%3E%3E=1003")] == [1004]
    assert len(await plex.rows(f"{HISTORY}?metadataItemID=1")) == 2
    assert (await plex.item("5"))["viewCount"] == 1
    guest = await Caller(sim, token=sim.shared_token).rows(HISTORY)
    assert [row["accountID"] for row in guest] == [2]
