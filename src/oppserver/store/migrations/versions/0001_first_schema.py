"""The first schema: users, keys, leads, types, fields, opportunities, tombstones.

A released migration is never edited, so nothing here is taken from ``tables.py``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"

down_revision = None

branch_labels = None

depends_on = None

# ordered and compared by code point in every engine
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Creates every table."""
    op.create_table(
        "user",
        sa.Column("id", TEXT, primary_key=True, nullable=False),
        sa.Column("email", TEXT),
        sa.Column("is_active", sa.Boolean, nullable=False),
    )
    op.create_table(
        "api_key",
        sa.Column("access_key", TEXT, primary_key=True, nullable=False),
        sa.Column("secret_sha256", TEXT, nullable=False),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("created_on", TEXT, nullable=False),
        sa.Column("revoked_on", TEXT),
    )
    op.create_table(
        "lead",
        sa.Column("id", TEXT, primary_key=True, nullable=False),
        sa.Column("email", TEXT),
        sqlite_with_rowid=False,
    )
    _create_catalogue()
    _create_opportunity()
    op.create_table(
        "deleted_opportunity",
        sa.Column("id", TEXT, primary_key=True, nullable=False),
        sa.Column("event_code", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("deleted_on", TEXT, nullable=False),
        sa.Column("deleted_by", TEXT),
    )


def _create_catalogue() -> None:
    op.create_table(
        "opportunity_type",
        sa.Column("event_code", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", TEXT, nullable=False),
    )
    op.create_table(
        "field",
        sa.Column("event_code", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("schema_name", TEXT, primary_key=True, nullable=False),
        sa.Column("display_name", TEXT, nullable=False),
        sa.Column("data_type", TEXT, nullable=False),
        sa.Column("is_mandatory", sa.Boolean, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("options", TEXT, nullable=False),
    )
    version = op.create_table(
        "catalogue_version",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(version, [{"id": 1, "version": 1}])


def _create_opportunity() -> None:
    op.create_table(
        "opportunity",
        sa.Column("id", TEXT, primary_key=True, nullable=False),
        sa.Column("event_code", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("lead_id", TEXT, nullable=False),
        sa.Column("lead_email", TEXT),
        sa.Column("owner_id", TEXT),
        sa.Column("status", TEXT),
        sa.Column("created_on", TEXT, nullable=False),
        sa.Column("modified_on", TEXT, nullable=False),
        sa.Column("created_on_answer", TEXT, _answer_form("created_on")),
        sa.Column("modified_on_answer", TEXT, _answer_form("modified_on")),
        sa.Column("created_by", TEXT),
        sa.Column("modified_by", TEXT),
        *(sa.Column(f"mx_custom_{slot}", TEXT) for slot in range(1, 251)),
        sa.Column("note", TEXT),
    )
    op.create_index("opportunity_by_lead", "opportunity", ["lead_id"])


def _answer_form(column: str) -> sa.Computed:
    def number(start: int, length: int) -> str:
        return f"CAST(CAST(substr({column}, {start}, {length}) AS INTEGER) AS TEXT)"

    return sa.Computed(
        f"{number(6, 2)} || '/' || {number(9, 2)} || '/' || substr({column}, 1, 4) || ' ' ||"
        f" CAST((CAST(substr({column}, 12, 2) AS INTEGER) + 11) % 12 + 1 AS TEXT) ||"
        f" substr({column}, 14, 6) ||"
        f" CASE WHEN substr({column}, 12, 2) < '12' THEN ' AM' ELSE ' PM' END",
        persisted=True,
    )
