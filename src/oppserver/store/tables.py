"""The one schema. The migrations lead to exactly this; a test compares them.

Rules that keep it fit for every engine: the column by which a table may be sharded is first in its
primary key, no triggers, no sequences, ids made by us, times as text in the stored form.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    text,
    true,
)

from oppserver.contract.limits import CUSTOM_SLOTS

metadata: Final = MetaData()

SLOT_NAMES: Final = tuple(f"mx_custom_{slot}" for slot in range(1, CUSTOM_SLOTS + 1))


def answer_form(column: str) -> str:
    """The SQL expression that renders a stored date as ``M/d/yyyy h:mm:ss AM/PM``.

    Rendered once, when a row is written, not 4,000 times per call. Portable and immutable, so that
    a stored generated column may use it in every engine.
    """

    def number(start: int, length: int) -> str:
        return f"CAST(CAST(substr({column}, {start}, {length}) AS INTEGER) AS TEXT)"

    return (
        f"{number(6, 2)} || '/' || {number(9, 2)} || '/' || substr({column}, 1, 4) || ' ' ||"
        f" CAST((CAST(substr({column}, 12, 2) AS INTEGER) + 11) % 12 + 1 AS TEXT) ||"
        f" substr({column}, 14, 6) ||"
        f" CASE WHEN substr({column}, 12, 2) < '12' THEN ' AM' ELSE ' PM' END"
    )


def _where(condition: str) -> dict[str, Any]:
    """Options of an index that has only the rows for which a condition holds."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


user = Table(
    "user",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("email", Text),
    Column("is_active", Boolean, nullable=False),
    Column("first_name", Text),
    Column("last_name", Text),
)

api_key = Table(
    "api_key",
    metadata,
    Column("access_key", Text, primary_key=True, nullable=False),
    Column("secret_sha256", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_on", Text, nullable=False),
    Column("revoked_on", Text),
)

lead = Table(
    "lead",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("email", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("phone", Text),
    Column("mobile", Text),
    Column("owner_id", Text),
    Column("created_on", Text),
    Column("modified_on", Text),
    Column("attributes", Text),  # a JSON object of texts; null when it has none
    Index("lead_by_email", func.lower(text("email"))),
    Index("lead_by_phone", "phone", **_where("phone IS NOT NULL")),
    Index("lead_by_mobile", "mobile", **_where("mobile IS NOT NULL")),
    sqlite_with_rowid=False,
)

opportunity_type = Table(
    "opportunity_type",
    metadata,
    Column("event_code", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("can_delete", Boolean, nullable=False, server_default=true()),
    Column("duplicate_rules", Text, nullable=False, server_default="[]"),
)

activity_type = Table(
    "activity_type",
    metadata,
    Column("event_code", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("name", Text, nullable=False),
)

field = Table(
    "field",
    metadata,
    Column("event_code", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("schema_name", Text, primary_key=True, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("data_type", Text, nullable=False),
    Column("is_mandatory", Boolean, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("options", Text, nullable=False),
    Column("max_length", BigInteger),
    Column("parent_field", Text),
    Column("dependent_options", Text, nullable=False, server_default="{}"),
)

catalogue_version = Table(
    "catalogue_version",
    metadata,
    Column("id", Integer, primary_key=True, nullable=False, autoincrement=False),
    Column("version", BigInteger, nullable=False),
)
"""One row, raised by every write of types and fields: readers keep the catalogue until it moves."""

database_identity = Table(
    "database_identity",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
)
"""One row with a random GUID: a new database has another, and so has each backup."""

opportunity = Table(
    "opportunity",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("event_code", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("lead_id", Text, nullable=False),
    Column("lead_email", Text),
    Column("owner_id", Text),
    Column("status", Text),
    Column("created_on", Text, nullable=False),
    Column("modified_on", Text, nullable=False),
    Column("created_on_answer", Text, Computed(answer_form("created_on"), persisted=True)),
    Column("modified_on_answer", Text, Computed(answer_form("modified_on"), persisted=True)),
    Column("created_by", Text),
    Column("modified_by", Text),
    *(Column(name, Text) for name in SLOT_NAMES),
    # last, because a long note would push the columns behind it off the row's first page
    Column("note", Text),
    Index("opportunity_by_lead", "lead_id"),
    Index("opportunity_by_created_on", "event_code", "created_on", "id"),
    Index("opportunity_by_modified_on", "event_code", "modified_on", "id"),
)

deleted_opportunity = Table(
    "deleted_opportunity",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("event_code", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("deleted_on", Text, nullable=False),
    Column("deleted_by", Text),
)

activity = Table(
    "activity",
    metadata,
    Column("id", Text, primary_key=True, nullable=False),
    Column("event_code", BigInteger, nullable=False),
    Column("lead_id", Text, nullable=False),
    Column("opportunity_id", Text),
    Column("note", Text),
    Column("owner_id", Text),
    Column("created_by", Text),
    Column("created_on", Text, nullable=False),
    Column("modified_on", Text, nullable=False),
    Column("fields", Text),  # a JSON object of texts; null when it has none
    Index("activity_by_lead", "lead_id", "created_on", "id"),
    Index("activity_by_opportunity", "opportunity_id", "created_on", "id"),
    Index("activity_by_modified_on", "event_code", "modified_on", "id"),
)

kept_answer = Table(
    "kept_answer",
    metadata,
    Column("key_sha256", Text, primary_key=True, nullable=False),
    Column("request_sha256", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_on", Text, nullable=False),
    Index("kept_answer_by_created_on", "created_on"),
)
"""Answers to writes with an ``Idempotency-Key``."""

search_index = Table(
    "search_index",
    metadata,
    Column("name", Text, primary_key=True, nullable=False),
    Column("columns", Text, nullable=False),  # a JSON array of stored names
)
"""The indexes of ``opportunity`` that an operator has added, by the index's name."""
