"""How a fault is planted, and the list of all of them; the faults stand in `planted` and `planted_servers`.

A fault is a function that returns what to replace: owner, name, wrong value. Its name is what was forgotten.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from simulation.swap import swapped

Plant = Callable[[], AbstractContextManager[None]]
PLANTED: dict[str, Plant] = {}


def planted(make: Callable[[], Sequence[tuple[object, str, object]]]) -> Callable[[], AbstractContextManager[None]]:
    """Register a fault: a function that returns what to replace."""

    @contextmanager
    def plant() -> Iterator[None]:
        with ExitStack() as stack:
            for owner, name, value in make():
                stack.enter_context(swapped(owner, name, value))
            yield

    PLANTED[make.__name__] = plant
    return plant
