"""Posters: what may be sent, and which requests it takes until Plex shows it. Runs under asyncio and trio."""

import hashlib
import io
import json
import random
from dataclasses import dataclass, field

import pytest
from PIL import Image
from typing_extensions import override

from stashplex.base.errors import SceneInvalid
from stashplex.base.transport import Request, Response, Transport
from stashplex.domain.item import Item, RatingKey, SectionKey
from stashplex.plex.client import PlexClient
from stashplex.plex.images import UPLOAD_LIMIT_BYTES, PosterAction, is_usable_image, put_poster, sendable, sha1_of

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
DIGEST = hashlib.sha1(PNG, usedforsecurity=False).hexdigest()


def an_item(thumb: str = "/library/metadata/812/thumb/1") -> Item:
    return Item(
        RatingKey("812"), SectionKey("5"), "T", "T", "", "", "", None, (), (), (), (), (), frozenset(), thumb, (), 1
    )


@dataclass
class Posters(Transport):
    """A Plex with a list of posters."""

    candidates: list[dict[str, object]] = field(default_factory=list)
    seen: list[tuple[str, str, int]] = field(default_factory=list)

    @override
    async def send(self, request: Request) -> Response:
        self.seen.append((request.method, request.url.removeprefix("http://p/library/metadata/812"), len(request.body)))
        body = (
            json.dumps({"MediaContainer": {"Metadata": self.candidates}}).encode() if request.method == "GET" else b""
        )
        return Response(200, {}, body)


async def test_an_item_without_any_poster_gets_one_upload() -> None:
    plex = Posters()
    client = PlexClient(plex, "http://p", "t")
    assert await put_poster(client, an_item(thumb=""), PNG, may_be_there=True) is PosterAction.UPLOADED
    assert plex.seen == [("POST", "/posters", len(PNG))]
    assert (client.requests, client.uploads, client.writes) == (1, 1, 0)


async def test_a_poster_that_cannot_be_there_is_not_looked_for() -> None:
    plex = Posters()
    assert await put_poster(PlexClient(plex, "http://p", "t"), an_item(), PNG) is PosterAction.UPLOADED
    assert len(plex.seen) == 1


@pytest.mark.parametrize(
    ("candidates", "action", "then"),
    [
        ([], PosterAction.UPLOADED, [("POST", "/posters", len(PNG))]),
        (
            [{"ratingKey": f"metadata://posters/x_{DIGEST}", "selected": True}],
            PosterAction.UPLOADED,
            [("POST", "/posters", len(PNG))],
        ),
        (
            [{"ratingKey": f"upload://posters/{DIGEST}", "selected": False}],
            PosterAction.SELECTED,
            [("PUT", f"/poster?url=upload%3A%2F%2Fposters%2F{DIGEST}", 0)],
        ),
        ([{"ratingKey": f"upload://posters/{DIGEST.upper()}", "selected": "1"}], PosterAction.PRESENT, []),
    ],
)
async def test_the_same_bytes_are_not_uploaded_twice(
    candidates: list[dict[str, object]], action: PosterAction, then: list[tuple[str, str, int]]
) -> None:
    plex = Posters(candidates)
    assert await put_poster(PlexClient(plex, "http://p", "t"), an_item(), PNG, may_be_there=True) is action
    assert plex.seen == [("GET", "/posters", 0), *then]


@pytest.mark.parametrize("body", [b"", b"<svg/>", b"<html>", b"plain"])
async def test_what_is_no_image_is_never_sent(body: bytes) -> None:
    plex = Posters()
    with pytest.raises(SceneInvalid) as caught:
        await put_poster(PlexClient(plex, "http://p", "t"), an_item(), body)
    assert caught.value.hint
    assert plex.seen == []


async def test_an_image_within_the_limit_is_sent_as_it_is() -> None:
    assert await sendable(PNG) is PNG


async def test_an_image_above_the_limit_becomes_a_smaller_jpeg_always_the_same() -> None:
    noise = Image.frombytes("RGB", (2000, 2000), random.Random(1).randbytes(12_000_000))
    encoded = io.BytesIO()
    noise.save(encoded, "PNG", compress_level=0)
    assert len(encoded.getvalue()) > UPLOAD_LIMIT_BYTES
    small = await sendable(encoded.getvalue())
    assert small.startswith(b"\xff\xd8\xff")
    assert len(small) <= UPLOAD_LIMIT_BYTES
    assert sha1_of(small) == sha1_of(await sendable(encoded.getvalue()))


async def test_too_large_and_undecodable_is_the_scenes_fault() -> None:
    with pytest.raises(SceneInvalid, match="cannot be decoded"):
        await sendable(PNG + b"x" * UPLOAD_LIMIT_BYTES)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [("", True), ("image/png", True), ("image/svg+xml", False), ("text/html; charset=utf-8", False)],
)
def test_a_declared_page_or_drawing_is_no_image(content_type: str, expected: bool) -> None:
    assert is_usable_image(PNG, content_type) is expected
