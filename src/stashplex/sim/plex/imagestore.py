"""The bytes of uploaded images, by their SHA-1.

What the server knows of an image is its hash and size for ever; its bytes only for the newest
`keep_images`, so that a hundred thousand posters fit in memory.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha1

from stashplex.sim.plex.switches import Switches

PLACEHOLDER = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
"""A picture of one pixel: what stands for images that nobody uploaded."""


@dataclass(slots=True, eq=False)
class ImageStore:
    """All images that were ever uploaded or fetched."""

    switches: Switches
    sizes: dict[str, int] = field(default_factory=dict)
    _bytes: OrderedDict[str, bytes] = field(default_factory=OrderedDict)

    def put(self, image: bytes) -> str:
        """Keep an image and return its SHA-1 in hexadecimal."""
        digest = sha1(image, usedforsecurity=False).hexdigest()
        self.sizes[digest] = len(image)
        self._bytes[digest] = image
        keep = self.switches.keep_images
        while keep is not None and len(self._bytes) > keep:
            self._bytes.popitem(last=False)
        return digest

    def find(self, digest: str) -> bytes | None:
        """Return an image, None when its bytes were not kept."""
        return self._bytes.get(digest)
