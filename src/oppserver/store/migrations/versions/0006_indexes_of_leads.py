"""Indexes by which leads are found: by the end of a number, and by their last change.

A released migration is never edited, so nothing here is taken from ``tables.py``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"

down_revision = "0005"

branch_labels = None

depends_on = None


def upgrade() -> None:
    """Adds indexes; nothing of the data changes."""
    for name in ("phone", "mobile"):
        digits = name
        for between in " -+().":
            digits = f"replace({digits}, '{between}', '')"
        ending = (
            f"(CASE WHEN length({digits}) > 7"
            f" THEN substr({digits}, length({digits}) - 6) ELSE {digits} END)"
        )
        is_set = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"lead_by_{name}_ending",
            "lead",
            [sa.text(ending), "id"],
            sqlite_where=is_set,
            postgresql_where=is_set,
        )
    op.create_index("lead_by_modified_on", "lead", ["modified_on", "id"])
