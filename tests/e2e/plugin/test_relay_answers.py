"""Whatever answers at the address of a service elsewhere, an event leaves only when the service says it has it."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from e2e.plugin.hooking import wait_until
from stashplex.plugin import contact

pytestmark = pytest.mark.e2e

TASK = Path(contact.__file__).with_name("task.py")
EVENT = '{"type":"Scene.Update.Post","id":%d,"at":"2026-01-01T00:00:00Z","fields":[]}'
Reply = Callable[[bytes], bytes]


def http(status: int, body: bytes = b"", header: bytes = b"X-A: b") -> bytes:
    """Return an answer as it goes over the wire."""
    return b"HTTP/1.1 %d Told\r\nContent-Length: %d\r\n%s\r\n\r\n%s" % (status, len(body), header, body)


def accept(body: bytes) -> bytes:
    """Answer as a service does, which is strict about JSON."""
    try:
        events = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return http(400, b'{"error": "The body is no JSON list of events."}')
    return http(202, json.dumps({"accepted": len(events), "refused": []}).encode())


class Stranger:
    """Answers every request in one way, and keeps what it was sent."""

    def __init__(self, reply: Reply) -> None:
        self.bodies: list[bytes] = []
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        """Answer until closed."""
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            with line, line.makefile("rb") as stream:
                head = b"".join(iter(stream.readline, b"\r\n"))
                length = re.search(rb"(?i)content-length: (\d+)", head)
                self.bodies.append(stream.read(int(length[1]) if length else 0))
                line.sendall(self._reply(self.bodies[-1]))

    def close(self) -> None:
        """End it."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def relaying(data_dir: Path, reply: Reply) -> Iterator[tuple[Stranger, subprocess.Popen[bytes]]]:
    """Run a relay that speaks to somebody who answers in one way."""
    stranger = Stranger(reply)
    thread = threading.Thread(target=stranger.run)
    thread.start()
    (data_dir / "service-elsewhere.json").write_text(json.dumps({"url": stranger.url, "key": "a-long-random-text"}))
    command = [sys.executable, "-I", "-S", "-E", str(TASK), "--relay", str(data_dir)]
    try:
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as relay:
            try:
                yield stranger, relay
            finally:
                relay.kill()
    finally:
        stranger.close()
        thread.join()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    spool = tmp_path / "spool"
    spool.mkdir()
    for number in (2, 3):
        (spool / f"{number:016d}-aa.json").write_text(EVENT % number)
    return spool


ANSWERS = {
    "an object that says nothing": http(200, b"{}"),
    "another number": http(202, b'{"accepted": 1, "refused": []}'),
    "a redirect": http(302, b"", b"Location: /elsewhere"),
    "a page": http(200, b"<html>"),
    "no HTTP": b"\x00\xff\r\n\r\n",
    "half an answer": b'HTTP/1.1 202 Told\r\nContent-Length: 99\r\n\r\n{"acc',
    "too deep": http(200, b"[" * 200_000),
    "too large": http(413, b"{}"),
    "broken": http(500, b"{}"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=list(ANSWERS))
def test_an_event_stays_until_the_service_says_that_it_has_it(spool: Path, answer: bytes) -> None:
    with relaying(spool.parent, lambda _: answer) as (stranger, relay):
        wait_until(lambda: relay.poll() is not None or len(stranger.bodies) >= 2)
        assert relay.poll() is None
    assert len(list(spool.iterdir())) == 2


BAD = ('{"id": NaN}', '{"id": "\\ud800"}', '{"id": 1e999}', "[]", "\ufeff" + EVENT % 1)


@pytest.mark.parametrize("bad", BAD)
def test_a_file_that_only_some_take_for_json_does_not_hold_the_others_up(spool: Path, bad: str) -> None:
    (spool / f"{1:016d}-aa.json").write_text(bad, "utf-8")
    with relaying(spool.parent, accept) as (stranger, _):
        wait_until(lambda: not list(spool.glob("*.json")))
    assert [one["id"] for one in json.loads(stranger.bodies[-1])][-2:] == [2, 3]


def test_a_service_that_is_too_slow_for_many_is_sent_fewer(spool: Path) -> None:

    def take_few(body: bytes) -> bytes:
        return accept(body) if len(json.loads(body)) < 300 else http(504)

    for number in range(4, 600):
        (spool / f"{number:016d}-aa.json").write_text(EVENT % number)
    with relaying(spool.parent, take_few) as (stranger, _):
        wait_until(lambda: not list(spool.glob("*.json")))
    sizes = [len(json.loads(body)) for body in stranger.bodies]
    assert (sizes[0], sizes[1]) == (500, 250)


@pytest.mark.parametrize("url", ["nas:9998", "nas", "file:///etc/hostname"])
def test_an_address_that_is_none_is_said(tmp_path: Path, url: str) -> None:
    (tmp_path / "service-elsewhere.json").write_text(json.dumps({"url": url, "key": ""}))
    with pytest.raises(contact.Unreachable, match="must look like http://host:9998"):
        contact.Service(str(tmp_path)).get("/api/status")
