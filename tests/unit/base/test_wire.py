"""What both clients share: statuses that concern the server, waits, excerpts without secrets, repaired JSON."""

import html
import json

import pytest

from stashplex.base.errors import Server, ServerBusy, ServerError, ServerRefused, ServerUnreachable
from stashplex.base.transport import Response
from stashplex.base.wire import Peer, image_type, repaired_json, retry_after_s

SECRET = "s3cr3t/+token"
PEER = Peer(Server.PLEX, "http://plex:32400", SECRET, "STASHPLEX_PLEX_URL", "STASHPLEX_PLEX_TOKEN")
DATE = "Wed, 01 Jul 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "body", "error", "words"),
    [
        (401, {}, b"", ServerRefused, "does not accept"),
        (403, {}, b"", ServerRefused, "403"),
        (429, {}, b"", ServerBusy, "429"),
        (503, {"retry-after": "7"}, b"", ServerBusy, "503"),
        (503, {}, b'<Response code="503" title="Maintenance"/>', ServerUnreachable, "503, maintenance"),
        (503, {}, b'{"title":"Maintenance"}', ServerUnreachable, "503, maintenance"),
        (503, {}, b"", ServerUnreachable, r"\(503\)"),
        (500, {}, b"", ServerUnreachable, "500"),
        (408, {}, b"", ServerUnreachable, "408"),
        (301, {}, b"", ServerUnreachable, "another address"),
    ],
)
def test_a_status_that_concerns_the_server(
    status: int, headers: dict[str, str], body: bytes, error: type[ServerError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        PEER.require_served(Response(status, headers, body))
    assert type(caught.value) is error
    assert caught.value.server is Server.PLEX


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 409, 422])
def test_every_other_status_is_the_callers_to_judge(status: int) -> None:
    PEER.require_served(Response(status, {}, b""))


@pytest.mark.parametrize(("status", "doubt"), [(500, True), (502, True), (504, True), (503, False)])
def test_only_a_write_that_failed_on_its_way_may_have_applied(status: int, doubt: bool) -> None:
    for is_write, expected in ((True, doubt), (False, False)):
        with pytest.raises(ServerUnreachable) as caught:
            PEER.require_served(Response(status, {}, b""), is_write=is_write)
        assert caught.value.may_have_applied is expected


def test_a_missing_secret_is_asked_for_and_a_wrong_one_is_to_be_corrected() -> None:
    anonymous = Peer(Server.PLEX, "http://plex", "", "U", "STASHPLEX_PLEX_TOKEN")
    assert anonymous.refused(401).hint == "Set STASHPLEX_PLEX_TOKEN."
    assert PEER.refused(401).hint == "Correct STASHPLEX_PLEX_TOKEN."


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120.0),
        ({"retry-after": " 5 "}, 5.0),
        ({"retry-after": "Wed, 01 Jul 2026 12:01:30 GMT", "date": DATE}, 90.0),
        ({"retry-after": "Wed, 01 Jul 2026 11:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Wed, 01 Jul 2026 12:01:30 GMT"}, None),
        ({"retry-after": "soon", "date": DATE}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "²"}, None),
    ],
)
def test_the_wait_that_a_server_asks_for(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers) == wait_s


def test_an_excerpt_is_one_line_of_256_characters() -> None:
    assert PEER.excerpt(b"a\r\n\tb" + b"x" * 1000) == "a b" + "x" * 253


@pytest.mark.parametrize(
    "body",
    [
        f"token {SECRET} end",
        "token s3cr3t%2F%2Btoken end",
        "?X-Plex-Token=somebody-elses&x=1",
        '{"x-plex-token": "somebody-elses"}',
        "ApiKey: somebody-elses",
        '{"plugins": {"stashplex": {"plex_token": "somebody-elses"}}}',
        '{"service_key":"somebody-elses"}',
        "x" * 250 + SECRET,
    ],
)
def test_an_excerpt_holds_no_secret(body: str) -> None:
    text = PEER.excerpt(body.encode())
    assert "s3cr3t" not in text
    assert "somebody" not in text


def test_the_secret_is_not_in_the_peers_repr() -> None:
    assert SECRET not in repr(PEER)


def test_proper_json_survives_the_repair() -> None:
    value = {"a": "é😀\\ud800 \\", "b": "\ud83d\ude00\u0001\n", "c": [1, None, True]}
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        assert json.loads(repaired_json(text))["c"] == [1, None, True]
        assert json.loads(repaired_json(text))["a"] == value["a"]


def test_a_byte_order_mark_is_dropped() -> None:
    assert repaired_json(b"\xef\xbb\xbf{}") == b"{}"


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00AVI ", None),
        (b"<svg", None),
        (b"", None),
    ],
)
def test_images_are_known_by_their_first_bytes(start: bytes, expected: str | None) -> None:
    assert image_type(start) == expected


def test_a_secret_is_masked_in_the_spelling_of_pages_and_of_json() -> None:
    secret = 'a"b<c>&d'
    peer = Peer(Server.PLEX, "http://plex:32400", secret, "STASHPLEX_PLEX_URL", "STASHPLEX_PLEX_TOKEN")
    echoed = f"{secret} {json.dumps(secret)} {html.escape(secret)} {html.escape(secret, quote=False)}"
    assert peer.scrubbed(echoed) == '*** "***" *** ***'
