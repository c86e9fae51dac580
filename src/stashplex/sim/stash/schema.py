"""The GraphQL schema: the text, the resolvers bound to it, and the documents that were checked against it.

One `Dialect` per set of hidden fields, so that an older server refuses a newer field as a real one does. Parsed and
checked documents are kept by their text; a document that does not fit is a `QueryInvalid`, never a result.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    parse,
    validate,
)

from stashplex.sim.stash import mutation, query

_TEXTS = ("schema.graphql", "mutation.graphql")


class QueryInvalid(Exception):  # noqa: N818 - errors name the condition
    """The document does not parse or does not fit the schema: 422."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


class Dialect:
    """The schema as one version of the server knows it."""

    def __init__(self, hidden: frozenset[str]) -> None:
        self.schema = _bound_schema(hidden)
        self._known: dict[str, DocumentNode] = {}

    def document(self, text: str) -> DocumentNode:
        """Return a checked document. Raises: QueryInvalid."""
        known = self._known.get(text)
        if known is not None:
            return known
        try:
            node = parse(text)
        except GraphQLError as error:
            raise QueryInvalid([error]) from error
        errors = validate(self.schema, node)
        if errors:
            raise QueryInvalid(errors)
        if len(self._known) >= 500:
            self._known.clear()
        self._known[text] = node
        return node


@lru_cache(maxsize=8)
def dialect_without(hidden: frozenset[str]) -> Dialect:
    """Return the dialect of a server that lacks these fields, as `Scene.code`."""
    return Dialect(hidden)


def resolve_plainly(source: Any, info: Any, **_: Any) -> Any:
    """Return the attribute (or key) that has the field's name."""
    if type(source) is dict:
        return source.get(info.field_name)
    return getattr(source, info.field_name)


def _bound_schema(hidden: frozenset[str]) -> GraphQLSchema:
    package = resources.files("stashplex.sim.stash")
    schema = build_schema("\n".join((package / name).read_text("utf-8") for name in _TEXTS))
    for name, resolver in query.ROOT.items():
        _bind(schema, f"Query.{name}", _guarded(resolver))
    for name, resolver in mutation.ROOT.items():
        _bind(schema, f"Mutation.{name}", resolver)
    for name, resolver in query.ALWAYS.items():
        _bind(schema, f"Query.{name}", resolver)
    for name, resolver in query.FIELDS.items():
        _bind(schema, name, resolver)
    base_file = schema.type_map["BaseFile"]
    if isinstance(base_file, GraphQLInterfaceType):
        base_file.resolve_type = lambda *_: "VideoFile"
    for name in hidden:
        owner, _, field = name.partition(".")
        holder = schema.type_map[owner]
        if isinstance(holder, GraphQLObjectType | GraphQLInputObjectType):
            del holder.fields[field]
    return schema


def _bind(schema: GraphQLSchema, name: str, resolver: Callable[..., Any]) -> None:
    owner, _, field = name.partition(".")
    holder = schema.type_map[owner]
    if isinstance(holder, GraphQLObjectType) and field in holder.fields:
        holder.fields[field].resolve = resolver


def _guarded(resolver: Callable[..., Any]) -> Callable[..., Any]:
    """Return a resolver that fails while there is no database."""

    def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        info.context.need_database()
        return resolver(root, info, **arguments)

    return resolve
