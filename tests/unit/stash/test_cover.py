"""Covers: our own address whatever Stash says, and what each answer means."""

import pytest

from stashplex.base.transport import Response
from stashplex.base.wire import is_page
from stashplex.stash.cover import Cover, cover_of, cover_stamp, rebased

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20


@pytest.mark.parametrize(
    ("url", "base", "expected"),
    [
        ("http://s:9999/scene/4/screenshot?t=7", "http://s:9999", "http://s:9999/scene/4/screenshot?t=7"),
        ("http://127.0.0.1:9999/scene/4/screenshot?t=7", "https://nas", "https://nas/scene/4/screenshot?t=7"),
        ("https://x/stash/scene/4/screenshot?t=7", "http://s:9999", "http://s:9999/scene/4/screenshot?t=7"),
        ("http://s:9999/scene/4/screenshot?t=7", "https://nas/stash", "https://nas/stash/scene/4/screenshot?t=7"),
        ("https://nas/stash/scene/4/screenshot", "https://nas/stash", "https://nas/stash/scene/4/screenshot"),
        ("https://nas/stash/elsewhere/4", "https://nas/stash", "https://nas/stash/elsewhere/4"),
        ("https://nas/elsewhere/4", "https://nas/stash", "https://nas/stash/elsewhere/4"),
        ("http://s/scene/4/screenshot?apikey=SECRET&t=7", "http://s", "http://s/scene/4/screenshot?t=7"),
        ("http://s/a b/ü?t=7", "http://s", "http://s/a%20b/%C3%BC?t=7"),
    ],
)
def test_a_cover_is_fetched_by_our_own_address(url: str, base: str, expected: str) -> None:
    assert rebased(url, base) == expected


@pytest.mark.parametrize(
    "url", ["evil.example/x", "//evil.example/x", "@evil.example/x", "http://evil.example//evil/x"]
)
def test_no_address_leads_to_another_host(url: str) -> None:
    assert rebased(url, "http://s").startswith("http://s/")


def test_the_stamp_is_the_t() -> None:
    assert cover_stamp("http://s/scene/4/screenshot?apikey=x&t=17") == "17"
    assert cover_stamp("http://s/scene/4/screenshot") == ""


def test_a_cover_has_its_digest() -> None:
    cover = cover_of(Response(200, {"etag": '"e"', "content-type": "application/octet-stream"}, PNG))
    assert cover == Cover(PNG, '"e"', "image/png")
    assert len(cover.sha1) == 40


@pytest.mark.parametrize("body", [b"<svg xmlns='x'/>", b"", b"\x00\x00\x00\x1cftypavif", b"RIFF0000AVI "])
def test_what_plex_cannot_show_is_no_cover(body: bytes) -> None:
    assert cover_of(Response(200, {"content-type": "image/svg+xml"}, body)) is None


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/html; charset=utf-8", b"", True),
        ("", b"\n <!DOCTYPE html><html>", True),
        ("image/jpeg", b"\xff\xd8\xff", False),
        ("image/svg+xml", b"<svg/>", False),
    ],
)
def test_a_page_is_recognised(content_type: str, body: bytes, expected: bool) -> None:
    assert is_page(Response(200, {"content-type": content_type}, body)) is expected
