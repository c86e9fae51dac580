"""Subscriptions over a websocket on `/graphql`, in the newer and the older sub-protocol.

Who may listen was decided at the handshake; what `connection_init` carries is not looked at. News may be lost by a
slow listener, as on the real server; nothing is sent again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import msgspec
from graphql import DocumentNode, FieldNode, OperationDefinitionNode, OperationType, execute
from graphql.execution import ExecutionResult
from starlette.websockets import WebSocket, WebSocketDisconnect

from stashplex.sim.stash import address
from stashplex.sim.stash.context import Context, Parts
from stashplex.sim.stash.door import plain_headers
from stashplex.sim.stash.log import Feed
from stashplex.sim.stash.schema import QueryInvalid, dialect_without, resolve_plainly

NEWER, OLDER = "graphql-transport-ws", "graphql-ws"
_WORDS = {
    NEWER: {"start": "subscribe", "next": "next", "stop": "complete"},
    OLDER: {"start": "start", "next": "data", "stop": "stop"},
}


class Subscriptions:
    """Serves websockets."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    async def __call__(self, socket: WebSocket) -> None:
        """Serve one websocket to its end."""
        offered = socket.scope.get("subprotocols") or []
        protocol = next((each for each in (NEWER, OLDER) if each in offered), None)
        await socket.accept(protocol)
        headers = plain_headers(socket.scope["headers"])
        context = Context(self.parts, address.base_of(headers, "http"), socket.state.session)
        async with anyio.create_task_group() as group:
            line = _Line(socket, context, protocol or NEWER)
            with suppress(WebSocketDisconnect, msgspec.DecodeError):
                await line.serve(group.start_soon)
            group.cancel_scope.cancel()


@dataclass(slots=True)
class _Line:
    """One websocket and what it listens to."""

    socket: WebSocket
    context: Context
    protocol: str
    scopes: dict[str, anyio.CancelScope] = field(default_factory=dict)

    async def serve(self, start: Callable[..., object]) -> None:
        words = _WORDS[self.protocol]
        while True:
            message = msgspec.json.decode(await self.socket.receive_text())
            kind, number = message.get("type"), str(message.get("id", ""))
            if kind == "connection_init":
                await self._send("connection_ack")
            elif kind == "ping":
                await self._send("pong")
            elif kind == "connection_terminate":
                return
            elif kind == words["start"]:
                self.scopes[number] = anyio.CancelScope()
                start(partial(self._listen, number, message["payload"]))
            elif kind == words["stop"] and number in self.scopes:
                self.scopes.pop(number).cancel()

    async def _listen(self, number: str, asked: dict[str, Any]) -> None:
        parts = self.context.parts
        try:
            node = dialect_without(parts.switches.hidden).document(asked["query"])
        except QueryInvalid as error:
            await self._send("error", number, [{"message": e.message} for e in error.errors])
            return
        name = _subscribed(node)
        feeds: dict[str, Feed] = {
            "jobsSubscribe": parts.jobs.feed,
            "loggingSubscribe": parts.log.feed,
            "scanCompleteSubscribe": parts.scanner.finished,
        }
        if name not in feeds:
            await self._send("error", number, [{"message": "not a subscription"}])
            return
        with self.scopes[number], feeds[name].listening() as news:
            async for each in news:
                answer = self._answer(node, asked, {name: each})
                await self._send(_WORDS[self.protocol]["next"], number, answer)

    def _answer(self, node: DocumentNode, asked: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
        result = execute(
            dialect_without(self.context.parts.switches.hidden).schema,
            node,
            root_value=root,
            context_value=self.context,
            variable_values=asked.get("variables") or {},
            operation_name=asked.get("operationName"),
            field_resolver=resolve_plainly,
        )
        if not isinstance(result, ExecutionResult):
            raise TypeError("a subscription's fields never wait")
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer["errors"] = [{"message": error.message} for error in result.errors]
        return answer

    async def _send(self, kind: str, number: str = "", payload: Any = None) -> None:
        message: dict[str, Any] = {"type": kind}
        if number:
            message |= {"id": number, "payload": payload}
        await self.socket.send_text(msgspec.json.encode(message).decode())


def _subscribed(node: DocumentNode) -> str:
    """Return the name of the field that the document subscribes to, empty for anything else."""
    for definition in node.definitions:
        if isinstance(definition, OperationDefinitionNode) and definition.operation is OperationType.SUBSCRIPTION:
            first = definition.selection_set.selections[0]
            return first.name.value if isinstance(first, FieldNode) else ""
    return ""
