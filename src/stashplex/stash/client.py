"""Everything that we ask of one Stash, one short method per question. It never writes.

Not a policy: it neither retries nor waits, and knows nothing of entries. The engine calls it.
Invariants: the key travels in a header only; every foreign failure leaves as one of `base.errors`; a scene is missing
from an answer only if Stash itself said that it does not have it. Source: stash-wire.md 5, 6.
"""

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TypeVar

import msgspec

from stashplex.base.errors import ConfigError, ProtocolError, Server, ServerBusy, ServerUnreachable, StashplexError
from stashplex.base.feed import Feed
from stashplex.base.transport import Request, Response, Transport
from stashplex.base.wire import Peer, Unwatched, Watch, is_page
from stashplex.domain.event import Kind
from stashplex.domain.matching import ListedScene
from stashplex.domain.scene import Scene, SceneId
from stashplex.stash.changes import (
    FILTERS_DOCUMENT,
    KIND_OF,
    Changes,
    Subject,
    parse_changes,
    parse_filters,
    render_changes_document,
    render_reference,
    render_variables,
    subjects_for,
)
from stashplex.stash.codec import (
    CHECK_DOCUMENT,
    COUNT_DOCUMENT,
    FIELDS_DOCUMENT,
    REQUIRED_FIELDS,
    STAMPS_DOCUMENT,
    GraphError,
    SceneFields,
    SceneStamp,
    StashIdentity,
    parse_check,
    parse_count,
    parse_each,
    parse_errors,
    parse_fields,
    parse_scenes,
    parse_stamps,
    render_each_document,
    render_request,
    render_scenes_document,
)
from stashplex.stash.configuration import CONFIGURATION_DOCUMENT, PLUGIN_ID, Configuration, parse_configuration
from stashplex.stash.cover import Cover, NotModified, cover_of, is_picture, rebased
from stashplex.stash.listing import FILES_DOCUMENT, parse_files
from stashplex.stash.news import iter_endings
from stashplex.stash.session import COOKIE, Session

SCENES_PER_READ = 100
MINIMUM_VERSION = "0.26"

_MARGIN = timedelta(hours=26)
"""Stash compares times as text in its own offset, which may have changed (5.5): ask for more, then look closely."""

_NOT_OPEN = ("not initialized", "not initialised", "needs migration", "needs to be migrated", "migration required")
_PANIC = "internal system error"
"""What Stash says of a crash of its own: also of every question for data while it has no database to ask."""
_LOCKED = ("database is locked", "database table is locked", "sqlite_busy")
_FINISH = "Open Stash in a browser and finish its setup or migration."
_GENERATE_KEY = (
    "Generate an API key in Stash: Settings, Security. Without one, access ends an hour after the last save."
)
_T = TypeVar("_T")


class StashClient:
    """Speaks with one Stash.

    Shape: `requests` counts everything sent. An empty `api_key` sends none: a Stash without a key refuses any; then
    the `session` that Stash gave its plugin is used, if there is one.
    Raises, from every method: ServerUnreachable, ServerBusy, ServerRefused, ConfigError (unusable address),
    ProtocolError (an answer that we do not understand).
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        api_key: str = "",
        *,
        session: Session | None = None,
        watch: Watch | None = None,
        wanted: frozenset[str] = frozenset(),
    ) -> None:
        """`wanted` is what rules ask of scenes beyond the usual, see `more`."""
        self._wanted = wanted
        base_url = url.rstrip("/").removesuffix("/graphql")
        self._transport = transport
        self._peer = Peer(
            Server.STASH, base_url, api_key, "STASHPLEX_STASH_URL", "STASHPLEX_STASH_API_KEY", watch or Unwatched()
        )
        self._key_headers = {"ApiKey": api_key} if api_key else {}
        self._session = None if api_key else session
        self._fields: SceneFields | None = None
        self._known_filters: frozenset[str] | None = None
        self.requests = 0

    async def check(self) -> StashIdentity:
        """Return who answers, if it is in service. Raises: ServerUnreachable (setup or migration is not finished)."""
        response = await self._post(CHECK_DOCUMENT, {})
        errors = self._errors(response)
        if errors:
            raise self._failed(errors)
        identity = self._decoded(parse_check, response)
        if identity.status.upper() != "OK":
            raise self._peer.told(_not_in_service(f" ({identity.status})"))
        return identity

    async def configuration(self) -> Configuration:
        """Return what Stash holds for us: settings typed on its page, its API key, its folders."""
        return await self._ask(CONFIGURATION_DOCUMENT, {"plugins": [PLUGIN_ID]}, parse_configuration)

    async def schema(self) -> SceneFields:
        """Return what this Stash can tell of a scene; asked once. Raises: ConfigError (this Stash is too old)."""
        if self._fields is None:
            fields = await self._ask(FIELDS_DOCUMENT, {}, parse_fields)
            lacking = [name for name in REQUIRED_FIELDS if name not in fields.available]
            if lacking:
                raise ConfigError(
                    f"This Stash does not know {', '.join(lacking)} of a scene.",
                    hint=f"Update Stash to {MINIMUM_VERSION} or newer.",
                )
            self._fields = replace(fields, wanted=self._wanted)
        return self._fields

    async def scenes(self, ids: Iterable[SceneId]) -> dict[SceneId, Scene]:
        """Return the scenes that Stash has, by number; those that it does not have are missing.

        One request per 100 different numbers, one more if any of these is unknown.
        Raises: ProtocolError, if one of them cannot be read: ask one by one to learn which.
        """
        wanted = list(dict.fromkeys(ids))
        found: dict[SceneId, Scene] = {}
        for first in range(0, len(wanted), SCENES_PER_READ):
            found |= await self._batch(wanted[first : first + SCENES_PER_READ])
        return found

    async def count_scenes(self) -> int:
        """Return how many scenes Stash has."""
        return await self._ask(COUNT_DOCUMENT, {}, parse_count)

    async def iter_scene_ids(
        self, page_size: int = 1000, updated_since: datetime | None = None
    ) -> AsyncGenerator[tuple[SceneStamp, ...]]:
        """Yield all scenes page by page, by ascending number; only those changed at or after `updated_since` if given.

        Shape: no page is empty. Nothing is skipped when scenes come or go meanwhile. `updated_since` is aware.
        """
        where = {} if updated_since is None else {"updated_at": _newer(updated_since)}
        async with aclosing(self._iter_stamps(where, page_size)) as pages:
            async for page in pages:
                wanted = tuple(row for row in page if updated_since is None or row.updated_at >= updated_since)
                if wanted:
                    yield wanted

    async def iter_files(
        self, page_size: int = 1000, updated_since: datetime | None = None
    ) -> AsyncGenerator[tuple[ListedScene, ...]]:
        """Yield the files of all scenes, or of those changed since a time and some more, by ascending number.

        Shape: no page is empty.
        """
        after, where = 0, {} if updated_since is None else {"updated_at": _newer(updated_since)}
        while True:
            beyond: dict[str, object] = {"id": {"modifier": "GREATER_THAN", "value": after}}
            page = await self._ask(FILES_DOCUMENT, {"n": page_size, "where": {**beyond, **where}}, parse_files)
            if any(one >= two for one, two in pairwise([after, *(scene.id for scene in page)])):
                raise ProtocolError(f"Stash lists scenes after {after} in a wrong order.", hint="Report this answer.")
            if page:
                yield page
            if len(page) < page_size:
                return
            after = page[-1].id

    async def iter_scenes_of(
        self, kind: Kind, ids: Collection[int], page_size: int = 1000
    ) -> AsyncGenerator[tuple[SceneStamp, ...]]:
        """Yield the scenes that refer to any of these, or to what is below a studio or tag, by ascending number.

        Shape: no page is empty; something that Stash does not have has no scenes.
        """
        async with aclosing(self._iter_stamps(render_reference(kind, ids, await self._filters()), page_size)) as pages:
            async for page in pages:
                if page:
                    yield page

    async def subjects(self) -> tuple[Subject, ...]:
        """Return the kinds of changes that this Stash can be asked for; asked once."""
        return subjects_for(await self._filters())

    async def changes(self, after: Mapping[Subject, int], since: str, *, page_size: int, is_counting: bool) -> Changes:
        """Return a page of what Stash stamped after a time, and how many things of each kind it has if wanted.

        One request. Shape: `after` as in `changes.render_variables`; `since` is text as Stash stamps, without offset.
        """
        counted = [subject for subject in await self.subjects() if subject in KIND_OF] if is_counting else []
        variables: dict[str, object] = {}
        for subject, number in after.items():
            variables |= render_variables(subject, number, since, page_size)
        document = render_changes_document(after, counted)
        try:
            return await self._ask(document, variables, lambda body: parse_changes(body, after, counted))
        except ProtocolError:
            self._known_filters = None  # Stash may have been exchanged under us: the next look asks again
            raise

    async def counts(self) -> Mapping[Kind, int]:
        """Return how many performers, studios, tags and groups Stash has."""
        return (await self.changes({}, "", page_size=1, is_counting=True)).counts

    def endings(self, feed: Feed) -> AsyncGenerator[None]:
        """Yield once a line stands, and then whenever a scan or a job has ended. Raises: FeedFailed."""
        return iter_endings(feed, self._peer.base_url, self._secret_headers())

    async def _filters(self) -> frozenset[str]:
        if self._known_filters is None:
            self._known_filters = await self._ask(FILTERS_DOCUMENT, {}, parse_filters)
        return self._known_filters

    async def _iter_stamps(self, where: Mapping[str, object], page_size: int) -> AsyncGenerator[tuple[SceneStamp, ...]]:
        """Yield what a filter lets pass, page by page; the last page may be empty."""
        after = 0
        while True:
            beyond: dict[str, object] = {"id": {"modifier": "GREATER_THAN", "value": after}}
            page = await self._ask(STAMPS_DOCUMENT, {"n": page_size, "where": {**beyond, **where}}, parse_stamps)
            numbers = [after, *(row.id for row in page)]
            if any(one >= two for one, two in pairwise(numbers)):
                raise ProtocolError(f"Stash lists scenes after {after} in a wrong order.", hint="Report this answer.")
            yield page
            if len(page) < page_size:
                return
            after = page[-1].id

    async def cover(self, cover_url: str, etag: str | None = None) -> Cover | NotModified | None:
        """Return a scene's cover, `NotModified` if it is still the one of `etag`, None if there is none for Plex.

        None stands for a scene without a cover (Stash sends a drawing), a scene that is gone, and image types that
        Plex does not show. Raises: ProtocolError, if Stash fails on this cover (500) or gives a page instead and is in
        service otherwise.
        """
        headers = {"Accept": "image/*"} | self._secret_headers() | ({"If-None-Match": etag} if etag else {})
        response = await self._send(Request("GET", rebased(cover_url, self._peer.base_url), headers))
        if response.status == 500 or (response.status == 200 and is_page(response)):
            await self.check()  # a damaged image must not hold every other scene for ever
            raise ProtocolError(
                f"Stash answered the request for a cover with {response.status} and no image: "
                f"{self._peer.excerpt(response.body)}",
                hint="Replace the scene's cover in Stash.",
            )
        self._require_served(response)
        if response.status == 304 and etag:
            return NotModified()
        if response.status == 404:
            return None
        if response.status != 200:
            raise self._peer.not_understood("the request for a cover", response)
        cover = cover_of(response)
        if cover is None and not is_picture(response):
            raise self._peer.not_understood("the request for a cover", response)
        return cover

    async def _batch(self, ids: list[SceneId]) -> dict[SceneId, Scene]:
        """Read up to 100 scenes; whatever the common query does not show is looked up by itself.

        A number that Stash does not know fails the common query as a whole.
        """
        fields = await self.schema()
        response = await self._post(render_scenes_document(fields), {"ids": [str(number) for number in ids]})
        if response.status == 422 and await self._is_schema_new(fields):
            return await self._batch(ids)
        errors = self._errors(response)
        found: dict[SceneId, Scene] = {}
        if not errors:
            found = self._decoded(lambda body: parse_scenes(body, fields.unknown_fields), response)
        missing = [number for number in ids if number not in found]
        if missing:
            look = await self._post(render_each_document(fields, missing), {})
            await self._require_no_errors(look)
            found |= self._decoded(lambda body: parse_each(body, fields.unknown_fields, missing), look)
        return {number: found[number] for number in ids if number in found}

    async def _is_schema_new(self, before: SceneFields) -> bool:
        """Ask for the schema again after a query was refused: Stash may have been exchanged under us."""
        self._fields = self._known_filters = None
        return await self.schema() != before

    async def _ask(self, document: str, variables: Mapping[str, object], parse: Callable[[bytes], _T]) -> _T:
        response = await self._post(document, variables)
        await self._require_no_errors(response)
        return self._decoded(parse, response)

    async def _post(self, document: str, variables: Mapping[str, object]) -> Response:
        headers = {"Accept": "application/json", "Content-Type": "application/json"} | self._secret_headers()
        body = render_request(document, variables)
        response = await self._send(Request("POST", f"{self._peer.base_url}/graphql", headers, body))
        self._require_served(response)
        if response.status in {404, 405}:
            raise self._peer.told(self._peer.not_there(response.status))
        return response

    def _secret_headers(self) -> dict[str, str]:
        cookie = "" if self._session is None else self._session.cookie
        if not cookie:
            return self._key_headers
        if cookie != self._peer.secret:
            self._peer = replace(self._peer, secret=cookie, refused_hint=_GENERATE_KEY)
        return {"Cookie": f"{COOKIE}={cookie}"}

    async def _send(self, request: Request) -> Response:
        self.requests += 1
        response = await self._peer.send(self._transport, request)
        if self._session is not None:
            self._session.heard(response)
        return response

    def _require_served(self, response: Response) -> None:
        """Raise if the status concerns the whole server. A redirect of Stash leads to its login, or to its setup."""
        if 300 <= response.status < 400 and response.status != 304:
            location = response.headers.get("location", "").lower()
            if "/login" in location:
                raise self._peer.told(self._peer.refused(response.status))
            if "/setup" in location or "/migrate" in location:
                raise self._peer.told(_not_in_service())
        self._peer.require_served(response)

    async def _require_no_errors(self, response: Response) -> None:
        errors = self._errors(response)
        if any(_PANIC in error.message.lower() for error in errors):
            await self.check()
        if errors:
            raise self._failed(errors)

    def _errors(self, response: Response) -> tuple[GraphError, ...]:
        """Return what Stash could not resolve. Raises: ProtocolError (the question itself was refused), ServerError."""
        errors = self._decoded(parse_errors, response) if response.status in {200, 400, 422} else ()
        if response.status == 422 and errors:
            raise self._failed(errors)
        if response.status != 200:
            raise self._peer.not_understood("a query", response)
        texts = [error.message.lower() for error in errors]
        if any(sign in text for text in texts for sign in _LOCKED):
            busy = ServerBusy(Server.STASH, "Stash's database is locked.", hint="Wait for Stash to finish its work.")
            raise self._peer.told(busy)
        if any(sign in text for text in texts for sign in _NOT_OPEN):
            raise self._peer.told(_not_in_service())
        return errors

    def _failed(self, errors: tuple[GraphError, ...]) -> StashplexError:
        """Return the error for what Stash refused, in Stash's own words, which name the field."""
        texts = (f"{error.message} ({error.path})" if error.path else error.message for error in errors[:3])
        words = self._peer.excerpt("; ".join(texts).encode())
        return ProtocolError(f"Stash cannot answer: {words}", hint="Report this together with the version of Stash.")

    def _decoded(self, parse: Callable[[bytes], _T], response: Response) -> _T:
        try:
            return parse(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            raise self._peer.not_understood(f"a query ({self._peer.scrubbed(str(error))})", response) from error


def _not_in_service(status: str = "") -> ServerUnreachable:
    return ServerUnreachable(Server.STASH, f"Stash is not in service{status}.", hint=_FINISH, is_maintenance=True)


def _newer(than: datetime) -> dict[str, object]:
    text = (than.astimezone(UTC) - _MARGIN).strftime("%Y-%m-%dT%H:%M:%S")
    return {"modifier": "GREATER_THAN", "value": text}
