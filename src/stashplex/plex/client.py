"""Everything that we ask of one Plex server, one short method per endpoint.

Not a policy: it neither retries nor waits, and knows nothing of entries. The engine calls it.
Invariants: the token travels in a header only; every foreign failure leaves as one of `base.errors`; an edit
names one item by its digits; an answer that is missing or failed never looks like an empty one.
Source: plex-wire.md.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from typing import NoReturn, TypeVar
from urllib.parse import quote

import msgspec

from stashplex.base.errors import PlexNotFound, PlexTemporaryError, Server, StashplexError
from stashplex.base.feed import Feed
from stashplex.base.transport import Request, Response, Transport
from stashplex.base.wire import Peer, Unwatched, Watch, image_type
from stashplex.domain.item import Item, RatingKey, Section, SectionKey
from stashplex.domain.plan import Plan
from stashplex.plex.codec import (
    Candidate,
    Page,
    PlexIdentity,
    Window,
    parse_identity,
    parse_items,
    parse_listing,
    parse_posters,
    parse_sections,
    render_keys,
)
from stashplex.plex.edit import edit_queries
from stashplex.plex.news import iter_arrivals
from stashplex.version import __version__

ITEMS_PER_READ = 100
"""Keys in one batch read; far below any known limit of an address (plex-wire 3)."""

_UNNEEDED = "Country,Guid,Rating,Producer,Similar,Style,Mood,Format"
_LISTING = (
    "type=1&includeCollections=0&includeGuids=0&sort=id"
    f"&excludeElements=Genre,Collection,Director,Writer,Role,{_UNNEEDED}&excludeFields=summary,tagline"
)
_FULL = f"skipRefresh=1&includeGuids=0&excludeElements={_UNNEEDED}"
_T = TypeVar("_T")


class PlexClient:
    """Speaks with one Plex server.

    Shape: `requests` counts everything sent, `writes` the edits and poster selections, `uploads` the posters sent.
    Raises, from every method: ServerUnreachable, ServerBusy, ServerRefused, ConfigError (unusable address),
    ProtocolError (an answer that we do not understand).
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        token: str,
        *,
        client_identifier: str = "stashplex",
        watch: Watch | None = None,
    ) -> None:
        self._transport = transport
        self._peer = Peer(
            Server.PLEX, url.rstrip("/"), token, "STASHPLEX_PLEX_URL", "STASHPLEX_PLEX_TOKEN", watch or Unwatched()
        )
        self._headers = {
            "Accept": "application/json",
            "X-Plex-Client-Identifier": client_identifier,
            "X-Plex-Product": "stashplex",
            "X-Plex-Version": __version__,
        }
        self._secret_headers = {"X-Plex-Token": token} if token else {}
        self._skips_unknown = False
        self.requests = 0
        self.writes = 0
        self.uploads = 0

    async def identity(self) -> PlexIdentity:
        """Return who answers; needs no token. A success means that Plex is past its start and its maintenance."""
        response = await self._send(Request("GET", self._url("/identity"), self._headers))
        return self._decoded(parse_identity, self._served(response, "/identity"), "/identity")

    def arrivals(self, feed: Feed) -> AsyncGenerator[None]:
        """Yield once a line stands, and then whenever a film has come. Raises: FeedFailed."""
        return iter_arrivals(feed, self._peer.base_url, self._headers | self._secret_headers)

    async def check_token(self) -> None:
        """Return if Plex accepts the token. Raises: ServerRefused if not."""
        self._served(await self._get("/"), "/")

    async def sections(self) -> tuple[Section, ...]:
        """Return the libraries that the token may see, of every type, in Plex's order."""
        path = "/library/sections"
        return self._decoded(parse_sections, self._served(await self._get(path), path), path)

    async def iter_parts(self, section: SectionKey, page_size: int = 500) -> AsyncGenerator[Page]:
        """Yield the files of a movie section page by page, at least one page.

        Shape: by ascending id, without trashed items and optimised versions. Not a snapshot: rows shift when items
        come and go meanwhile, so a file may come twice.
        """
        path = f"/library/sections/{section}/all"
        start = 0
        while True:
            response = self._served(await self._get(f"{path}?{_LISTING}", start=start, size=page_size), path)
            page, window = self._decoded(lambda body: parse_listing(body, section), response, path)
            if start == 0 or window.returned:
                yield page
            start = self._next(window, start, response, path)
            if start < 0:
                return

    async def items(self, rating_keys: Iterable[RatingKey]) -> dict[RatingKey, Item]:
        """Return the items that Plex has, by key; unknown and trashed ones are missing.

        One request per 100 different keys. If none of them is there, Plex is asked who it is: a proxy that answers
        404 to everything must not look like a library without items.
        """
        keys = list(dict.fromkeys(rating_keys))
        found: dict[RatingKey, Item] = {}
        for first in range(0, len(keys), ITEMS_PER_READ):
            found |= await self._batch(keys[first : first + ITEMS_PER_READ])
        if keys and not found:
            await self.identity()
        return found

    async def edit(
        self,
        plan: Plan,
        *,
        locks: frozenset[str] = frozenset(),
        locked: frozenset[str] | None = None,
        clears: bool = False,
        admit: Callable[[], None] | None = None,
    ) -> int:
        """Apply a plan; return how many requests that took (0 when there is nothing to say).

        `plan` comes out of `edit.fit`; `locks` are further edit names to lock, `thumb` for instance; `locked` are the
        locks that the item shows (`Item.locked`), needed to leave the lock of `collection` as it is; `clears` empties
        lists that lose elements first; `admit` is asked directly before each request leaves.
        Success says nothing about what changed: read back.
        Raises: PlexNotFound (no such item), ProtocolError (400: refused as it is), PlexTemporaryError, and ValueError
        before anything is sent if the plan names no proper item or does not fit.
        """
        queries = edit_queries(plan, locks=locks, locked=locked, clears=clears)
        for query in queries:
            response = await self._write("PUT", f"/library/sections/{plan.section}/all?{query}", admit)
            self._require_taken(response, f"the edit of item {plan.rating_key} ({len(query)} bytes)")
        return len(queries)

    async def scan(self, section: SectionKey, folder: str = "") -> None:
        """Ask Plex to scan a folder as Plex spells it, or the whole library; it does so when it has time.

        Raises: PlexNotFound (no such library), PlexTemporaryError.
        """
        path = f"/library/sections/{section}/refresh" + (f"?path={quote(folder, safe='')}" if folder else "")
        self._require_taken(await self._get(path), f"a scan of library {section}")

    async def poster_candidates(self, rating_key: RatingKey) -> tuple[Candidate, ...]:
        """Return the posters that Plex could show for an item. Raises: PlexNotFound."""
        path = f"/library/metadata/{rating_key}/posters"
        response = await self._get(path)
        self._require_taken(response, f"the posters of item {rating_key}", is_write=False)
        return self._decoded(parse_posters, response, path)

    async def upload_poster(self, rating_key: RatingKey, body: bytes, admit: Callable[[], None] | None = None) -> None:
        """Upload an image; Plex shows it at once.

        Raises: PlexNotFound, PlexTemporaryError (also for a 500: this image is too much for Plex, or there were many).
        """
        self.uploads += 1
        headers = self._authorized | {"Content-Type": image_type(body) or "application/octet-stream"}
        url = self._url(f"/library/metadata/{rating_key}/posters")
        response = await self._send(Request("POST", url, headers, body, admit))
        self._require_taken(response, f"a poster of {len(body)} bytes for item {rating_key}", is_500_the_items=True)

    async def select_poster(
        self, rating_key: RatingKey, candidate_key: str, admit: Callable[[], None] | None = None
    ) -> None:
        """Show a poster that Plex already has. Raises: PlexNotFound, PlexTemporaryError."""
        response = await self._write(
            "PUT", f"/library/metadata/{rating_key}/poster?url={quote(candidate_key, safe='')}", admit
        )
        self._require_taken(response, f"the choice of a poster for item {rating_key}", is_500_the_items=True)

    async def _batch(self, keys: list[RatingKey]) -> dict[RatingKey, Item]:
        """Read up to 100 items.

        A 404 for several keys may mean one of them, unless the server is known to skip those it does not have.
        """
        path = f"/library/metadata/{render_keys(keys)}"
        found: dict[RatingKey, Item] = {}
        start = 0
        while 0 <= start < len(keys):
            response = await self._get(f"{path}?{_FULL}", start=start, size=len(keys))
            if response.status == 404:
                return await self._halved(keys)
            if response.status == 500:
                await self._blame_items(keys)
            items, window = self._decoded(parse_items, self._served(response, path), path)
            promised = window.returned if window.total is None else window.total
            self._skips_unknown |= 0 < promised < len(keys)
            found |= items
            start = self._next(window, start, response, path)
        return {key: found[key] for key in keys if key in found}

    async def _blame_items(self, keys: list[RatingKey]) -> NoReturn:
        """Raise for a read that failed while the server is fine: one of these items is broken in Plex's database.

        Raises: PlexTemporaryError, so that the caller asks for each alone; ServerError, if the server is not fine.
        """
        await self.identity()
        named = ", ".join(keys[:5]) + (" …" if len(keys) > 5 else "")
        raise PlexTemporaryError(
            f"Plex fails on reading item {named} (500).",
            hint="Look at Plex's log; refresh or re-add this item in Plex.",
        )

    async def _halved(self, keys: list[RatingKey]) -> dict[RatingKey, Item]:
        if len(keys) == 1 or self._skips_unknown:
            return {}
        middle = len(keys) // 2
        return await self._batch(keys[:middle]) | await self._batch(keys[middle:])

    def _next(self, window: Window, start: int, response: Response, path: str) -> int:
        """Return where the next page starts, or -1: by what was returned, never by what was asked for."""
        if window.offset is not None and window.offset != start:
            raise self._peer.not_understood(f"{path} from {start} on", response)
        total = window.total
        if total is None and (told := response.headers.get("x-plex-container-total-size", "")).isdecimal():
            total = int(told)
        if total is None and window.offset is None:
            return -1  # not paged at all: everything is here
        end = start + window.returned
        is_last = not window.returned or (total is not None and end >= total)
        return -1 if is_last else end

    async def _get(self, path_and_query: str, *, start: int | None = None, size: int = 0) -> Response:
        headers = self._authorized
        if start is not None:
            headers |= {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)}
        return await self._send(Request("GET", self._url(path_and_query), headers))

    async def _write(self, method: str, path_and_query: str, admit: Callable[[], None] | None) -> Response:
        self.writes += 1
        return await self._send(Request(method, self._url(path_and_query), self._authorized, admit=admit))

    async def _send(self, request: Request) -> Response:
        self.requests += 1
        return await self._peer.send(self._transport, request, is_write=request.method != "GET")

    @property
    def _authorized(self) -> dict[str, str]:
        return self._headers | self._secret_headers

    def _url(self, path_and_query: str) -> str:
        return f"{self._peer.base_url}{path_and_query}"

    def _served(self, response: Response, path: str) -> Response:
        """Return an answer of 2xx to something that every Plex server has."""
        self._peer.require_served(response)
        if response.status == 404:
            raise self._peer.told(self._peer.not_there(response.status))
        if response.status >= 300:
            raise self._peer.not_understood(path, response)
        return response

    def _require_taken(
        self, response: Response, what: str, *, is_write: bool = True, is_500_the_items: bool = False
    ) -> None:
        """Raise unless a request about one item was accepted.

        A 500 to an image is the image's fault or an overload of this endpoint (plex-wire 5.5): it must cost an
        attempt, or one bad image would hold everything for ever.
        """
        if is_500_the_items and response.status == 500:
            raise PlexTemporaryError(f"Plex failed on {what} (500).", hint="Look at Plex's log for this item.")
        self._peer.require_served(response, is_write=is_write)
        if response.status == 404:
            raise PlexNotFound(f"Plex does not know {what} (404).", hint="Let Plex scan the file, or empty its trash.")
        if response.status == 400:
            raise self._peer.not_understood(what, response)
        if response.status >= 300:
            raise PlexTemporaryError(
                f"Plex refused {what} ({response.status}).", hint="Look at Plex's log for this item."
            )

    def _decoded(self, parse: Callable[[bytes], _T], response: Response, path: str) -> _T:
        try:
            return parse(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._not_decoded(response, path, error) from error

    def _not_decoded(self, response: Response, path: str, error: Exception) -> StashplexError:
        return self._peer.not_understood(f"{path} ({self._peer.scrubbed(str(error))})", response)
