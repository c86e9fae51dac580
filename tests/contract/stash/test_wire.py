"""What our own client relies on, said by the server itself: status codes, error texts, pictures, times."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

import pytest
from typing_extensions import override

from contract.stash.conftest import PREFIX, Target

Make = Callable[..., str]
FIND = "query($ids: [ID!]) { findScenes(ids: $ids) { count scenes { id } } }"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
OTHER_PNG = PNG + b"another"


@dataclass(frozen=True)
class Answer:
    """One raw answer."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The only error's text."""
        (error,) = self.json["errors"]
        return str(error["message"])


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    @override
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def call(target: Target, path: str, body: bytes | None = None, **headers: str) -> Answer:
    """Send a raw request with the key; `headers` replace it."""
    sent = {name.replace("_", "-"): value for name, value in ({"ApiKey": target.api_key} | headers).items() if value}
    request = urllib.request.Request(f"{target.address}{path}", body, sent)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=20) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers, error.read())


def ask(target: Target, query: str, **variables: Any) -> Answer:
    """Send a document."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    return call(target, "/graphql", body, Content_Type="application/json")


def cover_path(target: Target, scene_id: str) -> str:
    """Return the path and stamp of a scene's cover."""
    found = ask(target, "query($id: ID) { findScene(id: $id) { paths { screenshot } } }", id=scene_id).json
    parts = urlsplit(found["data"]["findScene"]["paths"]["screenshot"])
    return f"{parts.path}?{parts.query}"


def data_url(picture: bytes) -> str:
    """Return a picture as Stash takes it."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["{known}", "2000000000"], "scene with id 2000000000 not found"),
        (["{known}", "{known}"], "validating ids: duplicate id found: {known}"),
        (["x"], 'converting ids: strconv.Atoi: parsing "x": invalid syntax'),
    ],
    ids=["unknown", "twice", "no number"],
)
def test_one_id_that_does_not_fit_voids_the_answer(target: Target, made: Make, ids: list[str], message: str) -> None:
    known = made("known")
    answer = ask(target, FIND, ids=[each.format(known=known) for each in ids])
    assert (answer.status, answer.json["data"]) == (200, None)
    assert answer.message == message.format(known=known)


def test_ids_are_answered_all_and_in_their_order(target: Target, made: Make) -> None:
    ids = [made(f"ordered {number}") for number in range(30)][::-1]
    found = ask(target, FIND, ids=ids).json["data"]["findScenes"]
    assert found == {"count": 30, "scenes": [{"id": each} for each in ids]}


def test_a_scene_that_is_gone_is_null(target: Target) -> None:
    assert ask(target, '{ a: findScene(id: "2000000000") { id } }').json == {"data": {"a": None}}


@pytest.mark.parametrize("key", ["", "wrong"])
def test_without_the_key_even_the_schema_is_hidden(target: Target, key: str) -> None:
    body = json.dumps({"query": "{ __schema { queryType { name } } }"}).encode()
    answer = call(target, "/graphql", body, ApiKey=key, Content_Type="application/json")
    assert (answer.status, answer.body, answer.headers["WWW-Authenticate"]) == (401, b"", "FormBased")


def test_deprecated_fields_are_listed_only_when_asked_for(target: Target) -> None:
    def names(arguments: str) -> set[str]:
        fields = ask(target, f'{{ __type(name: "Studio") {{ fields{arguments} {{ name }} }} }}').json
        return {field["name"] for field in fields["data"]["__type"]["fields"]}

    assert names("(includeDeprecated: true)") - names("") >= {"url"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"{}", "application/json", 422),
        (b'{"query": "{ findScenes { nonsense } }"}', "application/json", 422),
        (b'{"query": "{ version { version } }"}', "text/plain", 400),
        (b'{"query": "{ version { version } }"}', "application/json; charset=utf-8", 200),
    ],
    ids=["no json", "no document", "unknown field", "not declared", "with a charset"],
)
def test_the_status_of_a_request(target: Target, body: bytes, kind: str, status: int) -> None:
    assert call(target, "/graphql", body, Content_Type=kind).status == status


@pytest.mark.parametrize(
    ("criterion", "cause"),
    [
        ("id: {modifier: INCLUDES, value: 1}", "unsupported numeric modifier type INCLUDES"),
        ('updated_at: {modifier: INCLUDES, value: "2026"}', "unsupported date modifier type"),
        ('title: {modifier: GREATER_THAN, value: "a"}', "unsupported string filter modifier"),
    ],
    ids=["number", "time", "text"],
)
def test_a_modifier_that_does_not_fit_is_a_crash(target: Target, criterion: str, cause: str) -> None:
    answer = ask(target, f"{{ findScenes(scene_filter: {{{criterion}}}) {{ count }} }}")
    assert answer.status == 200
    assert answer.message == f"Internal system error. Error <{cause}>"


def test_times_are_whole_seconds_with_an_offset(target: Target, made: Make) -> None:
    scene_id = made("timed")
    found = ask(target, "query($id: ID) { findScene(id: $id) { updated_at } }", id=scene_id).json["data"]["findScene"]
    moment = datetime.fromisoformat(found["updated_at"])
    assert moment.tzinfo is not None
    assert moment.microsecond == 0
    assert cover_path(target, scene_id).endswith(f"/scene/{scene_id}/screenshot?t={int(moment.timestamp())}")


def test_a_scene_without_a_cover_shows_a_drawing(target: Target, made: Make) -> None:
    answer = call(target, cover_path(target, made("bare")))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/svg+xml")


def test_a_cover_is_known_by_its_etag(target: Target, made: Make) -> None:
    scene_id = made("covered", cover_image=data_url(PNG))
    path = cover_path(target, scene_id)
    first = call(target, path)
    assert (first.status, first.body, first.headers["Content-Type"]) == (200, PNG, "image/png")
    etag = first.headers["ETag"]
    for known in (etag, f'"x", {etag}', f"W/{etag}", "*"):
        again = call(target, path, If_None_Match=known)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    update = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"
    assert ask(target, update, input={"id": scene_id, "cover_image": data_url(OTHER_PNG)}).status == 200
    changed = call(target, path, If_None_Match=etag)  # the old stamp shows the new cover
    assert (changed.status, changed.body) == (200, OTHER_PNG)


@pytest.mark.parametrize("nothing", [None, "", "data:image/png;base64,"], ids=["null", "empty", "no bytes"])
def test_a_cover_cannot_be_taken_away(target: Target, made: Make, nothing: str | None) -> None:
    scene_id = made("kept", cover_image=data_url(PNG))
    update = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"
    assert "errors" not in ask(target, update, input={"id": scene_id, "cover_image": nothing}).json
    assert call(target, cover_path(target, scene_id)).body == PNG


def test_a_stranger_who_wants_a_cover_is_sent_to_the_login(target: Target, made: Make) -> None:
    path = cover_path(target, made("private"))
    assert call(target, path, ApiKey="wrong").status == 401
    stranger = call(target, path, ApiKey="")
    assert (stranger.status, stranger.headers["Location"].partition("?")[0]) == (302, "/login")


def test_a_cover_of_nothing_is_404(target: Target) -> None:
    assert call(target, "/scene/2000000000/screenshot?t=1").status == 404


@pytest.mark.parametrize("given", ["2021", "2021-03", "2021-03-04"])
def test_a_date_may_be_partial(target: Target, made: Make, given: str) -> None:
    scene_id = made("dated", date=given)
    found = ask(target, "query($id: ID) { findScene(id: $id) { date title } }", id=scene_id).json
    assert found["data"]["findScene"] == {"date": given, "title": f"{PREFIX}dated"}


@pytest.mark.parametrize("given", ["2021-02-30", "2021-3", "soon"])
def test_what_is_no_date_is_refused(target: Target, made: Make, given: str) -> None:
    update = "mutation($input: SceneUpdateInput!) { sceneUpdate(input: $input) { id } }"
    answer = ask(target, update, input={"id": made("dated"), "date": given})
    assert answer.message.startswith(f'converting date: failed to parse date "{given}"')


@pytest.mark.parametrize("rating", [-5, 0, 101])
def test_a_rating_may_be_out_of_range(target: Target, made: Make, rating: int) -> None:
    scene_id = made("rated", rating100=rating)
    found = ask(target, "query($id: ID) { findScene(id: $id) { rating100 } }", id=scene_id).json
    assert found["data"]["findScene"]["rating100"] == rating
