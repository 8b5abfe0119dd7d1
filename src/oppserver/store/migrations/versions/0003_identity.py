"""A name for each database, so that an entity tag of one is never taken for one of another."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0003"

down_revision = "0002"

branch_labels = None

depends_on = None

# ordered and compared by code point in every engine
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds a table with one row; nothing of the data changes."""
    identity = op.create_table(
        "database_identity",
        sa.Column("id", TEXT, primary_key=True, nullable=False),
    )
    op.bulk_insert(identity, [{"id": str(uuid4())}])
