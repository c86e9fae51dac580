"""Which entry becomes of which rows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from builders import NOW
from stashplex.domain.entry import State
from stashplex.domain.scene import SceneId
from stashplex.engine.takeover import Fate, Takeover, clean, decide
from stashplex.store.ledger import Adoption
from stashplex.store.stash2plex import DeadLetter, Installation, Job

AGO = NOW - timedelta(days=1)


def decided(*rows: Job | DeadLetter, synced: dict[int, datetime] | None = None, **settings: object) -> Takeover:
    found = Installation(
        Path("/peer"),
        jobs=[row for row in rows if isinstance(row, Job)],
        dead_letters=[row for row in rows if isinstance(row, DeadLetter)],
        synced_at={SceneId(scene): at for scene, at in (synced or {}).items()},
        settings=settings,
    )
    return decide(found, NOW)


def job(retry_count: int = 0, due: datetime | None = None, kind: str | None = None, scene: int = 42) -> Job:
    return Job(SceneId(scene), False, AGO, retry_count, due, kind)


def letter(kind: str, message: str = "no", scene: int = 42, failed_at: datetime | None = AGO) -> DeadLetter:
    return DeadLetter(SceneId(scene), kind, message, 5, failed_at)


def only(takeover: Takeover, fate: Fate) -> Adoption:
    assert {one: count for one, count in takeover.fates.items() if count} == {fate: 1}
    (adoption,) = takeover.adoptions
    return adoption


def test_a_job_that_never_failed_is_due_now() -> None:
    transition = only(decided(job()), Fate.WAITING).transition
    assert (transition.state, transition.due_at, transition.retry_count) == (State.PENDING, NOW, 0)
    assert transition.last_error_type is None


def test_retry_metadata_is_kept() -> None:
    due = NOW + timedelta(seconds=77)
    adoption = only(decided(job(3, due, "PlexNotFound")), Fate.WAITING)
    transition = adoption.transition
    assert (transition.due_at, transition.retry_count, transition.last_error_type) == (due, 3, "PlexNotFound")
    assert transition.first_failed_at == AGO
    assert "PlexNotFound" in str(adoption.story)


@pytest.mark.parametrize(("kind", "limit"), [("PlexNotFound", 12), ("PlexTemporaryError", 5), ("ValueError", 5)])
def test_a_retry_count_stays_within_our_limits(kind: str, limit: int) -> None:
    assert only(decided(job(10**9, None, kind)), Fate.WAITING).transition.retry_count == limit


def test_an_outage_has_cost_no_attempt() -> None:
    assert only(decided(job(400, None, "PlexServerDown")), Fate.WAITING).transition.retry_count == 0


@pytest.mark.parametrize("due", [AGO, datetime(1971, 1, 1, tzinfo=UTC), None])
def test_a_time_that_has_passed_is_now(due: datetime | None) -> None:
    assert only(decided(job(1, due, "PlexNotFound")), Fate.WAITING).transition.due_at == NOW


def test_no_entry_waits_longer_than_our_longest() -> None:
    far = datetime(8999, 1, 1, tzinfo=UTC)
    due_at = only(decided(job(1, far, "PlexNotFound")), Fate.WAITING).transition.due_at
    assert due_at == NOW + timedelta(seconds=600)


def test_several_jobs_of_a_scene_are_one_entry() -> None:
    due = NOW + timedelta(seconds=60)
    transition = only(decided(job(), job(3, due, "PlexNotFound"), job(1, due, "ValueError")), Fate.WAITING).transition
    assert (transition.due_at, transition.retry_count, transition.last_error_type) == (NOW, 3, "PlexNotFound")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("PlexServerDown", "Plex server is down"),
        ("PlexTemporaryError", "Timeout error: read timed out"),
        ("PlexTemporaryError", "Server error (503): unavailable"),
        ("PlexTemporaryError", "Unknown Plex error: None of the configured libraries found: ['Films']"),
        ("PermanentError", "None of the configured libraries found: ['Films']"),
        ("PlexPermanentError", "Authentication failed: (401) unauthorized"),
        ("PermanentError", "Job 42 missing file path"),
        ("PlexNotFound", "No Plex item found for filename: a.mp4"),
        ("ReadTimeout", "HTTPConnectionPool: Read timed out."),
    ],
)
def test_what_died_of_an_outage_is_tried_afresh(kind: str, message: str) -> None:
    adoption = only(decided(letter(kind, message)), Fate.RETRIED)
    transition = adoption.transition
    assert (transition.state, transition.due_at, transition.retry_count) == (State.PENDING, NOW, 0)
    assert message in str(adoption.story)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("PlexPermanentError", "Bad request to Plex: (400)"),
        ("PermanentError", "Low confidence match skipped (strict_matching=true)"),
        ("PlexTemporaryError", "Unknown Plex error: Low confidence match skipped (strict_matching=true)"),
        ("KeyError", "'media'"),
    ],
)
def test_what_needs_a_person_stays_dead_as_it_was(kind: str, message: str) -> None:
    transition = only(decided(letter(kind, message)), Fate.DEAD).transition
    assert (transition.state, transition.due_at) == (State.DEAD, None)
    assert (transition.last_error_type, transition.last_error, transition.first_failed_at) == (kind, message, AGO)
    assert transition.retry_count == 5


def test_a_dead_letter_without_type_message_or_time_is_one() -> None:
    transition = only(decided(letter("", "", failed_at=None)), Fate.DEAD).transition
    assert (transition.last_error_type, transition.last_error) == ("unknown", "no message")
    assert transition.first_failed_at == NOW


def test_the_last_dead_letter_of_a_scene_decides() -> None:
    earlier = AGO - timedelta(days=3)
    rows = letter("PlexServerDown", failed_at=earlier), letter("KeyError", "two")
    transition = only(decided(*rows), Fate.DEAD).transition
    assert (transition.last_error, transition.first_failed_at) == ("two", earlier)


def test_a_scene_that_was_synced_since_is_no_dead_letter() -> None:
    adoption = only(decided(letter("KeyError"), synced={42: NOW}), Fate.COMPARED)
    assert adoption.transition.state is State.PENDING
    assert "synced since" in str(adoption.story)
    only(decided(letter("KeyError"), synced={42: AGO - timedelta(seconds=1)}), Fate.DEAD)


def test_a_waiting_job_goes_before_a_dead_letter() -> None:
    only(decided(letter("KeyError"), job(), synced={42: NOW}), Fate.WAITING)


def test_synced_scenes_are_compared_whatever_their_time() -> None:
    takeover = decided(synced={1: NOW, 2: datetime(8000, 1, 1, tzinfo=UTC)})
    assert takeover.fates[Fate.COMPARED] == 2
    assert {one.transition.due_at for one in takeover.adoptions} == {NOW}


def test_each_scene_is_adopted_once() -> None:
    rows = [job(scene=1), job(scene=1), letter("KeyError", scene=1), letter("KeyError", scene=2), job(scene=3)]
    takeover = decided(*rows, synced={1: AGO, 2: AGO - timedelta(days=1), 3: AGO, 4: AGO})
    assert sorted(int(one.scene_id) for one in takeover.adoptions) == [1, 2, 3, 4]
    assert sum(takeover.fates.values()) == 4


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("GET /identity?X-Plex-Token=abc-123&x=1 failed", "GET /identity?X-Plex-Token=***&x=1 failed"),
        ("http://me:pw@nas:9999/scene/1?apikey=eyJh.b_c", "http://***@nas:9999/scene/1?apikey=***"),
        ("{'ApiKey': 's3cret'}", "{'ApiKey': '***'}"),
        ("one\x1b[31m\ntwo\x00", "one [31m two"),
        ("a" * 2_000, "a" * 999 + "…"),
        ("No item found for key 12", "No item found for key 12"),
    ],
)
def test_foreign_text_is_cleaned(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_no_secret_of_the_settings_gets_into_an_entry() -> None:
    takeover = decided(letter("KeyError", "token was s3cretvalue"), plex_token="s3cretvalue")
    assert "s3cretvalue" not in repr(takeover)
