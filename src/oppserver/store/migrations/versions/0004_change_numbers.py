"""A number for each change of an opportunity, in the order in which changes are committed.

A released migration is never edited, so nothing here is taken from ``tables.py``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"

down_revision = "0003"

branch_labels = None

depends_on = None


def upgrade() -> None:
    """Numbers what is stored by its date, then what is deleted by its date; nothing else changes.

    The date is that of the last change as far as it is known. Where many rows share one, their ids
    decide.
    """
    counter = op.create_table(
        "change_counter",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("last_number", sa.BigInteger, nullable=False),
        sa.Column("addresses_number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(counter, [{"id": 1, "last_number": 0, "addresses_number": 0}])
    for table, date in (("opportunity", "modified_on"), ("deleted_opportunity", "deleted_on")):
        op.add_column(
            table, sa.Column("change_number", sa.BigInteger, nullable=False, server_default="0")
        )
        op.add_column(
            table,
            sa.Column("has_moved", sa.Boolean, nullable=False, server_default=sa.false()),
        )
        _number(table, date)
        op.create_index(f"{table}_by_change_number", table, ["change_number"])


def _number(table: str, date: str) -> None:
    op.execute(
        f"UPDATE {table} SET change_number = c.last_number + n.place FROM change_counter AS c,"
        f" (SELECT id, row_number() OVER (ORDER BY {date}, id) AS place FROM {table}) AS n"
        f" WHERE n.id = {table}.id"
    )
    op.execute(
        f"UPDATE change_counter SET last_number = last_number + (SELECT count(*) FROM {table})"
    )
