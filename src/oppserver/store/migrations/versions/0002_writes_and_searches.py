"""Tables for leads, activities, repeated writes, and the indexes of searches.

A released migration is never edited, so nothing here is taken from ``tables.py``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"

down_revision = "0001"

branch_labels = None

depends_on = None

# ordered and compared by code point in every engine
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Adds columns to tables, and tables; nothing of the data changes."""
    for name in ("first_name", "last_name"):
        op.add_column("user", sa.Column(name, TEXT))
    _widen_lead()
    _widen_catalogue()
    op.create_index("opportunity_by_created_on", "opportunity", ["event_code", "created_on", "id"])
    op.create_index(
        "opportunity_by_modified_on", "opportunity", ["event_code", "modified_on", "id"]
    )
    _create_activity()
    op.create_table(
        "kept_answer",
        sa.Column("key_sha256", TEXT, primary_key=True, nullable=False),
        sa.Column("request_sha256", TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_on", TEXT, nullable=False),
    )
    op.create_index("kept_answer_by_created_on", "kept_answer", ["created_on"])
    op.create_table(
        "search_index",
        sa.Column("name", TEXT, primary_key=True, nullable=False),
        sa.Column("columns", TEXT, nullable=False),
    )


def _widen_lead() -> None:
    for name in (
        "first_name",
        "last_name",
        "phone",
        "mobile",
        "owner_id",
        "created_on",
        "modified_on",
        "attributes",
    ):
        op.add_column("lead", sa.Column(name, TEXT))
    # values may be longer than PostgreSQL's other indexes hold
    address = sa.func.lower(sa.text("email"))
    op.create_index("lead_by_email", "lead", [address], postgresql_using="hash")
    for name in ("phone", "mobile"):
        is_set = sa.text(f"{name} IS NOT NULL")
        op.create_index(
            f"lead_by_{name}",
            "lead",
            [name],
            sqlite_where=is_set,
            postgresql_where=is_set,
            postgresql_using="hash",
        )


def _widen_catalogue() -> None:
    op.add_column(
        "opportunity_type", sa.Column("description", TEXT, nullable=False, server_default="")
    )
    op.add_column(
        "opportunity_type",
        sa.Column("can_delete", sa.Boolean, nullable=False, server_default=sa.true()),
    )
    op.add_column(
        "opportunity_type",
        sa.Column("duplicate_rules", TEXT, nullable=False, server_default="[]"),
    )
    op.add_column("field", sa.Column("max_length", sa.BigInteger))
    op.add_column("field", sa.Column("parent_field", TEXT))
    op.add_column(
        "field", sa.Column("dependent_options", TEXT, nullable=False, server_default="{}")
    )
    op.create_table(
        "activity_type",
        sa.Column("event_code", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", TEXT, nullable=False),
    )


def _create_activity() -> None:
    op.create_table(
        "activity",
        sa.Column("id", TEXT, primary_key=True, nullable=False),
        sa.Column("event_code", sa.BigInteger, nullable=False),
        sa.Column("lead_id", TEXT, nullable=False),
        sa.Column("opportunity_id", TEXT),
        sa.Column("note", TEXT),
        sa.Column("owner_id", TEXT),
        sa.Column("created_by", TEXT),
        sa.Column("created_on", TEXT, nullable=False),
        sa.Column("modified_on", TEXT, nullable=False),
        sa.Column("fields", TEXT),
    )
    op.create_index("activity_by_lead", "activity", ["lead_id", "created_on", "id"])
    op.create_index("activity_by_opportunity", "activity", ["opportunity_id", "created_on", "id"])
    op.create_index("activity_by_modified_on", "activity", ["event_code", "modified_on", "id"])
