"""Schema 0001: entries, links, path index, journal, cursors.

A frozen picture: it never follows later changes of `schema`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_servers_and_cursors()
    _create_entries()
    _create_what_belongs_to_entries()
    _create_path_index()


def _create_servers_and_cursors() -> None:
    op.create_table(
        "cursor",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursor")),
    )
    op.create_table(
        "plex",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("machine_identifier", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plex")),
        sa.UniqueConstraint("machine_identifier", name=op.f("uq_plex_machine_identifier")),
    )


def _create_entries() -> None:
    op.create_table(
        "entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plex_id", sa.SmallInteger(), nullable=False),
        sa.Column("scene_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("settled_generation", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("retry_count", sa.SmallInteger(), nullable=False),
        sa.Column("last_error_type", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("first_failed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(due_at IS NOT NULL) = (state IN ('pending', 'leased'))"
            " AND (due_at IS NOT NULL OR settled_generation = generation)",
            name=op.f("ck_entry_due_or_settled_or_dead"),
        ),
        sa.CheckConstraint(
            "(state = 'leased') = (lease_token IS NOT NULL) AND (lease_token IS NULL) = (lease_owner IS NULL)",
            name=op.f("ck_entry_lease"),
        ),
        sa.CheckConstraint("state IN ('pending', 'leased', 'synced', 'dead')", name=op.f("ck_entry_state")),
        sa.CheckConstraint(
            "(last_error_type IS NULL) = (last_error IS NULL)"
            " AND (last_error_type IS NULL) = (first_failed_at IS NULL)",
            name=op.f("ck_entry_error"),
        ),
        sa.CheckConstraint("priority IN (0, 10)", name=op.f("ck_entry_priority")),
        sa.CheckConstraint("retry_count >= 0", name=op.f("ck_entry_retry_count")),
        sa.CheckConstraint(
            "settled_generation >= 0 AND settled_generation <= generation", name=op.f("ck_entry_settled_generation")
        ),
        sa.ForeignKeyConstraint(["plex_id"], ["plex.id"], name=op.f("fk_entry_plex_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry")),
        sa.UniqueConstraint("plex_id", "scene_id", name=op.f("uq_entry_plex_id_scene_id")),
    )
    _create_entry_indexes()


def _create_entry_indexes() -> None:
    op.create_index(
        "ix_entry_dead",
        "entry",
        ["plex_id", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "ix_entry_due",
        "entry",
        ["plex_id", "priority", "due_at"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_entry_lease",
        "entry",
        ["lease_token"],
        unique=False,
        sqlite_where=sa.text("lease_token IS NOT NULL"),
        postgresql_where=sa.text("lease_token IS NOT NULL"),
    )


def _create_path_index() -> None:
    op.create_table(
        "plex_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plex_id", sa.SmallInteger(), nullable=False),
        sa.Column("rating_key", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("path_key", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("crawl", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["plex_id"], ["plex.id"], name=op.f("fk_plex_item_plex_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plex_item")),
        sa.UniqueConstraint(
            "plex_id",
            "section",
            "path_key",
            "rating_key",
            name=op.f("uq_plex_item_plex_id_section_path_key_rating_key"),
        ),
    )
    op.create_index(
        op.f("ix_plex_item_plex_id_section_name_key"), "plex_item", ["plex_id", "section", "name_key"], unique=False
    )
    op.create_index(op.f("ix_plex_item_plex_id_rating_key"), "plex_item", ["plex_id", "rating_key"], unique=False)
    op.create_table(
        "section",
        sa.Column("plex_id", sa.SmallInteger(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("crawl", sa.Integer(), nullable=False),
        sa.Column("content_changed_at", sa.BigInteger(), nullable=True),
        sa.Column("item_count", sa.Integer(), nullable=False),
        sa.Column("crawled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["plex_id"], ["plex.id"], name=op.f("fk_section_plex_id")),
        sa.PrimaryKeyConstraint("plex_id", "section", name=op.f("pk_section")),
    )


def _create_what_belongs_to_entries() -> None:
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("rating_key", sa.Text(), nullable=True),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("old", sa.Text(), nullable=True),
        sa.Column("new", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_journal_entry_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal")),
    )
    op.create_index(op.f("ix_journal_entry_id_id"), "journal", ["entry_id", "id"], unique=False)
    op.create_table(
        "link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("rating_key", sa.Text(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_link_entry_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link")),
        sa.UniqueConstraint("entry_id", "rating_key", name=op.f("uq_link_entry_id_rating_key")),
    )
