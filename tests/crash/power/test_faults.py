"""An operation on a file fails, or the disk is full for a while: an error with a hint, never a wrong success.

Each of the first 200 operations of a life fails once, and some later ones. What was acknowledged stays, the step that
failed is done or undone as a whole, the same open store goes on, and a restart finds the same.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from crash.power.recording import settings
from crash.power.vfs import (
    FULL,
    IO_DELETE,
    IO_FSYNC,
    IO_READ,
    IO_TRUNCATE,
    IO_WRITE,
    NOT_OPENED,
    OK,
    Kind,
    Operation,
    tapped,
)
from crash.power.workload import Dump, Life, Step, dump
from stashplex.base.errors import StoreError

STEPS = 40
SEED = 5
FIRST = 200
OPERATIONS = [*range(FIRST), *range(FIRST, 500, 10)]
"""A first start takes some 120 of the first 200."""

WRITES = range(0, 250, 5)
WRITES_REFUSED = 7
CHUNKS = 8

ERRORS: Mapping[Kind, int] = {
    Kind.OPEN: NOT_OPENED,
    Kind.READ: IO_READ,
    Kind.WRITE: IO_WRITE,
    Kind.TRUNCATE: IO_TRUNCATE,
    Kind.SYNC: IO_FSYNC,
    Kind.DELETE: IO_DELETE,
}


@dataclass
class Fault:
    """Lets operations number `first` (from 0) to before `last` fail; those of other kinds are not counted."""

    root: Path
    first: int
    last: int
    errors: Mapping[Kind, int]
    count: int = 0

    def tap(self, operation: Operation) -> int:
        if operation.kind not in self.errors or not operation.path.is_relative_to(self.root):
            return OK
        number = self.count
        self.count += 1
        return self.errors[operation.kind] if self.first <= number < self.last else OK

    @property
    def has_struck(self) -> bool:
        return self.count > self.first


def _dump(life: Life, fault: Fault) -> Dump:
    """Return the ledger, asked for again while the fault lasts."""
    found: list[Dump] = []
    for _ in range(WRITES_REFUSED + 1):
        if not _fails(lambda: found.append(dump(life._store)), fault):
            break
    return found[0]


def _fails(step: Step, fault: Fault) -> bool:
    """Take a step; tell whether it failed, which it may only with a hint and where there was a fault."""
    failure: StoreError | None = None
    try:
        step()
    except StoreError as error:
        failure = error
    assert failure is None or (failure.hint and fault.has_struck)
    return failure is not None


def _live(root: Path, fault: Fault, promised: list[Dump]) -> list[Dump]:
    """Live a life with a fault; return the ledger after each step.

    `promised` is the same life without: until the fault is over, each step ends as there, or failed and was undone.
    """
    root.mkdir()
    life = Life(root, random.Random(SEED))
    seen: list[Dump] = []
    is_same = bool(promised)
    with settings(checkpoint_pages=20), tapped(fault.tap):
        for number, step in enumerate(life.steps(STEPS)):
            has_failed = _fails(step, fault)
            seen.append(_dump(life, fault))
            if is_same:
                before = promised[max(number - 1, 0)]
                assert seen[-1] in ([before, promised[number]] if has_failed else [promised[number]])
            is_same = is_same and not has_failed
        _fails(life.close, fault)
        life.close()
    again = Life(root, random.Random(0))
    assert dump(again._store) == seen[-1]
    again.close()
    return seen


@pytest.fixture(scope="module")
def promised(tmp_path_factory: pytest.TempPathFactory) -> list[Dump]:
    fault = Fault(tmp_path_factory.mktemp("promised") / "life", 10**9, 10**9, ERRORS)
    seen = _live(fault.root, fault, [])
    assert fault.count > max(OPERATIONS)
    return seen


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_each_operation_may_fail(tmp_path: Path, promised: list[Dump], chunk: int) -> None:
    for number in OPERATIONS[chunk::CHUNKS]:
        fault = Fault(tmp_path / f"operation-{number}", number, number + 1, ERRORS)
        _live(fault.root, fault, promised)
        assert fault.has_struck


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_the_disk_may_be_full_for_a_while_from_each_write(tmp_path: Path, promised: list[Dump], chunk: int) -> None:
    for number in WRITES[chunk::CHUNKS]:
        fault = Fault(tmp_path / f"write-{number}", number, number + WRITES_REFUSED, {Kind.WRITE: FULL})
        _live(fault.root, fault, promised)
        assert fault.has_struck
