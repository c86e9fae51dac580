"""Answers as the server writes them: containers in JSON or XML, empty bodies for actions, HTML for errors.

A container is a dictionary: scalars become attributes, lists of dictionaries become children named like the
list. XML names `Metadata` by type (`Video`, `Directory`, `Photo`). A refusal is raised and rendered once.
"""

import random
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import quoteattr

import msgspec

Element = dict[str, Any]
Header = tuple[bytes, bytes]

JSON_TYPE = "application/json"
XML_TYPE = "text/xml;charset=utf-8"
HTML_TYPE = "text/html"
ROOT = "MediaContainer"

_encode = msgspec.json.Encoder().encode
_VIDEO = frozenset({"movie", "episode", "clip"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = HTML_TYPE
    headers: tuple[Header, ...] = ()


DONE = Answer()
"""What every action gets: 200, an empty body, text/html."""


class Refused(Exception):  # noqa: N818 - errors name the condition
    """The request ends here with this status and an HTML page."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def error_page(status: int, reason: str = "") -> Answer:
    """Return the HTML page of an error."""
    title = HTTPStatus(status).phrase
    text = reason or f"{status} {title}"
    page = f"<html><head><title>{title}</title></head><body><h1>{status} {title}</h1><p>{text}</p></body></html>"
    return Answer(status, page.encode())


def maintenance_answer(status_text: str, *, wants_json: bool) -> Answer:
    """Return what every path answers while the server starts or migrates."""
    if wants_json:
        body = _encode({"code": 503, "title": "Maintenance", "status": status_text})
        return Answer(503, body, JSON_TYPE)
    page = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Response code="503" title="Maintenance" status="{status_text}"/>\n'
    )
    return Answer(503, page.encode(), XML_TYPE)


def json_answer(container: Element, headers: tuple[Header, ...] = (), *, root: str = ROOT) -> Answer:
    """Return a container as JSON. Shape: pre-encoded children are `msgspec.Raw`."""
    return Answer(200, _encode({root: container}), JSON_TYPE, headers)


def xml_answer(container: Element, headers: tuple[Header, ...] = (), *, root: str = ROOT) -> Answer:
    """Return a container as XML."""
    chunks = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    _write_xml(root, container, chunks)
    return Answer(200, "".join(chunks).encode(), XML_TYPE, headers)


def encode_fragment(element: Element) -> bytes:
    """Return one child of a container as JSON."""
    return _encode(element)


def loosened(value: Any, rng: random.Random) -> Any:
    """Return a copy in which numbers and booleans are spelled as now one and now another version spells them."""
    match value:
        case bool():
            return rng.choice((value, int(value), str(int(value))))
        case int() | float():
            return str(value) if rng.getrandbits(1) else value
        case dict():
            return {name: loosened(child, rng) for name, child in value.items()}
        case list():
            return [loosened(child, rng) for child in value]
        case _:
            return value


def _write_xml(name: str, element: Element, chunks: list[str]) -> None:
    chunks.append(f"<{name}")
    children: list[tuple[str, Element]] = []
    for key, value in element.items():
        match value:
            case list():
                children.extend((_xml_name(key, child), child) for child in value)
            case dict():
                children.append((key, value))
            case bool():
                chunks.append(f' {key}="{int(value)}"')
            case _:
                chunks.append(f" {key}={quoteattr(str(value))}")
    if not children:
        chunks.append("/>\n")
        return
    chunks.append(">\n")
    for child_name, child in children:
        _write_xml(child_name, child, chunks)
    chunks.append(f"</{name}>\n")


def _xml_name(key: str, child: Element) -> str:
    if key != "Metadata":
        return key
    kind = child.get("type")
    if kind in _VIDEO:
        return "Video"
    return "Photo" if kind is None or kind == "photo" else "Directory"
