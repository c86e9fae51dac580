"""Made-up pictures, for what a real server would take from the video.

Small, valid, and the same for the same number.
"""

import struct
import zlib


def plain_png(seed: int) -> bytes:
    """Return a small one-coloured picture, a different one per seed."""
    colour = bytes(((seed * 97) % 256, (seed * 57) % 256, (seed * 13) % 256))
    rows = (b"\x00" + colour * 16) * 9
    header = struct.pack(">IIBBBBB", 16, 9, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
