"""The default option of a mandatory field.

A released migration is never edited, so nothing here is taken from ``tables.py``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"

down_revision = "0004"

branch_labels = None

depends_on = None

# ordered and compared by code point in every engine
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds a column; no field has a default yet."""
    op.add_column("field", sa.Column("default_option", TEXT))
