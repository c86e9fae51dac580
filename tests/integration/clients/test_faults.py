"""Every call of both clients meets every fault: the error class is right, and no secret is in any text of it.

One table of faults, one of calls. A fault is the answer (or the failure) to the call's last request.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from typing_extensions import override

from stashplex.base.errors import (
    ConfigError,
    EntryError,
    PlexNotFound,
    PlexTemporaryError,
    ProtocolError,
    ServerBusy,
    ServerRefused,
    ServerUnreachable,
    StashplexError,
)
from stashplex.base.transport import Fault, Request, Response, Transport, TransportFailed
from stashplex.domain.document import Document, TextField
from stashplex.domain.item import RatingKey, SectionKey
from stashplex.domain.plan import Plan, TextChange
from stashplex.domain.scene import SceneId
from stashplex.plex.client import PlexClient
from stashplex.stash.client import StashClient
from stashplex.stash.codec import OPTIONAL_FIELDS, REQUIRED_FIELDS

pytestmark = pytest.mark.anyio

SECRET = "t0ps3cr3t+token"
Answer = Response | TransportFailed
JPEG = b"\xff\xd8\xff" + b"x" * 20
PLAN = Plan(RatingKey("812"), SectionKey("5"), (TextChange(TextField.TITLE, "", "T"),), (), Document())


class Scripted(Transport):
    """Gives the prepared answers one after the other; the last one for ever."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._answers = list(answers)
        self.seen: list[Request] = []

    @override
    async def send(self, request: Request) -> Response:
        self.seen.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, TransportFailed):
            raise answer
        return answer


async def _drained(pages: Any) -> list[Any]:
    return [page async for page in pages]


PLEX_READS: dict[str, Callable[[PlexClient], Awaitable[object]]] = {
    "identity": lambda client: client.identity(),
    "check_token": lambda client: client.check_token(),
    "sections": lambda client: client.sections(),
    "iter_parts": lambda client: _drained(client.iter_parts(SectionKey("5"))),
    "items": lambda client: client.items([RatingKey("812")]),
    "poster_candidates": lambda client: client.poster_candidates(RatingKey("812")),
}
PLEX_WRITES: dict[str, Callable[[PlexClient], Awaitable[object]]] = {
    "edit": lambda client: client.edit(PLAN),
    "upload_poster": lambda client: client.upload_poster(RatingKey("812"), JPEG),
    "select_poster": lambda client: client.select_poster(RatingKey("812"), "upload://posters/1"),
}
STASH_QUESTIONS: dict[str, Callable[[StashClient], Awaitable[object]]] = {
    "check": lambda client: client.check(),
    "schema": lambda client: client.schema(),
    "scenes": lambda client: client.scenes([SceneId(1)]),
    "count_scenes": lambda client: client.count_scenes(),
    "iter_scene_ids": lambda client: _drained(client.iter_scene_ids()),
}
FIELDS = Response(
    200,
    {},
    json.dumps(
        {"data": {"__type": {"fields": [{"name": name} for name in (*REQUIRED_FIELDS, *OPTIONAL_FIELDS)]}}}
    ).encode(),
)
COVER_URL = "http://elsewhere/scene/1/screenshot?t=1"

ECHO = f"<html>you sent X-Plex-Token={SECRET} and {SECRET}</html>".encode()
BEFORE: dict[str, Answer] = {
    "refused": TransportFailed(Fault.CONNECT, "connection refused"),
    "timeout before send": TransportFailed(Fault.TIMEOUT_BEFORE_SEND, "no connection in time"),
}
AFTER: dict[str, Answer] = {
    "timeout after send": TransportFailed(Fault.TIMEOUT_AFTER_SEND, "no answer in time"),
    "reset": TransportFailed(Fault.BROKEN, "the connection broke (ServerDisconnectedError)"),
    "500": Response(500, {}, ECHO),
    "502": Response(502, {}, ECHO),
    "504": Response(504, {}, b""),
}
DOWN: dict[str, Answer] = {
    "503 xml": Response(503, {}, b'<Response code="503" title="Maintenance" status="database migrations"/>'),
    "503 json": Response(503, {}, b'{"code":503,"title":"Maintenance"}'),
    "503 proxy": Response(503, {}, ECHO),
    "elsewhere": Response(301, {"location": f"https://plex/?X-Plex-Token={SECRET}"}, b""),
}
SERVER_FAULTS: dict[str, tuple[Answer, type[StashplexError]]] = {
    **{name: (answer, ServerUnreachable) for name, answer in (BEFORE | AFTER | DOWN).items()},
    "429": (Response(429, {"retry-after": "3"}, b""), ServerBusy),
    "503 with a wait": (Response(503, {"retry-after": "3"}, b""), ServerBusy),
    "401": (Response(401, {}, ECHO), ServerRefused),
    "403": (Response(403, {}, ECHO), ServerRefused),
    "invalid address": (TransportFailed(Fault.INVALID_URL, "not a usable address"), ConfigError),
}
# A page for people in place of an answer is a proxy's or a login's doing: the server's fault, not the entry's.
NONSENSE = {
    "truncated": b'{"MediaContainer":{"Metadata":[{"ratingKey":"81',
    "wrong type": b'{"MediaContainer":7,"data":7}',
    "html": ECHO,
    "nothing": b"",
    "huge": b"<" + SECRET.encode() * 300_000,
    "not utf-8": b"\xff\xfe\x00",
}


def cases(calls: dict[str, Any], faults: dict[str, Any]) -> list[Any]:
    return [pytest.param(calls[one], faults[other], id=f"{one}-{other}") for one in calls for other in faults]


def assert_clean(error: BaseException) -> None:
    """No secret in the text, the repr, the hint or the chain; a person is told what to do."""
    assert isinstance(error, StashplexError)
    assert error.hint
    chain: BaseException | None = error
    while chain is not None:
        for text in (str(chain), repr(chain), getattr(chain, "hint", ""), repr(chain.args)):
            assert SECRET not in text
            assert "t0ps3cr3t" not in text
        chain = chain.__cause__ or chain.__context__


def a_plex(*answers: Answer) -> PlexClient:
    return PlexClient(Scripted(answers), "http://plex:32400", SECRET)


def a_stash(*answers: Answer) -> StashClient:
    return StashClient(Scripted(answers), "http://stash:9999", SECRET)


@pytest.mark.parametrize(("call", "fault"), cases(PLEX_READS, SERVER_FAULTS))
async def test_a_read_of_plex_meets_a_server_fault(
    call: Callable[[PlexClient], Awaitable[object]], fault: tuple[Answer, type[StashplexError]]
) -> None:
    answer, expected = fault
    with pytest.raises(expected) as caught:
        await call(a_plex(answer))
    assert type(caught.value) is expected
    assert getattr(caught.value, "may_have_applied", False) is False
    assert_clean(caught.value)


@pytest.mark.parametrize(("call", "fault"), cases(PLEX_WRITES, SERVER_FAULTS))
async def test_a_write_to_plex_meets_a_server_fault(
    call: Callable[[PlexClient], Awaitable[object]], fault: tuple[Answer, type[StashplexError]]
) -> None:
    answer, expected = fault
    if call is not PLEX_WRITES["edit"] and answer is AFTER["500"]:
        expected = PlexTemporaryError  # of an image: it must cost an attempt (plex-wire 5.5)
    with pytest.raises(expected) as caught:
        await call(a_plex(answer))
    assert type(caught.value) is expected
    if isinstance(caught.value, ServerUnreachable):
        assert caught.value.may_have_applied is (answer in AFTER.values())
    assert_clean(caught.value)


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE.keys())
@pytest.mark.parametrize("name", [name for name in PLEX_READS if name != "check_token"])
async def test_a_read_of_plex_meets_nonsense(name: str, body: bytes) -> None:
    with pytest.raises(ServerUnreachable if body == ECHO else ProtocolError) as caught:
        await PLEX_READS[name](a_plex(Response(200, {}, body)))
    assert len(str(caught.value)) < 600
    assert_clean(caught.value)


@pytest.mark.parametrize("call", PLEX_WRITES.values(), ids=PLEX_WRITES.keys())
@pytest.mark.parametrize(
    ("status", "expected"),
    [(404, PlexNotFound), (400, ProtocolError), (409, PlexTemporaryError), (413, PlexTemporaryError)],
)
async def test_plex_does_not_take_a_write(
    call: Callable[[PlexClient], Awaitable[object]], status: int, expected: type[StashplexError]
) -> None:
    with pytest.raises(expected) as caught:
        await call(a_plex(Response(status, {}, ECHO)))
    assert type(caught.value) is expected
    assert_clean(caught.value)


@pytest.mark.parametrize("name", ["identity", "check_token", "sections", "iter_parts"])
async def test_a_server_without_plexs_paths_is_unreachable_not_empty(name: str) -> None:
    with pytest.raises(ServerUnreachable) as caught:
        await PLEX_READS[name](a_plex(Response(404, {}, ECHO)))
    assert "STASHPLEX_PLEX_URL" in caught.value.hint


async def test_a_proxy_that_answers_404_to_everything_is_not_a_library_without_items() -> None:
    with pytest.raises(ServerUnreachable):
        await a_plex(Response(404, {}, ECHO)).items([RatingKey("1"), RatingKey("2")])


async def test_candidates_of_an_item_that_is_gone() -> None:
    with pytest.raises(PlexNotFound) as caught:
        await a_plex(Response(404, {}, b"")).poster_candidates(RatingKey("812"))
    assert isinstance(caught.value, EntryError)


@pytest.mark.parametrize(("call", "fault"), cases(STASH_QUESTIONS, SERVER_FAULTS))
async def test_a_question_to_stash_meets_a_server_fault(
    call: Callable[[StashClient], Awaitable[object]], fault: tuple[Answer, type[StashplexError]]
) -> None:
    answer, expected = fault
    before = [FIELDS] if call is STASH_QUESTIONS["scenes"] else []
    with pytest.raises(expected) as caught:
        await call(a_stash(*before, answer))
    assert type(caught.value) is expected
    assert getattr(caught.value, "may_have_applied", False) is False
    assert_clean(caught.value)


@pytest.mark.parametrize("body", NONSENSE.values(), ids=NONSENSE.keys())
@pytest.mark.parametrize("name", STASH_QUESTIONS)
async def test_a_question_to_stash_meets_nonsense(name: str, body: bytes) -> None:
    before = [FIELDS] if name == "scenes" else []
    with pytest.raises(ServerUnreachable if body == ECHO else ProtocolError) as caught:
        await STASH_QUESTIONS[name](a_stash(*before, Response(200, {}, body)))
    assert len(str(caught.value)) < 600
    assert_clean(caught.value)


def graph_errors(*messages: str, status: int = 200) -> Response:
    errors = [{"message": message, "path": ["findScenes"]} for message in messages]
    return Response(status, {}, json.dumps({"data": None, "errors": errors}).encode())


PANIC = "Internal system error. Error <runtime error: invalid memory address or nil pointer dereference>"


def a_check(status: str) -> Response:
    return Response(200, {}, json.dumps({"data": {"version": None, "systemStatus": {"status": status}}}).encode())


def crashing(name: str, status: str) -> StashClient:
    """A Stash that crashes at a question; one for scenes is asked twice."""
    answers = [FIELDS, graph_errors(PANIC)] if name == "scenes" else []
    return a_stash(*answers, graph_errors(PANIC), a_check(status))


@pytest.mark.parametrize("name", [name for name in STASH_QUESTIONS if name != "check"])
@pytest.mark.parametrize("status", ["NEEDS_MIGRATION", "SETUP"])
async def test_a_crash_of_a_stash_without_a_database_is_an_outage(name: str, status: str) -> None:
    with pytest.raises(ServerUnreachable, match=status) as caught:
        await STASH_QUESTIONS[name](crashing(name, status))
    assert caught.value.is_maintenance


@pytest.mark.parametrize("name", STASH_QUESTIONS)
async def test_a_crash_of_a_stash_in_service_concerns_its_question_alone(name: str) -> None:
    with pytest.raises(ProtocolError, match="nil pointer"):
        await STASH_QUESTIONS[name](crashing(name, "OK"))


@pytest.mark.parametrize("name", STASH_QUESTIONS)
@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (graph_errors("database is locked"), ServerBusy, "locked"),
        (graph_errors("x", "Database is locked (5) (SQLITE_BUSY)"), ServerBusy, "locked"),
        (graph_errors("database not initialized"), ServerUnreachable, "not in service"),
        (graph_errors(f"boom {SECRET}"), ProtocolError, "boom"),
        (graph_errors('Cannot query field "rating100"', status=422), ProtocolError, "rating100"),
        (graph_errors("bad", status=400), ProtocolError, "400"),
        (Response(422, {}, ECHO), ProtocolError, "422"),
        (Response(418, {}, ECHO), ProtocolError, "418"),
        (Response(404, {}, ECHO), ServerUnreachable, "404"),
        (Response(302, {"location": "/login?returnURL=%2Fgraphql"}, b""), ServerRefused, "302"),
        (Response(302, {"location": "/setup"}, b""), ServerUnreachable, "not in service"),
        (Response(302, {"location": "/migrate"}, b""), ServerUnreachable, "not in service"),
    ],
)
async def test_stash_refuses_a_question(
    name: str, answer: Response, expected: type[StashplexError], words: str
) -> None:
    answers = [FIELDS, answer] if name == "scenes" else [answer]
    if answer.status == 422:
        answers += [FIELDS]  # asked once more: Stash may have been exchanged
    with pytest.raises(expected, match=words) as caught:
        await STASH_QUESTIONS[name](a_stash(*answers))
    assert type(caught.value) is expected
    assert_clean(caught.value)


async def test_a_scene_that_cannot_be_read_is_not_a_scene_that_is_gone() -> None:
    look = {"data": {"scene1": None}, "errors": [{"message": "parsing time", "path": ["scene1", "updated_at"]}]}
    answers = (FIELDS, graph_errors("parsing time"), Response(200, {}, json.dumps(look).encode()))
    with pytest.raises(ProtocolError, match=r"parsing time \(scene1\.updated_at\)"):
        await a_stash(*answers).scenes([SceneId(1)])


async def test_a_scene_is_gone_only_if_stash_says_so_twice() -> None:
    nothing = Response(200, {}, b'{"data":{"findScenes":{"scenes":[]}}}')
    gone = Response(200, {}, b'{"data":{"scene1":null}}')
    assert await a_stash(FIELDS, nothing, gone).scenes([SceneId(1)]) == {}
    with pytest.raises(ProtocolError):
        await a_stash(FIELDS, nothing, Response(200, {}, b'{"data":{}}')).scenes([SceneId(1)])


@pytest.mark.parametrize("status", ["SETUP", "NEEDS_MIGRATION"])
async def test_a_stash_that_waits_for_its_owner_is_not_in_service(status: str) -> None:
    body = json.dumps({"data": {"version": {"version": "v0.30"}, "systemStatus": {"status": status}}}).encode()
    with pytest.raises(ServerUnreachable, match=status) as caught:
        await a_stash(Response(200, {}, body)).check()
    assert "migration" in caught.value.hint


async def test_a_stash_that_is_too_old_says_so() -> None:
    body = b'{"data":{"__type":{"fields":[{"name":"id"},{"name":"title"}]}}}'
    with pytest.raises(ConfigError, match="files") as caught:
        await a_stash(Response(200, {}, body)).schema()
    assert "0.26" in caught.value.hint


@pytest.mark.parametrize("fault", SERVER_FAULTS.values(), ids=SERVER_FAULTS.keys())
async def test_a_cover_meets_a_server_fault(fault: tuple[Answer, type[StashplexError]]) -> None:
    answer, expected = fault
    with pytest.raises(expected) as caught:
        await a_stash(answer).cover(COVER_URL)
    assert type(caught.value) is expected
    assert_clean(caught.value)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(302, {"location": "/login?returnURL=x"}, b""), ServerRefused),
        (Response(200, {"content-type": "text/html"}, ECHO), ServerUnreachable),
        (Response(400, {}, ECHO), ProtocolError),
        (Response(304, {}, b""), ProtocolError),
    ],
)
async def test_a_cover_is_refused(answer: Response, expected: type[StashplexError]) -> None:
    with pytest.raises(expected) as caught:
        await a_stash(answer).cover(COVER_URL)
    assert_clean(caught.value)


async def test_secrets_travel_in_headers_only() -> None:
    plex, stash = Scripted([Response(404, {}, b"")]), Scripted([Response(404, {}, b"")])
    for plex_call in (*PLEX_READS.values(), *PLEX_WRITES.values()):
        with pytest.raises(StashplexError):
            await plex_call(PlexClient(plex, "http://plex", SECRET))
    for stash_call in STASH_QUESTIONS.values():
        with pytest.raises(StashplexError):
            await stash_call(StashClient(stash, "http://stash", SECRET))
    assert await StashClient(stash, "http://stash", SECRET).cover(COVER_URL) is None
    for request in (*plex.seen, *stash.seen):
        assert "s3cr3t" not in request.url
        assert b"s3cr3t" not in request.body
        assert "s3cr3t" not in repr(request)
    assert {request.headers.get("X-Plex-Token") for request in plex.seen} == {None, SECRET}  # none for /identity
    assert {request.headers.get("ApiKey") for request in stash.seen} == {SECRET}


async def test_without_a_secret_no_header_is_sent() -> None:
    transport = Scripted([Response(401, {}, b"")])
    with pytest.raises(ServerRefused) as plex:
        await PlexClient(transport, "http://p", "").sections()
    with pytest.raises(ServerRefused) as stash:
        await StashClient(transport, "http://s").count_scenes()
    assert "STASHPLEX_PLEX_TOKEN" in plex.value.hint
    assert "STASHPLEX_STASH_API_KEY" in stash.value.hint
    for request in transport.seen:
        assert not {"X-Plex-Token", "ApiKey"} & request.headers.keys()
