"""What the API tells and takes: where things stand, events that are durable before they are acknowledged."""

import json
import sys
from datetime import timedelta

import msgspec
import pytest

from integration.web.conftest import Desk
from ledgers import lease, mark, retry, settle
from stashplex.base.errors import Server, ServerUnreachable
from stashplex.domain.entry import PlexId, State, Transition
from stashplex.web.api import LARGEST_EVENT_BYTES
from stashplex.web.chip import item_url
from worlds import PLEX_URL, World

pytestmark = pytest.mark.anyio


def plex_id(desk: Desk) -> PlexId:
    return desk.app.store.ledger.plex_id("some/machine", PLEX_URL)


def ended(desk: Desk, scene: int, transition: Transition) -> None:
    """Let one scene be worked on with this end."""
    now = desk.app.clock.now()
    mark(desk.app.store.ledger, plex_id(desk), scene, now=now)
    settle(desk.app.store.ledger, lease(desk.app.store.ledger, plex_id(desk), now=now), transition, now=now)


async def test_a_scene_in_step_has_a_link_to_its_item(desk: Desk, world: World) -> None:
    await world.sync()
    told = await desk.get("/api/scenes/2")
    assert (told["scene"], told["state"], told["at"], told["reason"]) == (2, "in_step", None, None)
    (link,) = told["links"]
    machine = desk.app.store.overview.list_plex()[0].machine_identifier
    assert link["url"] == item_url(PLEX_URL, machine, link["item"])
    assert link["url"].startswith(f"{PLEX_URL}/web/index.html#!/server/{machine}/details?key=%2Flibrary%2Fmetadata%2F")


async def test_the_words_of_the_chip(desk: Desk) -> None:
    now = desk.app.clock.now()
    soon = now + timedelta(hours=1)
    ended(desk, 1, retry(soon))
    ended(desk, 2, Transition(State.DEAD, None, 0, "MatchAmbiguous", "two fit", now, now))
    ended(desk, 3, retry(soon, error_type="ServerUnreachable"))
    mark(desk.app.store.ledger, plex_id(desk), 4, now=now)
    told = {scene: await desk.get(f"/api/scenes/{scene}") for scene in (1, 2, 3, 4, 5)}
    states = {scene: one["state"] for scene, one in told.items()}
    assert states == {1: "retrying", 2: "needs_you", 3: "waiting", 4: "waiting", 5: "unknown"}
    assert told[1]["at"] == msgspec.to_builtins(soon)
    assert [told[scene]["at"] for scene in (2, 3, 4, 5)] == [None] * 4
    assert (told[2]["error_type"], told[2]["reason"]) == ("MatchAmbiguous", "two fit")


async def test_status_tells_counts_and_what_waits(desk: Desk, world: World) -> None:
    await world.sync()
    await desk.send("POST", "/api/scenes/1/sync")
    told = await desk.get("/api/status")
    assert (told["spool"], told["held"], told["plex_url"]) == (1, [], PLEX_URL)
    (server,) = told["servers"]
    assert (server["synced"], server["due"], server["dead"]) == (3, 0, 0)


async def test_status_names_a_server_that_is_left_alone(desk: Desk, world: World) -> None:
    await world.sync()
    now = desk.app.clock.now()
    name = f"plex {PLEX_URL}"
    for _ in range(desk.app.settings.failure_threshold):
        desk.app.plex_gate.failed(ServerUnreachable(Server.PLEX, "refused"))
    (held,) = (await desk.get("/api/status"))["held"]
    assert (held["server"], held["state"]) == ("plex", "open")
    assert desk.app.store.breakers.get(name, now).is_closed is False


async def test_a_scene_can_be_looked_at_now(desk: Desk) -> None:
    response = await desk.send("POST", "/api/scenes/7/sync")
    assert response.status == 202
    (event,) = desk.events()
    assert (event["type"], event["id"]) == ("Request.sync_scene", 7)
    assert desk.looks == 1


async def test_events_of_another_machine_are_in_the_spool_in_their_order(desk: Desk) -> None:
    events = [
        {"type": "Scene.Update.Post", "id": number, "at": "2026-01-01T00:00:00Z", "fields": ["title"]}
        for number in range(1, 30)
    ]
    events.append({"type": "Scene.Destroy.Post", "id": 0, "at": "", "fields": [], "path": "/a/b.mp4"})
    events.append({"type": "Request.sync_recent", "id": 0, "at": "", "fields": [], "args": {"hours": 24}})
    response = await desk.send("POST", "/api/events", json.dumps(events).encode())
    assert (response.status, json.loads(response.body)["accepted"]) == (202, 31)
    kept = desk.events()
    assert [event["id"] for event in kept] == [*range(1, 30), 0, 0]
    assert kept[0] == events[0]
    assert (kept[-2]["path"], kept[-1]["args"]) == ("/a/b.mp4", {"hours": 24})
    assert desk.looks == 1


async def test_what_is_no_event_is_named_and_holds_nothing_up(desk: Desk) -> None:
    events = [
        {"type": "Scene.Update.Post", "id": 1},
        {"id": 2},
        "text",
        None,
        {"type": "Scene.Update.Post", "id": -1},
        {"type": "Scene.Update.Post", "id": 2**63},
        {"type": "Scene.Update.Post", "id": 1.5},
        {"type": "", "id": 1},
        {"type": "x" * LARGEST_EVENT_BYTES, "id": 1},
        {"type": "Scene.Update.Post", "id": 3},
    ]
    response = await desk.send("POST", "/api/events", json.dumps(events).encode())
    told = json.loads(response.body)
    assert (response.status, told["accepted"], told["refused"]) == (202, 2, [1, 2, 3, 4, 5, 6, 7, 8])
    assert [event["id"] for event in desk.events()] == [1, 3]


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"\xff", b'{"type": "x"}', b"[" * 5_000, b"null", b"3"])
async def test_garbage_is_refused_with_a_reason(desk: Desk, body: bytes) -> None:
    response = await desk.send("POST", "/api/events", body)
    assert response.status == 400
    assert "list of events" in json.loads(response.body)["error"]
    assert desk.events() == []


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of folders are those of POSIX")
async def test_what_cannot_be_kept_is_not_acknowledged(desk: Desk) -> None:
    desk.spool.parent.mkdir(exist_ok=True)
    desk.spool.write_text("a file where the folder should be")
    response = await desk.send("POST", "/api/events", b'[{"type": "Scene.Update.Post", "id": 1}]')
    assert response.status == 507
    assert desk.looks == 0


async def test_stop_is_passed_on(desk: Desk) -> None:
    assert (await desk.send("POST", "/api/stop")).status == 202
    assert desk.stops == 1


async def test_a_wish_to_read_the_settings_again_is_passed_on(desk: Desk) -> None:
    assert (await desk.send("POST", "/api/reload")).status == 202
    assert (desk.reloads, desk.stops) == (1, 0)
