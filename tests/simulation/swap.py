"""Replaces one attribute of the program for a while: how planted faults come in, and slow looks in place of quick ones.

Not a mock: what is put in is a whole function or number that does its work, only wrongly or less often.
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def swapped(owner: object, name: str, value: object) -> Iterator[None]:
    """Let `owner.name` be another value until the block ends."""
    before = vars(owner)[name]
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)
