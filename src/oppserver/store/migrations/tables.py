"""The tables. The migrations and ``sqlite/schema.sql`` lead to exactly these; tests compare them.

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
    false,
    func,
    text,
    true,
)

from oppserver.store.schema import SLOT_NAMES, answer_form, number_ending

metadata: Final = MetaData()

TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is ordered and compared by code point, as SQLite does, in every engine."""

_BY_EQUALITY: Final[dict[str, Any]] = {"postgresql_using": "hash"}
"""Options of an index that finds equal values of any length: others hold 2,700 bytes there."""


def _where(condition: str) -> dict[str, Any]:
    """Options of an index that has only the rows for which a condition holds."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _numbered() -> tuple[Column[Any], ...]:
    """The number of a row's last change, and whether it has ever been of another type."""
    return (
        Column("change_number", BigInteger, nullable=False, server_default="0"),
        Column("has_moved", Boolean, nullable=False, server_default=false()),
    )


user = Table(
    "user",
    metadata,
    Column("id", TEXT, primary_key=True, nullable=False),
    Column("email", TEXT),
    Column("is_active", Boolean, nullable=False),
    Column("first_name", TEXT),
    Column("last_name", TEXT),
)

api_key = Table(
    "api_key",
    metadata,
    Column("access_key", TEXT, primary_key=True, nullable=False),
    Column("secret_sha256", TEXT, nullable=False),
    Column("user_id", TEXT, nullable=False),
    Column("role", TEXT, nullable=False),
    Column("created_on", TEXT, nullable=False),
    Column("revoked_on", TEXT),
)

lead = Table(
    "lead",
    metadata,
    Column("id", TEXT, primary_key=True, nullable=False),
    Column("email", TEXT),
    Column("first_name", TEXT),
    Column("last_name", TEXT),
    Column("phone", TEXT),
    Column("mobile", TEXT),
    Column("owner_id", TEXT),
    Column("created_on", TEXT),
    Column("modified_on", TEXT),
    Column("attributes", TEXT),  # a JSON object of texts; null when it has none
    Index("lead_by_email", func.lower(text("email")), **_BY_EQUALITY),
    Index("lead_by_phone", "phone", **_where("phone IS NOT NULL"), **_BY_EQUALITY),
    Index("lead_by_mobile", "mobile", **_where("mobile IS NOT NULL"), **_BY_EQUALITY),
    Index(
        "lead_by_phone_ending", text(number_ending("phone")), "id", **_where("phone IS NOT NULL")
    ),
    Index(
        "lead_by_mobile_ending", text(number_ending("mobile")), "id", **_where("mobile IS NOT NULL")
    ),
    Index("lead_by_modified_on", "modified_on", "id"),
    sqlite_with_rowid=False,
)

opportunity_type = Table(
    "opportunity_type",
    metadata,
    Column("event_code", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("name", TEXT, nullable=False),
    Column("description", TEXT, nullable=False, server_default=""),
    Column("can_delete", Boolean, nullable=False, server_default=true()),
    Column("duplicate_rules", TEXT, nullable=False, server_default="[]"),
)

activity_type = Table(
    "activity_type",
    metadata,
    Column("event_code", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("name", TEXT, nullable=False),
    Column("settings", TEXT),  # a JSON object; null when nothing but the name is known
)

field = Table(
    "field",
    metadata,
    Column("event_code", BigInteger, primary_key=True, nullable=False, autoincrement=False),
    Column("schema_name", TEXT, primary_key=True, nullable=False),
    Column("display_name", TEXT, nullable=False),
    Column("data_type", TEXT, nullable=False),
    Column("is_mandatory", Boolean, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("options", TEXT, nullable=False),
    Column("max_length", BigInteger),
    Column("parent_field", TEXT),
    Column("dependent_options", TEXT, nullable=False, server_default="{}"),
    Column("default_option", TEXT),
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
    Column("id", TEXT, primary_key=True, nullable=False),
)
"""One row with a random GUID: a new database has another, and so has each backup."""

opportunity = Table(
    "opportunity",
    metadata,
    Column("id", TEXT, primary_key=True, nullable=False),
    Column("event_code", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("lead_id", TEXT, nullable=False),
    Column("lead_email", TEXT),
    Column("owner_id", TEXT),
    Column("status", TEXT),
    Column("created_on", TEXT, nullable=False),
    Column("modified_on", TEXT, nullable=False),
    Column("created_on_answer", TEXT, Computed(answer_form("created_on"), persisted=True)),
    Column("modified_on_answer", TEXT, Computed(answer_form("modified_on"), persisted=True)),
    Column("created_by", TEXT),
    Column("modified_by", TEXT),
    *(Column(name, TEXT) for name in SLOT_NAMES),
    # behind the slots, because a long note pushes the columns behind it off the row's first page
    Column("note", TEXT),
    *_numbered(),
    Index("opportunity_by_lead", "lead_id"),
    Index("opportunity_by_created_on", "event_code", "created_on", "id"),
    Index("opportunity_by_modified_on", "event_code", "modified_on", "id"),
    Index("opportunity_by_change_number", "change_number"),
)

deleted_opportunity = Table(
    "deleted_opportunity",
    metadata,
    Column("id", TEXT, primary_key=True, nullable=False),
    Column("event_code", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("deleted_on", TEXT, nullable=False),
    Column("deleted_by", TEXT),
    *_numbered(),
    Index("deleted_opportunity_by_change_number", "change_number"),
)

change_counter = Table(
    "change_counter",
    metadata,
    Column("id", Integer, primary_key=True, nullable=False, autoincrement=False),
    Column("last_number", BigInteger, nullable=False),
    Column("addresses_number", BigInteger, nullable=False),
)
"""One row: the number of the last change, and of the last change of an owner's address."""

activity = Table(
    "activity",
    metadata,
    Column("id", TEXT, primary_key=True, nullable=False),
    Column("event_code", BigInteger, nullable=False),
    Column("lead_id", TEXT, nullable=False),
    Column("opportunity_id", TEXT),
    Column("note", TEXT),
    Column("owner_id", TEXT),
    Column("created_by", TEXT),
    Column("created_on", TEXT, nullable=False),
    Column("modified_on", TEXT, nullable=False),
    Column("fields", TEXT),  # a JSON object of texts; null when it has none
    Index("activity_by_lead", "lead_id", "created_on", "id"),
    Index("activity_by_opportunity", "opportunity_id", "created_on", "id"),
    Index("activity_by_modified_on", "event_code", "modified_on", "id"),
)

idempotency_record = Table(
    "kept_answer",
    metadata,
    Column("key_sha256", TEXT, primary_key=True, nullable=False),
    Column("request_sha256", TEXT, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_on", TEXT, nullable=False),
    Index("kept_answer_by_created_on", "created_on"),
)
"""Answers to writes with an ``Idempotency-Key``."""

search_index = Table(
    "search_index",
    metadata,
    Column("name", TEXT, primary_key=True, nullable=False),
    Column("columns", TEXT, nullable=False),  # a JSON array of stored names
)
"""The indexes of ``opportunity`` that an operator has added, by the index's name."""
