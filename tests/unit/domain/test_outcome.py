"""One function decides what an error costs, as the table of errors in the docs says."""

from datetime import timedelta

import pytest

from builders import NOW
from stashplex.base import errors
from stashplex.base.errors import Server, StashplexError
from stashplex.domain.outcome import HOLD_S, Dead, Hold, Retry, outcome_of

ENDS_THE_RUN = {errors.ConfigError, errors.StoreError, errors.SideEmpty}
BRANCHES = {
    errors.ServerError: Hold,
    errors.EntryError: Retry,
    errors.EntryRejected: Dead,
}


def subclasses(branch: type[StashplexError]) -> set[type[StashplexError]]:
    return {branch}.union(*(subclasses(leaf) for leaf in branch.__subclasses__()))


def raised(error: type[StashplexError]) -> StashplexError:
    if issubclass(error, errors.ServerError):
        return error(Server.PLEX, "It failed.", hint="Do this.")
    if issubclass(error, errors.WriteNotTaken):
        return error("It failed.", hint="Do this.", fields=("title",), is_partial=False)
    return error("It failed.", hint="Do this.")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(leaf, outcome) for branch, outcome in BRANCHES.items() for leaf in sorted(subclasses(branch), key=str)],
)
def test_each_branch_has_its_outcome(error: type[StashplexError], outcome: type[Hold | Retry | Dead]) -> None:
    ended = outcome_of(raised(error), NOW)
    assert type(ended) is outcome
    assert isinstance(ended, Hold | Retry | Dead)
    assert ended.error_type == error.__name__
    assert ended.message.startswith("It failed.")


def test_every_error_is_in_a_branch_or_ends_the_run() -> None:
    in_branches = set[type[StashplexError]]().union(*map(subclasses, BRANCHES))
    assert subclasses(StashplexError) - in_branches == {StashplexError, *ENDS_THE_RUN}


@pytest.mark.parametrize("error", [errors.PlexNotFound, errors.MatchAmbiguous])
def test_a_person_is_told_what_to_do(error: type[StashplexError]) -> None:
    ended = outcome_of(raised(error), NOW)
    assert isinstance(ended, Retry | Dead)
    assert ended.message == "It failed. Do this."


def test_a_message_without_a_hint_ends_with_itself() -> None:
    assert outcome_of(errors.PlexTemporaryError("It failed."), NOW) == Retry("PlexTemporaryError", "It failed.")


@pytest.mark.parametrize(("retry_after_s", "wait_s"), [(None, HOLD_S), (7.5, 7.5), (0.0, 0.0)])
def test_a_hold_lasts_as_long_as_the_server_asks(retry_after_s: float | None, wait_s: float) -> None:
    ended = outcome_of(errors.ServerBusy(Server.PLEX, "Busy.", retry_after_s=retry_after_s), NOW)
    assert ended == Hold("ServerBusy", "Busy.", NOW + timedelta(seconds=wait_s))


@pytest.mark.parametrize(("error", "message"), [(KeyError("x"), "'x'"), (RuntimeError(), "RuntimeError")])
def test_a_bug_is_retried_and_never_nameless(error: Exception, message: str) -> None:
    assert outcome_of(error, NOW) == Retry(type(error).__name__, message)
