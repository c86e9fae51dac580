"""Schema 0006: which scenes are given back to Plex, or put back to what they were.

A frozen picture: it never follows later changes of `schema`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create a table."""
    op.create_table(
        "hand_back",
        sa.Column("plex_id", sa.SmallInteger(), nullable=False),
        sa.Column("scene_id", sa.BigInteger(), nullable=False),
        sa.Column("parting", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["plex_id"], ["plex.id"], name=op.f("fk_hand_back_plex_id")),
        sa.PrimaryKeyConstraint("plex_id", "scene_id", name=op.f("pk_hand_back")),
    )
