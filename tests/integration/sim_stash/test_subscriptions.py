"""News over a websocket: who may listen, in both sub-protocols, over a real socket."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from integration.sim_stash.caller import JSON, KEY, Workshop
from integration.sim_stash.server import serving_whole
from stashplex.sim.stash.app import StashSim

NEWER, OLDER = Subprotocol("graphql-transport-ws"), Subprotocol("graphql-ws")
WORDS = {NEWER: ("subscribe", "next"), OLDER: ("start", "data")}


@pytest.fixture
def address(plugged: StashSim) -> Iterator[str]:
    """The address of the served simulator."""
    with serving_whole(plugged) as url:
        yield url


def call(address: str, protocol: Subprotocol = NEWER) -> ClientConnection:
    url = address.replace("http://", "ws://") + "/graphql"
    return connect(url, subprotocols=[protocol], additional_headers=KEY)


def listen(socket: ClientConnection, document: str, word: str = "subscribe") -> None:
    socket.send(json.dumps({"type": "connection_init"}))
    assert read(socket) == {"type": "connection_ack"}
    socket.send(json.dumps({"type": word, "id": "1", "payload": {"query": document}}))
    socket.send(json.dumps({"type": "ping"}))
    assert read(socket) == {"type": "pong"}


def read(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=10))


def mutate(address: str, document: str) -> None:
    body = json.dumps({"query": document}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, KEY | JSON)
    with urllib.request.urlopen(request, timeout=10) as response:
        assert "errors" not in json.load(response)


@pytest.mark.parametrize("protocol", sorted(WORDS))
def test_log_lines_arrive(address: str, workshop: Workshop, protocol: Subprotocol) -> None:
    start, answer = WORDS[protocol]
    (workshop.root / "stray.yml").write_text("version: {}\n", "utf-8")
    with call(address, protocol) as socket:
        assert socket.subprotocol == protocol
        listen(socket, "subscription { loggingSubscribe { level message } }", start)
        mutate(address, "mutation { reloadPlugins }")
        news = read(socket)
    assert (news["type"], news["id"]) == (answer, "1")
    (line,) = news["payload"]["data"]["loggingSubscribe"]
    assert line["level"] == "Error"
    assert "stray.yml" in line["message"]


def test_jobs_are_told_from_start_to_end(address: str) -> None:
    with call(address) as socket:
        listen(socket, "subscription { jobsSubscribe { type job { description status } } }")
        mutate(address, "mutation { metadataScan(input: {}) }")
        news = [read(socket)["payload"]["data"]["jobsSubscribe"] for _ in range(3)]
    assert [(each["type"], each["job"]["description"]) for each in news] == [
        (kind, "Scanning...") for kind in ("ADD", "UPDATE", "REMOVE")
    ]
    assert news[-1]["job"]["status"] == "FINISHED"


def test_the_end_of_a_scan_is_told(address: str) -> None:
    with call(address) as socket:
        listen(socket, "subscription { scanCompleteSubscribe }")
        mutate(address, "mutation { metadataScan(input: {}) }")
        assert read(socket)["payload"] == {"data": {"scanCompleteSubscribe": True}}


def test_a_document_that_does_not_fit_is_an_error(address: str) -> None:
    with call(address) as socket:
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": "subscription { nonsense }"}}))
        assert read(socket)["type"] == "error"


def test_a_stranger_is_refused_at_the_handshake(address: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(address.replace("http://", "ws://") + "/graphql", subprotocols=[NEWER])
    assert refused.value.response.status_code == 401
