"""The tables of the store, and the two conversions at its boundary: time and base.

Only this package reads it. A change here needs a migration; a test compares the two.
The invariant in every row: it is due some time, or settled, or dead, and it is leased exactly when it has a token.
Units: every `_at` column is microseconds since the epoch (UTC), always bound as a parameter, never now() in SQL;
only `plex_item.updated_at` is Plex's own stamp, in seconds.
"""

from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from stashplex.domain.document import Base, Document

REVISION = "0006"
"""The newest schema version; equal to the newest migration (tested)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Base)
_INTENT_DECODER = msgspec.json.Decoder(Document)


def to_micros(moment: datetime) -> int:
    """Return an aware time as stored. Units: microseconds since the epoch, exact."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return a stored time as aware UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def render_base(base: Base | None) -> str | None:
    """Return a base as compact JSON."""
    return None if base is None else _ENCODER.encode(base).decode()


def parse_base(raw: str | None) -> Base | None:
    """Return a stored base. Raises: msgspec.MsgspecError, translated by `Database`."""
    return None if raw is None else _DECODER.decode(raw)


def render_intent(intent: Document | None) -> str | None:
    """Return an intent as compact JSON."""
    return None if intent is None else _ENCODER.encode(intent).decode()


def parse_intent(raw: str | None) -> Document | None:
    """Return a stored intent. Raises: msgspec.MsgspecError, translated by `Database`."""
    return None if raw is None else _INTENT_DECODER.decode(raw)


metadata = MetaData(
    naming_convention={
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

plex = Table(
    "plex",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("machine_identifier", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
)

entry = Table(
    "entry",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("plex_id", SmallInteger, ForeignKey("plex.id"), nullable=False),
    Column("scene_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("settled_generation", BigInteger, nullable=False),
    Column("due_at", BigInteger),
    Column("lease_token", Text),
    Column("lease_owner", Text),
    Column("retry_count", SmallInteger, nullable=False),
    Column("last_error_type", Text),
    Column("last_error", Text),
    Column("first_failed_at", BigInteger),
    Column("dismissed_at", BigInteger),
    Column("last_failed_at", BigInteger),
    UniqueConstraint("plex_id", "scene_id"),
    CheckConstraint("state IN ('pending', 'leased', 'synced', 'dead')", name="state"),
    CheckConstraint("priority IN (0, 10)", name="priority"),
    CheckConstraint(
        "(due_at IS NOT NULL) = (state IN ('pending', 'leased'))"
        " AND (due_at IS NOT NULL OR settled_generation = generation)",
        name="due_or_settled_or_dead",
    ),
    CheckConstraint("settled_generation >= 0 AND settled_generation <= generation", name="settled_generation"),
    CheckConstraint(
        "(state = 'leased') = (lease_token IS NOT NULL) AND (lease_token IS NULL) = (lease_owner IS NULL)",
        name="lease",
    ),
    CheckConstraint("retry_count >= 0", name="retry_count"),
    CheckConstraint(
        "(last_error_type IS NULL) = (last_error IS NULL) AND (last_error_type IS NULL) = (first_failed_at IS NULL)",
        name="error",
    ),
)

# First run, retry, delay and lease expiry are one column with this one index; an entry that is not due costs nothing.
Index(
    "ix_entry_due",
    entry.c.plex_id,
    entry.c.priority,
    entry.c.due_at,
    sqlite_where=text("due_at IS NOT NULL"),
    postgresql_where=text("due_at IS NOT NULL"),
)
# Small by nature: the rows in work, for `release`; the dead letters, for their list and their count; those among them
# that were dismissed, for their count and their end.
Index(
    "ix_entry_lease",
    entry.c.lease_token,
    sqlite_where=text("lease_token IS NOT NULL"),
    postgresql_where=text("lease_token IS NOT NULL"),
)
Index(
    "ix_entry_dead",
    entry.c.plex_id,
    entry.c.id,
    sqlite_where=text("state = 'dead'"),
    postgresql_where=text("state = 'dead'"),
)
Index(
    "ix_entry_dismissed",
    entry.c.plex_id,
    entry.c.dismissed_at,
    sqlite_where=text("dismissed_at IS NOT NULL"),
    postgresql_where=text("dismissed_at IS NOT NULL"),
)

link = Table(
    "link",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("entry_id", Integer, ForeignKey("entry.id", ondelete="CASCADE"), nullable=False),
    Column("rating_key", Text, nullable=False),
    Column("section", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("base", Text),
    Column("intent", Text),
    UniqueConstraint("entry_id", "rating_key"),
    Index(None, "rating_key"),
)

plex_item = Table(
    "plex_item",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("plex_id", SmallInteger, ForeignKey("plex.id"), nullable=False),
    Column("rating_key", Text, nullable=False),
    Column("section", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("path_key", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("size", BigInteger),
    Column("duration_ms", BigInteger),
    Column("updated_at", BigInteger, nullable=False),
    Column("crawl", Integer, nullable=False),
    UniqueConstraint("plex_id", "section", "path_key", "rating_key"),
    Index(None, "plex_id", "section", "name_key"),
    Index(None, "plex_id", "section", "size"),
    Index(None, "plex_id", "rating_key"),
)

section = Table(
    "section",
    metadata,
    Column("plex_id", SmallInteger, ForeignKey("plex.id"), primary_key=True),
    Column("section", Text, primary_key=True),
    Column("crawl", Integer, nullable=False),
    Column("content_changed_at", BigInteger),
    Column("item_count", Integer, nullable=False),
    Column("crawled_at", BigInteger),
)

stash_file = Table(
    "stash_file",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scene_id", BigInteger, nullable=False),
    Column("file", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("size", BigInteger),
    Column("duration_ms", BigInteger),
    Column("crawl", Integer, nullable=False),
    UniqueConstraint("scene_id", "file"),
    Index(None, "name_key"),
    Index(None, "size"),
)

pin = Table(
    "pin",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("plex_id", SmallInteger, ForeignKey("plex.id"), nullable=False),
    Column("scene_id", BigInteger, nullable=False),
    Column("section", Text, nullable=False),
    Column("rating_key", Text, nullable=False),
    Column("files", Text, nullable=False),
    Column("pinned_at", BigInteger, nullable=False),
    UniqueConstraint("plex_id", "scene_id", "section"),
)

ignored = Table(
    "ignored",
    metadata,
    Column("plex_id", SmallInteger, ForeignKey("plex.id"), primary_key=True),
    Column("scene_id", BigInteger, primary_key=True),
    Column("ignored_at", BigInteger, nullable=False),
)

hand_back = Table(
    "hand_back",
    metadata,
    Column("plex_id", SmallInteger, ForeignKey("plex.id"), primary_key=True),
    Column("scene_id", BigInteger, primary_key=True),
    Column("parting", Text, nullable=False),
    Column("since", BigInteger),
    Column("asked_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
)

journal = Table(
    "journal",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("entry_id", Integer, ForeignKey("entry.id", ondelete="CASCADE"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("event", Text, nullable=False),
    Column("rating_key", Text),
    Column("field", Text),
    Column("old", Text),
    Column("new", Text),
    Column("detail", Text),
    Index(None, "entry_id", "id"),
)

cursor = Table(
    "cursor",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

breaker = Table(
    "breaker",
    metadata,
    Column("server", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("successes", Integer, nullable=False),
    Column("probes", Integer, nullable=False),
    Column("opened_at", BigInteger),
    Column("retry_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("cause", Text),
    Column("reason", Text, nullable=False),
    Column("probe_token", Text),
)

outage = Table(
    "outage",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("server", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("cause", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("entries", Integer, nullable=False),
    Index(None, "server", "started_at"),
)
