"""The hook, piece by piece: what becomes of what Stash says."""

import ast
import json
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stashplex.domain.event import Kind, Meaning, OfAnybody, OfEntity, OfNobody, OfScene
from stashplex.domain.scene import SceneId
from stashplex.engine import spooling
from stashplex.engine.spooling import LARGEST_BYTES
from stashplex.plugin import follow_up, hook
from stashplex.store import spool

SOURCES = [Path(module.__file__) for module in (hook, follow_up)]
NOW_NS = 1_790_000_000_123_456_789


def a_call(**context: Any) -> dict[str, object]:
    return {"args": {"hookContext": {"type": "Scene.Update.Post", "id": 17, "input": None, **context}}}


def event(**context: Any) -> Any:
    return json.loads("{" + hook.event_of(a_call(**context)) + "}")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_the_oldest_python_that_stash_may_have_reads_it(source: Path) -> None:
    ast.parse(source.read_text("utf-8"), feature_version=(3, 9))


def test_an_event_keeps_type_id_and_names_of_fields_and_no_value() -> None:
    told = event(input={"id": "17", "cover_image": "data:…", "path": "/a.mp4"}, inputFields=["id", "title"])
    assert told == {"type": "Scene.Update.Post", "id": 17, "fields": ["id", "title"]}


def test_an_unknown_trigger_is_recorded_as_it_is() -> None:
    assert event(type="Wormhole.Opened.Post")["type"] == "Wormhole.Opened.Post"


def test_a_destroy_keeps_the_path_even_without_id() -> None:
    given_input = {"id": "", "path": "/media/ä \N{ROCKET}.mp4"}
    told = event(type="Scene.Destroy.Post", id=0, input=given_input)
    assert told == {"type": "Scene.Destroy.Post", "id": 0, "fields": [], "path": given_input["path"]}


@pytest.mark.parametrize("given_input", [None, [], ["1"], "x", {}, {"path": ""}, {"path": 3}])
def test_a_destroy_without_path_needs_an_id(given_input: object) -> None:
    assert event(type="Scene.Destroy.Post", input=given_input) == {"type": "Scene.Destroy.Post", "id": 17, "fields": []}
    with pytest.raises(hook.Refused, match="has no id"):
        event(type="Scene.Destroy.Post", id=0, input=given_input)


def test_a_merge_keeps_nothing_of_its_input() -> None:
    assert set(event(type="Tag.Merge.Post", input={"source": ["1"], "destination": "2"})) == {"type", "id", "fields"}


@pytest.mark.parametrize(
    "number", [None, -1, True, 1.5, "x", "", "\N{ARABIC-INDIC DIGIT ONE}" * 30, [], 2**63, "9" * 30]
)
def test_an_id_that_none_can_be_is_refused(number: object) -> None:
    with pytest.raises(hook.Refused, match="no usable id"):
        event(id=number)


def test_an_id_may_come_as_text() -> None:
    assert event(id="42")["id"] == 42


def test_an_absent_id_is_refused() -> None:
    call = a_call()
    del call["args"]["hookContext"]["id"]  # type: ignore[index]
    with pytest.raises(hook.Refused, match="has no id"):
        hook.event_of(call)


@pytest.mark.parametrize("kind", [None, "", 5, "x" * 101])
def test_a_type_that_none_can_be_is_refused(kind: object) -> None:
    with pytest.raises(hook.Refused, match="no usable type"):
        event(type=kind)


def test_too_many_names_of_fields_mean_that_any_may_have_changed() -> None:
    assert event(inputFields=["x"] * 100)["fields"] == ["x"] * 100
    assert event(inputFields=["x"] * 101)["fields"] == []


def test_a_long_name_is_cut_so_that_it_is_still_a_change() -> None:
    assert event(inputFields=["x" * 65])["fields"] == ["x" * 64]


@pytest.mark.parametrize("names", [None, "title", {}, 3, ["title", 3], ["organized", "\N{ROCKET}"]])
def test_names_that_are_none_mean_that_any_may_have_changed(names: object) -> None:
    assert event(inputFields=names)["fields"] == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=80),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["Scene.Destroy.Post", "Tag.Update.Post"]) | json_values,
            "id": st.integers(0, 99) | json_values,
            "input": st.fixed_dictionaries({"path": st.text(st.characters())}) | json_values,
            "inputFields": json_values,
        },
    )
)
def test_whatever_stash_says_is_refused_or_an_event_that_the_fold_can_read(context: dict[str, object]) -> None:
    raw = json.dumps({"args": {"hookContext": context}}).encode()
    with suppress(hook.Refused):
        content = f"{{{hook.event_of(hook.parsed(raw))}}}".encode("ascii")
        assert set(msgspec.json.decode(content)) >= {"type", "id", "fields"}


@pytest.mark.parametrize("path", ["", "/" + "\N{ROCKET}" * 4095])
def test_the_largest_event_is_no_larger_than_the_fold_takes(path: str) -> None:
    told = hook.event_of(a_call(type="x" * 87 + ".Destroy.Post", inputFields=["\x01" * 64] * 100, input={"path": path}))
    assert len(told) + len(',"at":"2026-09-21T14:13:20.123456Z"') < 60 * 1024 < LARGEST_BYTES


@pytest.mark.parametrize("raw", [b"", b" \n", b"{", b"[]", b"3", b"{} {}", b"\xff\xfe", b"[" * 100_000, b'{"a":1}x'])
def test_what_is_not_one_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(hook.Refused):
        hook.parsed(raw)


def test_a_byte_that_is_no_text_costs_no_event() -> None:
    assert hook.parsed(b'{"path": "/a\xff.mp4"}') == {"path": "/a\N{REPLACEMENT CHARACTER}.mp4"}


def test_the_data_folder_is_beside_the_configuration_of_stash_unless_the_environment_names_another(
    tmp_path: Path,
) -> None:
    call: dict[str, object] = {"server_connection": {"Dir": str(tmp_path)}}
    assert hook.find_data_dir(call, {}) == str(tmp_path / "stashplex")
    assert hook.find_data_dir({}, {"STASHPLEX_DATA_DIR": str(tmp_path / "x")}) == str(tmp_path / "x")
    assert hook.find_data_dir({}, {"STASHPLEX_DATA_DIR": "~/x"}) == str(Path("~/x").expanduser())


@pytest.mark.parametrize("told", [{}, {"Dir": ""}, {"Dir": None}, {"Dir": 3}, {"Dir": "/a\0b"}])
def test_a_data_folder_that_cannot_be_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(hook.Refused):
        hook.find_data_dir({"server_connection": told}, {})


@pytest.mark.parametrize("below", ["", "x/y"])
def test_no_data_folder_inside_the_plugin_as_the_next_update_would_remove_it(below: str) -> None:
    inside = Path(hook.BESIDE) / below
    with pytest.raises(hook.Refused, match="inside the plugin"):
        hook.find_data_dir({}, {"STASHPLEX_DATA_DIR": str(inside)})


def test_a_recorded_event_is_a_spool_file_like_those_of_the_store(tmp_path: Path) -> None:
    hook.record(str(tmp_path / "data"), hook.event_of(a_call()), NOW_NS)
    directory = tmp_path / "data" / "spool"
    (path,) = spool.iter_ready(directory)
    number, _, unique = path.stem.partition("-")
    assert (int(number), len(number)) == (NOW_NS // 1000, 16)
    assert unique
    assert json.loads(path.read_bytes()) == {
        "type": "Scene.Update.Post",
        "id": 17,
        "fields": [],
        "at": "2026-09-21T14:13:20.123456Z",
    }
    assert [stat.S_IMODE(each.stat().st_mode) for each in (directory.parent, directory, path)] == [0o700, 0o700, 0o600]


@pytest.mark.parametrize(
    ("context", "meaning"),
    [
        ({"type": "Scene.Update.Post", "inputFields": ["id", "title"]}, OfScene(SceneId(17))),
        ({"type": "Scene.Update.Post", "inputFields": ["id", "organized"]}, OfNobody()),
        ({"type": "Scene.Update.Post", "inputFields": ["organized"] * 101}, OfScene(SceneId(17))),
        ({"type": "Scene.Update.Post", "inputFields": ["id", "organized" + "x" * 99]}, OfScene(SceneId(17))),
        ({"type": "Scene.Create.Post"}, OfScene(SceneId(17))),
        ({"type": "Scene.Destroy.Post", "input": {"path": "/\udc80\u0000.mp4"}}, OfScene(SceneId(17))),
        ({"type": "Tag.Merge.Post", "input": {"source": ["1"]}}, OfEntity(Kind.TAG, 17)),
        ({"type": "Tag.Destroy.Post", "input": ["1"]}, OfAnybody()),
        ({"type": "Scene.Newer.Post"}, OfScene(SceneId(17))),
    ],
)
def test_the_fold_understands_what_the_hook_wrote(tmp_path: Path, context: dict[str, Any], meaning: Meaning) -> None:
    hook.record(str(tmp_path), hook.event_of(a_call(**context)), NOW_NS)
    (path,) = spool.iter_ready(tmp_path / "spool")
    assert spooling._meaning_of(path) == meaning


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").touch()
    with pytest.raises(OSError, match=r"taken|irectory"):
        hook.put(str(tmp_path), "taken", b"x", is_durable=True)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("[::]", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("nas", "nas"),
        (None, "127.0.0.1"),
    ],
)
def test_a_server_that_listens_everywhere_is_reached_over_loopback(host: object, reached: str) -> None:
    told = {"Scheme": "https", "Host": host, "Port": 9443, "SessionCookie": {"Value": "secret"}}
    assert json.loads(follow_up.connection_of(told)) == {
        "scheme": "https",
        "host": reached,
        "port": 9443,
        "cookie": "secret",
    }


@pytest.mark.parametrize("cookie", [None, {}, {"Value": None}, "text"])
def test_a_missing_cookie_is_an_empty_one(cookie: object) -> None:
    assert json.loads(follow_up.connection_of({"Scheme": "http", "Port": 1, "SessionCookie": cookie}))["cookie"] == ""


def test_a_poke_reaches_who_listens_and_never_waits(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        (tmp_path / "service.json").write_text(json.dumps({"poke_port": listener.getsockname()[1]}))
        hook.poke(str(tmp_path), {})
        assert listener.recv(100)
    hook.poke(str(tmp_path), {})


@pytest.mark.parametrize("content", ["", "{}", '{"poke_port": "x"}', '{"poke_port": 0}', '{"poke_port": 99999}'])
def test_a_poke_without_a_port_goes_nowhere(tmp_path: Path, content: str) -> None:
    (tmp_path / "service.json").write_text(content)
    hook.poke(str(tmp_path), {})


def test_a_lock_is_seen_by_those_who_ask_and_not_taken_by_them(tmp_path: Path) -> None:
    path = tmp_path / "service.lock"
    assert not follow_up.is_held(str(path))
    with path.open("w") as file:
        assert not follow_up.is_held(str(path))
        assert follow_up.lock(file.fileno(), is_shared=True)
        assert not follow_up.is_held(str(path))
        assert follow_up.lock(file.fileno())
        assert follow_up.is_held(str(path))
    assert not follow_up.is_held(str(path))
    assert list(tmp_path.iterdir()) == [path]
