"""Foreign pickles become plain data or are refused, in bounded time, and run nothing."""

import contextlib
import datetime as dt
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peers import a_job
from stashplex.store.pickles import MAX_BYTES, MAX_DEPTH, PickleRefused, load

ATOMS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
KEYS = st.text() | st.integers() | st.booleans() | st.none() | st.binary()
PLAIN = st.recursive(
    ATOMS | st.sets(KEYS) | st.frozensets(KEYS),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.tuples(inner) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


class Runs:
    """A pickle of it calls a function when it is loaded."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def nested(levels: int) -> object:
    value: object = []
    for _ in range(levels - 1):
        value = [value]
    return value


@given(PLAIN, st.sampled_from([4, 5]))
def test_plain_data_comes_back_as_it_was(value: object, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_job_comes_back_in_every_protocol(protocol: int) -> None:
    job = a_job(42, retry_count=3, next_retry_at=1.5, last_error_type="PlexNotFound")
    assert load(pickle.dumps(job, protocol)) == job


def test_shared_values_come_back() -> None:
    tags = ["a", "b"]
    assert load(pickle.dumps({"x": tags, "y": tags})) == {"x": tags, "y": tags}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("place", [lambda it: it, lambda it: {"data": {"title": it}}, lambda it: [({"a": it},)]])
def test_a_call_is_refused_and_not_made(tmp_path: Path, place: Any, protocol: int) -> None:
    marker = tmp_path / "made"
    hostile = pickle.dumps(place(Runs(os.system, f"touch {marker}")), protocol)
    with pytest.raises(PickleRefused) as caught:
        load(hostile)
    assert not marker.exists()
    pickle.loads(hostile)  # noqa: S301 - it is our own: proves that the row would have done it
    assert marker.exists()
    assert protocol < 2 or "asks for posix.system" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Runs(eval, "1 + 1"), "builtins.eval"),
        (Runs(getattr, "a", "upper"), "builtins.getattr"),
        (Path("a"), "pathlib."),
        (dt.datetime(2025, 1, 2, tzinfo=dt.UTC), "datetime.datetime"),
        (bytearray(b"a"), "builtins.bytearray"),
        (complex(1, 2), "builtins.complex"),
    ],
)
def test_whatever_is_not_plain_is_refused_by_name(value: object, name: str) -> None:
    with pytest.raises(PickleRefused, match=name.replace(".", r"\.")):
        load(pickle.dumps(value))


BOMBS = {
    "50 MB": pickle.dumps("a" * 50_000_000),
    "just too long": pickle.dumps(b"a" * MAX_BYTES),
    "nested lists": b"\x80\x04" + b"]" * 20_000 + b"a" * 19_999 + b".",
    "nested tuples": b"\x80\x04)" + b"\x85" * 900_000 + b".",
    "nested tuples as a key": b"\x80\x04})" + b"\x85" * 40_000 + b"Ns.",
    "tuples that double": b"\x80\x04}]" + b"\x94h\x00h\x00\x86" * 60 + b"Ns.",
    "a huge text": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f.",
    "a huge byte array": b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.",
    "a huge number": b"\x80\x04\x8b" + (2**31 - 1).to_bytes(4, "little") + b".",
    "a number of many digits": b"L" + b"9" * 500_000 + b"L\n.",
    "many steps": b"\x80\x04](" + b"N" * 200_000 + b"e.",
    "a list in itself": b"\x80\x04]\x94h\x00a.",
    "a persistent id": b"\x80\x04Pother\n.",
    "an extension": b"\x80\x04\x82\x01.",
    "a list as a key": b"\x80\x04}]Ns.",
    "a value for a list": b"\x80\x04]NNs.",
    "odd items": b"\x80\x04}(Nu.",
    "items without a mark": b"\x80\x04]Ne.",
    "a mark left over": b"\x80\x04N(.",
    "two values": b"\x80\x04NN.",
    "no value": b"\x80\x04.",
    "no end": b"\x80\x04N",
    "nothing": b"",
    "no pickle": b"SQLite format 3\x00",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_and_rubbish_are_refused(bomb: str) -> None:
    with pytest.raises(PickleRefused):
        load(BOMBS[bomb])


@pytest.mark.parametrize(
    "raw", [b"Nr\xff\xff\xff\x7f.", b"\x95" + b"\xff" * 7 + b"\x7fN."], ids=["memo index", "frame"]
)
def test_huge_figures_reserve_no_memory(raw: bytes) -> None:
    assert load(b"\x80\x04" + raw) is None


def test_nesting_is_allowed_to_the_limit_and_no_further() -> None:
    deepest = nested(MAX_DEPTH)
    assert load(pickle.dumps(deepest)) == deepest
    with pytest.raises(PickleRefused, match="levels deep"):
        load(pickle.dumps(nested(MAX_DEPTH + 1)))


def read(raw: bytes) -> None:
    with contextlib.suppress(PickleRefused):
        load(raw)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    read(b"\x80\x04" + raw)
    read(raw)


@settings(max_examples=300)
@given(st.data())
def test_no_damage_to_a_job_raises_anything_else(data: st.DataObject) -> None:
    raw = bytearray(pickle.dumps(a_job(42)))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    read(bytes(raw))
