"""Facts 1 to 11 of the wire reference: formats, tokens, errors, maintenance, limits."""

import json

import defusedxml.ElementTree as Xml
import pytest

from integration.sim_plex.caller import Caller
from stashplex.base.transport import Fault, TransportFailed
from stashplex.sim.plex.app import PlexSim

pytestmark = pytest.mark.anyio


async def test_answers_are_xml_unless_json_is_accepted(sim: PlexSim, plex: Caller) -> None:
    # fact 1
    answer = await Caller(sim, accept="").send("GET", "/library/sections/1/all")
    root = Xml.fromstring(answer.body)
    assert answer.headers["content-type"].startswith("text/xml")
    assert (root.tag, root[0].tag, root[0].get("title")) == ("MediaContainer", "Video", "Film 0")
    assert root[0].find("Media/Part").get("file") == "/data/films/0/Film 0.mkv"
    answer = await plex.send("GET", "/library/sections/1/all")
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body)["MediaContainer"]["Metadata"][0]["title"] == "Film 0"


async def test_paths_may_end_in_a_slash(plex: Caller) -> None:
    # fact 1, conventions
    assert await plex.get("/library/sections/") == await plex.get("/library/sections")


async def test_xml_escapes_what_it_must(sim: PlexSim, plex: Caller) -> None:
    # fact 1
    text = "a < b & \"c\"\n'd' 🎬"
    await plex.edit("1", **{"summary.value": text})
    answer = await Caller(sim, accept="application/xml").send("GET", "/library/metadata/1")
    assert Xml.fromstring(answer.body)[0].get("summary") == text


async def test_plex_headers_may_be_query_arguments(sim: PlexSim) -> None:
    # fact 2
    bare = Caller(sim, token="")
    page = {"X-Plex-Container-Start": 1, "X-Plex-Container-Size": 2, "X-Plex-Token": sim.token}
    container = await bare.get("/library/sections/1/all", **page)
    assert [item["ratingKey"] for item in container["Metadata"]] == ["2", "3"]
    answer = await Caller(sim, headers={"X-Plex-Container-Start": "1", "X-Plex-Container-Size": "2"}).send(
        "GET", "/library/sections/1/all"
    )
    assert json.loads(answer.body)["MediaContainer"] == container


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_missing_or_wrong_token_is_401_in_html_but_identity_needs_none(sim: PlexSim, token: str) -> None:
    # fact 3
    stranger = Caller(sim, token=token)
    for path in ("/", "/library/sections", "/library/metadata/1", "/no/such/path"):
        answer = await stranger.send("GET", path)
        assert answer.status == 401
        assert answer.headers["content-type"] == "text/html"
        assert b"401 Unauthorized" in answer.body
    assert (await stranger.get("/identity"))["machineIdentifier"] == sim.world.machine_id


async def test_unclaimed_server_needs_no_token(sim: PlexSim) -> None:
    # fact 3
    sim.switches.require_token = False
    stranger = Caller(sim, token="")
    assert (await stranger.get("/identity"))["claimed"] is False
    assert len(await stranger.rows("/library/sections/1/all")) == 5


@pytest.mark.parametrize("status", [401, 403])
async def test_shared_user_reads_what_is_shared_and_writes_nothing(sim: PlexSim, status: int) -> None:
    # fact 4
    sim.switches.shared_write_status = status
    sim.add_section("Private", is_shared=False)
    guest = Caller(sim, token=sim.shared_token)
    titles = [section["title"] for section in (await guest.get("/library/sections"))["Directory"]]
    assert titles == ["Films", "Other"]
    assert (await guest.send("GET", "/library/sections/3/all")).status == 404
    assert len(await guest.rows("/library/metadata/1")) == 1
    for method, path in (
        ("PUT", "/library/sections/1/all?type=1&id=1&title.value=X"),
        ("PUT", "/library/metadata/1?title.value=X"),
        ("POST", "/library/metadata/1/posters"),
        ("PUT", "/library/metadata/1/poster?url=x"),
        ("GET", "/library/sections/1/refresh"),
        ("DELETE", "/library/metadata/1"),
        ("POST", "/library/collections?title=C&sectionId=1"),
    ):
        assert (await guest.send(method, path, b"x")).status == status
    assert sim.item("1").title == "Film 0"


@pytest.mark.parametrize(
    "path", ["/library/metadata/99", "/library/sections/99/all", "/library/sections/x/all", "/no/such/path"]
)
async def test_unknown_things_are_404_in_html(plex: Caller, path: str) -> None:
    # fact 5
    answer = await plex.send("GET", path)
    assert answer.status == 404
    assert answer.headers["content-type"] == "text/html"
    assert b"404 Not Found" in answer.body


async def test_actions_answer_200_with_an_empty_html_body(plex: Caller) -> None:
    # fact 6
    for method, path in (
        ("PUT", "/library/sections/1/all?type=1&id=1&title.value=X"),
        ("PUT", "/library/metadata/1?title.value=Y"),
        ("POST", "/library/metadata/1/posters"),
        ("GET", "/library/sections/1/refresh"),
        ("POST", "/library/sections/1/refresh"),
        ("PUT", "/library/metadata/1,2/refresh"),
        ("PUT", "/:/rate?identifier=com.plexapp.plugins.library&key=1&rating=5"),
        ("PUT", "/:/scrobble?identifier=com.plexapp.plugins.library&key=1"),
        ("PUT", "/library/sections/1/emptyTrash"),
        ("DELETE", "/library/sections/1/refresh"),
    ):
        answer = await plex.send(method, path, b"image" if method == "POST" else b"")
        assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"", "text/html"), path


async def test_maintenance_is_503_with_its_mark_on_every_path(sim: PlexSim, plex: Caller) -> None:
    # fact 7
    sim.start_maintenance()
    for path in ("/identity", "/", "/library/sections", "/no/such/path"):
        answer = await plex.send("GET", path)
        assert answer.status == 503
        assert json.loads(answer.body)["title"] == "Maintenance"
        answer = await Caller(sim, accept="").send("GET", path)
        assert b'title="Maintenance"' in answer.body
    assert (await plex.send("PUT", "/library/sections/1/all?type=1&id=1&title.value=X")).status == 503
    assert sim.item("1").title == "Film 0"
    sim.end_maintenance()
    assert await plex.get("/identity")


async def test_refused_connection_is_no_answer_at_all(sim: PlexSim, plex: Caller) -> None:
    # fact 7
    sim.switches.drop_connections = True
    with pytest.raises(TransportFailed) as failure:
        await plex.send("GET", "/identity")
    assert failure.value.fault is Fault.CONNECT


@pytest.mark.parametrize("status", [502, 503])
async def test_proxy_errors_carry_no_maintenance_mark(sim: PlexSim, plex: Caller, status: int) -> None:
    # fact 8
    sim.switches.proxy_status = status
    answer = await plex.send("GET", "/identity")
    assert answer.status == status
    assert b"aintenance" not in answer.body


async def test_request_line_beyond_the_limit_is_400(sim: PlexSim, plex: Caller) -> None:
    # fact 9
    start = "/library/sections/1/all?type=1&id=1&summary.value="
    fits = sim.switches.request_line_limit - len("PUT  HTTP/1.1") - len(start)
    assert (await plex.send("PUT", start + "x" * fits)).status == 200
    assert (await plex.send("PUT", start + "y" * (fits + 1))).status == 400
    assert sim.item("1").fields["summary"] == "x" * fits
    sim.switches.request_line_limit = 100
    assert (await plex.send("GET", "/library/metadata/1?a=" + "x" * 100)).status == 400


async def test_numbers_and_booleans_come_in_any_spelling_but_rating_keys_are_strings(
    sim: PlexSim, plex: Caller
) -> None:
    # fact 10
    sim.switches.loose_types = True
    sizes, refreshing = set(), set()
    for _ in range(30):
        sections = (await plex.get("/library/sections"))["Directory"]
        refreshing.add(repr(sections[0]["refreshing"]))
        for item in await plex.rows("/library/sections/1/all?type=1"):
            assert type(item["ratingKey"]) is str
            sizes.add(type(item["Media"][0]["Part"][0]["size"]))
    assert sizes == {int, str}
    assert refreshing == {"False", "0", "'0'"}


async def test_empty_result_has_a_size_and_no_children(plex: Caller) -> None:
    # fact 11
    container = await plex.get("/library/sections/2/all?type=1")
    assert container["size"] == 0
    assert "Metadata" not in container
