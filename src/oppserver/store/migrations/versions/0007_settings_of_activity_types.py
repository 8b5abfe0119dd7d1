"""The settings of an activity type: its fields, its score, and what is shown of it.

A released migration is never edited, so nothing here is taken from ``tables.py``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"

down_revision = "0006"

branch_labels = None

depends_on = None

# ordered and compared by code point in every engine
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds a column; no type has settings yet."""
    op.add_column("activity_type", sa.Column("settings", TEXT))
