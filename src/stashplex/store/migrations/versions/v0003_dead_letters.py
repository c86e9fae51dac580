"""Schema 0003: when an entry last failed, and an index of the dismissed dead letters.

A frozen picture: it never follows later changes of `schema`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LAST_TOLD = "(SELECT max(journal.at) FROM journal WHERE journal.entry_id = entry.id)"


def upgrade() -> None:
    """Add the column, date old failures by their journal, create the index."""
    op.add_column("entry", sa.Column("last_failed_at", sa.BigInteger(), nullable=True))
    op.execute(
        f"UPDATE entry SET last_failed_at = coalesce({_LAST_TOLD}, first_failed_at) WHERE last_error_type IS NOT NULL"  # noqa: S608 - a constant of this file
    )
    op.create_index(
        "ix_entry_dismissed",
        "entry",
        ["plex_id", "dismissed_at"],
        sqlite_where=sa.text("dismissed_at IS NOT NULL"),
        postgresql_where=sa.text("dismissed_at IS NOT NULL"),
    )
