"""The errors of this program, sorted by what happens next.

StashplexError
├─ ConfigError          a person must change a setting: exit code 2
├─ StoreError           the database file cannot be used: exit code 2
├─ ServerError          a server failed: Hold, costs no attempt
│   ├─ ServerUnreachable    refused, timeout, reset, 5xx, Maintenance
│   ├─ ServerHeld           not sent: the circuit breaker is open
│   ├─ ServerBusy           429, 503 with Retry-After
│   └─ ServerRefused        401, 403: a person must change the token
├─ SideEmpty            one side is suddenly empty: the run stops, nothing is written
├─ EntryError           one entry failed: Retry, costs an attempt
│   ├─ PlexNotFound         Plex has not scanned the file yet
│   ├─ WriteNotTaken        accepted, but the read-back shows another value
│   ├─ ProtocolError        an answer that we do not understand
│   └─ PlexTemporaryError   any other fault of one item
└─ EntryRejected        a person is needed for this entry: Dead at once
    ├─ MatchAmbiguous       several items fit equally well
    └─ SceneInvalid         no file, unusable metadata

A new leaf exists only where code or a person reacts differently. Everything that a person may meet
carries a hint: one imperative sentence.
"""

from enum import StrEnum


class Server(StrEnum):
    """The two servers, as named in messages and in the store."""

    STASH = "stash"
    PLEX = "plex"


class StashplexError(Exception):
    """The root of all errors of this program.

    Shape: `str(error)` is one sentence without secrets; `hint` is one imperative sentence or empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(StashplexError):
    """A setting is missing, unknown or wrong."""


class StoreError(StashplexError):
    """The database file is damaged, foreign, or newer than this program."""


class SideEmpty(StashplexError):  # noqa: N818 - errors name the condition (style.md)
    """One side shows nothing (or nearly nothing) where there was something before."""

    def __init__(self, server: Server, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.server = server


class ServerError(StashplexError):
    """A server failed, not an entry. Units: `retry_after_s` in seconds, None when the server named none."""

    def __init__(self, server: Server, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.server = server
        self.retry_after_s = retry_after_s


class ServerUnreachable(ServerError):  # noqa: N818 - errors name the condition
    """Refused, timed out, reset, answered 5xx, or is in maintenance.

    `may_have_applied` tells whether the request may have had its effect although no answer came; `is_slow` that it
    timed out; `has_answered` that something did answer, with an error; `is_maintenance` that the server said so itself.
    """

    def __init__(
        self,
        server: Server,
        message: str,
        *,
        hint: str = "",
        retry_after_s: float | None = None,
        may_have_applied: bool = False,
        is_slow: bool = False,
        has_answered: bool = False,
        is_maintenance: bool = False,
    ) -> None:
        super().__init__(server, message, hint=hint, retry_after_s=retry_after_s)
        self.may_have_applied = may_have_applied
        self.is_slow = is_slow
        self.has_answered = has_answered
        self.is_maintenance = is_maintenance


class ServerHeld(ServerError):  # noqa: N818 - errors name the condition
    """Nothing was sent: the circuit breaker of this server is open."""


class ServerBusy(ServerError):  # noqa: N818 - errors name the condition
    """The server asks to be left alone for a while (429, or 503 with Retry-After)."""


class ServerRefused(ServerError):  # noqa: N818 - errors name the condition
    """The token or key is missing, wrong, or not allowed to do this (401, 403)."""


class EntryError(StashplexError):
    """One entry failed; another attempt may succeed."""


class PlexNotFound(EntryError):  # noqa: N818 - errors name the condition
    """Plex does not know the file of this scene (yet). `paths` are those looked for, as Plex would spell them."""

    def __init__(self, message: str, *, paths: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.paths = paths


class WriteNotTaken(EntryError):  # noqa: N818 - errors name the condition
    """Plex accepted the edit, but the read-back shows another value.

    `fields` names what was not taken; `is_partial` tells that other fields were.
    """

    def __init__(self, message: str, *, fields: tuple[str, ...], is_partial: bool, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.fields = fields
        self.is_partial = is_partial


class PlexTemporaryError(EntryError):
    """Any other fault of one item that may pass."""


class ProtocolError(EntryError):
    """An answer that we do not understand; the first 256 characters are kept in the message.

    An answer may be cut short by chance, so it is asked for again; if it stays, a person is needed.
    """


class EntryRejected(StashplexError):  # noqa: N818 - errors name the condition
    """One entry needs a person; another attempt would end the same way."""


class MatchAmbiguous(EntryRejected):
    """Several items fit equally well; the candidates are in the message."""


class SceneInvalid(EntryRejected):
    """The scene has no file or no usable metadata."""
