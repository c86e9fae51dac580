"""Pictures for films: drawn posters, cheap posters for large catalogues, and the odd ones that servers send.

Not the servers' business: they are handed bytes or a callable. Invariant: the same film gives the same bytes (of one
Pillow version), different films give different bytes.
"""

import textwrap
from functools import lru_cache
from hashlib import blake2b, shake_128
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from stashplex.sim.content.catalogue import Film

SIZE: Final = (400, 600)
_GRAIN: Final = (100, 150)
_JPEG_HEAD: Final = b"\xff\xd8"
_COMMENT: Final = b"\xff\xfe"
_INK: Final = (250, 246, 235)


def poster_jpeg(film: Film) -> bytes:
    """Return a coloured poster with title, year and studio: 400x600, 15 to 60 kB."""
    chance = blake2b(f"poster:{film.oshash}".encode(), digest_size=16).digest()
    image = _background(chance)
    draw = ImageDraw.Draw(image)
    lines = textwrap.wrap(film.title or "Untitled", 14)[:6]
    draw.multiline_text((28, 60), "\n".join(lines), fill=_INK, font=_font(44), spacing=10)
    draw.rectangle((28, 470, 372, 473), fill=_INK)
    draw.text((28, 490), str(film.year or ""), fill=_INK, font=_font(34))
    draw.text((28, 540), (film.studio or "")[:28], fill=_INK, font=_font(20))
    return _jpeg(image, quality=82)


def poster_cheap(film: Film) -> bytes:
    """Return a small JPEG that differs from every other film's by a comment in its head, in microseconds."""
    text = f"film {film.number} {film.oshash}".encode()
    return b"".join((_JPEG_HEAD, _COMMENT, (len(text) + 2).to_bytes(2, "big"), text, _plain()[2:]))


def svg_placeholder() -> bytes:
    """Return an SVG, as Stash sends for a scene without a cover."""
    return (
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 36">'
        b'<rect width="64" height="36" fill="#394b59"/><path d="M26 10v16l14-8z" fill="#f5f8fa"/></svg>'
    )


def truncated_jpeg(film: Film) -> bytes:
    """Return the first half of the film's poster: its head is good, its end is missing."""
    whole = poster_jpeg(film)
    return whole[: len(whole) // 2]


def _background(chance: bytes) -> Image.Image:
    """Return two colours running into each other, under a coarse grain."""
    top, bottom = _colour(chance[0:3]), _colour(chance[3:6])
    ramp = Image.linear_gradient("L").resize(SIZE)
    image = Image.composite(Image.new("RGB", SIZE, bottom), Image.new("RGB", SIZE, top), ramp)
    grain = Image.frombytes("L", _GRAIN, shake_128(chance).digest(_GRAIN[0] * _GRAIN[1])).resize(SIZE)
    return Image.blend(image, Image.merge("RGB", (grain, grain, grain)), 0.1)


def _colour(part: bytes) -> tuple[int, int, int]:
    """Return a colour dark enough for light ink."""
    red, green, blue = (value * 7 // 10 for value in part)
    return red, green, blue


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@lru_cache(maxsize=1)
def _plain() -> bytes:
    """Return the picture that all cheap posters show."""
    return _jpeg(Image.linear_gradient("L").resize((120, 180)).convert("RGB"), quality=50)


def _jpeg(image: Image.Image, *, quality: int) -> bytes:
    packed = BytesIO()
    image.save(packed, "JPEG", quality=quality)
    return packed.getvalue()
