"""Schema 0004: links can be found by their item.

A frozen picture: it never follows later changes of `schema`.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index("ix_link_rating_key", "link", ["rating_key"])
