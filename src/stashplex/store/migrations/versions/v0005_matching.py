"""Schema 0005: Stash's files, what people decided about matches, and items by the size of their files.

A frozen picture: it never follows later changes of `schema`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create three tables and an index."""
    op.create_index("ix_plex_item_plex_id_section_size", "plex_item", ["plex_id", "section", "size"])
    op.create_table(
        "stash_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scene_id", sa.BigInteger(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("crawl", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stash_file")),
        sa.UniqueConstraint("scene_id", "file", name=op.f("uq_stash_file_scene_id_file")),
    )
    op.create_index(op.f("ix_stash_file_name_key"), "stash_file", ["name_key"])
    op.create_index(op.f("ix_stash_file_size"), "stash_file", ["size"])
    op.create_table(
        "pin",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plex_id", sa.SmallInteger(), nullable=False),
        sa.Column("scene_id", sa.BigInteger(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("rating_key", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("pinned_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["plex_id"], ["plex.id"], name=op.f("fk_pin_plex_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pin")),
        sa.UniqueConstraint("plex_id", "scene_id", "section", name=op.f("uq_pin_plex_id_scene_id_section")),
    )
    op.create_table(
        "ignored",
        sa.Column("plex_id", sa.SmallInteger(), nullable=False),
        sa.Column("scene_id", sa.BigInteger(), nullable=False),
        sa.Column("ignored_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["plex_id"], ["plex.id"], name=op.f("fk_ignored_plex_id")),
        sa.PrimaryKeyConstraint("plex_id", "scene_id", name=op.f("pk_ignored")),
    )
