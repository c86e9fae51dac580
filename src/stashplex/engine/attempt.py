"""One step for one entry, whatever it raises: the only broad `except` of the program.

Callers turn the failure into an outcome (`domain/outcome.outcome_of`); nothing is logged and forgotten here.
The invariant: one entry's failure, a bug included, never stops the others.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar

from stashplex.base.errors import StashplexError

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The step ended with a value."""

    value: T


@dataclass(frozen=True, slots=True)
class Failed:
    """The step ended with an error."""

    error: Exception


async def attempt(step: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> Done[T] | Failed:
    """Return what a step gave or raised. Cancellation passes through.

    Several errors of ours at once (parts of a group that failed for one reason) are told as the first of them.
    """
    try:
        return Done(await step(*args, **kwargs))
    except Exception as error:  # noqa: BLE001 - the one broad except: a bug costs an attempt, not the run
        return Failed(_told(error))


def _told(error: Exception) -> Exception:
    """Return the error to tell: a group only when a bug is in it."""
    if not isinstance(error, ExceptionGroup):
        return error
    ours, others = error.split(StashplexError)
    if ours is None or others is not None:
        return error
    first = ours.exceptions[0]
    return _told(first)
