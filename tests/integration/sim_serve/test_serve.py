"""An application is served inside a program, and nothing stays behind."""

import socket
from urllib.parse import urlsplit

import aiohttp
import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from stashplex.sim.serve import serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Uvicorn runs under asyncio only."""
    return "asyncio"


async def hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def hang(_request: Request) -> Response:
    await anyio.sleep_forever()
    return Response()


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.receive_text()


APP = Starlette(routes=[Route("/hello", hello), Route("/hang", hang), WebSocketRoute("/echo", echo)])


async def fetch(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return await answer.text()


def is_listening(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) == 0


async def test_the_address_is_usable_at_once_and_gone_afterwards() -> None:
    async with serving(APP) as url:
        assert await fetch(f"{url}/hello") == "hello"
    assert not is_listening(url)


async def test_two_applications_are_served_side_by_side() -> None:
    async with serving(APP) as one, serving(APP) as other:
        assert one != other
        assert await fetch(f"{one}/hello") == await fetch(f"{other}/hello")


async def test_a_port_can_be_taken_again_at_once() -> None:
    async with serving(APP) as url:
        await fetch(f"{url}/hello")
    async with serving(APP, port=urlsplit(url).port or 0) as again:
        assert again == url


async def test_a_taken_port_is_refused() -> None:
    async with serving(APP) as url:
        with pytest.raises(OSError, match="in use"):
            async with serving(APP, port=urlsplit(url).port or 0):
                pass


async def test_sockets_speak_and_are_closed_at_the_end() -> None:
    async with aiohttp.ClientSession() as session:
        async with serving(APP) as url:
            listener = await session.ws_connect(f"{url}/echo")
            await listener.send_str("ping")
            assert await listener.receive_str() == "ping"
        assert (await listener.receive()).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}


async def test_a_hanging_request_does_not_hold_up_the_end() -> None:
    answers: list[str] = []

    async def ask(url: str) -> None:
        answers.append(await fetch(f"{url}/hang"))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group, serving(APP) as url:
            group.start_soon(ask, url)
            await fetch(f"{url}/hello")
    assert answers == ["Internal Server Error"]


async def test_cancelling_the_program_ends_the_server() -> None:
    seen = ""
    with anyio.CancelScope() as scope:
        async with serving(APP) as url:
            seen = url
            scope.cancel()
            await anyio.sleep_forever()
    assert seen
    assert not is_listening(seen)


async def test_an_error_of_the_program_passes_through() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with serving(APP):
            raise ValueError("mine")
    assert caught.group_contains(ValueError, match="mine")
