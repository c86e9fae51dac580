"""`/graphql` over HTTP: reads a request, runs it, writes the answer with Stash's status codes.

A document that does not fit is 422, a body that is no JSON or is not declared as JSON is 400, everything that was run
is 200, errors or not. Queries run without the event loop; a mutation may wait for hooks, and dies with its client's
connection.
"""

import gzip
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeGuard

import anyio
import msgspec
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType, execute
from starlette.requests import Request
from starlette.responses import Response

from stashplex.sim.stash import address
from stashplex.sim.stash.context import Context, Parts
from stashplex.sim.stash.door import plain_headers
from stashplex.sim.stash.journal import Asked, Counts
from stashplex.sim.stash.schema import QueryInvalid, dialect_without, resolve_plainly


class Endpoint:
    """Answers GraphQL requests."""

    def __init__(self, parts: Parts, counts: Counts) -> None:
        self.parts = parts
        self.counts = counts

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        if request.method == "POST" and _media_type(request) != "application/json":
            return _refused(request, "transport not supported", 400)
        try:
            asked = await _read(request)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            return _refused(request, "json request body could not be decoded", 400)
        if not asked["query"]:
            return _refused(request, "no operation provided", 422)
        _note(request.state.asked, asked)
        headers = plain_headers(request.scope["headers"])
        context = Context(self.parts, address.base_of(headers, request.url.scheme), request.state.session)
        try:
            started = self._start(asked, context)
        except QueryInvalid as error:
            return _json(request, {"errors": [_invalid(e) for e in error.errors], "data": None}, 422)
        result = started if isinstance(started, ExecutionResult) else await _while_connected(request, started)
        if result is None:
            return Response(status_code=499)
        answer: dict[str, Any] = {"data": result.data}
        if result.errors:
            answer = {"errors": [_failed(e) for e in result.errors], "data": result.data}
        return _json(request, answer, 422 if _is_refused_before_run(result) else 200)

    def _start(self, asked: Mapping[str, Any], context: Context) -> ExecutionResult | Awaitable[ExecutionResult]:
        dialect = dialect_without(self.parts.switches.hidden)
        node = dialect.document(asked["query"])
        operations = [d for d in node.definitions if isinstance(d, OperationDefinitionNode)]
        is_query = all(d.operation is OperationType.QUERY for d in operations)
        if not is_query:
            self.counts.mutation += 1
        return execute(
            dialect.schema,
            node,
            context_value=context,
            variable_values=asked.get("variables") or {},
            operation_name=asked.get("operationName"),
            field_resolver=resolve_plainly,
            is_awaitable=_is_never_awaitable if is_query else None,
        )


def _is_never_awaitable(_: Any) -> TypeGuard[Awaitable[Any]]:
    """Spare queries the question for each value: none of their resolvers waits."""
    return False


async def _read(request: Request) -> Mapping[str, Any]:
    """Return query, variables and operation name. Raises: ValueError and its kin."""
    if request.method == "GET":
        given: Any = dict(request.query_params)
        if given.get("variables"):
            given["variables"] = msgspec.json.decode(given["variables"])
    else:
        given = msgspec.json.decode(await request.body())
    if not isinstance(given, dict) or not isinstance(given.get("query", ""), str):
        raise TypeError("no query")
    return {"query": "", **given}


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _refused(request: Request, message: str, status: int) -> Response:
    return _json(request, {"errors": [{"message": message}], "data": None}, status)


def _note(entry: Asked, asked: Mapping[str, Any]) -> None:
    entry.query = asked["query"]
    entry.operation = asked.get("operationName") or ""
    entry.variables = asked.get("variables") or {}


async def _while_connected(request: Request, work: Awaitable[ExecutionResult]) -> ExecutionResult | None:
    """Return the result, or None when the client went away first; then the work was cancelled."""
    result: ExecutionResult | None = None

    async def watch(leave: Callable[[], None]) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        leave()

    async with anyio.create_task_group() as group:
        group.start_soon(watch, group.cancel_scope.cancel)
        result = await work
        group.cancel_scope.cancel()
    return result


def _json(request: Request, answer: Mapping[str, Any], status: int) -> Response:
    body = msgspec.json.encode(answer)
    headers = {}
    if len(body) > 1024 and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, compresslevel=1)
        headers["content-encoding"] = "gzip"
    return Response(body, status, headers, media_type="application/json")


def _is_refused_before_run(result: ExecutionResult) -> bool:
    """Tell whether the variables (or the operation's name) did not fit: then nothing ran."""
    return result.data is None and all(error.path is None for error in result.errors or ())


def _invalid(error: GraphQLError) -> dict[str, Any]:
    places = [{"line": place.line, "column": place.column} for place in error.locations or ()]
    code = "GRAPHQL_PARSE_FAILED" if error.message.startswith("Syntax Error") else "GRAPHQL_VALIDATION_FAILED"
    return {"message": error.message, "locations": places, "extensions": {"code": code}}


def _failed(error: GraphQLError) -> dict[str, Any]:
    return {"message": error.message, "path": error.path or []}
